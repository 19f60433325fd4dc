package posting_test

import (
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/storage/memkv"
)

// Goal: a batch answers as reading list by list does. Method: keys some of which are in memory, some only in the engine and some
// nowhere, twice, with and without a cache, and with a change of the transaction itself.
func TestBatch(t *testing.T) {
	const n = posting.BatchLists - 20
	for name, bytes := range map[string]int64{"cached": 1 << 20, "tiny cache": 1 << 10, "without a cache": -1} {
		t.Run(name, func(t *testing.T) {
			w := filled(t, n, memkv.New(memkv.Config{}), posting.Config{CacheBytes: bytes})
			p, inc := w.pred("name")
			v := w.store.View(w.now, nil)
			defer v.Close()
			d, err := posting.Derive(v, p, inc, []graph.Edge{{Subject: 3, Predicate: p.Name, Value: types.OfString("own")}})
			if err != nil {
				t.Fatal(err)
			}
			for u := graph.UID(1); u <= n; u += 2 {
				if _, err := v.List(keys.Data(inc, u)); err != nil {
					t.Fatal(err)
				}
			}
			for _, own := range []*posting.Pending{nil, d.Pending} {
				for range 2 {
					checkBatch(t, w.store.View(w.now, own), inc)
				}
			}
		})
	}
}

func checkBatch(t *testing.T, v *posting.View, inc graph.Incarnation) {
	t.Helper()
	var all []byte
	for u := graph.UID(1); u <= posting.BatchLists; u++ {
		all = keys.AppendData(all, inc, u)
	}
	size := len(keys.Data(inc, 1))
	b, err := v.Batch(all, size)
	if err != nil {
		t.Fatal(err)
	}
	read := v.Lists()
	for i := range posting.BatchLists {
		got, err := b.List(i)
		if err != nil {
			t.Fatal(err)
		}
		want, err := v.List(all[i*size : (i+1)*size])
		if err != nil {
			t.Fatal(err)
		}
		a, aok, aerr := got.Value("")
		z, zok, zerr := want.Value("")
		if aok != zok || aerr != nil || zerr != nil || got.Len() != want.Len() || aok && a.Text() != z.Text() {
			t.Errorf("list %d: got %v %v %v, want %v %v %v", i, a, aok, aerr, z, zok, zerr)
		}
	}
	if got := v.Lists() - read; got != 2*posting.BatchLists {
		t.Errorf("%d lists are counted as read, want %d", got, 2*posting.BatchLists)
	}
}

// Goal: what a transaction waits for before it reads is waited for by a batch too.
func TestBatchAwaits(t *testing.T) {
	w := filled(t, 10, nil, posting.Config{})
	_, inc := w.pred("name")
	v := w.store.View(w.now, nil)
	defer v.Close()
	waited := 0
	v.Await(func() error { waited++; return nil })
	key := keys.Data(inc, 1)
	if _, err := v.Batch(key, len(key)); err != nil || waited != 1 {
		t.Errorf("waited %d times, %v", waited, err)
	}
}
