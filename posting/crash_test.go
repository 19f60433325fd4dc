package posting_test

// Power loss: the store loses any of the writes since the last barrier, commits and rollups alike, and the log is replayed
// from the commit that the barrier covered. Afterwards every answer must be what it was.

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"dragg/graph"
	"dragg/posting"
	"dragg/storage/memkv"
)

func TestCrashAndReplay(t *testing.T) {
	for seed := range uint64(8) {
		loss := []memkv.Loss{memkv.LoseAny, memkv.LoseSuffix, memkv.LoseAll, memkv.LoseAnyOps}[seed%4]
		t.Run(fmt.Sprintf("loss %d, seed %d", loss, seed), func(t *testing.T) { crashAndReplay(t, loss, seed) })
	}
}

func crashAndReplay(t *testing.T, loss memkv.Loss, seed uint64) {
	h := makeHistory(t, seed, 250)
	rng := rand.New(rand.NewPCG(seed, 9))
	engine := memkv.New(memkv.Config{Crashable: true})
	r := &runner{t: t, h: h, engine: engine, c: config{posting: posting.Config{SplitBytes: 40}}}
	r.open()
	h.graphs = []model{{}}
	var log []*posting.Pending
	durable := 0 // how many commits the last barrier covers
	apply := func(from, to int) {
		t.Helper()
		c := r.store.Begin()
		for i := from; i < to; i++ {
			if err := c.Commit(h.txns[i].commit, log[i], schemaOf(h.ps)); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(3) == 0 {
				r.flush(c)
			}
		}
		r.flush(c)
	}
	for i := range h.txns {
		x := &h.txns[i]
		graphNow := h.graphs[i].clone()
		var all *posting.Pending
		for _, m := range x.mutations {
			v := r.store.View(x.commit-1, all)
			d, err := posting.Derive(v, h.ps[m.inc-1], m.inc, m.edges)
			if err != nil {
				t.Fatal(err)
			}
			graphNow.apply(graphNow.mutate(h.ps[m.inc-1], m.inc, m.edges))
			if all, err = all.Merge(d.Pending); err != nil {
				t.Fatal(err)
			}
		}
		log = append(log, all)
		h.graphs = append(h.graphs, graphNow)
		apply(i, i+1)
		switch rng.IntN(12) {
		case 0, 1:
			r.oldest = x.commit
			r.rollup()
		case 2:
			if err := engine.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			durable = i + 1
			r.store.SetDiscardTs(h.txns[max(0, durable-1)].commit)
		case 3:
			engine = engine.Crash(loss, seed+uint64(i))
			r.engine = engine
			r.open()
			apply(durable, i+1)
		default:
			continue
		}
		low := graph.Timestamp(1)
		if durable > 0 {
			low = h.txns[durable-1].commit
		}
		for inc, p := range h.ps {
			ts := low + graph.Timestamp(rng.Uint64N(uint64(x.commit-low)+1))
			v := r.store.View(ts, nil)
			check(t, v, p, graph.Incarnation(inc+1), h.graphAt(ts))
			v.Close()
		}
		if t.Failed() {
			t.Fatalf("after transaction %d at %d, %d durable", i, x.commit, durable)
		}
	}
}
