package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/uidset"
	"dragg/query/answer"
	"dragg/query/task"
	"dragg/schema"
)

// grid is a runner that answers from arrays, so that a benchmark measures the executor and not a store. Node i has the
// uid i+1, its edges and one int.
type grid struct {
	offsets []uint32
	targets []graph.UID
	values  []types.Value
	// returned counts targets.
	returned uint64
}

func newGrid(nodes, degree int) *grid {
	rnd := rand.New(rand.NewPCG(1, 2))
	g := &grid{offsets: []uint32{0}}
	for range nodes {
		var row []graph.UID
		for range degree {
			row = append(row, graph.UID(rnd.IntN(nodes)+1))
		}
		slices.Sort(row)
		g.targets = append(g.targets, slices.Compact(row)...)
		g.offsets = append(g.offsets, uint32(len(g.targets)))
		g.values = append(g.values, types.OfInt(rnd.Int64N(1000)))
	}
	return g
}

func (g *grid) Run(_ context.Context, _ graph.Timestamp, batch []task.Task) ([]task.Result, error) {
	out := make([]task.Result, len(batch))
	for i, t := range batch {
		res := &out[i]
		switch {
		case t.AtRoot:
			uids := make([]graph.UID, len(g.values))
			for j := range uids {
				uids[j] = graph.UID(j + 1)
			}
			res.Set = uidset.Of(uids)
		case t.Kind == task.Edges:
			res.Offsets = make([]uint32, 1, len(t.Src)+1)
			n := 0
			for _, u := range t.Src {
				n += int(g.offsets[u] - g.offsets[u-1])
			}
			res.Targets = make([]graph.UID, 0, n)
			for _, u := range t.Src {
				res.Targets = append(res.Targets, g.targets[g.offsets[u-1]:g.offsets[u]]...)
				res.Offsets = append(res.Offsets, uint32(len(res.Targets)))
			}
			g.returned += uint64(n)
		case t.Kind == task.Values:
			res.Offsets = make([]uint32, len(t.Src)+1)
			res.Values = make([]types.Value, len(t.Src))
			for j, u := range t.Src {
				res.Offsets[j+1] = uint32(j + 1)
				res.Values[j] = g.values[u-1]
			}
		case t.Kind == task.Match:
			var keep []graph.UID
			for _, u := range t.Src {
				if g.values[u-1].Int() < 500 {
					keep = append(keep, u)
				}
			}
			res.Set = uidset.Of(keep)
		}
	}
	return out, nil
}

func gridPlan(tb testing.TB, text string) *Plan {
	tb.Helper()
	up, err := schema.Parse("n: int @index(int) .\nf: [uid] .")
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := dql.Parse(text, nil)
	if err != nil {
		tb.Fatal(err)
	}
	plan, err := Build(doc, schema.Snapshot{}.With(up))
	if err != nil {
		tb.Fatal(err)
	}
	return plan
}

// BenchmarkExecute reports uids per second: the sources of all tasks and the targets of all edges.
func BenchmarkExecute(b *testing.B) {
	g := newGrid(200_000, 10)
	for _, c := range []struct{ name, text string }{
		{"hops", `{ var(func: uid(1)) { f { f { f { f { x as f } } } } } q(func: uid(x), first: 1) { uid } }`},
		{"filter", `{ var(func: has(n)) { x as f @filter(lt(n, 500)) } q(func: uid(x), first: 1) { uid } }`},
		{"aggregate", `{ var(func: has(n)) { f { v as n } s as sum(val(v)) } q() { max(val(s)) } }`},
		{"math", `{ var(func: has(n)) { v as n w as math(v * 2 + 1) } q() { max(val(w)) } }`},
		{"propagate", `{ var(func: has(n)) { v as n f { w as math(v + 1) } } q() { max(val(w)) } }`},
		{"order", `{ var(func: has(n)) { x as f (orderdesc: n, first: 3) } q(func: uid(x), first: 1) { uid } }`},
		{"top", `{ q(func: has(n), orderdesc: n, first: 10) { n } }`},
	} {
		plan := gridPlan(b, c.text)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			uids := uint64(0)
			for b.Loop() {
				res, err := Execute(context.Background(), plan, g, 1, Options{MemoryBytes: 1 << 31})
				if err != nil {
					b.Fatal(err)
				}
				uids += res.NumUIDs["_total"] + g.returned
				g.returned = 0
			}
			b.ReportMetric(float64(uids)/b.Elapsed().Seconds(), "uids/s")
		})
	}
}

func BenchmarkJSON(b *testing.B) {
	g := newGrid(200_000, 10)
	plan := gridPlan(b, `{ q(func: uid(1)) { n f { n f { n f { n f { uid n } } } } } }`)
	res, err := Execute(context.Background(), plan, g, 1, Options{})
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = res.Answer.AppendJSON(buf[:0], answer.Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDistinct(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, span := range []int{1 << 20, 1 << 50} {
		targets := make([]graph.UID, 1<<20)
		for i := range targets {
			targets[i] = graph.UID(rnd.IntN(span))
		}
		b.Run(fmt.Sprintf("span=%d", span), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x := rows{targets: targets}
				x.distinct()
			}
			b.ReportMetric(float64(len(targets)*b.N)/b.Elapsed().Seconds(), "uids/s")
		})
	}
}
