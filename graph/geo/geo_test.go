package geo

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/golang/geo/s2"
	"github.com/twpayne/go-geom"
	"github.com/twpayne/go-geom/encoding/geojson"
)

func parse(t testing.TB, text string) geom.T {
	t.Helper()
	var g geom.T
	if err := geojson.Unmarshal([]byte(strings.ReplaceAll(text, "'", `"`)), &g); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return g
}

func shape(t testing.TB, text string) *Shape {
	t.Helper()
	s, err := New(parse(t, text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// polygon and point are GeoJSON by coordinates.
func polygon(t testing.TB, rings string) *Shape {
	return shape(t, "{'type':'Polygon','coordinates':"+rings+"}")
}

func point(t testing.TB, at string) *Shape { return shape(t, "{'type':'Point','coordinates':"+at+"}") }

// Goal: the four relations are right. Method: a naive twin that shares no code with the library answers about
// random shapes in general position: points, polygons with and without holes, multipolygons; at the poles and the
// antimeridian, of metres and of continents, rings turning either way. Covers are checked along: what two shapes
// have in common, a cell of both covers holds.
func TestRelationsAgreeWithNaiveOnes(t *testing.T) {
	const rounds = 6_000
	w := world{rand.New(rand.NewPCG(11, 12))}
	held := map[string]int{}
	for n := range rounds {
		a, b := w.shape(), w.shape()
		if w.IntN(3) > 0 { // somewhere else they seldom meet
			b = w.polygons(1 + w.IntN(2))
			a = naiveShape{point: w.placeNear(b)}
			if w.IntN(3) > 0 {
				a.polygons = []naivePolygon{w.polygon(a.point, w.size()*0.3)}
			}
		}
		ga, gb := a.geometry(w), b.geometry(w)
		check := func(what string, got, want bool) {
			t.Helper()
			if got != want {
				t.Fatalf("%d: %s: %v, want %v\n%s\n%s", n, what, got, want, text(ga), text(gb))
			}
			if got {
				held[what]++
			}
		}
		sa, err := New(ga)
		if err != nil {
			t.Fatalf("%d: %v: %s", n, err, text(ga))
		}
		sb, err := New(gb)
		if err != nil {
			t.Fatalf("%d: %v: %s", n, err, text(gb))
		}
		if b.polygons != nil {
			check("within", sa.Within(sb), a.within(b))
			check("intersects", sa.Intersects(sb), a.intersects(b))
			if a.intersects(b) && !meet(sa.Cover(12), sb.Cover(24)) {
				t.Fatalf("%d: covers do not meet\n%s\n%s", n, text(ga), text(gb))
			}
		}
		check("contains", sa.Contains(sb), a.contains(b))
		check("contains the other", sb.Contains(sa), b.contains(a))
		if b.contains(a) && !holdsCell(sb.Cover(12), sa.Cell()) {
			t.Fatalf("%d: the cover does not hold the point\n%s\n%s", n, text(ga), text(gb))
		}
		center := w.place()
		if w.IntN(2) == 0 {
			center = w.placeNear(a)
		}
		metres := earthRadius * w.size()
		if d := a.metresTo(center); math.Abs(d-metres) > 1e-3 {
			c, err := New(naiveShape{point: center}.geometry(w))
			if err != nil {
				t.Fatal(err)
			}
			check("near", sa.Near(c, metres), d <= metres)
			if d <= metres && !meet(sa.Cover(12), c.CoverAround(metres, 24)) {
				t.Fatalf("%d: the cover around does not meet the shape's: %v m\n%s", n, metres, text(ga))
			}
		}
	}
	for _, what := range []string{"within", "intersects", "contains the other", "near"} {
		if held[what] < rounds/50 {
			t.Errorf("%s held in %d of %d cases: the test asks too little", what, held[what], rounds)
		}
	}
	t.Logf("%d cases; held: %v", rounds, held)
}

func text(g geom.T) string {
	b, _ := geojson.Marshal(g)
	return string(b)
}

// meet reports whether a cell of one cover contains one of the other.
func meet(a, b s2.CellUnion) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Intersects(y) {
				return true
			}
		}
	}
	return false
}

func holdsCell(cover s2.CellUnion, c s2.CellID) bool {
	for _, x := range cover {
		if x.Contains(c) {
			return true
		}
	}
	return false
}

