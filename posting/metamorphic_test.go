package posting_test

// One random history of concurrent transactions, run under many configurations of engine, cache, rollup,
// split and reopening. Each must agree with the naive model at many timestamps, and all of them must derive
// the same bytes.

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"dragg/graph"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/schema"
	"dragg/storage"
	"dragg/storage/badgerkv"
	"dragg/storage/memkv"
)

// txn is one transaction of a history.
type txn struct {
	start, commit graph.Timestamp
	mutations     []mutation
	ops           []modelOp // for the model
}

type mutation struct {
	inc   graph.Incarnation
	edges []graph.Edge
}

// history is a random run: transactions in the order of their commits, and the graph after each.
type history struct {
	ps     []*schema.Predicate
	txns   []txn
	graphs []model // graphs[i] is the graph after i commits
}

// makeHistory draws a history. Transactions start up to six commits before they commit. Which of them
// conflict is decided by the store under test, in run; here every transaction is drawn with its changes to
// the graph it sees.
func makeHistory(t testing.TB, seed uint64, n int) *history {
	h := &history{ps: predicates(t)}
	rng := rand.New(rand.NewPCG(seed, 7))
	ts := graph.Timestamp(1)
	for range n {
		ts += 1 + graph.Timestamp(rng.IntN(3))
		back := graph.Timestamp(rng.IntN(12))
		x := txn{start: max(1, ts-min(back, ts)), commit: ts}
		if x.start == x.commit {
			x.start--
		}
		for range 1 + rng.IntN(3) {
			i := rng.IntN(len(h.ps))
			x.mutations = append(x.mutations, mutation{graph.Incarnation(i + 1), randomEdges(rng, h.ps[i])})
		}
		h.txns = append(h.txns, x)
	}
	return h
}

// graphAt returns the newest graph at or below ts.
func (h *history) graphAt(ts graph.Timestamp) model {
	i := 0
	for i < len(h.graphs)-1 && h.txns[i].commit <= ts {
		i++
	}
	return h.graphs[i]
}

// config is one way to run a history.
type config struct {
	name       string
	disk       bool
	posting    posting.Config
	rollEvery  int // commits between rollups of every key
	perFlush   int // commits a batch
	reopen     int // commits between new stores over the engine
	lagging    int // how many commits the oldest reader is behind
	discards   bool
	checkEvery int
}

func configs() []config {
	return []config{
		{name: "plain", perFlush: 1, checkEvery: 1},
		{name: "no cache", posting: posting.Config{CacheBytes: -1}, perFlush: 1, checkEvery: 5},
		{name: "tiny cache", posting: posting.Config{CacheBytes: 64 * 400}, perFlush: 3, checkEvery: 3},
		{name: "rollups", rollEvery: 2, perFlush: 1, checkEvery: 3},
		{name: "lagging rollups", rollEvery: 3, lagging: 10, perFlush: 4, checkEvery: 4},
		{name: "split", posting: posting.Config{SplitBytes: 24}, rollEvery: 3, perFlush: 2, checkEvery: 3},
		{
			name: "split, no cache", posting: posting.Config{SplitBytes: 16, CacheBytes: -1}, rollEvery: 4, lagging: 4,
			perFlush: 1, checkEvery: 7,
		},
		{name: "reopen", reopen: 5, rollEvery: 7, perFlush: 1, checkEvery: 4},
		{name: "discards", rollEvery: 3, lagging: 6, discards: true, perFlush: 2, checkEvery: 3},
		{
			name: "disk", disk: true, posting: posting.Config{SplitBytes: 32}, rollEvery: 9, perFlush: 3, reopen: 50,
			checkEvery: 11,
		},
	}
}

// runner runs a history under a configuration.
type runner struct {
	t      *testing.T
	h      *history
	c      config
	engine storage.Engine
	store  *posting.Store
	oldest graph.Timestamp
	// locks holds the newest commit of each conflict key: what Zero's oracle does.
	locks   map[graph.ConflictKey]graph.Timestamp
	derived []byte // what every transaction derived
	aborts  int
	each    func(i int) // called after transaction i, when everything is stored; nil for nobody
}

func (r *runner) open() {
	cfg := r.c.posting
	cfg.OldestReader = func() graph.Timestamp { return r.oldest }
	r.store = posting.NewStore(r.engine, cfg)
}

