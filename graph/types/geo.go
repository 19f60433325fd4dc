package types

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/twpayne/go-geom"
	"github.com/twpayne/go-geom/encoding/geojson"
	"github.com/twpayne/go-geom/encoding/wkb"

	"dragg/graph/geo"
)

// maxGeoDepth bounds the brackets of a GeoJSON text and the nesting of stored geometry collections.
const maxGeoDepth = 16

var (
	errGeoShape = errors.New("incomplete or unsupported shape")
	errWKB      = errors.New("corrupt well-known binary")
)

// parseGeo reads a GeoJSON geometry. Single quotes may stand for double ones, as N-Quads literals have them.
func parseGeo(text string) (geom.T, error) {
	g, err := decodeGeoJSON(text)
	if err != nil {
		return nil, fmt.Errorf("cannot parse %q as geojson: %w", clip(text), err)
	}
	return g, nil
}

func decodeGeoJSON(text string) (geom.T, error) {
	if !strings.Contains(text, `"`) {
		text = strings.ReplaceAll(text, "'", `"`)
	}
	if bracketDepth(text) > maxGeoDepth {
		return nil, errGeoShape
	}
	var g geom.T
	if err := geojson.Unmarshal([]byte(text), &g); err != nil {
		return nil, err
	}
	if g == nil || !storable(g) {
		return nil, errGeoShape
	}
	// What cannot be stored or is not well formed is refused here, while there still is a client to tell.
	if err := geo.Check(g); err != nil {
		return nil, err
	}
	if _, err := wkb.Marshal(g, binary.LittleEndian); err != nil {
		return nil, err
	}
	return g, nil
}

// storable reports whether every part of g has coordinates of a known dimension.
func storable(g geom.T) bool {
	if c, ok := g.(*geom.GeometryCollection); ok {
		for _, part := range c.Geoms() {
			if part == nil || !storable(part) {
				return false
			}
		}
		return true
	}
	if g.Empty() || g.Layout() < geom.XY || g.Layout() > geom.XYZM {
		return false
	}
	for _, f := range g.FlatCoords() {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}

func bracketDepth(text string) (deepest int) {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	return deepest
}

// appendGeoJSON appends g as a GeoJSON object; null for a shape that has no GeoJSON form, which parseGeo
// never returns.
func appendGeoJSON(dst []byte, g geom.T) []byte {
	b, err := geojson.Marshal(g)
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

// appendWKB appends the well-known binary of g; nothing for a shape that has none, which parseGeo never
// returns.
func appendWKB(dst []byte, g geom.T) []byte {
	if g == nil {
		return dst
	}
	b, err := wkb.Marshal(g, binary.LittleEndian)
	if err != nil {
		return dst
	}
	return append(dst, b...)
}

func decodeWKB(b []byte) (geom.T, error) {
	rest, err := skipWKB(b, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, errWKB
	}
	g, err := wkb.Unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errWKB, err)
	}
	return g, nil
}

// skipWKB walks over one geometry and returns what follows it. It runs before the library's decoder, which
// trusts the counts it finds and allocates by them.
func skipWKB(b []byte, depth int) (rest []byte, err error) {
	const header = 5
	if len(b) < header || b[0] != 1 || depth > maxGeoDepth {
		return nil, errWKB
	}
	kind := binary.LittleEndian.Uint32(b[1:])
	if kind >= 4000 {
		return nil, errWKB
	}
	stride := [...]int{2, 3, 3, 4}[kind/1000]
	b = b[header:]
	switch kind % 1000 {
	case 1:
		return skipFixed(b, 1, 8*stride)
	case 2:
		return skipCounted(b, func(b []byte, n int) ([]byte, error) { return skipFixed(b, n, 8*stride) })
	case 3:
		return skipCounted(b, func(b []byte, rings int) ([]byte, error) {
			for range rings {
				b, err = skipCounted(b, func(b []byte, n int) ([]byte, error) { return skipFixed(b, n, 8*stride) })
				if err != nil {
					return nil, err
				}
			}
			return b, nil
		})
	case 4, 5, 6, 7:
		return skipCounted(b, func(b []byte, parts int) ([]byte, error) {
			for range parts {
				if b, err = skipWKB(b, depth+1); err != nil {
					return nil, err
				}
			}
			return b, nil
		})
	default:
		return nil, errWKB
	}
}

func skipFixed(b []byte, n, size int) ([]byte, error) {
	if n > len(b)/size {
		return nil, errWKB
	}
	return b[n*size:], nil
}

func skipCounted(b []byte, fn func(b []byte, n int) ([]byte, error)) ([]byte, error) {
	if len(b) < 4 {
		return nil, errWKB
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)) {
		return nil, errWKB
	}
	return fn(b, int(n))
}

// clip shortens a client's text for an error message.
func clip(text string) string {
	const most = 100
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
