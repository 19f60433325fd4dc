package bench

import (
	"context"
	"math"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha"
)

// cost is the most that a shape may need on average on a graph of 1,000 people: nodes asked about, as num_uids tells them, and
// allocations.
type cost struct{ nodes, allocations float64 }

// Goal: a query that begins to ask about more nodes, or to allocate more, fails here, without a clock. Method: the first queries of
// each shape on a small graph, which is the same each time; a bound is a third above what was needed when it was set, under the race
// detector, which keeps less memory for the next query. What the server does besides counts as well: the least of a few attempts is taken.
func TestShapesCostNoMore(t *testing.T) {
	limits := map[string]cost{
		"one node by uid, three values":                          {6, 34},
		"eq on exact index, four values":                         {7, 34},
		"1 hop (8 edges), two values each":                       {26, 42},
		"2 hops (70 nodes), two values each":                     {214, 90},
		"3 hops, count of distinct nodes":                        {634, 210},
		"recurse depth 3":                                        {115, 142},
		"shortest path between two people":                       {96, 1351},
		"edges filtered by facet":                                {10, 92},
		"eq on a 2,000-node name, filter by eq and ge(count)":    {160, 112},
		"a hub's reverse edges ordered by an int, first 5":       {102, 80},
		"ge on an indexed int, ordered desc, first 20, one hop":  {315, 180},
		"alloftext of two words, first 10":                       {27, 95},
		"anyofterms of two words with ge filter, first 20":       {167, 132},
		"a date range of 80 nodes by year index, one hop":        {22, 111},
		"groupby over 2,000 nodes":                               {160, 315},
		"200 nodes: two counts, math, order by val, avg and max": {24, 192},
	}
	s := newSocial(t, 1000)
	for _, shape := range Shapes() {
		limit, ok := limits[shape.Name]
		if !ok {
			t.Errorf("shape %q has no limit", shape.Name)
		}
		const queries, attempts = 20, 5
		nodes := 0.0
		for i := range queries {
			resp, err := s.d.Do(context.Background(), &api.Request{Query: shape.Text(s.world, i), ReadOnly: true, BestEffort: true}, alpha.Options{})
			if err != nil {
				t.Fatal(shape.Name, err)
			}
			nodes += float64(resp.Metrics.NumUids["_total"]) / queries
		}
		allocations := math.Inf(1)
		for attempt := 0; attempt < attempts && allocations > limit.allocations; attempt++ {
			i := 0
			allocations = min(allocations, testing.AllocsPerRun(queries, func() { s.ask(shape.Text(s.world, i), true); i++ }))
		}
		if nodes > limit.nodes || allocations > limit.allocations {
			t.Errorf("%q: {%.0f, %.0f}, want at most {%.0f, %.0f}", shape.Name, nodes, allocations, limit.nodes, limit.allocations)
		}
	}
}
