package lookup

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/posting/uidset"
	"dragg/schema/tok"
)

const geoSchema = `
	at: geo @index(geo) .
	many: [geo] @index(geo) .
	spot: geo .
	name: string @index(term) .
`

// Functions and their errors, at the root and as a filter over everybody.
func TestGeo(t *testing.T) {
	w := newWorld(t, geoSchema)
	w.set(`
1 at "{'type':'Point','coordinates':[5,5]}"
2 at "{'type':'Polygon','coordinates':[[[0,0],[10,0],[10,10],[0,10],[0,0]]]}"
3 at "{'type':'Polygon','coordinates':[[[0,0],[0,10],[10,10],[10,0],[0,0]],[[4,4],[6,4],[6,6],[4,6],[4,4]]]}"
4 at "{'type':'MultiPolygon','coordinates':[[[[20,0],[21,0],[21,1],[20,0]]],[[[170,-5],[190,-5],[190,5],[170,5],[170,-5]]]]}"
5 at "{'type':'Point','coordinates':[-180,0]}"
6 at "{'type':'Point','coordinates':[33,90]}"
1 many "{'type':'Point','coordinates':[1,1]}"
1 many "{'type':'Point','coordinates':[2,2]}"
2 many "{'type':'Point','coordinates':[2,2]}"
1 spot "{'type':'Point','coordinates':[5,5]}"
1 name "x"
`)
	for _, tt := range []struct{ fn, want string }{
		{`near(at, [5,5], 0)`, "1 2"},
		{`near(at, [5,5], 110e3)`, "1 2"},
		{`near(at, [5,5], 112000)`, "1 2 3"},
		{`near(at, [180,0], 1)`, "4 5"},
		{`near(at, [-90,89.9], 11200)`, "6"},
		{`near(at, [-90,89.9], 11100)`, ""},
		{`near(at, [0,0], 30000000)`, "1 2 3 4 5 6"},
		{`near(at, {"type":"Point","coordinates":[5,5]}, 0)`, "1 2"},
		{`near(many, [2,2], 1)`, "1 2"},
		{`near(many, [1,1], 1)`, "1"},
		{`contains(at, [5,5])`, "2"},
		{`contains(at, [1,5])`, "2 3"},
		{`contains(at, [-175,1])`, "4"},
		{`contains(at, [185,1])`, "4"},
		{`contains(at, [[[1,1],[2,1],[2,2],[1,1]]])`, "2 3"},
		{`contains(at, [[[1,1],[9,1],[9,9],[1,9],[1,1]]])`, "2"},
		{`contains(at, [[[1,1],[9,1],[9,9],[1,9],[1,1]],[[3,3],[7,3],[7,7],[3,7],[3,3]]])`, "2 3"},
		{`contains(at, [[[[1,1],[2,1],[2,2],[1,1]]],[[[11,1],[12,1],[12,2],[11,1]]]])`, ""},
		{`within(at, [[[-1,-1],[11,-1],[11,11],[-1,11],[-1,-1]]])`, "1 2 3"},
		{`within(at, [[[-1,-1],[-1,11],[11,11],[11,-1],[-1,-1]]])`, "1 2 3"},
		{`within(at, [[[0,80],[120,80],[-120,80],[0,80]]])`, "6"},
		{`within(at, [[[[179,-1],[-179,-1],[-179,1],[179,1],[179,-1]]],[[[4,4],[6,4],[6,6],[4,6],[4,4]]]])`, "1 5"},
		{`intersects(at, [[[4.5,4.5],[5.5,4.5],[5.5,5.5],[4.5,5.5],[4.5,4.5]]])`, "1 2"},
		{`intersects(at, [[[-1,-1],[1,-1],[1,1],[-1,1],[-1,-1]]])`, "2 3"},
		{`intersects(at, [[[50,50],[51,50],[51,51],[50,50]]])`, ""},

		{`near(spot, [5,5], 1)`, "error: attribute spot is not indexed with type geo"},
		{`within(name, [[[0,0],[1,0],[1,1],[0,0]]])`, "error: is not indexed with type geo"},
		{`near(at, [5,5])`, "error: function 'near' requires 2 arguments, but got 1"},
		{`within(at)`, "error: function 'within' requires 1 arguments, but got 0"},
		{`within(at, [[[0,0],[1,0],[1,1],[0,0]]], 5)`, "error: requires 1 arguments, but got 2"},
		{`near(at, [5,5], far)`, "error: the distance must be a number"},
		{`near(at, [5,5], NaN)`, "error: the distance must be a number"},
		{`near(at, [5,5], Inf)`, "error: the distance must be a number"},
		{`near(at, [5,5], -1)`, "error: the distance must be a number"},
		{`near(at, [[[0,0],[1,0],[1,1],[0,0]]], 5)`, "error: a distance is from a point"},
		{`near(at, [5,NaN], 5)`, "error: geojson"},
		{`near(at, [5], 5)`, "error: geojson"},
		{`near(at, [5,95], 5)`, "error: latitude 95"},
		{`near(at, [5,1e999], 5)`, "error: geojson"},
		{`near(at, "", 5)`, "error: geojson"},
		{`near(at, [1,2],"type":[3,4], 5)`, "error: geojson"},
		{`within(at, [1,2])`, "error: not a point"},
		{`intersects(at, [1,2])`, "error: not a point"},
		{`within(at, [[1,2],[3,4]])`, "error: they are [longitude, latitude]"},
		{`within(at, [[[0,0],[1,0],[1,1],[0,1]]])`, "error: last coord not same as first"},
		{`within(at, [[[0,0],[1,0],[0,0]]])`, "error: at least four positions"},
		{`within(at, [[["a",0],[1,0],[1,1],["a",0]]])`, "error: geojson"},
		{`within(at, [[[0,0],[1,0],[1,1],[0,0]])`, "error: geojson"},
		{`within(at, [[[` + strings.Repeat("0,1],[1,0],[", 5000) + `0,1]]])`, "error: at most 10000 positions"},
		{`contains(at, {"type":"LineString","coordinates":[[1,2],[3,4]]})`, "error: only points"},
	} {
		if got := w.root(nil, tt.fn); !same(got, tt.want) {
			t.Errorf("%.120s at the root: %s, want %s", tt.fn, got, tt.want)
		}
		for _, n := range []int{8, 200} {
			if got := w.filter(nil, upTo(n), tt.fn); !same(got, tt.want) {
				t.Errorf("%.120s as a filter of %d: %s, want %s", tt.fn, n, got, tt.want)
			}
		}
	}
}

