package posting_test

import (
	"testing"

	"dragg/graph"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/storage/memkv"
)

// Goal: fetching ahead changes nothing. Method: more keys than it takes at once, some cached and some that are in no store; then the
// cache must hold what it held, nothing may have been counted as read, and the lists are what they were.
func TestPrefetchChangesNothing(t *testing.T) {
	const n = 300
	for name, bytes := range map[string]int64{"cached": 1 << 20, "without a cache": -1} {
		t.Run(name, func(t *testing.T) {
			w := filled(t, n, memkv.New(memkv.Config{}), posting.Config{CacheBytes: bytes})
			_, inc := w.pred("name")
			v := w.store.View(w.now, nil)
			defer v.Close()
			value := func(u graph.UID) string {
				l, err := v.List(keys.AppendData(nil, inc, u))
				if err != nil {
					t.Fatal(err)
				}
				text, ok, err := l.Value("")
				if err != nil || ok != (u <= n) {
					t.Fatal(u, ok, err)
				}
				if !ok {
					return ""
				}
				return text.Text()
			}
			before := map[graph.UID]string{}
			for u := graph.UID(1); u <= n; u += 2 {
				before[u] = value(u)
			}
			var all []byte
			for u := graph.UID(1); u <= n+50; u++ {
				all = keys.AppendData(all, inc, u)
			}
			size := len(keys.AppendData(nil, inc, 1))
			lists, held, hits, misses := w.store.CacheStats()
			read := v.Lists()
			v.Prefetch(all, size)
			v.Prefetch(all[:size], size)
			v.Prefetch(nil, size)
			v.Prefetch(nil, 0)
			lists2, held2, hits2, misses2 := w.store.CacheStats()
			if lists != lists2 || held != held2 || hits != hits2 || misses != misses2 || v.Lists() != read {
				t.Errorf("the cache went from %d %d %d %d to %d %d %d %d, lists read from %d to %d",
					lists, held, hits, misses, lists2, held2, hits2, misses2, read, v.Lists())
			}
			for u, want := range before {
				if got := value(u); got != want {
					t.Errorf("%d: got %q, want %q", u, got, want)
				}
			}
			value(n + 1)
		})
	}
}
