package tok

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/golang/geo/s2"

	"dragg/graph/geo"
	"dragg/graph/types"
)

// The size of covers. What a value is covered by is written for each value, and what it is covered by too widely
// is read and tested in vain; what a query is covered by costs it a seek a cell. Measured over random polygons, half
// of which have a hole: twelve cells come to 2.3 times the area in the median, where eight come to 2.8 and sixteen
// to 2.0; twenty-four come to 1.8.
const (
	maxValueCells = 12
	maxQueryCells = 24
)

// geoTokens are the cells that cover the shape (see geo.Shape.Cover). A shape without a place is an error: no geo
// function would find it.
func geoTokens(dst []string, v types.Value, _ string) ([]string, error) {
	shape, err := geo.New(v.Geom())
	if err != nil {
		return dst, fmt.Errorf("geo index: %w", err)
	}
	for _, c := range shape.Cover(maxValueCells) {
		dst = append(dst, cellToken(c))
	}
	return dst, nil
}

// cellToken is the number of the cell, big-endian. Numbers follow a space-filling curve: the cells within a cell
// are a range of them, with the cell itself in its middle.
func cellToken(c s2.CellID) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(c))
	return string(b[:])
}

// GeoSearch says where a geo index holds the values whose cover meets that of a question: under one of Tokens or
// in one of Ranges.
type GeoSearch struct {
	Tokens []string     // ascending, none in a range
	Ranges []TokenRange // ascending, apart from each other
}

// TokenRange is the tokens from First to Last, both included.
type TokenRange struct{ First, Last string }

// SearchPoint finds values that may contain a point of the shape, which those do that contain the shape: under
// the cells that hold the point, one of each level.
func SearchPoint(s *geo.Shape) GeoSearch {
	c := s.Cell()
	q := GeoSearch{Tokens: []string{cellToken(c)}}
	for level := range c.Level() {
		q.Tokens = append(q.Tokens, cellToken(c.Parent(level)))
	}
	slices.Sort(q.Tokens)
	return q
}

// SearchArea finds values that may have a place in common with a polygon.
func SearchArea(s *geo.Shape) GeoSearch { return searchCells(s.Cover(maxQueryCells)) }

// SearchAround finds values that may have a place within so many metres of a point.
func SearchAround(point *geo.Shape, metres float64) GeoSearch {
	return searchCells(point.CoverAround(metres, maxQueryCells))
}

// searchCells looks for the cells of the cover, the smaller ones within and the larger ones around them.
func searchCells(cover s2.CellUnion) GeoSearch {
	var q GeoSearch
	for _, c := range cover {
		for level := range c.Level() {
			q.Tokens = append(q.Tokens, cellToken(c.Parent(level)))
		}
		q.Ranges = append(q.Ranges, TokenRange{First: cellToken(c.RangeMin()), Last: cellToken(c.RangeMax())})
	}
	slices.Sort(q.Tokens)
	q.Tokens = slices.Compact(q.Tokens)
	return q
}
