package oracle

import (
	encoding "encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// shape is a point, a polygon or a multipolygon as GeoJSON. The evaluator works on the flat map of degrees, which is right for shapes
// of a few degrees that keep off each other's sides; the maker sees to it that they do (see apart).
type shape string

// place is a longitude and a latitude, in degrees.
type place [2]float64

// ring is a closed line, its last place being the first again.
type ring []place

// grid is where the shapes are: on a few degrees from this place on.
var grid = place{10, 40}

func pointAt(p place) shape {
	return shape(fmt.Sprintf(`{"type":"Point","coordinates":[%g,%g]}`, p[0], p[1]))
}

func polygonOf(rings ...ring) shape {
	var parts []string
	for _, r := range rings {
		var places []string
		for _, p := range append(r[:len(r):len(r)], r[0]) {
			places = append(places, fmt.Sprintf("[%g,%g]", p[0], p[1]))
		}
		parts = append(parts, "["+strings.Join(places, ",")+"]")
	}
	return shape(`{"type":"Polygon","coordinates":[` + strings.Join(parts, ",") + `]}`)
}

// multiOf makes one shape of polygons.
func multiOf(polygons []shape) shape {
	var parts []string
	for _, p := range polygons {
		parts = append(parts, p.coordinates())
	}
	return shape(`{"type":"MultiPolygon","coordinates":[` + strings.Join(parts, ",") + `]}`)
}

// randomShape draws a shape to be stored.
func randomShape(rnd *rand.Rand) shape {
	if rnd.IntN(3) > 0 {
		return randomPoint(rnd, 0)
	}
	return randomArea(rnd, 0.5)
}

// randomArea draws a polygon or several.
func randomArea(rnd *rand.Rand, off float64) shape {
	if rnd.IntN(3) > 0 {
		return randomPolygon(rnd, off)
	}
	return randomMulti(rnd, off)
}

// randomMulti draws up to three polygons that do not touch each other; one may be in a hole of another.
func randomMulti(rnd *rand.Rand, off float64) shape {
	parts := []shape{randomPolygon(rnd, off)}
	for range 20 {
		p := randomPolygon(rnd, off)
		if len(parts) < 3 && !slices.ContainsFunc(parts, func(q shape) bool { return !p.off(q) || !q.off(p) || p.meets(q) }) {
			parts = append(parts, p)
		}
	}
	return multiOf(parts)
}

func randomPoint(rnd *rand.Rand, off float64) shape {
	return pointAt(place{grid[0] + float64(rnd.IntN(5)) + off, grid[1] + float64(rnd.IntN(5)) + off})
}

// randomPolygon draws a box, one with a hole, a triangle, or an L, either way round.
func randomPolygon(rnd *rand.Rand, off float64) shape {
	x, y := grid[0]+float64(rnd.IntN(4)-1)+off, grid[1]+float64(rnd.IntN(4)-1)+off
	w, h := float64(1+rnd.IntN(4)), float64(1+rnd.IntN(4))
	r := ring{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}
	var rings []ring
	switch kind := rnd.IntN(5); {
	case kind == 0:
		r = r[:3]
	case kind == 1 && w > 1 && h > 1:
		r = ring{{x, y}, {x + w, y}, {x + w, y + 1}, {x + 1, y + 1}, {x + 1, y + h}, {x, y + h}}
	case kind > 1 && kind < 4 && w > 2 && h > 2:
		rings = append(rings, ring{{x + 1, y + 1}, {x + w - 1, y + 1}, {x + w - 1, y + h - 1}, {x + 1, y + h - 1}})
	}
	if rnd.IntN(2) == 0 {
		slices.Reverse(r)
	}
	return polygonOf(append([]ring{r}, rings...)...)
}

// coordinates returns the part of the GeoJSON that functions take.
func (s shape) coordinates() string {
	_, text, _ := strings.Cut(string(s), `"coordinates":`)
	return strings.TrimSuffix(text, "}")
}

// rings returns the rings of a polygon, the shell first; nil for a point.
func (s shape) rings() (rings []ring) {
	if s.isPoint() {
		return nil
	}
	mustRead(s.coordinates(), &rings)
	return rings
}

// parts are the polygons of a multipolygon; of others it is the shape itself.
func (s shape) parts() (list []shape) {
	if !strings.Contains(string(s), "MultiPolygon") {
		return []shape{s}
	}
	var all [][]ring
	mustRead(s.coordinates(), &all)
	for _, rings := range all {
		for i, r := range rings {
			rings[i] = r[:len(r)-1]
		}
		list = append(list, polygonOf(rings...))
	}
	return list
}

// every and some report whether all of the parts of a shape are as is asked, or one.
func (s shape) every(is func(part shape) bool) bool {
	return !slices.ContainsFunc(s.parts(), func(p shape) bool { return !is(p) })
}

func (s shape) some(is func(part shape) bool) bool { return slices.ContainsFunc(s.parts(), is) }

func (s shape) isPoint() bool { return strings.Contains(string(s), "Point") }

func (s shape) point() (p place) {
	mustRead(s.coordinates(), &p)
	return p
}

func mustRead(text string, into any) {
	if err := encoding.Unmarshal([]byte(text), into); err != nil {
		panic(err) // the evaluator's own text
	}
}

// corners are all places that make the shape.
func (s shape) corners() (list []place) {
	if s.isPoint() {
		return []place{s.point()}
	}
	for _, part := range s.parts() {
		for _, r := range part.rings() {
			list = append(list, r[:len(r)-1]...)
		}
	}
	return list
}

// sides are the lines between the corners.
func (s shape) sides() (list [][2]place) {
	for _, part := range s.parts() {
		for _, r := range part.rings() {
			for i := range len(r) - 1 {
				list = append(list, [2]place{r[i], r[i+1]})
			}
		}
	}
	return list
}

// covers reports whether a place is in the polygon or one of several: inside the shell and in no hole, which is where a ray meets an
// odd number of sides.
func (s shape) covers(p place) bool {
	inside := false
	for _, side := range s.sides() {
		a, b := side[0], side[1]
		if (a[1] > p[1]) != (b[1] > p[1]) && p[0] < a[0]+(p[1]-a[1])/(b[1]-a[1])*(b[0]-a[0]) {
			inside = !inside
		}
	}
	return inside
}

// holds is a function on a stored shape.
func (s shape) holds(op string, args []value) bool {
	other := args[0].(shape)
	switch op {
	case "near":
		return s.some(func(p shape) bool { return p.distance(other.point()) <= args[1].(float64) })
	case "within":
		return s.within(other)
	case "contains":
		return !s.isPoint() && other.within(s)
	}
	if s.isPoint() {
		return other.covers(s.point())
	}
	return s.some(func(p shape) bool { return other.some(p.meets) })
}

// meets reports whether two polygons have a place in common.
func (s shape) meets(other shape) bool {
	return crossing(s, other) || other.covers(s.point0()) || s.covers(other.point0())
}

// within reports whether all of a shape is in an area: each part is in one, as the parts of the area do not touch.
func (s shape) within(area shape) bool {
	return s.every(func(p shape) bool { return area.some(p.inside) })
}

// point0 is the first place of a polygon's shell.
func (s shape) point0() place { return s.rings()[0][0] }

// inside reports whether all of a point or polygon is in a polygon.
func (s shape) inside(area shape) bool {
	if s.isPoint() {
		return area.covers(s.point())
	}
	if crossing(s, area) || !area.covers(s.point0()) {
		return false
	}
	// No hole of the area is in the shape.
	return !slices.ContainsFunc(area.rings()[1:], func(hole ring) bool { return s.covers(hole[0]) })
}

func crossing(a, b shape) bool {
	for _, x := range a.sides() {
		for _, y := range b.sides() {
			if turn(x[0], x[1], y[0]) != turn(x[0], x[1], y[1]) && turn(y[0], y[1], x[0]) != turn(y[0], y[1], x[1]) {
				return true
			}
		}
	}
	return false
}

// turn says whether c is on the left of the line from a to b.
func turn(a, b, c place) bool { return (b[0]-a[0])*(c[1]-a[1]) > (b[1]-a[1])*(c[0]-a[0]) }

// meanRadius is the Earth's, in metres.
const meanRadius = 6_371_010

// distance is that of the nearest place of the shape, in metres.
func (s shape) distance(p place) float64 {
	if s.isPoint() {
		return metres(s.point(), p)
	}
	if s.covers(p) {
		return 0
	}
	least := math.Inf(1)
	for _, side := range s.sides() {
		least = min(least, toSide(side, p))
	}
	return least
}

// metres is the length of the great circle between two places (haversine).
func metres(a, b place) float64 {
	rad := math.Pi / 180
	h := hav((b[1]-a[1])*rad) + math.Cos(a[1]*rad)*math.Cos(b[1]*rad)*hav((b[0]-a[0])*rad)
	return 2 * meanRadius * math.Asin(math.Sqrt(h))
}

func hav(angle float64) float64 { return math.Pow(math.Sin(angle/2), 2) }

// toSide is the distance of p from a side, which is part of a great circle and not straight on a map: of four degrees of longitude it
// leaves the straight line by two kilometres.
func toSide(side [2]place, p place) float64 {
	a, b, c := onSphere(side[0]), onSphere(side[1]), onSphere(p)
	pole := cross(a, b)
	if dot(cross(pole, a), c) < 0 || dot(cross(b, pole), c) < 0 {
		return min(metres(side[0], p), metres(side[1], p))
	}
	return meanRadius * math.Asin(math.Abs(dot(pole, c))/math.Sqrt(dot(pole, pole)))
}

// onSphere is the place on a sphere of radius 1.
func onSphere(p place) [3]float64 {
	lon, lat := p[0]*math.Pi/180, p[1]*math.Pi/180
	return [3]float64{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), math.Sin(lat)}
}

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