// Answers that can be told by hand: edges of the world, thin and touching shapes, shapes that cross themselves.
func TestRelations(t *testing.T) {
	box := polygon(t, "[[[0,0],[10,0],[10,10],[0,10],[0,0]]]")
	clockwise := polygon(t, "[[[0,0],[0,10],[10,10],[10,0],[0,0]]]")
	next := polygon(t, "[[[10,0],[20,0],[20,10],[10,10],[10,0]]]")
	ring := polygon(t, "[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[2,2],[8,2],[8,8],[2,8],[2,2]]]")
	plug := polygon(t, "[[[2,2],[8,2],[8,8],[2,8],[2,2]]]")
	small := polygon(t, "[[[4,4],[5,4],[5,5],[4,5],[4,4]]]")
	polar := polygon(t, "[[[0,80],[90,80],[180,80],[-90,80],[0,80]]]")
	dateline := polygon(t, "[[[170,-10],[-170,-10],[-170,10],[170,10],[170,-10]]]")
	bow := polygon(t, "[[[0,0],[10,10],[10,0],[0,10],[0,0]]]")
	thin := polygon(t, "[[[0,0],[5,5],[10,0],[5,5],[0,0]]]")
	for _, tt := range []struct {
		name      string
		got, want bool
	}{
		{"clockwise ring holds its middle", clockwise.Contains(point(t, "[5,5]")), true},
		{"clockwise ring holds not what is outside", clockwise.Contains(point(t, "[50,5]")), false},
		{"equal polygons contain each other", box.Contains(clockwise) && clockwise.Contains(box), true},
		{"equal polygons intersect", box.Intersects(clockwise), true},
		{"neighbours that share a side do not intersect", box.Intersects(next) || next.Intersects(box), false},
		{"a hole is not inside", ring.Contains(point(t, "[5,5]")), false},
		{"around the hole is", ring.Contains(point(t, "[1,5]")), true},
		{"what fills a hole does not intersect", ring.Intersects(plug) || plug.Intersects(ring), false},
		{"nor does what is in a hole", ring.Intersects(small) || small.Intersects(ring), false},
		{"a polygon with a hole is within one without", ring.Within(box), true},
		{"not the other way round", box.Within(ring), false},
		{"a polygon with a hole is within itself", ring.Within(ring), true},
		{"the pole is in a ring around it", polar.Contains(point(t, "[123,90]")), true},
		{"the other pole is not", polar.Contains(point(t, "[0,-90]")), false},
		{"sides are great circles", polar.Contains(point(t, "[45,82]")), false},
		{"across the antimeridian", dateline.Contains(point(t, "[180,0]")), true},
		{"on its other side", dateline.Contains(point(t, "[-175,5]")), true},
		{"the long way round is outside", dateline.Contains(point(t, "[0,0]")), false},
		{"longitudes may go on", dateline.Contains(polygon(t, "[[[179,0],[181,0],[181,1],[179,1],[179,0]]]")), true},
		{"a bow has two insides", bow.Contains(point(t, "[5,1]")) || bow.Contains(point(t, "[5,9]")), false},
		{"left and right", bow.Contains(point(t, "[1,5]")) && bow.Contains(point(t, "[9,5]")), true},
		{"a ring without area holds nothing", thin.Contains(point(t, "[5,2]")) || thin.Contains(point(t, "[50,2]")), false},
		{"but is near", thin.Near(point(t, "[5,5]"), 0), true},
		{"a point is near itself", point(t, "[7,50]").Near(point(t, "[7,50]"), 0), true},
		{"everything is as near as the globe is large", point(t, "[7,50]").Near(point(t, "[-173,-50]"), 20_100_000), true},
		{"a degree of a meridian", point(t, "[7,50]").Near(point(t, "[7,51]"), 111_195.2), true},
		{"and not less", point(t, "[7,50]").Near(point(t, "[7,51]"), 111_195.0), false},
		{"the inside of a polygon is near", box.Near(point(t, "[5,5]"), 0), true},
		{"the inside of a hole is near the rim", ring.Near(point(t, "[2.001,5]"), 112), true},
		{"and not nearer", ring.Near(point(t, "[2.001,5]"), 110), false},
		{"a point contains nothing", point(t, "[7,50]").Contains(point(t, "[7,50]")), false},
		{"altitudes do not count", shape(t, "{'type':'Point','coordinates':[5,5,9000]}").Within(box), true},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v", tt.name, tt.got)
		}
	}
}

