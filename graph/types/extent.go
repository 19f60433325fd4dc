package types

import "github.com/twpayne/go-geom"

// Extent is how many bytes the value refers to beside itself, roughly: those of its text, coordinates or components.
func (v Value) Extent() int {
	switch x := v.obj.(type) {
	case nil:
	case geom.T:
		return 8 * len(x.FlatCoords())
	case []float32:
		return 4 * len(x)
	}
	return len(v.str)
}
