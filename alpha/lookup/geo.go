package lookup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"dragg/graph/geo"
	"dragg/graph/types"
	"dragg/posting/uidset"
	"dragg/query/task"
	"dragg/schema/tok"
)

// frontierOfShapes is up to which size of a frontier its nodes are tested rather than searched for by cells: a
// search looks under some forty tokens.
const frontierOfShapes = 64

// geo compiles near, within, contains and intersects. They need the index in a filter too (dql.md fact 81). The
// index leaves candidates, every one of which is tested.
func (b *builder) geo() (condition, error) {
	k, err := b.tokenizer(tok.Geo)
	if err != nil {
		return condition{}, err
	}
	holds, where, err := b.geoQuestion()
	if err != nil {
		return condition{}, err
	}
	return condition{
		frontier: frontierOfShapes,
		test: each(func(v types.Value) (bool, error) {
			shape, err := geo.New(v.Geom())
			// A shape without a place was stored before there was an index: no function finds it.
			return err == nil && holds(shape), nil
		}),
		search: func(ctx context.Context, budget int) (found, bool, error) {
			set, err := b.r.any(b.p, k, "", where.Tokens)
			if err != nil {
				return found{}, false, err
			}
			sets := []uidset.Set{set}
			for _, r := range where.Ranges {
				f, ok, err := b.within(ctx, k, "", span{lo: r.First, hi: r.Last}, &budget)
				if err != nil || !ok {
					return found{}, false, err
				}
				sets = append(sets, f.sure)
			}
			return found{maybe: merge(sets)}, true, nil
		},
	}, nil
}

// geoQuestion returns what a shape must meet, and where the index holds the shapes that may.
func (b *builder) geoQuestion() (holds func(*geo.Shape) bool, where tok.GeoSearch, err error) {
	want := 1
	if b.fn.Name == task.Near {
		want = 2
	}
	if len(b.fn.Args) != want {
		return nil, where, fmt.Errorf("function '%s' requires %d arguments, but got %d", b.fn.Name, want, len(b.fn.Args))
	}
	fail := func(err error) (func(*geo.Shape) bool, tok.GeoSearch, error) {
		return nil, tok.GeoSearch{}, fmt.Errorf("%s(%s): %w", b.fn.Name, b.p.Name, err)
	}
	arg, err := parseShape(b.fn.Args[0])
	if err != nil {
		return fail(err)
	}
	switch b.fn.Name {
	case task.Near:
		metres, err := parseMetres(b.fn.Args[1])
		if err != nil {
			return fail(err)
		}
		if !arg.IsPoint() {
			return fail(errors.New("a distance is from a point [longitude, latitude]"))
		}
		return func(s *geo.Shape) bool { return s.Near(arg, metres) }, tok.SearchAround(arg, metres), nil
	case task.Contains:
		return func(s *geo.Shape) bool { return s.Contains(arg) }, tok.SearchPoint(arg), nil
	}
	if arg.IsPoint() {
		return fail(errors.New("a polygon or multipolygon is needed, not a point"))
	}
	if b.fn.Name == task.Within {
		return func(s *geo.Shape) bool { return s.Within(arg) }, tok.SearchArea(arg), nil
	}
	return func(s *geo.Shape) bool { return s.Intersects(arg) }, tok.SearchArea(arg), nil
}

// parseShape reads the coordinates of a point, polygon or multipolygon, which the depth of brackets tells apart,
// or a whole GeoJSON object.
func parseShape(text string) (*geo.Shape, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") {
		kind, err := kindOfCoordinates(text)
		if err != nil {
			return nil, err
		}
		whole, err := json.Marshal(struct {
			Type        string          `json:"type"`
			Coordinates json.RawMessage `json:"coordinates"`
		}{kind, json.RawMessage(text)})
		if err != nil {
			return nil, fmt.Errorf("cannot parse coordinates as geojson: %w", err)
		}
		text = string(whole)
	}
	v, err := types.Parse(text, types.Geo)
	if err != nil {
		return nil, err
	}
	return geo.New(v.Geom())
}

func kindOfCoordinates(text string) (string, error) {
	depth := 0
	for _, c := range text {
		switch c {
		case '[':
			depth++
			continue
		case ' ', '\t', '\n', '\r':
			continue
		}
		break
	}
	switch depth {
	case 1:
		return "Point", nil
	case 3:
		return "Polygon", nil
	case 4:
		return "MultiPolygon", nil
	}
	return "", errors.New("cannot parse coordinates as geojson: they are [longitude, latitude] for a point, " +
		"[[[…]]] for the rings of a polygon, [[[[…]]]] for a multipolygon")
}

// parseMetres reads the distance of near.
func parseMetres(text string) (float64, error) {
	metres, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(metres) || math.IsInf(metres, 0) || metres < 0 {
		return 0, fmt.Errorf("the distance must be a number of metres from 0, and is %q", text)
	}
	return metres, nil
}
