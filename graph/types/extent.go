package types

// Extent is how many bytes the value refers to beside itself, roughly: those of its text, coordinates or components.
func (v Value) Extent() int {
	switch v.typ {
	case Default, String, Password, Binary:
		return int(v.num)
	case Vector:
		return 4 * int(v.num)
	case Geo:
		if g := v.Geom(); g != nil {
			return 8 * len(g.FlatCoords())
		}
	default:
	}
	return 0
}
