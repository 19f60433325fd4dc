package posting_test

// The store around its lists: rollup limits, retired copies, full disks, scans over own writes.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/storage"
	"dragg/storage/memkv"
)

// stored returns the versions of a key on disk as "ts" or, if whole, "ts!".
func stored(t *testing.T, e storage.Engine, key []byte) (out []string) {
	t.Helper()
	r := e.ReaderAt(graph.MaxTimestamp)
	defer r.Close()
	err := r.Versions(key, func(ts graph.Timestamp, v storage.Version) bool {
		s := fmt.Sprint(ts)
		if v.Complete {
			s += "!"
		}
		out = append(out, s)
		return true
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	return out
}

func TestRollupStaysBelowReaders(t *testing.T) {
	e := memkv.New(memkv.Config{})
	w := newWorld(t, "friend: [uid] .\nname: string @index(exact) .")
	var oldest graph.Timestamp
	w.store = posting.NewStore(e, posting.Config{OldestReader: func() graph.Timestamp { return oldest }})
	for i := range 6 {
		w.do("friend", fmt.Sprintf("set 1 %d", i+10))
	}
	_, inc := w.pred("friend")
	key := keys.Data(inc, 1)
	for _, c := range []struct {
		oldest graph.Timestamp
		want   string
	}{{0, "6 5 4 3 2 1"}, {3, "6 5 4 3!"}, {4, "6 5 4!"}, {9, "6!"}} {
		oldest = c.oldest
		if err := w.store.Rollup(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(stored(t, e, key), " "); got != c.want {
			t.Errorf("rolled up to %d: versions %s, want %s", c.oldest, got, c.want)
		}
	}
	// A list that is empty is forgotten, but only below the discard timestamp.
	w.do("name", "set 1 x", "star 1")
	name, _ := w.pred("name")
	_, inc = w.pred("name")
	token := keys.Index(inc, name.Index[0].ID(), "", "x")
	oldest = w.now
	for _, want := range []string{fmt.Sprint(w.now, "!"), ""} {
		if err := w.store.Rollup(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(stored(t, e, token), " "); strings.ReplaceAll(want, " ", "") != got {
			t.Errorf("empty list: versions %q, want %q", got, want)
		}
		w.store.SetDiscardTs(w.now)
	}
	w.want("name", nil)
}

func TestRetire(t *testing.T) {
	e := memkv.New(memkv.Config{})
	w := newWorld(t, "friend: [uid] .")
	w.store = posting.NewStore(e, posting.Config{OldestReader: func() graph.Timestamp { return w.now }})
	w.do("friend", "set 1 2", "set 1 3")
	w.want("friend", nil, "0x1: 0x2 0x3")
	_, inc := w.pred("friend")
	w.store.Retire(inc)
	if err := e.DeletePrefix(t.Context(), keys.Prefix(inc)); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Rollup(t.Context(), keys.Data(inc, 1)); err != nil {
		t.Fatal(err)
	}
	v := w.store.View(w.now, nil)
	defer v.Close()
	if l, err := v.List(keys.Data(inc, 1)); err != nil || !l.IsEmpty() {
		t.Errorf("a retired list holds %v, %v", l.UIDs().Slice(), err)
	}
	if lists, _, _, _ := w.store.CacheStats(); lists != 1 { // what the view just read
		t.Errorf("%d lists in the cache", lists)
	}
}

// TestFullDisk: nothing of the batch is stored or cached, and Flush may be called again.
func TestFullDisk(t *testing.T) {
	e := memkv.New(memkv.Config{})
	w := newWorld(t, "friend: [uid] @count .")
	w.store = posting.NewStore(e, posting.Config{})
	w.do("friend", "set 1 2")
	w.want("friend", nil, "0x1: 0x2", "count 1: 0x1")
	d := w.derive(w.now, nil, "friend", "set 1 3")
	c := w.store.Begin()
	if err := c.Commit(2, d.Pending, schemaOf(w.ps)); err != nil {
		t.Fatal(err)
	}
	e.SetFull(true)
	mark := storage.Op{Key: keys.Meta("applied"), Value: []byte("2"), Ts: 2}
	if err := c.Flush(t.Context(), mark); !errors.Is(err, storage.ErrFull) {
		t.Fatalf("flush on a full disk: %v", err)
	}
	w.now = 5
	w.want("friend", nil, "0x1: 0x2", "count 1: 0x1")
	e.SetFull(false)
	if err := c.Flush(t.Context(), mark); err != nil {
		t.Fatal(err)
	}
	w.want("friend", nil, "0x1: 0x2 0x3", "count 2: 0x1")
	if got := stored(t, e, keys.Meta("applied")); len(got) != 1 {
		t.Errorf("the caller's own record has versions %v", got)
	}
}

// TestScanOverOwnWrites seeks and walks a scan where some keys are on disk, some only pending and some both.
func TestScanOverOwnWrites(t *testing.T) {
	w := newWorld(t, "friend: [uid] .")
	w.do("friend", "set 2 1; set 4 1; set 6 1; set 8 1")
	own := w.derive(w.now, nil, "friend", "set 1 9; set 4 9; star 6; set 7 9; del 9 1").Pending
	_, inc := w.pred("friend")
	v := w.store.View(w.now, own)
	defer v.Close()
	walk := func(from, to graph.UID, seeks map[graph.UID]graph.UID) (got []graph.UID) {
		it := v.Scan(keys.Data(inc, from), keys.Data(inc, to))
		for it.Next() {
			u := keys.UID(it.Key())
			got = append(got, u)
			l, err := it.List()
			if err != nil || u == 4 && l.Len() != 2 || u != 4 && l.Len() != 1 {
				t.Errorf("list of %s: %v, %v", u, l.UIDs().Slice(), err)
			}
			if next, ok := seeks[u]; ok {
				it.SeekGE(keys.Data(inc, next))
			}
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, c := range []struct {
		from, to graph.UID
		seeks    map[graph.UID]graph.UID
		want     []graph.UID
	}{
		{0, 99, nil, []graph.UID{1, 2, 4, 7, 8}},
		{2, 8, nil, []graph.UID{2, 4, 7}},
		{0, 99, map[graph.UID]graph.UID{1: 3, 4: 8}, []graph.UID{1, 4, 8}},
		{0, 99, map[graph.UID]graph.UID{1: 7}, []graph.UID{1, 7, 8}},
		{0, 99, map[graph.UID]graph.UID{2: 1, 4: 5}, []graph.UID{1, 2, 4, 7, 8}},
		{0, 8, map[graph.UID]graph.UID{2: 50}, []graph.UID{1, 2}},
	} {
		if got := walk(c.from, c.to, c.seeks); !slices.Equal(got, c.want) {
			t.Errorf("scan of [%s, %s) with seeks %v: %v, want %v", c.from, c.to, c.seeks, got, c.want)
		}
	}
}

func TestCommitsMustAscend(t *testing.T) {
	w := newWorld(t, "friend: [uid] .")
	c := w.store.Begin()
	p := w.derive(0, nil, "friend", "set 1 2").Pending
	if err := c.Commit(5, p, schemaOf(w.ps)); err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(5, p, schemaOf(w.ps)); err == nil {
		t.Error("two commits at one timestamp are accepted")
	}
}

// Goal: a view tells which of the lists it read were in memory. Method: the first read of a list and the second, with and without a
// cache, in views of their own.
func TestCacheHits(t *testing.T) {
	for _, c := range []struct {
		cacheBytes int64
		hits       []int // of each view
	}{{1 << 20, []int{0, 2}}, {-1, []int{0, 0}}} {
		e := memkv.New(memkv.Config{})
		w := newWorld(t, "friend: [uid] .")
		w.store = posting.NewStore(e, posting.Config{CacheBytes: c.cacheBytes})
		w.do("friend", "set 1 2", "set 2 3")
		w.store = posting.NewStore(e, posting.Config{CacheBytes: c.cacheBytes}) // as after a start
		_, inc := w.pred("friend")
		for i, want := range c.hits {
			v := w.store.View(w.now, nil)
			for uid := range graph.UID(2) {
				if l, err := v.List(keys.Data(inc, uid+1)); err != nil || l.IsEmpty() {
					t.Fatal(l, err)
				}
			}
			if v.Lists() != 2 || v.CacheHits() != want {
				t.Errorf("cache of %d bytes, view %d: %d lists, %d hits, want %d", c.cacheBytes, i, v.Lists(), v.CacheHits(), want)
			}
			v.Close()
		}
	}
}
