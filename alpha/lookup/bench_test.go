package lookup

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/query/task"
)

// benchWorld has 20,000 nodes with a name, a score and two edges.
func benchWorld(b *testing.B) *world {
	w := newWorld(
		b,
		"name: string @index(exact, term) .\nscore: int @index(int) .\nfriend: [uid] @reverse @count .",
	)
	const nodes = 20_000
	var quads strings.Builder
	for i := 1; i <= nodes; i++ {
		fmt.Fprintf(&quads, "%d name \"person %d\"\n%d score \"%d\"\n%d friend %d\n%d friend %d\n",
			i, i, i, i%1000, i, i%nodes+1, i, (i*7)%nodes+1)
		if i%2000 == 0 {
			w.set(quads.String())
			quads.Reset()
		}
	}
	return w
}

func BenchmarkRun(b *testing.B) {
	w := benchWorld(b)
	big, some := upTo(10_000), upTo(100)
	pred := graph.Pred
	root := func(text string) task.Task {
		k := match(b, text)
		k.AtRoot = true
		return k
	}
	over := func(src []graph.UID, text string) task.Task {
		k := match(b, text)
		k.Src = src
		return k
	}
	for _, bm := range []struct {
		name string
		task task.Task
		per  int // uids that one run touches
	}{
		{"point", task.Task{Kind: task.Values, Predicate: pred("name"), Src: []graph.UID{4711}}, 1},
		{"eq", root(`eq(name, "person 4711")`), 1},
		{"eq-term", root(`anyofterms(name, "4711")`), 1},
		{"values", task.Task{Kind: task.Values, Predicate: pred("name"), Src: big}, len(big)},
		{"edges", task.Task{Kind: task.Edges, Predicate: pred("friend"), Src: big}, len(big)},
		{"reverse", task.Task{Kind: task.Edges, Predicate: pred("friend"), Reverse: true, Src: big}, len(big)},
		{"counts", task.Task{Kind: task.Counts, Predicate: pred("friend"), Src: big}, len(big)},
		{"has", root("has(name)"), 20_000},
		{"has-first-10", func() task.Task { k := root("has(name)"); k.Page.First = 10; return k }(), 10},
		{"ge-root", root("ge(score, 900)"), 2000},
		{"ge-filter-small", over(some, "ge(score, 900)"), len(some)},
		{"ge-filter-large", over(big, "ge(score, 900)"), len(big)},
		{"term-filter-large", over(big, `anyofterms(name, "4711")`), len(big)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			view := w.store.View(w.ts, nil)
			defer view.Close()
			batch := []task.Task{bm.task}
			m := new(Memory)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Run(context.Background(), m, view, w, batch); err != nil {
					b.Fatal(err)
				}
				m.Reset()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(bm.per), "ns/uid")
		})
	}
}