// Goal: the index loses nothing and the answer holds nothing else. Method: points and boxes all over the globe,
// also at the poles and the antimeridian, are set, moved and deleted, some of them in a transaction of its own;
// every function is answered by the index, in a filter, and by testing all nodes; near and within on points are
// checked against formulas that use nothing of the product. At the end everything is deleted, and no token is
// left.
func TestGeoSearchAgreesWithTest(t *testing.T) {
	const nodes = 400
	rng := rand.New(rand.NewPCG(7, 8))
	w := newWorld(t, geoSchema)
	for range 6 {
		w.set(geoQuads(rng, nodes, 200))
	}
	own := w.pending(nil, geoQuads(rng, nodes, 100))
	all, hits := upTo(nodes), 0
	for n := range 1_500 {
		fn := randomGeoFunc(rng)
		a := w.ask(own, fn)
		passed := a.tested(all)
		root, err := a.root()
		if err != nil || !slices.Equal(root.Slice(), passed) {
			t.Fatalf("%d: %s: searched %v, tested %v, %v", n, fn, root.Slice(), passed, err)
		}
		part := all[50:350]
		within, err := a.filter(part)
		if err != nil || !uidset.Equal(within, uidset.And(root, uidset.Of(slices.Clone(part)))) {
			t.Fatalf("%d: %s: filter %v, root %v, %v", n, fn, within.Slice(), root.Slice(), err)
		}
		hits += len(passed)
		a.r.view.Close()
	}
	t.Logf("%d hits", hits)
	if hits < 5_000 {
		t.Errorf("%d hits: the test asks too little", hits)
	}
	var deletions strings.Builder
	for i := range nodes {
		fmt.Fprintf(&deletions, "-%d at *\n-%d many *\n", i+1, i+1)
	}
	w.set(deletions.String())
	if n := w.indexed("at") + w.indexed("many"); n != 0 {
		t.Errorf("%d nodes are left in the index", n)
	}
}

