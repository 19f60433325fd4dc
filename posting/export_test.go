package posting_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"dragg/graph"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/storage"
	"dragg/storage/memkv"
)

// copied is what a tablet copy becomes elsewhere, in rounds.
type copied struct {
	t      *testing.T
	from   *runner
	inc    graph.Incarnation // of the source
	to     graph.Incarnation
	base   graph.Timestamp
	upto   graph.Timestamp // 0 before the first round
	engine storage.Engine
	store  *posting.Store
	sum    posting.Digest // of the rounds, as the source says
}

func (c *copied) export(s *posting.Store, inc graph.Incarnation, since, upto graph.Timestamp) (ops []storage.Op, sum posting.Digest) {
	c.t.Helper()
	what := posting.Export{Incarnation: inc, Floor: c.base, DerivedFloor: c.base, Since: since, Upto: upto}
	err := s.Export(c.t.Context(), what, func(op storage.Op) error {
		ops = append(ops, op)
		sum.Add(op)
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return ops, sum
}

// round brings what came since the last one.
func (c *copied) round(upto graph.Timestamp) {
	c.t.Helper()
	ops, sum := c.export(c.from.store, c.inc, c.upto, upto)
	b := &storage.Batch{}
	for _, op := range ops {
		b.Ops = append(b.Ops, op) // the model knows it under its own name
		op.Key = bytes.Clone(op.Key)
		keys.MoveTo(op.Key, c.to)
		b.Ops = append(b.Ops, op)
	}
	if err := c.engine.Write(c.t.Context(), b); err != nil {
		c.t.Fatal(err)
	}
	c.store.Forget(c.inc) // it was written past the store
	if _, got := c.export(c.store, c.to, c.upto, upto); got != sum {
		c.t.Errorf("round up to %d: the copy has %v, the source %v", upto, got, sum)
	}
	c.sum.Plus(sum)
	c.upto = upto
}

// Goal: a tablet copied in rounds while it is written, rolled up and split is the same tablet: the digests of the rounds add up to
// that of the whole, and readers from the base on see the model. Method: the histories of the metamorphic test.
func TestCopyInRounds(t *testing.T) {
	for _, cfg := range configs() {
		t.Run(cfg.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(11, uint64(len(cfg.name))))
			h := makeHistory(t, 3, 160)
			r := &runner{t: t, h: h, c: cfg}
			r.c.reopen, r.c.discards = 0, false // versions above the base are held
			var all []*copied
			r.each = func(i int) {
				now := h.txns[i].commit
				if i == 60 || i == 61 || len(all) == 0 && i > 60 {
					for inc := range h.ps {
						e := memkv.New(memkv.Config{})
						all = append(all, &copied{
							t: t, from: r, inc: graph.Incarnation(inc + 1), to: graph.Incarnation(inc + 100), base: now, engine: e,
							store: posting.NewStore(e, posting.Config{SplitBytes: cfg.posting.SplitBytes}),
						})
					}
				}
				for _, c := range all {
					if c.upto == 0 || rng.IntN(4) == 0 {
						c.round(now)
					}
				}
				if i < 150 || len(all) == 0 || i%r.c.perFlush != 0 && i < 155 {
					return
				}
				for _, c := range all {
					c.round(now)
					if _, whole := c.export(c.store, c.to, 0, now); whole != c.sum {
						t.Errorf("incarnation %d: the rounds add up to %v, the whole is %v", c.inc, c.sum, whole)
					}
					if _, whole := c.export(r.store, c.inc, 0, now); whole != c.sum {
						t.Errorf("incarnation %d: the rounds add up to %v, the source holds %v", c.inc, c.sum, whole)
					}
					for range 3 {
						at := c.base + graph.Timestamp(rng.Uint64N(uint64(now-c.base)+1))
						v := c.store.View(at, nil)
						check(t, v, h.ps[c.inc-1], c.inc, h.graphAt(at))
						v.Close()
					}
				}
			}
			r.run()
			if len(all) == 0 || all[0].sum.Changes == 0 {
				t.Error("nothing was copied")
			}
		})
	}
}

// Digests do not depend on order, and do on everything else.
func TestDigest(t *testing.T) {
	op := storage.Op{Key: keys.Data(7, 3), Value: []byte("v"), Ts: 5, Complete: true}
	other := op
	other.Key = keys.Data(8, 3)
	digest := func(ops ...storage.Op) (d posting.Digest) {
		for _, op := range ops {
			d.Add(op)
		}
		return d
	}
	if digest(op) != digest(other) {
		t.Error("the copy shows")
	}
	second := storage.Op{Key: keys.Data(7, 4), Value: []byte("w"), Ts: 5}
	if digest(op, second) != digest(second, op) {
		t.Error("the order shows")
	}
	for i, change := range []func(*storage.Op){
		func(o *storage.Op) { o.Key = keys.Data(7, 2) },
		func(o *storage.Op) { o.Value = []byte("x") },
		func(o *storage.Op) { o.Ts = 6 },
		func(o *storage.Op) { o.Complete = false },
		func(o *storage.Op) { o.Delete = true },
		func(o *storage.Op) { o.Key, o.Value = append(bytes.Clone(o.Key), 'v'), nil },
	} {
		changed := op
		change(&changed)
		if digest(changed) == digest(op) {
			t.Errorf("change %d does not show", i)
		}
	}
	if fmt.Sprint(digest(op, op)) == fmt.Sprint(digest()) {
		t.Error("twice is like never")
	}
}