// Each place is in one of the polygons that tile an area, and in one only; so with their corners, at most.
func TestTilesShareNoPlace(t *testing.T) {
	a, b := polygon(t, "[[[0,0],[10,0],[7,5],[10,10],[0,10],[0,0]]]"),
		polygon(t, "[[[10,0],[20,0],[20,10],[10,10],[7,5],[10,0]]]")
	for n := range 39 * 19 {
		p := geom.NewPoint(geom.XY).MustSetCoords(geom.Coord{0.5 + float64(n%39)/2, 0.5 + float64(n/39)/2.1})
		s, err := New(p)
		if err != nil {
			t.Fatal(err)
		}
		if s.Within(a) == s.Within(b) {
			t.Fatalf("%s: in both or none", text(p))
		}
	}
	for _, corner := range []string{"[10,0]", "[7,5]", "[10,10]"} {
		if p := point(t, corner); p.Within(a) && p.Within(b) {
			t.Errorf("%s is in both", corner)
		}
	}
}

// What is not well formed is refused with a reason; what has no place is told apart.
func TestCheck(t *testing.T) {
	circle := func(n int) string {
		var at []string
		for i := range n {
			a := 2 * math.Pi * float64(i%(n-1)) / float64(n-1)
			at = append(at, strings.Trim(text(geom.NewPoint(geom.XY).MustSetCoords(geom.Coord{math.Cos(a), math.Sin(a)})), ""))
		}
		for i := range at {
			_, at[i], _ = strings.Cut(at[i], `"coordinates":`)
			at[i] = strings.TrimSuffix(at[i], "}")
		}
		return "{'type':'Polygon','coordinates':[[" + strings.Join(at, ",") + "]]}"
	}
	for _, tt := range []struct{ text, want string }{
		{"{'type':'Point','coordinates':[360,-90]}", ""},
		{"{'type':'Point','coordinates':[361,0]}", "longitude 361"},
		{"{'type':'Point','coordinates':[0,90.5]}", "latitude 90.5"},
		{"{'type':'Point','coordinates':[1e300,0]}", "longitude 1e+300"},
		{"{'type':'LineString','coordinates':[[0,0],[1,-91]]}", "latitude -91"},
		{"{'type':'LineString','coordinates':[[0,0],[1,1]]}", "only points"},
		{"{'type':'MultiPoint','coordinates':[[0,0],[1,1]]}", "only points"},
		{"{'type':'MultiLineString','coordinates':[[[0,0],[1,1]]]}", "only points"},
		{"{'type':'GeometryCollection','geometries':[{'type':'Point','coordinates':[1,1]}]}", "only points"},
		{"{'type':'GeometryCollection','geometries':[{'type':'Point','coordinates':[1,100]}]}", "latitude 100"},
		{"{'type':'Polygon','coordinates':[[[0,0],[4,0],[4,4],[0,0]]]}", ""},
		{"{'type':'Polygon','coordinates':[[[0,0],[4,0],[4,4],[0,4]]]}", "not same as first"},
		{"{'type':'Polygon','coordinates':[[[0,0],[4,0],[0,0]]]}", "at least four"},
		{"{'type':'Polygon','coordinates':[[[0,0],[4,0],[4,0],[0,0]]]}", "three of them different"},
		{"{'type':'Polygon','coordinates':[[[0,0],[4,0],[0,0],[4,0],[0,0]]]}", "three of them different"},
		{"{'type':'Polygon','coordinates':[[[0,90],[50,90],[100,90],[0,90]]]}", "three of them different"},
		{"{'type':'Polygon','coordinates':[[[-180,0],[180,0],[180,1],[-180,1],[-180,0]]]}", "three of them different"},
		{"{'type':'Polygon','coordinates':[[[0,0],[4,0],[4,4],[0,0]],[[1,1],[2,2]]]}", "not same as first"},
		{"{'type':'Polygon','coordinates':[[[0,0],[4,0],[4,4],[0,0]],[]]}", "at least four"},
		{"{'type':'Polygon','coordinates':[[[0,0],[180,0],[90,50],[0,0]]]}", "opposite sides"},
		{"{'type':'Polygon','coordinates':[[[0,90],[0,-90],[90,0],[0,90]]]}", "opposite sides"},
		{"{'type':'MultiPolygon','coordinates':[[[[0,0],[4,0],[4,4],[0,0]]],[]]}", "needs a ring"},
		{"{'type':'MultiPolygon','coordinates':[[[[0,0],[4,0],[4,4],[0,0]]],[[[0,0],[4,0],[4,4],[0,1]]]]}", "not same as first"},
		{circle(MaxVertices), ""},
		{circle(MaxVertices + 1), "at most 10000 positions"},
	} {
		g := parse(t, tt.text)
		err := Check(g)
		if err == nil {
			_, err = New(g)
		}
		switch {
		case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%.120s: %v, want %q", tt.text, err, tt.want)
		}
	}
	if _, err := newLoop([]corner{{0, 0}, {1, 1}, {1, 1}, {0, 0}}); err == nil {
		t.Error("a ring of two places")
	}
	for _, g := range []geom.T{nil, geom.NewPointEmpty(geom.XY), geom.NewPolygon(geom.XY), geom.NewMultiPolygon(geom.XY)} {
		if _, err := New(g); err == nil {
			t.Errorf("%v has a place", g)
		}
	}
}

