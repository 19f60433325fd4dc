package posting_test

// The hot paths: reading one scalar, one token, a frontier; deriving and committing edges; hot lists.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/storage"
	"dragg/storage/badgerkv"
)

// filled returns a world whose predicate name has n values and friend ten edges a node, all committed in
// large batches.
func filled(b testing.TB, n int, e storage.Engine, cfg posting.Config) *world {
	b.Helper()
	w := newWorld(b, "name: string @index(exact, term) .\nfriend: [uid] @reverse .")
	if e != nil {
		w.store = posting.NewStore(e, cfg)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for from := 0; from < n; from += 1000 {
		var names, friends []graph.Edge
		for i := from; i < min(n, from+1000); i++ {
			u := graph.UID(i + 1)
			names = append(names, graph.Edge{Subject: u, Value: types.OfString(fmt.Sprintf("name %d of %d", i, i%100))})
			for range 10 {
				friends = append(friends, graph.Edge{Subject: u, Object: graph.UID(1 + rng.IntN(n))})
			}
		}
		w.commitEdges(b, "name", names)
		w.commitEdges(b, "friend", friends)
	}
	return w
}

func (w *world) commitEdges(b testing.TB, name string, edges []graph.Edge) {
	p, inc := w.pred(name)
	v := w.store.View(w.now, nil)
	d, err := posting.Derive(v, p, inc, edges)
	if err != nil {
		b.Fatal(err)
	}
	v.Close()
	w.commit(d.Pending)
}

func openBadger(b *testing.B) storage.Engine {
	b.Helper()
	e, err := badgerkv.Open(b.TempDir(), badgerkv.Config{ReserveBytes: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.Close(); err != nil {
			b.Error(err)
		}
	})
	return e
}

func BenchmarkReadScalar(b *testing.B) {
	const n = 20_000
	for _, c := range []struct {
		name  string
		cache int64
	}{{"cached", 1 << 30}, {"badger", -1}} {
		b.Run(c.name, func(b *testing.B) {
			w := filled(b, n, openBadger(b), posting.Config{CacheBytes: c.cache})
			_, inc := w.pred("name")
			v := w.store.View(w.now, nil)
			defer v.Close()
			var key []byte
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				key = keys.AppendData(key[:0], inc, graph.UID(1+i*7919%n))
				i++
				l, err := v.List(key)
				if err != nil {
					b.Fatal(err)
				}
				if _, ok, err := l.Value(""); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkReadToken(b *testing.B) {
	const n = 20_000
	w := filled(b, n, openBadger(b), posting.Config{CacheBytes: 1 << 30})
	p, inc := w.pred("name")
	t := p.Index[0]
	v := w.store.View(w.now, nil)
	defer v.Close()
	var key []byte
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		key = keys.AppendIndex(key[:0], inc, t.ID(), "", fmt.Sprintf("name %d of %d", i%n, i%n%100))
		i++
		l, err := v.List(key)
		if err != nil || l.UIDs().Len() != 1 {
			b.Fatal(l.Len(), err)
		}
	}
}

// BenchmarkExpand reads the edges of 10 000 nodes of ten edges each: what one level of a query does.
func BenchmarkExpand(b *testing.B) {
	const n = 10_000
	for _, c := range []struct {
		name  string
		cache int64
	}{{"cached", 1 << 30}, {"badger", -1}} {
		b.Run(c.name, func(b *testing.B) {
			w := filled(b, n, openBadger(b), posting.Config{CacheBytes: c.cache})
			_, inc := w.pred("friend")
			v := w.store.View(w.now, nil)
			defer v.Close()
			var key []byte
			var out []graph.UID
			expand := func() {
				out = out[:0]
				for u := graph.UID(1); u <= n; u++ {
					key = keys.AppendData(key[:0], inc, u)
					l, err := v.List(key)
					if err != nil {
						b.Fatal(err)
					}
					out = l.UIDs().AppendTo(out)
				}
			}
			expand()
			b.ReportAllocs()
			for b.Loop() {
				expand()
			}
			b.ReportMetric(float64(len(out))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Muids/s")
		})
	}
}

func BenchmarkScanKeys(b *testing.B) {
	const n = 20_000
	w := filled(b, n, openBadger(b), posting.Config{CacheBytes: -1})
	_, inc := w.pred("name")
	v := w.store.View(w.now, nil)
	defer v.Close()
	prefix := keys.DataPrefix(inc)
	b.ReportAllocs()
	for b.Loop() {
		it := v.Scan(prefix, keys.End(prefix))
		got := 0
		for it.Next() {
			got++
		}
		if err := it.Close(); err != nil || got != n {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mkeys/s")
}

// BenchmarkLoad derives, encodes, decodes and commits 1000 quads a transaction: names with two indexes, edges
// with reverse.
func BenchmarkLoad(b *testing.B) {
	w := newWorld(b, "name: string @index(exact, term) .\nfriend: [uid] @reverse .")
	w.store = posting.NewStore(openBadger(b), posting.Config{CacheBytes: 64 << 20})
	rng := rand.New(rand.NewPCG(1, 1))
	u := graph.UID(1)
	quads := 0
	b.ReportAllocs()
	for b.Loop() {
		var names, friends []graph.Edge
		for range 300 {
			u++
			names = append(names, graph.Edge{Subject: u, Value: types.OfString(fmt.Sprintf("some name %d of %d", u, u%100))})
			for range 2 {
				friends = append(friends, graph.Edge{Subject: u, Object: graph.UID(1 + rng.IntN(int(u)))})
			}
		}
		quads += len(names) + len(friends)
		var all *posting.Pending
		for name, edges := range map[string][]graph.Edge{"name": names, "friend": friends} {
			p, inc := w.pred(name)
			v := w.store.View(w.now, nil)
			d, err := posting.Derive(v, p, inc, edges)
			if err != nil {
				b.Fatal(err)
			}
			if all, err = all.Merge(d.Pending); err != nil {
				b.Fatal(err)
			}
		}
		p, err := posting.DecodePending(all.AppendBinary(nil))
		if err != nil {
			b.Fatal(err)
		}
		w.commit(p)
	}
	b.ReportMetric(float64(quads)/b.Elapsed().Seconds()/1e3, "kquads/s")
}

// BenchmarkHotList adds edges to one node, ten a commit, after the node has a hundred thousand or a million:
// the cost must not grow with the list.
func BenchmarkHotList(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, "friend: [uid] @count .")
			var oldest atomic.Uint64
			w.store = posting.NewStore(openBadger(b), posting.Config{
				OldestReader: func() graph.Timestamp { return graph.Timestamp(oldest.Load()) },
			})
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := w.store.Run(ctx); err != nil {
					b.Error(err)
				}
			})
			defer wg.Wait()
			defer cancel()
			next := graph.UID(1)
			add := func(k int) {
				edges := make([]graph.Edge, k)
				for i := range edges {
					next += 3
					edges[i] = graph.Edge{Subject: 1, Object: next}
				}
				w.commitEdges(b, "friend", edges)
				oldest.Store(uint64(w.now))
			}
			for range n / 1000 {
				add(1000)
			}
			_, inc := w.pred("friend")
			b.ReportAllocs()
			edges := 0
			for b.Loop() {
				add(10)
				edges += 10
				v := w.store.View(w.now, nil)
				l, err := v.List(keys.Data(inc, 1))
				if err != nil || l.Len() < n || !l.Contains(next) {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(edges), "ns/edge")
		})
	}
}
