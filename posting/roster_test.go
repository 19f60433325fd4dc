package posting_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/storage/memkv"
)

// families are the kinds of keys that are asked for in ranges.
func families(w *world) map[string][]byte {
	p, inc := w.pred("age")
	_, friend := w.pred("friend")
	return map[string][]byte{
		"tokens": keys.IndexLangPrefix(inc, p.Index[0].ID(), ""), "counts": keys.CountPrefix(friend, false),
		"reverse counts": keys.CountPrefix(friend, true),
	}
}

const rosterSchema = "age: int @index(int) .\nfriend: [uid] @reverse @count ."

// checkKeys compares the keys of a view with those that a scan comes upon.
func checkKeys(t *testing.T, v *posting.View, family []byte, rng *rand.Rand) {
	t.Helper()
	from, to := family, keys.End(family)
	if rng.IntN(2) == 0 {
		from = append(slices.Clip(family), byte(rng.IntN(256)), byte(rng.IntN(256)))
	}
	if rng.IntN(2) == 0 {
		to = append(slices.Clip(from), byte(rng.IntN(256)))
	}
	got, ok, err := v.Keys(t.Context(), from, to)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Fatalf("keys out of order: %x", got)
	}
	var down []string
	most := rng.IntN(20)
	err = v.KeysDown(from, to, func(key []byte) (bool, error) {
		down = append(down, string(key))
		return most == 0 || len(down) < most, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if most > 0 && len(down) > most {
		t.Fatalf("%d keys after the %dth was enough", len(down), most)
	}
	slices.Reverse(down)
	if !slices.IsSorted(down) || len(slices.Compact(slices.Clone(down))) != len(down) {
		t.Fatalf("keys out of order downwards: %x", down)
	}
	it := v.Scan(from, to)
	for it.Next() {
		key := string(it.Key())
		if _, there := slices.BinarySearch(got, key); !there {
			t.Fatalf("at %d the keys lack %x: %x", v.ReadTs(), key, got)
		}
		if _, there := slices.BinarySearch(down, key); !there && (most == 0 || len(down) < most || key > down[0]) {
			t.Fatalf("at %d the keys downwards lack %x: %x", v.ReadTs(), key, down)
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	for _, key := range append(down, got...) {
		if key < string(from) || to != nil && key >= string(to) {
			t.Fatalf("key %x is outside of %x to %x", key, from, to)
		}
	}
}

// Goal: the keys of a family are at least those that a scan finds, for every reader, the transaction's own too. Method: random
// commits, with rosters made at any time between them, and readers at every timestamp since the first.
func TestKeysAreThoseOfAScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		w := newWorld(t, rosterSchema)
		for range 60 {
			pred, text := "age", fmt.Sprintf(`set %d "%d"`, 1+rng.IntN(20), rng.IntN(40)-9)
			switch rng.IntN(4) {
			case 0:
				text = fmt.Sprintf("star %d", 1+rng.IntN(20))
			case 1, 2:
				pred, text = "friend", fmt.Sprintf("set %d %d", 1+rng.IntN(9), 1+rng.IntN(9))
			}
			if rng.IntN(3) == 0 {
				own := w.derive(w.now, nil, pred, text).Pending
				for _, family := range families(w) {
					checkKeys(t, w.store.View(w.now, own), family, rng)
				}
				continue
			}
			w.do(pred, text)
			for _, family := range families(w) {
				if rng.IntN(4) == 0 {
					checkKeys(t, w.store.View(1+graph.Timestamp(rng.Uint64N(uint64(w.now))), nil), family, rng)
				}
			}
		}
	}
}

// Goal: a roster that is made while commits go on lacks none of their keys. Method: a committer with ever new tokens, and readers at
// its last timestamp, with rosters that are dropped now and then; run with -race.
func TestKeysBesideCommits(t *testing.T) {
	w := newWorld(t, rosterSchema)
	p, inc := w.pred("age")
	family := keys.IndexLangPrefix(inc, p.Index[0].ID(), "")
	var flushed atomic.Uint64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 1500 {
			w.do("age", fmt.Sprintf(`set %d "%d"`, i+1, i))
			flushed.Store(uint64(w.now))
		}
	}()
	for running, rounds := true, 0; running; rounds++ {
		select {
		case <-done:
			running = false
		default:
		}
		n := flushed.Load()
		list, ok, err := w.store.View(graph.Timestamp(n), nil).Keys(t.Context(), family, keys.End(family))
		if err != nil || !ok || uint64(len(list)) < n {
			t.Errorf("at %d: %d keys, %v, %v", n, len(list), ok, err)
			break
		}
		if rounds%20 == 0 {
			w.store.Forget(inc)
		}
	}
	<-done
}

// Goal: of a family that is too large nothing is kept, whether it is large from the start or grows; and who gives up breaks nothing.
func TestKeysOfALargeFamily(t *testing.T) {
	const large = 4096 // maxRoster
	w := newWorld(t, rosterSchema)
	p, inc := w.pred("age")
	family := keys.IndexLangPrefix(inc, p.Index[0].ID(), "")
	ages := func(from, to int) {
		var edges []graph.Edge
		for i := from; i < to; i++ {
			edges = append(edges, graph.Edge{Subject: graph.UID(i + 1), Predicate: p.Name, Value: types.OfInt(int64(i))})
		}
		w.commitEdges(t, "age", edges)
	}
	known := func(want bool) {
		t.Helper()
		if _, ok, err := w.store.View(w.now, nil).Keys(t.Context(), family, keys.End(family)); ok != want || err != nil {
			t.Errorf("known: %v, want %v; %v", ok, want, err)
		}
	}
	ages(0, large)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.store.View(w.now, nil).Keys(ctx, family, keys.End(family)); !errors.Is(err, context.Canceled) {
		t.Errorf("after it was given up: %v", err)
	}
	known(true)
	ages(large, large+1)
	known(false)
	w.store.Forget(inc)
	known(false)
	_, other := w.pred("friend")
	if _, ok, err := w.store.View(w.now, nil).Keys(t.Context(), keys.Data(other, 1), nil); ok || err != nil {
		t.Errorf("keys of no family: %v, %v", ok, err)
	}
	w.store = posting.NewStore(memkv.New(memkv.Config{}), posting.Config{CacheBytes: -1})
	known(false)
}
