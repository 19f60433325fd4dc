package geo

import (
	"math"
	"math/rand/v2"

	"github.com/twpayne/go-geom"
)

// The naive twin: shapes as lists of vectors, every question answered by looking at every pair of sides, with
// none of the library's predicates. It holds for shapes in general position that fit into a hemisphere.

type vec [3]float64

func (a vec) dot(b vec) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func (a vec) cross(b vec) vec {
	return vec{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func (a vec) times(f float64) vec { return vec{a[0] * f, a[1] * f, a[2] * f} }
func (a vec) plus(b vec) vec      { return vec{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }
func (a vec) unit() vec           { return a.times(1 / math.Sqrt(a.dot(a))) }

func vecOf(lon, lat float64) vec {
	lon, lat = lon*math.Pi/180, lat*math.Pi/180
	return vec{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), math.Sin(lat)}
}

func (a vec) degrees() (lon, lat float64) {
	return math.Atan2(a[1], a[0]) * 180 / math.Pi, math.Atan2(a[2], math.Hypot(a[0], a[1])) * 180 / math.Pi
}

// angle is the way between two places in radians.
func (a vec) angle(b vec) float64 {
	c := a.cross(b)
	return math.Atan2(math.Sqrt(c.dot(c)), a.dot(b))
}

type (
	naiveRing []vec
	// naivePolygon is a shell and its holes.
	naivePolygon []naiveRing
	// naiveShape is polygons, or a point.
	naiveShape struct {
		point    vec
		polygons []naivePolygon
	}
)

// holds adds up by which angles a walker in p turns who follows the ring with his eyes.
func (r naiveRing) holds(p vec) bool {
	var middle vec
	for _, v := range r {
		middle = middle.plus(v)
	}
	if p.dot(middle) <= 0 {
		return false
	}
	turned := 0.0
	for i, v := range r {
		w := r[(i+1)%len(r)]
		a, b := p.cross(v), p.cross(w)
		turned += math.Atan2(p.dot(a.cross(b)), a.dot(b))
	}
	return math.Abs(turned) > math.Pi
}

func (g naivePolygon) holds(p vec) bool {
	for i, r := range g {
		if r.holds(p) != (i == 0) {
			return false
		}
	}
	return true
}

func (r naiveRing) crosses(o naiveRing) bool {
	for i, a := range r {
		b := r[(i+1)%len(r)]
		for j, c := range o {
			d := o[(j+1)%len(o)]
			if sidesCross(a, b, c, d) {
				return true
			}
		}
	}
	return false
}

func sidesCross(a, b, c, d vec) bool {
	ab, cd := a.cross(b), c.cross(d)
	acb, bda := -ab.dot(c), ab.dot(d)
	cbd, dac := -cd.dot(b), cd.dot(a)
	return acb*bda > 0 && bda*cbd > 0 && cbd*dac > 0
}

func (g naivePolygon) crosses(h naivePolygon) bool {
	for _, r := range g {
		for _, o := range h {
			if r.crosses(o) {
				return true
			}
		}
	}
	return false
}

// someIn and allIn ask about the corners of h.
func (g naivePolygon) someIn(h naivePolygon) bool {
	for _, r := range h {
		for _, v := range r {
			if g.holds(v) {
				return true
			}
		}
	}
	return false
}

func (g naivePolygon) allIn(h naivePolygon) bool {
	for _, r := range h {
		for _, v := range r {
			if !g.holds(v) {
				return false
			}
		}
	}
	return true
}

func (s naiveShape) holds(p vec) bool {
	for _, g := range s.polygons {
		if g.holds(p) {
			return true
		}
	}
	return false
}

func (s naiveShape) intersects(area naiveShape) bool {
	if s.polygons == nil {
		return area.holds(s.point)
	}
	for _, g := range s.polygons {
		for _, h := range area.polygons {
			if g.crosses(h) || g.someIn(h) || h.someIn(g) {
				return true
			}
		}
	}
	return false
}

func (s naiveShape) within(area naiveShape) bool {
	if s.polygons == nil {
		return area.holds(s.point)
	}
	for _, g := range s.polygons {
		inside := false
		for _, h := range area.polygons {
			inside = inside || !g.crosses(h) && h.allIn(g) && !g.someIn(h)
		}
		if !inside {
			return false
		}
	}
	return true
}

func (s naiveShape) contains(o naiveShape) bool {
	switch {
	case s.polygons == nil:
		return false
	case o.polygons == nil:
		return s.holds(o.point)
	}
	return o.within(s)
}

// metresTo is the way from p to the nearest place of the shape.
func (s naiveShape) metresTo(p vec) float64 {
	if s.polygons == nil {
		return earthRadius * s.point.angle(p)
	}
	if s.holds(p) {
		return 0
	}
	least := math.Inf(1)
	for _, g := range s.polygons {
		for _, r := range g {
			for i, a := range r {
				least = min(least, angleToSide(p, a, r[(i+1)%len(r)]))
			}
		}
	}
	return earthRadius * least
}

func angleToSide(p, a, b vec) float64 {
	n := a.cross(b).unit()
	foot := p.plus(n.times(-p.dot(n)))
	if a.cross(foot).dot(n) > 0 && foot.cross(b).dot(n) > 0 {
		return math.Abs(math.Asin(max(-1, min(1, p.dot(n)))))
	}
	return min(p.angle(a), p.angle(b))
}

// world makes random shapes.
type world struct{ *rand.Rand }

// place is anywhere, often at a pole, at the antimeridian, or where the others are.
func (w world) place() vec {
	switch w.IntN(6) {
	case 0:
		return vecOf(w.Float64()*360, 90-w.ExpFloat64())
	case 1:
		return vecOf(w.Float64()*360, -90+w.ExpFloat64())
	case 2:
		return vecOf(180+w.NormFloat64()*2, w.Float64()*120-60)
	case 3, 4:
		return vecOf(10+w.NormFloat64()*3, 47+w.NormFloat64()*3)
	}
	return vec{w.NormFloat64(), w.NormFloat64(), w.NormFloat64()}.unit()
}

// size is a radius in radians, from a few metres to most of a hemisphere.
func (w world) size() float64 { return math.Pow(10, -6+w.Float64()*6.1) }

// ring is a star around center: r holds the radii in the plane that touches the globe there, where great circles
// are straight lines, so that stars of the same angles and smaller radii lie inside.
func ring(center vec, angles, radii []float64, scale float64) naiveRing {
	east := vec{0, 0, 1}.cross(center)
	if east.dot(east) < 1e-20 {
		east = vec{1, 0, 0}
	}
	east = east.unit()
	north := center.cross(east)
	out := make(naiveRing, len(angles))
	for i, a := range angles {
		d := math.Tan(radii[i]) * scale
		out[i] = center.plus(east.times(d * math.Cos(a))).plus(north.times(d * math.Sin(a))).unit()
	}
	return out
}

func (w world) polygon(center vec, size float64) naivePolygon {
	n := 3 + w.IntN(12)
	if w.IntN(8) == 0 {
		n = 100
	}
	angles, radii := make([]float64, n), make([]float64, n)
	for i := range angles {
		// Neighbours are less than half a turn apart: the center is inside.
		angles[i] = 2 * math.Pi * (float64(i) + 0.4*w.Float64()) / float64(n)
		radii[i] = min(size, 1.4) * (0.3 + 0.7*w.Float64())
	}
	g := naivePolygon{ring(center, angles, radii, 1)}
	if w.IntN(2) == 0 {
		g = append(g, ring(center, angles, radii, 0.3+0.6*w.Float64()))
	}
	return g
}

func (w world) shape() naiveShape {
	switch w.IntN(5) {
	case 0, 1:
		return naiveShape{point: w.place()}
	case 2, 3:
		return w.polygons(1)
	}
	return w.polygons(1 + w.IntN(4))
}

// polygons makes parts that do not meet each other.
func (w world) polygons(n int) naiveShape {
	center, size := w.place(), w.size()
	var s naiveShape
	for range n {
		next := naiveShape{polygons: []naivePolygon{w.polygon(center, size)}}
		if !next.intersects(s) {
			s.polygons = append(s.polygons, next.polygons...)
		}
		center = center.plus(vec{w.NormFloat64(), w.NormFloat64(), w.NormFloat64()}.times(size)).unit()
		size *= 0.5 + w.Float64()*0.5
	}
	return s
}

// placeNear is a place that is likely to be close to a side of s.
func (w world) placeNear(s naiveShape) vec {
	if s.polygons == nil {
		return s.point.plus(vec{w.NormFloat64(), w.NormFloat64(), w.NormFloat64()}.times(w.size())).unit()
	}
	g := s.polygons[w.IntN(len(s.polygons))]
	r := g[w.IntN(len(g))]
	a, b := r[w.IntN(len(r))], r[w.IntN(len(r))]
	off := math.Pow(10, -10+8*w.Float64()) // not on the side itself, where rounding decides
	jitter := vec{w.NormFloat64(), w.NormFloat64(), w.NormFloat64()}.times(off)
	return a.plus(b.plus(a.times(-1)).times(w.Float64() * 1.1)).plus(jitter).unit()
}

// geometry writes the shape as GeoJSON has it. Rings turn either way and begin anywhere; longitudes may be out of
// the ordinary.
func (s naiveShape) geometry(w world) geom.T {
	turn := float64(w.IntN(3)-1) * 180
	position := func(v vec) geom.Coord {
		lon, lat := v.degrees()
		if lon < turn-180 {
			lon += 360
		}
		return geom.Coord{lon, lat}
	}
	if s.polygons == nil {
		return geom.NewPoint(geom.XY).MustSetCoords(position(s.point))
	}
	var all [][][]geom.Coord
	for _, g := range s.polygons {
		var rings [][]geom.Coord
		for _, r := range g {
			n, first, step := len(r), w.IntN(len(r)), 1
			if w.IntN(2) == 0 {
				step = n - 1
			}
			var coords []geom.Coord
			for i := range n + 1 {
				coords = append(coords, position(r[(first+i*step)%n]))
			}
			rings = append(rings, coords)
		}
		all = append(all, rings)
	}
	if len(all) == 1 && w.IntN(2) == 0 {
		return geom.NewPolygon(geom.XY).MustSetCoords(all[0])
	}
	return geom.NewMultiPolygon(geom.XY).MustSetCoords(all)
}