// nearest returns the place of a side that is nearest to p on a map.
func nearest(side [2]place, p place) place {
	a, b := side[0], side[1]
	narrow := math.Cos(p[1] * math.Pi / 180) // how long a degree of longitude is, compared with one of latitude
	dx, dy := (b[0]-a[0])*narrow, b[1]-a[1]
	t := ((p[0]-a[0])*narrow*dx + (p[1]-a[1])*dy) / (dx*dx + dy*dy)
	t = max(0, min(1, t))
	return place{a[0] + t*(b[0]-a[0]), a[1] + t*(b[1]-a[1])}
}

// apart reports whether a function on a stored shape has an answer that does not hang on the curve of a side: corners keep off the
// sides and corners of the other shape, and no distance is near the one that is asked for.
func (s shape) apart(op string, args []value) bool {
	other := args[0].(shape)
	if op == "near" {
		return s.every(func(p shape) bool {
			d, limit := p.distance(other.point()), args[1].(float64)
			return d == 0 && !p.isPoint() || math.Abs(d-limit) > 0.04*limit+200
		})
	}
	return s.off(other) && other.off(s)
}

// off reports whether the corners of s are at least a tenth of a degree from the sides and corners of other.
func (s shape) off(other shape) bool {
	const least = 0.1
	for _, p := range s.corners() {
		for _, q := range other.corners() {
			if math.Hypot(p[0]-q[0], p[1]-q[1]) < least {
				return false
			}
		}
		for _, side := range other.sides() {
			if q := nearest(side, p); math.Hypot(p[0]-q[0], p[1]-q[1]) < least {
				return false
			}
		}
	}
	return true
}