func (r *runner) run() {
	r.locks = make(map[graph.ConflictKey]graph.Timestamp)
	if r.c.disk {
		e, err := badgerkv.Open(r.t.TempDir(), badgerkv.Config{MemoryBytes: 64 << 20, ReserveBytes: 1})
		if err != nil {
			r.t.Fatal(err)
		}
		r.engine = e
	} else {
		r.engine = memkv.New(memkv.Config{})
	}
	defer func() {
		if err := r.engine.Close(); err != nil {
			r.t.Error(err)
		}
	}()
	r.open()
	rng := rand.New(rand.NewPCG(5, 5))
	r.h.graphs = []model{{}}
	c := r.store.Begin()
	waiting := 0
	for i := range r.h.txns {
		x := &r.h.txns[i]
		if waiting > 0 && x.start >= r.h.txns[i-waiting].commit {
			r.flush(c) // the snapshot must be whole
			waiting = 0
		}
		pending, keys := r.derive(x)
		next := r.h.graphs[i].clone()
		if r.conflicts(x, keys) {
			r.aborts++
		} else {
			next.apply(x.ops)
			if err := c.Commit(x.commit, pending, schemaOf(r.h.ps)); err != nil {
				r.t.Fatal(err)
			}
		}
		r.h.graphs = append(r.h.graphs, next)
		if waiting++; waiting == r.c.perFlush {
			r.flush(c)
			waiting = 0
		}
		if waiting == 0 {
			r.upkeep(rng, i)
			c = r.store.Begin()
		}
		if r.t.Failed() {
			r.t.Fatalf("after transaction %d at %d", i, x.commit)
		}
	}
	r.flush(c)
}

