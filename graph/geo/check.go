package geo

import (
	"errors"
	"fmt"
	"math"

	"github.com/twpayne/go-geom"
)

// MaxVertices is how many positions the rings of a polygon or multipolygon may have together: the cost of
// covering and comparing shapes grows with them.
const MaxVertices = 10_000

// What is wrong with a shape.
var (
	//lint:ignore ST1005 clients know this text, capital letter included
	errOpen     = errors.New("Last coord not same as first")
	errFewSides = errors.New("a ring needs at least four positions, three of them different")
	errNoRing   = errors.New("a polygon needs a ring")
	errOpposite = errors.New("two neighbouring positions of a ring lie on opposite sides of the globe")
	errLarge    = fmt.Errorf("a polygon has at most %d positions", MaxVertices)
)

// Check says what is wrong with a shape that a client sent; nil for a shape that is well formed. Longitudes are
// degrees from -360 to 360, so that a shape across the antimeridian may be written in one piece, and latitudes
// from -90 to 90. Rings are closed.
func Check(g geom.T) error {
	switch g := g.(type) {
	case nil:
		return errNoRing
	case *geom.GeometryCollection:
		for _, part := range g.Geoms() {
			if err := Check(part); err != nil {
				return err
			}
		}
		return nil
	case *geom.Polygon, *geom.MultiPolygon:
		if g.Stride() > 0 && len(g.FlatCoords())/g.Stride() > MaxVertices {
			return errLarge
		}
	}
	if err := checkPositions(g); err != nil {
		return err
	}
	for _, p := range polygons(g) {
		if p.NumLinearRings() == 0 {
			return errNoRing
		}
		for i := range p.NumLinearRings() {
			if err := checkRing(p.LinearRing(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// polygons returns the parts of a polygon or multipolygon; none of another shape.
func polygons(g geom.T) []*geom.Polygon {
	switch g := g.(type) {
	case *geom.Polygon:
		return []*geom.Polygon{g}
	case *geom.MultiPolygon:
		parts := make([]*geom.Polygon, g.NumPolygons())
		for i := range parts {
			parts[i] = g.Polygon(i)
		}
		return parts
	}
	return nil
}

func checkPositions(g geom.T) error {
	flat, stride := g.FlatCoords(), g.Stride()
	if stride < 2 {
		return nil
	}
	for i := 0; i+1 < len(flat); i += stride {
		// The conditions are written so that NaN meets none.
		if !(math.Abs(flat[i]) <= 360) {
			return fmt.Errorf("longitude %v is not in the range of -360 to 360", flat[i])
		}
		if !(math.Abs(flat[i+1]) <= 90) {
			return fmt.Errorf("latitude %v is not in the range of -90 to 90", flat[i+1])
		}
	}
	return nil
}

func checkRing(r *geom.LinearRing) error {
	flat, stride := r.FlatCoords(), r.Stride()
	n := len(flat) / max(stride, 2)
	if n == 0 {
		return errFewSides
	}
	if last := (n - 1) * stride; flat[0] != flat[last] || flat[1] != flat[last+1] {
		return errOpen
	}
	if n < 4 {
		return errFewSides
	}
	corners := cornersOf(r)
	if !threeDiffer(corners) {
		return errFewSides
	}
	for i, c := range corners {
		if c.opposite(corners[(i+1)%len(corners)]) {
			return errOpposite
		}
	}
	return nil
}

// corner is a position on the globe in degrees: equal ones are the same place.
type corner struct{ lon, lat float64 }

func newCorner(lon, lat float64) corner {
	if math.Abs(lat) == 90 {
		lon = 0
	}
	lon = math.Remainder(lon, 360)
	if lon == -180 {
		lon = 180
	}
	return corner{lon: lon + 0, lat: lat + 0} // no negative zeros
}

func (c corner) opposite(d corner) bool {
	if c.lat != -d.lat {
		return false
	}
	return math.Abs(c.lat) == 90 || math.Abs(c.lon-d.lon) == 180
}

// cornersOf returns the corners of a ring once each, without the closing one and without repetitions in a row.
func cornersOf(r *geom.LinearRing) []corner {
	flat, stride := r.FlatCoords(), r.Stride()
	if stride < 2 {
		return nil
	}
	out := make([]corner, 0, len(flat)/stride)
	for i := 0; i+1 < len(flat); i += stride {
		c := newCorner(flat[i], flat[i+1])
		if len(out) == 0 || out[len(out)-1] != c {
			out = append(out, c)
		}
	}
	for len(out) > 1 && out[0] == out[len(out)-1] {
		out = out[:len(out)-1]
	}
	return out
}

// threeDiffer reports whether there are three different ones among corners without repetitions in a row.
func threeDiffer(corners []corner) bool {
	for i := 2; i < len(corners); i++ {
		if corners[i] != corners[0] && corners[i] != corners[1] {
			return true
		}
	}
	return false
}
