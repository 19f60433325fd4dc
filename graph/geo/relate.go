package geo

import (
	"math"

	"github.com/golang/geo/s2"
)

// Near reports whether some place of the shape is within so many metres of a point; being exactly that far
// counts.
func (s *Shape) Near(center *Shape, metres float64) bool {
	reach := angleOf(metres)
	if reach >= math.Pi {
		return true
	}
	p := center.point
	if s.IsPoint() {
		return float64(s.point.Distance(p)) <= reach
	}
	for i := range s.parts {
		if s.parts[i].near(p, reach) {
			return true
		}
	}
	return false
}

func (a *part) near(p s2.Point, reach float64) bool {
	if a.encloses(p) || ringNear(a.shell, p, reach) {
		return true
	}
	for _, h := range a.holes {
		if ringNear(h, p, reach) {
			return true
		}
	}
	return false
}

func ringNear(l *s2.Loop, p s2.Point, reach float64) bool {
	for i := range l.NumVertices() {
		if float64(s2.DistanceFromSegment(p, l.Vertex(i), l.Vertex(i+1))) <= reach {
			return true
		}
	}
	return false
}

// Within reports whether the whole shape lies in area, which is no point. A part of the shape must lie in one
// part of the area, which it does where the parts of a multipolygon share no sides, as GeoJSON wants it.
func (s *Shape) Within(area *Shape) bool {
	if s.IsPoint() {
		return area.parts.contain(s.point)
	}
	for i := range s.parts {
		if !area.parts.cover(&s.parts[i]) {
			return false
		}
	}
	return true
}

// Contains reports whether the whole of other lies in the shape. A point contains nothing.
func (s *Shape) Contains(other *Shape) bool {
	switch {
	case s.IsPoint():
		return false
	case !other.IsPoint():
		return other.Within(s)
	}
	for i := range s.parts {
		if s.parts[i].encloses(other.point) {
			return true
		}
	}
	return false
}

// Intersects reports whether the shape and area, which is no point, have a place in common. Polygons that only
// touch have none.
func (s *Shape) Intersects(area *Shape) bool {
	if s.IsPoint() {
		return area.parts.contain(s.point)
	}
	for i := range s.parts {
		for j := range area.parts {
			if s.parts[i].meets(&area.parts[j]) {
				return true
			}
		}
	}
	return false
}

// contain reports whether a part contains p. It makes an index of the sides, so that the next call is faster.
func (ps parts) contain(p s2.Point) bool {
	for i := range ps {
		if ps[i].bound.ContainsPoint(p) && ps[i].contains(p) {
			return true
		}
	}
	return false
}

func (a *part) contains(p s2.Point) bool {
	if !a.shell.ContainsPoint(p) {
		return false
	}
	for _, h := range a.holes {
		if h.ContainsPoint(p) {
			return false
		}
	}
	return true
}

// encloses is contains for a polygon that is asked but once.
func (a *part) encloses(p s2.Point) bool {
	if !encloses(a.shell, p) {
		return false
	}
	for _, h := range a.holes {
		if encloses(h, p) {
			return false
		}
	}
	return true
}

// cover reports whether one of the parts contains b.
func (ps parts) cover(b *part) bool {
	for i := range ps {
		if ps[i].covers(b) {
			return true
		}
	}
	return false
}

// covers reports whether all of b lies in a: its shell in the shell, and of the holes of a each apart from b, that
// is from its shell, or in one of its holes. The holes of a polygon share no sides, so one has to do.
func (a *part) covers(b *part) bool {
	if !a.shell.Contains(b.shell) {
		return false
	}
	for _, h := range a.holes {
		if h.Intersects(b.shell) && !within(h, b.holes) {
			return false
		}
	}
	return true
}

// meets reports whether a and b have a place in common: their shells do, and neither lies in a hole of the other.
func (a *part) meets(b *part) bool {
	return a.bound.Intersects(b.bound) && a.shell.Intersects(b.shell) &&
		!within(b.shell, a.holes) && !within(a.shell, b.holes)
}

// within reports whether one of the rings contains l.
func within(l *s2.Loop, rings []*s2.Loop) bool {
	for _, r := range rings {
		if r.Contains(l) {
			return true
		}
	}
	return false
}
