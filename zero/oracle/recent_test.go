package oracle

import (
	"math/rand/v2"
	"slices"
	"testing"

	"dragg/graph"
)

// Goal: recent is a map with an order. Method: random additions and forgetting against a map and a slice, with few keys, with many
// that follow one another, and beyond the number where the slots' begin anew.
func TestRecent(t *testing.T) {
	for _, c := range []struct {
		keys  int
		first uint64
	}{{5, 0}, {300, 0}, {20_000, 0}, {300, slotCount - 700}, {20_000, 5*slotCount - 9_000}} {
		rnd := rand.New(rand.NewPCG(uint64(c.keys), c.first))
		r := &recent{first: c.first, end: c.first}
		last, order := map[uint64]graph.Timestamp{}, []addition(nil)
		for step := range 60_000 {
			grow := step/10_000%2 == 0
			if n := rnd.IntN(5); len(order) > 0 && (n == 0 || n < 4 && !grow) {
				if got := r.oldest(); got != order[0] {
					t.Fatalf("the oldest is %v, want %v", got, order[0])
				}
				r.forget()
				if last[order[0].key] == order[0].ts {
					delete(last, order[0].key)
				}
				order = order[1:]
			} else {
				a := addition{uint64(rnd.IntN(c.keys)), graph.Timestamp(step)}
				r.add(a.key, a.ts)
				last[a.key], order = a.ts, append(order, a)
			}
			key := uint64(rnd.IntN(c.keys))
			want, known := last[key]
			if got, ok := r.get(key); ok != known || got != want {
				t.Fatalf("step %d: key %d is %d %v, want %d %v", step, key, got, ok, want, known)
			}
		}
		if got := slices.Collect(r.all()); r.len() != len(order) || !slices.Equal(got, order) {
			t.Errorf("%d keys: what is remembered differs", c.keys)
		}
	}
}

// What forgot gives its memory back.
func TestRecentShrinks(t *testing.T) {
	r := &recent{}
	for i := range uint64(1 << 16) {
		r.add(i, graph.Timestamp(i))
	}
	for r.len() > 10 {
		r.forget()
	}
	slots := 0
	for i := range r.shards {
		slots += len(r.shards[i].slots)
	}
	if slots > shards*minSlots || len(r.chunks) > 2 {
		t.Errorf("%d slots and %d chunks for %d additions", slots, len(r.chunks), r.len())
	}
}