func (r *runner) flush(c *posting.Committer) {
	r.t.Helper()
	if err := c.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// derive derives the mutations of a transaction at its start, one after the other, and checks its own view
// after each.
func (r *runner) derive(x *txn) (*posting.Pending, []graph.ConflictKey) {
	own := r.h.graphAt(x.start).clone()
	x.ops = nil
	pending := &posting.Pending{}
	var conflicts []graph.ConflictKey
	for i, m := range x.mutations {
		p := r.h.ps[m.inc-1]
		v := r.store.View(x.start, pending)
		d, err := posting.Derive(v, p, m.inc, m.edges)
		if err != nil {
			r.t.Fatal(err)
		}
		v.Close()
		ops := own.mutate(p, m.inc, m.edges)
		own.apply(ops)
		x.ops = append(x.ops, ops...)
		conflicts = append(conflicts, d.Conflicts...)
		if pending, err = pending.Merge(d.Pending); err != nil {
			r.t.Fatal(err)
		}
		if i == len(x.mutations)-1 {
			r.checkOwn(x.start, pending, p, m.inc, own)
		}
	}
	raw := pending.AppendBinary(nil)
	r.derived = fmt.Appendf(append(r.derived, raw...), "%x\n", conflicts)
	decoded, err := posting.DecodePending(raw)
	if err != nil {
		r.t.Fatal(err)
	}
	return decoded, conflicts
}

// checkOwn checks what the transaction sees of its own writes; counts are not derived before the commit.
func (r *runner) checkOwn(
	ts graph.Timestamp, pending *posting.Pending, p *schema.Predicate, inc graph.Incarnation, own model,
) {
	r.t.Helper()
	counted := *p
	counted.Count = false
	v := r.store.View(ts, pending)
	defer v.Close()
	want := own.lists(&counted, inc)
	it := v.Scan(keys.Prefix(inc), keys.CountPrefix(inc, false))
	got := 0
	for it.Next() {
		l, err := it.List()
		if err != nil {
			r.t.Fatal(err)
		}
		values := keys.KindOf(it.Key()) == keys.KindData && !p.IsUID()
		if s := listText(r.t, l, values); s != want[string(it.Key())] {
			r.t.Errorf("own writes of %s, key %s: got %q, want %q", p.Name, describe(string(it.Key())), s, want[string(it.Key())])
		}
		got++
	}
	if err := it.Close(); err != nil {
		r.t.Fatal(err)
	}
	if got != len(want) {
		r.t.Errorf("own writes of %s: %d lists, want %d", p.Name, got, len(want))
	}
}

func (r *runner) conflicts(x *txn, keys []graph.ConflictKey) bool {
	for _, k := range keys {
		if r.locks[k] > x.start {
			return true
		}
	}
	for _, k := range keys {
		r.locks[k] = x.commit
	}
	return false
}

// upkeep does what the configuration asks for between batches, and compares the store with the model.
func (r *runner) upkeep(rng *rand.Rand, i int) {
	now := r.h.txns[i].commit
	if behind := i - max(r.c.lagging, 8); behind >= 0 {
		r.oldest = r.h.txns[behind].commit
	}
	if r.c.reopen > 0 && i%r.c.reopen == 0 {
		r.open()
	}
	if r.c.rollEvery > 0 && i%r.c.rollEvery == 0 {
		r.rollup()
	}
	if r.c.discards {
		r.store.SetDiscardTs(r.oldest)
	}
	if r.each != nil {
		r.each(i)
	}
	if i%r.c.checkEvery != 0 {
		return
	}
	low := graph.Timestamp(1)
	if r.c.discards {
		low = max(low, r.oldest)
	}
	for _, ts := range []graph.Timestamp{now, max(low, now-min(now, 1)), low + graph.Timestamp(rng.Uint64N(uint64(now-low)+1))} {
		inc := graph.Incarnation(1 + rng.IntN(len(r.h.ps)))
		v := r.store.View(ts, nil)
		check(r.t, v, r.h.ps[inc-1], inc, r.h.graphAt(ts))
		v.Close()
	}
}

// rollup rolls up every key there is, and checks that each answer stays the same.
func (r *runner) rollup() {
	all := r.allKeys()
	if err := r.store.Rollup(r.t.Context(), all...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *runner) allKeys() (all [][]byte) {
	rd := r.engine.ReaderAt(graph.MaxTimestamp)
	defer rd.Close()
	it := rd.Scan(nil, nil)
	for it.Next() {
		if keys.KindOf(it.Key()) != keys.KindPart {
			all = append(all, bytes.Clone(it.Key()))
		}
	}
	if err := it.Close(); err != nil {
		r.t.Fatal(err)
	}
	return all
}

func TestMetamorphic(t *testing.T) {
	for seed := range uint64(2) {
		var first []byte
		for _, c := range configs() {
			t.Run(fmt.Sprintf("%s/%d", c.name, seed), func(t *testing.T) {
				n := 400
				if c.disk && testing.Short() {
					n = 100
				}
				r := &runner{t: t, h: makeHistory(t, seed, 400), c: c}
				r.h.txns = r.h.txns[:n]
				r.run()
				switch {
				case n < 400:
				case first == nil:
					first = r.derived
				case !bytes.Equal(first, r.derived):
					t.Error("another configuration derived other bytes")
				}
				if r.aborts == 0 || r.aborts > n*3/4 {
					t.Errorf("%d of %d transactions conflict", r.aborts, n)
				}
			})
		}
	}
}

// recorder is an engine that remembers what was written.
type recorder struct {
	storage.Engine
	ops []storage.Op
}

func (r *recorder) Write(ctx context.Context, b *storage.Batch) error {
	r.ops = append(r.ops, slices.Clone(b.Ops)...)
	return r.Engine.Write(ctx, b)
}

// TestReplay commits a history, rolls it up, and commits its second half again: the same bytes must be
// written, although the store holds newer versions of everything.
func TestReplay(t *testing.T) {
	for _, c := range []struct {
		cache int64
		rolls int // up to which transaction everything is rolled up before the replay
	}{{1 << 20, 199}, {-1, 199}, {1 << 20, 150}, {1 << 20, 0}, {-1, 0}} {
		cache := c.cache
		h := makeHistory(t, 11, 200)
		rec := &recorder{Engine: memkv.New(memkv.Config{})}
		commit := func(s *posting.Store, x *txn, p *posting.Pending) {
			t.Helper()
			c := s.Begin()
			if err := c.Commit(x.commit, p, schemaOf(h.ps)); err != nil {
				t.Fatal(err)
			}
			if err := c.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var oldest graph.Timestamp
		s := posting.NewStore(rec, posting.Config{
			CacheBytes: cache, OldestReader: func() graph.Timestamp { return oldest },
		})
		var pendings []*posting.Pending
		half := 0
		for i := range h.txns {
			x := &h.txns[i]
			var all *posting.Pending
			for _, m := range x.mutations {
				v := s.View(x.commit-1, all) // serial: no conflicts
				d, err := posting.Derive(v, h.ps[m.inc-1], m.inc, m.edges)
				if err != nil {
					t.Fatal(err)
				}
				if all, err = all.Merge(d.Pending); err != nil {
					t.Fatal(err)
				}
			}
			pendings = append(pendings, all)
			if i == len(h.txns)/2 {
				half = len(rec.ops)
			}
			commit(s, x, all)
		}
		want := slices.Clone(rec.ops[half:])
		oldest = h.txns[c.rolls].commit
		r := &runner{t: t, h: h, engine: rec, store: s}
		r.rollup()
		rec.ops = nil
		s = posting.NewStore(rec, posting.Config{CacheBytes: cache})
		c := s.Begin()
		for i := len(h.txns) / 2; i < len(h.txns); i++ {
			if err := c.Commit(h.txns[i].commit, pendings[i], schemaOf(h.ps)); err != nil {
				t.Fatal(err)
			}
			if i%3 == 0 { // other batches than the first time
				if err := c.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		same := func(a, b storage.Op) bool {
			return a.Ts == b.Ts && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) && a.Complete == b.Complete
		}
		if !slices.EqualFunc(rec.ops, want, same) {
			t.Errorf("cache %d: the replay wrote %d changes, not the %d of the first time", cache, len(rec.ops), len(want))
		}
	}
}