// indexed counts the entries of the geo index of a predicate.
func (w *world) indexed(name string) (n int) {
	w.t.Helper()
	view := w.store.View(w.ts, nil)
	defer view.Close()
	k, _ := tok.Lookup(tok.Geo)
	prefix := keys.IndexPrefix(w.incs[graph.Pred(name)], k.ID())
	it := view.Scan(prefix, keys.End(prefix))
	for it.Next() {
		l, err := it.List()
		if err != nil {
			w.t.Fatal(err)
		}
		n += l.Len()
	}
	if err := it.Close(); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func randomPlace(rng *rand.Rand) (lon, lat float64) {
	switch rng.IntN(4) {
	case 0:
		return rng.Float64()*360 - 180, 90 - rng.ExpFloat64()
	case 1:
		return 180 + rng.NormFloat64(), rng.NormFloat64()
	case 2:
		return rng.Float64()*360 - 180, rng.Float64()*160 - 80
	}
	return 7 + rng.NormFloat64(), 47 + rng.NormFloat64()
}

// randomBox returns the coordinates of a box around a place, turning either way.
func randomBox(rng *rand.Rand) string {
	lon, lat := randomPlace(rng)
	lat = max(-79, min(79, lat))
	a, b := math.Pow(10, -4+rng.Float64()*5), math.Pow(10, -4+rng.Float64()*5)
	at := []string{
		fmt.Sprintf("[%v,%v]", lon-a, lat-b), fmt.Sprintf("[%v,%v]", lon+a, lat-b),
		fmt.Sprintf("[%v,%v]", lon+a, lat+b), fmt.Sprintf("[%v,%v]", lon-a, lat+b),
	}
	if rng.IntN(2) == 0 {
		slices.Reverse(at)
	}
	return "[[" + strings.Join(append(at, at[0]), ",") + "]]"
}

func geoQuads(rng *rand.Rand, nodes, n int) string {
	var b strings.Builder
	for range n {
		node, pred := 1+rng.IntN(nodes), []string{"at", "many"}[rng.IntN(2)]
		lon, lat := randomPlace(rng)
		switch rng.IntN(8) {
		case 0:
			fmt.Fprintf(&b, "-%d %s *\n", node, pred)
		case 1:
			fmt.Fprintf(&b, "%d %s \"{'type':'Polygon','coordinates':%s}\"\n", node, pred, randomBox(rng))
		case 2:
			fmt.Fprintf(&b, "%d %s \"{'type':'MultiPolygon','coordinates':[%s,%s]}\"\n", node, pred, randomBox(rng), randomBox(rng))
		default:
			fmt.Fprintf(&b, "%d %s \"{'type':'Point','coordinates':[%v,%v]}\"\n", node, pred, lon, lat)
		}
	}
	return b.String()
}

func randomGeoFunc(rng *rand.Rand) string {
	pred := []string{"at", "many"}[rng.IntN(2)]
	lon, lat := randomPlace(rng)
	switch rng.IntN(5) {
	case 0, 1:
		return fmt.Sprintf("near(%s, [%v,%v], %v)", pred, lon, lat, math.Pow(10, 7*rng.Float64()))
	case 2:
		return fmt.Sprintf("within(%s, %s)", pred, randomBox(rng))
	case 3:
		return fmt.Sprintf("intersects(%s, %s)", pred, randomBox(rng))
	}
	if rng.IntN(2) == 0 {
		return fmt.Sprintf("contains(%s, [%v,%v])", pred, lon, lat)
	}
	return fmt.Sprintf("contains(%s, %s)", pred, randomBox(rng))
}

// Near over points agrees with the haversine formula.
func TestNearAgreesWithHaversine(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	w := newWorld(t, geoSchema)
	type place struct{ lon, lat float64 }
	var places []place
	var quads strings.Builder
	for i := range 2_000 {
		lon, lat := randomPlace(rng)
		places = append(places, place{lon, lat})
		fmt.Fprintf(&quads, "%d at \"{'type':'Point','coordinates':[%v,%v]}\"\n", i+1, lon, lat)
	}
	w.set(quads.String())
	for range 400 {
		lon, lat := randomPlace(rng)
		metres := math.Pow(10, 3+4.3*rng.Float64())
		var want []graph.UID
		for i, p := range places {
			if haversine(lon, lat, p.lon, p.lat) <= metres {
				want = append(want, graph.UID(i+1))
			}
		}
		fn := fmt.Sprintf("near(at, [%v,%v], %v)", lon, lat, metres)
		if got := w.root(nil, fn); got != uidText(want) {
			t.Fatalf("%s: %s, want %s", fn, got, uidText(want))
		}
	}
}

func haversine(lon1, lat1, lon2, lat2 float64) float64 {
	const degree = math.Pi / 180
	sq := func(f float64) float64 { s := math.Sin(f * degree / 2); return s * s }
	a := sq(lat2-lat1) + math.Cos(lat1*degree)*math.Cos(lat2*degree)*sq(lon2-lon1)
	return 2 * 6_371_010 * math.Asin(math.Min(1, math.Sqrt(a)))
}
