package posting_test

// Index builds: over data and stale keys, beside new commits, with a sort that spills, split lists, and again
// after a failure.

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/schema"
	"dragg/schema/tok"
	"dragg/storage/memkv"
)

// bare returns the predicates without derived keys.
func bare(ps []*schema.Predicate) (out []*schema.Predicate) {
	for _, p := range ps {
		q := *p
		q.Index, q.Reverse, q.Count = nil, false, false
		out = append(out, &q)
	}
	return out
}

func TestBuildIndex(t *testing.T) {
	for _, c := range []struct {
		name  string
		build posting.Build
		cfg   posting.Config
	}{
		{"in memory", posting.Build{}, posting.Config{}},
		{"spilled and split", posting.Build{MemoryBytes: 500}, posting.Config{SplitBytes: 24}},
		{"no cache", posting.Build{MemoryBytes: 2000}, posting.Config{CacheBytes: -1}},
	} {
		t.Run(c.name, func(t *testing.T) { testBuildIndex(t, c.build, c.cfg) })
	}
}

func testBuildIndex(t *testing.T, what posting.Build, cfg posting.Config) {
	engine := memkv.New(memkv.Config{})
	full := predicates(t)
	var oldest graph.Timestamp
	cfg.OldestReader = func() graph.Timestamp { return oldest }
	r := &runner{t: t, h: &history{ps: full}, engine: engine, store: posting.NewStore(engine, cfg)}
	rng := rand.New(rand.NewPCG(3, 1))
	now := graph.Timestamp(0)
	graphs := map[graph.Timestamp]model{0: {}}
	commits := func(n int, ps []*schema.Predicate) {
		t.Helper()
		for range n {
			i := rng.IntN(len(ps))
			inc, edges := graph.Incarnation(i+1), randomEdges(rng, ps[i])
			v := r.store.View(now, nil)
			d, err := posting.Derive(v, ps[i], inc, edges)
			if err != nil {
				t.Fatal(err)
			}
			next := graphs[now].clone()
			next.apply(next.mutate(ps[i], inc, edges))
			now++
			graphs[now] = next
			cm := r.store.Begin()
			if err := cm.Commit(now, d.Pending, schemaOf(ps)); err != nil {
				t.Fatal(err)
			}
			r.flush(cm)
		}
	}
	commits(100, full)       // these derived keys ...
	commits(200, bare(full)) // ... go stale
	oldest = now
	r.rollup()
	at := now
	building := make([]*schema.Predicate, len(full))
	for i, p := range full {
		q := *p
		q.Building = q.TokenizerNames()
		if p.Reverse {
			q.Building = append(q.Building, schema.BuildingReverse)
		}
		if p.Count {
			q.Building = append(q.Building, schema.BuildingCount)
		}
		building[i] = &q
	}
	stage := func(fail bool) {
		t.Helper()
		engine.SetFull(fail)
		defer engine.SetFull(false)
		failed := false
		for i, p := range building {
			b, done := posting.NextBuild(p)
			b.TempDir, b.MemoryBytes = t.TempDir(), what.MemoryBytes
			err := r.store.BuildIndex(t.Context(), at, p, graph.Incarnation(i+1), b)
			if err != nil && !fail {
				t.Fatalf("%s: build of %v: %v", p.Name, done, err)
			}
			failed = failed || err != nil
		}
		if fail && !failed {
			t.Fatal("builds succeed on a full disk")
		}
	}
	next := func() {
		for i, p := range building {
			_, done := posting.NextBuild(p)
			q := *p
			q.Building = slices.DeleteFunc(slices.Clone(p.Building), func(name string) bool {
				return slices.Contains(done, name)
			})
			building[i] = &q
		}
	}
	commits(60, building) // maintained, but not complete
	stage(true)
	commits(10, building)
	stage(false)
	stage(false) // again, as after a crash
	next()
	at = now
	commits(60, building)
	stage(false)
	next()
	for _, p := range building {
		if len(p.Building) > 0 {
			t.Fatalf("%s still builds %v", p.Name, p.Building)
		}
	}
	verify := func(what string) {
		t.Helper()
		for _, ts := range []graph.Timestamp{at, at + 1, at + 30, now} {
			for i, p := range full {
				v := r.store.View(ts, nil)
				check(t, v, p, graph.Incarnation(i+1), graphs[ts])
				v.Close()
			}
			if t.Failed() {
				t.Fatalf("%s, at %d", what, ts)
			}
		}
	}
	verify("built")
	commits(60, full)
	oldest = at + 20
	r.rollup()
	at += 20
	verify("rolled up")
}

// TestBuildHoldsRollups: a whole version above the build's timestamp would hide what the build puts below it.
func TestBuildHoldsRollups(t *testing.T) {
	w := newWorld(t, "friend: [uid] @reverse .")
	w.store = posting.NewStore(memkv.New(memkv.Config{}), posting.Config{OldestReader: func() graph.Timestamp { return w.now }})
	plain := bare(w.ps)
	withReverse := w.ps
	w.ps = plain
	w.do("friend", "set 1 5; set 2 5")
	at := w.now
	w.ps = withReverse
	w.do("friend", "set 3 5", "set 4 5")
	p, inc := w.pred("friend")
	err := w.store.BuildIndex(t.Context(), at, p, inc, posting.Build{Reverse: true, Progress: func(int, int) {
		if err := w.store.Rollup(t.Context(), keys.Reverse(inc, 5)); err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := w.show("friend", nil)
	if !slices.Contains(got, "~0x5: 0x1 0x2 0x3 0x4") {
		t.Errorf("after a build with rollups beside it: %q", got)
	}
}

func TestBuildTooLarge(t *testing.T) {
	w := newWorld(t, "name: string @index(exact) .")
	withIndex := w.ps
	w.ps = bare(w.ps)
	w.do("name", "set 77 "+strings.Repeat("k", 65_000))
	w.ps = withIndex
	p, inc := w.pred("name")
	err := w.store.BuildIndex(t.Context(), w.now, p, inc, posting.Build{Tokenizers: p.Index})
	if !errors.Is(err, tok.ErrTooLarge) || !strings.Contains(err.Error(), "0x4d") {
		t.Errorf("a value that no index can hold: %v", err)
	}
}
