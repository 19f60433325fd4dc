package lookup

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"dragg/graph"
	"dragg/posting/uidset"
	"dragg/query/task"
)

// The answers to the batches of one query stay what they were until Reset, whatever else is asked with the same memory, and what was
// there before does not show.
func TestAnswersShareMemory(t *testing.T) {
	const nodes = 60
	rng := rand.New(rand.NewPCG(7, 8))
	w := newWorld(t, `
		s: string @index(exact) @lang .
		h: string @lang .
		t: string .
		l: [string] .
		i: int @index(int) .
		li: [int] .
		f: float .
		d: datetime .
		e: [uid] @reverse @count .
	`)
	w.set(randomQuads(rng, nodes, 500))
	shared := new(Memory)
	run := func(m *Memory, batch []task.Task) []task.Result {
		view := m.View(w.store, w.ts, nil)
		defer view.Close()
		results, err := Run(context.Background(), m, view, w, batch)
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	for range 500 {
		var got, want [][]task.Result
		for range 1 + rng.IntN(3) {
			batch := randomTasks(t, rng, nodes)
			got, want = append(got, run(shared, batch)), append(want, run(new(Memory), batch))
		}
		for i := range want {
			for j := range want[i] {
				g, x := got[i][j], want[i][j]
				if !slices.Equal(g.Set.Slice(), x.Set.Slice()) {
					t.Fatalf("batch %d, task %d: %v, want %v", i, j, g.Set.Slice(), x.Set.Slice())
				}
				g.Set, x.Set, g.CacheHits, x.CacheHits = uidset.Set{}, uidset.Set{}, 0, 0
				if got, want := fmt.Sprintf("%+v", g), fmt.Sprintf("%+v", x); got != want {
					t.Fatalf("batch %d, task %d: %s, want %s", i, j, got, want)
				}
			}
		}
		shared.Reset()
	}
}

// randomTasks is a batch about few nodes and about many.
func randomTasks(t *testing.T, rng *rand.Rand, nodes int) (batch []task.Task) {
	for range 1 + rng.IntN(5) {
		var src []graph.UID
		for u := 1; u <= nodes; u++ {
			if rng.IntN(nodes) < 1<<rng.IntN(6) {
				src = append(src, graph.UID(u))
			}
		}
		x := task.Task{Src: src}
		switch rng.IntN(5) {
		case 0:
			x.Kind, x.Predicate = task.Edges, graph.Pred("e")
		case 1:
			x.Kind, x.Predicate = task.Counts, graph.Pred("e")
		case 2:
			x = match(t, `eq(s, "`+randomText(rng)+`")`)
			x.AtRoot = true
		default:
			x.Kind, x.Predicate = task.Values, graph.Pred([]string{"s", "i", "li", "l", "nothing"}[rng.IntN(5)])
		}
		batch = append(batch, x)
	}
	return batch
}