// Covers are small, keep within their levels, and are the same each time.
func TestCover(t *testing.T) {
	w := world{rand.New(rand.NewPCG(15, 16))}
	most, cells := 0, 0
	const rounds = 2_000
	for range rounds {
		g := w.shape().geometry(w)
		a, err := New(g)
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(g)
		if err != nil {
			t.Fatal(err)
		}
		cover := a.Cover(12)
		if !cover.Equal(b.Cover(12)) {
			t.Fatalf("two covers of %s", text(g))
		}
		for i, c := range cover {
			if !c.IsValid() || c.Level() > MaxLevel || i > 0 && c <= cover[i-1] {
				t.Fatalf("%v in the cover of %s", c, text(g))
			}
		}
		most, cells = max(most, len(cover)), cells+len(cover)
		if a.IsPoint() && len(cover) != 1 {
			t.Fatalf("%d cells for a point", len(cover))
		}
	}
	if most > 12 {
		t.Errorf("a cover of %d cells", most)
	}
	t.Logf("%.1f cells a shape", float64(cells)/rounds)
	if n := len(point(t, "[7,50]").CoverAround(30_000_000, 24)); n != 6 {
		t.Errorf("the globe is covered by %d cells", n)
	}
}

// Whatever shape passes, nothing that is done with it panics, and it relates to itself as it should.
func FuzzShape(f *testing.F) {
	for _, seed := range []string{
		"{'type':'Point','coordinates':[1,2]}",
		"{'type':'Polygon','coordinates':[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[2,2],[8,2],[8,8],[2,8],[2,2]]]}",
		"{'type':'Polygon','coordinates':[[[0,0],[10,10],[10,0],[0,10],[0,0]]]}",
		"{'type':'Polygon','coordinates':[[[0,0],[5,5],[10,0],[5,5],[0,0]],[[0,0],[5,5],[10,0],[5,5],[0,0]]]}",
		"{'type':'MultiPolygon','coordinates':[[[[170,-89],[-170,-10],[-170,89],[170,10],[170,-89]]],[[[0,0],[1,0],[1,1],[0,0]]]]}",
		"{'type':'Polygon','coordinates':[[[0,0],[120,0],[-120,0],[0,0]]]}",
		"{'type':'LineString','coordinates':[[1,2],[3,4]]}",
	} {
		f.Add([]byte(strings.ReplaceAll(seed, "'", `"`)), 1.0)
	}
	f.Fuzz(func(t *testing.T, b []byte, metres float64) {
		var g geom.T
		if len(b) > 1<<12 || geojson.Unmarshal(b, &g) != nil || Check(g) != nil {
			return
		}
		s, err := New(g)
		if err != nil {
			return
		}
		cover := s.Cover(12)
		if len(cover) == 0 && s.IsPoint() {
			t.Fatal("no cover")
		}
		box, err := New(geom.NewPolygon(geom.XY).MustSetCoords([][]geom.Coord{{{0, 0}, {9, 0}, {9, 9}, {0, 9}, {0, 0}}}))
		if err != nil {
			t.Fatal(err)
		}
		corner := &Shape{point: s.point}
		if !s.Near(corner, math.Abs(metres)) && !math.IsNaN(metres) {
			t.Fatal("not near its own corner")
		}
		if s.Intersects(box) && !meet(cover, box.Cover(24)) {
			t.Fatal("covers do not meet")
		}
		if s.Contains(corner) && !holdsCell(cover, corner.Cell()) {
			t.Fatal("the cover does not hold the corner")
		}
		s.Within(box)
		box.Contains(s)
		if !s.IsPoint() {
			s.Intersects(s)
			s.Within(s)
			corner.Within(s)
		}
		corner.CoverAround(math.Abs(metres), 24)
	})
}
