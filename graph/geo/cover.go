package geo

import (
	"github.com/golang/geo/s1"
	"github.com/golang/geo/s2"
)

// MaxLevel is the level of the smallest cells of a cover: about ten metres across. Cells of level 0 are the six
// faces of a cube around the globe, and each has four of the next level.
const MaxLevel = 20

// Cover returns cells that together hold the shape: the one of MaxLevel for a point, up to about most of any
// level from 0 to MaxLevel for polygons (never less than touch: up to four for a tiny one, six for one of half
// the globe). None contains another. The same shape always has the same cover.
func (s *Shape) Cover(most int) s2.CellUnion {
	if s.IsPoint() {
		return s2.CellUnion{s.Cell()}
	}
	return coverer(most).Covering(s.parts)
}

// CoverAround is Cover for what is within so many metres of a point.
func (s *Shape) CoverAround(metres float64, most int) s2.CellUnion {
	// A cap knows its radius by the square of a chord, which tells angles apart to 1e-8 where they are largest.
	const margin = 1e-7 // 64 cm
	reach := s1.Angle(angleOf(metres) + margin)
	return coverer(most).Covering(s2.CapFromCenterAngle(s.point, reach))
}

// Cell returns the cell of MaxLevel that holds a point of the shape.
func (s *Shape) Cell() s2.CellID { return s2.CellFromPoint(s.point).ID().Parent(MaxLevel) }

func coverer(most int) *s2.RegionCoverer {
	return &s2.RegionCoverer{MaxLevel: MaxLevel, LevelMod: 1, MaxCells: most}
}

var _ s2.Region = parts(nil)

// CapBound returns a cap that holds the parts.
func (ps parts) CapBound() s2.Cap { return ps.RectBound().CapBound() }

// RectBound returns a rectangle that holds the parts.
func (ps parts) RectBound() s2.Rect {
	bound := s2.EmptyRect()
	for i := range ps {
		bound = bound.Union(ps[i].bound)
	}
	return bound
}

// CellUnionBound returns a few cells that hold the parts.
func (ps parts) CellUnionBound() []s2.CellID { return ps.CapBound().CellUnionBound() }

// ContainsPoint reports whether a part contains p.
func (ps parts) ContainsPoint(p s2.Point) bool { return ps.contain(p) }

// ContainsCell reports whether a cell lies in one of the parts. It may say no of a cell that fits narrowly.
func (ps parts) ContainsCell(c s2.Cell) bool {
	bound := c.RectBound()
	for i := range ps {
		if ps[i].bound.Intersects(bound) && ps[i].containsCell(c) {
			return true
		}
	}
	return false
}

func (a *part) containsCell(c s2.Cell) bool {
	if !a.shell.ContainsCell(c) {
		return false
	}
	for _, h := range a.holes {
		if h.IntersectsCell(c) {
			return false
		}
	}
	return true
}

// IntersectsCell reports whether a cell has a place in common with the parts. It may say yes where they are close.
func (ps parts) IntersectsCell(c s2.Cell) bool {
	bound := c.RectBound()
	for i := range ps {
		if ps[i].bound.Intersects(bound) && ps[i].intersectsCell(c) {
			return true
		}
	}
	return false
}

func (a *part) intersectsCell(c s2.Cell) bool {
	if !a.shell.IntersectsCell(c) {
		return false
	}
	for _, h := range a.holes {
		if h.ContainsCell(c) {
			return false
		}
	}
	return true
}
