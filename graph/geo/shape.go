package geo

import (
	"errors"
	"fmt"
	"math"

	"github.com/golang/geo/s2"
	"github.com/twpayne/go-geom"
)

// ErrNoPlace says that a shape is of a kind that no geo index and no geo function handles.
var ErrNoPlace = errors.New("only points, polygons and multipolygons have a geo index")

var (
	errEmpty = errors.New("the point has no position")
	// errTiny says that the corners of a ring are not apart from each other on the sphere.
	errTiny = errors.New("the ring of a polygon is too small")
)

// Shape is a point, a polygon or a multipolygon on the globe. It is immutable.
type Shape struct {
	parts parts    // none: a point
	point s2.Point // a point of the shape; for polygons a corner
}

// parts are the polygons of a multipolygon, or the one polygon.
type parts []part

// part is one polygon.
type part struct {
	shell *s2.Loop
	holes []*s2.Loop
	bound s2.Rect
}

// New places a shape. It takes every point, polygon and multipolygon that passes [Check], but for rings whose
// corners are so close to each other that they fall on two places only. For other kinds the error is ErrNoPlace.
func New(g geom.T) (*Shape, error) {
	if p, ok := g.(*geom.Point); ok {
		flat := p.FlatCoords()
		if len(flat) < 2 {
			return nil, errEmpty
		}
		if err := checkPositions(p); err != nil {
			return nil, err
		}
		return &Shape{point: newCorner(flat[0], flat[1]).point()}, nil
	}
	list := polygons(g)
	if len(list) == 0 {
		return nil, fmt.Errorf("%w, and this is a %s", ErrNoPlace, kindOf(g))
	}
	if err := Check(g); err != nil {
		return nil, err
	}
	s := &Shape{}
	for _, p := range list {
		made := part{}
		for i := range p.NumLinearRings() {
			l, err := newLoop(cornersOf(p.LinearRing(i)))
			if err != nil {
				return nil, err
			}
			if i == 0 {
				made.shell, made.bound = l, l.RectBound()
			} else {
				made.holes = append(made.holes, l)
			}
		}
		s.parts = append(s.parts, made)
	}
	s.point = s.parts[0].shell.Vertex(0)
	return s, nil
}

// kindOf names a shape as GeoJSON does.
func kindOf(g geom.T) string {
	switch g.(type) {
	case *geom.LineString:
		return "LineString"
	case *geom.MultiPoint:
		return "MultiPoint"
	case *geom.MultiLineString:
		return "MultiLineString"
	case *geom.GeometryCollection:
		return "GeometryCollection"
	}
	return "shape of another kind"
}

func (c corner) point() s2.Point { return s2.PointFromLatLng(s2.LatLngFromDegrees(c.lat, c.lon)) }

// newLoop makes a ring whose inside is its smaller side.
func newLoop(corners []corner) (*s2.Loop, error) {
	pts := make([]s2.Point, 0, len(corners))
	for _, c := range corners {
		if p := c.point(); len(pts) == 0 || pts[len(pts)-1] != p {
			pts = append(pts, p)
		}
	}
	for len(pts) > 1 && pts[0] == pts[len(pts)-1] {
		pts = pts[:len(pts)-1]
	}
	if len(pts) < 3 {
		return nil, errTiny
	}
	far, within := antipode(pts)
	l := s2.LoopFromPoints(pts)
	switch {
	case !within:
		l.Normalize()
	case encloses(l, far):
		l.Invert()
	}
	return l, nil
}

// antipode returns the point opposite to the middle of pts, and whether all of them lie within the hemisphere
// around that middle. Then the antipode is on the larger side of their ring: to test that is exact for the
// thinnest ring, which the ring's area is not.
func antipode(pts []s2.Point) (far s2.Point, within bool) {
	sum := pts[0].Vector
	for _, p := range pts[1:] {
		sum = sum.Add(p.Vector)
	}
	const margin = 1e-9 // far above the rounding of unit vectors, far below any shape of that size
	if sum.Norm() < margin {
		return s2.Point{}, false
	}
	middle := sum.Normalize()
	for _, p := range pts {
		if p.Dot(middle) < margin {
			return s2.Point{}, false
		}
	}
	return s2.Point{Vector: middle.Mul(-1)}, true
}

// encloses reports whether p is inside a ring. Unlike the library's method it makes no index of the ring, which
// costs more than to look at every side once.
func encloses(l *s2.Loop, p s2.Point) bool {
	if !l.RectBound().ContainsPoint(p) {
		return false
	}
	inside := l.ContainsOrigin()
	crosser := s2.NewChainEdgeCrosser(s2.OriginPoint(), p, l.Vertex(0))
	for i := 1; i <= l.NumVertices(); i++ {
		inside = inside != crosser.EdgeOrVertexChainCrossing(l.Vertex(i))
	}
	return inside
}

// IsPoint reports whether the shape is a point.
func (s *Shape) IsPoint() bool { return len(s.parts) == 0 }

// earthRadius is the mean radius of the Earth in metres.
const earthRadius = 6_371_010

// angleOf returns the angle at the centre of the globe, in radians, that a way of so many metres spans.
func angleOf(metres float64) float64 { return math.Min(metres/earthRadius, math.Pi) }
