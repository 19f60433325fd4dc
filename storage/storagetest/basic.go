package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"dragg/graph"
	"dragg/storage"
)

func testVersions(t *testing.T, open Opener) {
	e := opened(t, open)
	equal(t, "empty store", versions(t, e, "k", graph.MaxTimestamp))
	write(t, e, set("k", "a", 3), set("k", "b", 7), set("k2", "x", 5))
	write(t, e, set("k", "c", 9))
	equal(t, "all", versions(t, e, "k", graph.MaxTimestamp), "9=c", "7=b", "3=a")
	equal(t, "at 8", versions(t, e, "k", 8), "7=b", "3=a")
	equal(t, "at 7", versions(t, e, "k", 7), "7=b", "3=a")
	equal(t, "at 2", versions(t, e, "k", 2))
	equal(t, "prefix of a key", versions(t, e, "", 9))
	equal(t, "neighbour", versions(t, e, "k2", 9), "5=x")

	r := e.ReaderAt(9)
	defer r.Close()
	n := 0
	err := r.Versions([]byte("k"), func(graph.Timestamp, storage.Version) bool {
		n++
		return n < 2
	})
	if n != 2 || err != nil {
		t.Errorf("visited %d versions after stopping at the second, error %v", n, err)
	}
}

func testEmptyValues(t *testing.T, open Opener) {
	e := opened(t, open)
	write(t, e, set("a", "", 1), whole("b", "", 1))
	equal(t, "empty", versions(t, e, "a", 1), "1=")
	equal(t, "empty and complete", versions(t, e, "b", 1), "1=!")
	equal(t, "scan", scan(t, e, "a", "", 1), "a 1=", "b 1=!")
}

func testOverwrite(t *testing.T, open Opener) {
	e := opened(t, open)
	write(t, e, set("k", "a", 3), set("k", "b", 5))
	write(t, e, set("k", "a2", 3))
	equal(t, "same timestamp", versions(t, e, "k", 9), "5=b", "3=a2")
	write(t, e, whole("k", "b2", 5))
	equal(t, "as complete", versions(t, e, "k", 9), "5=b2!")
	write(t, e, set("k", "b", 5))
	equal(t, "as a change again", versions(t, e, "k", 9), "5=b", "3=a2")
}

func testDeletion(t *testing.T, open Opener) {
	e := opened(t, open)
	write(t, e, set("k", "a", 3), set("j", "x", 1))
	write(t, e, del("k", 5))
	equal(t, "deleted", versions(t, e, "k", 5))
	equal(t, "before", versions(t, e, "k", 4), "3=a")
	equal(t, "scan skips it", scan(t, e, "", "", 6), "j 1=x")
	equal(t, "scan before", scan(t, e, "", "", 4), "j 1=x", "k 3=a")
	write(t, e, set("k", "b", 7))
	equal(t, "set again: not below the deletion", versions(t, e, "k", 9), "7=b")
	equal(t, "scan", scan(t, e, "", "", 9), "j 1=x", "k 7=b")
	write(t, e, del("none", 4))
	equal(t, "deletion of nothing", versions(t, e, "none", 9))
}

func testComplete(t *testing.T, open Opener) {
	e := opened(t, open)
	write(t, e, set("k", "a", 1), whole("k", "b", 3), set("k", "c", 5))
	equal(t, "down to the complete one", versions(t, e, "k", 9), "5=c", "3=b!")
	equal(t, "below it", versions(t, e, "k", 2), "1=a")
	equal(t, "scan", scan(t, e, "", "", 9), "k 5=c 3=b!")
}

func testFolded(t *testing.T, open Opener) {
	e := opened(t, open)
	folded := func(key, value string, ts graph.Timestamp) storage.Op {
		op := whole(key, value, ts)
		op.Folded = true
		return op
	}
	gone := folded("gone", "", 5)
	gone.Delete = true
	write(t, e, set("k", "a", 3), set("k", "b", 5), set("k", "c", 7), set("gone", "a", 5))
	write(t, e, folded("k", "ab", 5), gone)
	write(t, e, set("k", "b", 5), set("gone", "a", 5)) // a replay
	check := func() {
		t.Helper()
		equal(t, "in front of the change at its timestamp", versions(t, e, "k", 9), "7=c", "5=ab!")
		equal(t, "at its timestamp", versions(t, e, "k", 5), "5=ab!")
		equal(t, "deleted", versions(t, e, "gone", 9))
		equal(t, "scan", scan(t, e, "", "", 9), "k 7=c 5=ab!")
	}
	check()
	equal(t, "below", versions(t, e, "k", 4), "3=a")
	e.SetDiscardTs(5)
	write(t, e, set("k", "b", 5))
	check()
	write(t, e, folded("k", "AB", 5))
	equal(t, "replaced", versions(t, e, "k", 9), "7=c", "5=AB!")
	if err := e.DeletePrefix(t.Context(), []byte("k")); err != nil {
		t.Fatal(err)
	}
	equal(t, "prefix deleted", scan(t, e, "k", "l", 9))
	equal(t, "prefix deleted, at 5", versions(t, e, "k", 5))
}

func testScan(t *testing.T, open Opener) {
	e := opened(t, open)
	equal(t, "empty store", scan(t, e, "", "", 9))
	write(t, e, set("a", "1", 1), set("ab", "2", 2), set("ab\x00", "3", 3), set("b", "4", 4), set("\xff\xff", "5", 5))
	equal(t, "all", scan(t, e, "", "", 9), "a 1=1", "ab 2=2", "ab\x00 3=3", "b 4=4", "\xff\xff 5=5")
	equal(t, "at 2", scan(t, e, "", "", 2), "a 1=1", "ab 2=2")
	equal(t, "range", scan(t, e, "ab", "b", 9), "ab 2=2", "ab\x00 3=3")
	equal(t, "one key", scan(t, e, "ab", "ab\x00", 9), "ab 2=2")
	equal(t, "from between", scan(t, e, "aa", "", 9), "ab 2=2", "ab\x00 3=3", "b 4=4", "\xff\xff 5=5")
	equal(t, "empty range", scan(t, e, "b", "b", 9))
	equal(t, "last", scan(t, e, "\xff", "", 9), "\xff\xff 5=5")
	for i := range 40 { // more versions than it pays to step over
		write(t, e, set("ab", fmt.Sprint(i), graph.Timestamp(10+i)))
	}
	r := e.ReaderAt(99)
	defer r.Close()
	it := r.Scan(nil, nil)
	var got []string
	for it.Next() {
		got = append(got, string(it.Key()))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "keys alone", got, "a", "ab", "ab\x00", "b", "\xff\xff")
}

func testSeek(t *testing.T, open Opener) {
	e := opened(t, open)
	for _, k := range []string{"a", "c", "e", "g"} {
		write(t, e, set(k, k, 1))
	}
	r := e.ReaderAt(1)
	defer r.Close()
	it := r.Scan([]byte("a"), []byte("g"))
	next := func(want string) {
		t.Helper()
		got := ""
		if it.Next() {
			got = string(it.Key())
		}
		if got != want {
			t.Errorf("next is %q, want %q", got, want)
		}
	}
	it.SeekGE([]byte("b"))
	next("c")
	it.SeekGE([]byte("a")) // never backwards
	next("e")
	it.SeekGE([]byte("e"))
	next("")
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	it = r.Scan([]byte("a"), nil)
	next("a")
	it.SeekGE([]byte("e"))
	next("e")
	next("g")
	it.SeekGE([]byte("z"))
	next("")
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
}

func testScanSnapshot(t *testing.T, open Opener) {
	e := opened(t, open)
	write(t, e, set("a", "1", 1), set("b", "1", 1), set("c", "1", 1))
	r := e.ReaderAt(5)
	defer r.Close()
	it := r.Scan(nil, nil)
	if !it.Next() || string(it.Key()) != "a" {
		t.Fatal("no first key")
	}
	write(t, e, set("b", "new", 9), set("bb", "new", 9))
	for _, want := range []string{"b", "c"} {
		if !it.Next() || string(it.Key()) != want {
			t.Fatalf("at %q, want %q: a write above the reader's timestamp shows", it.Key(), want)
		}
	}
	if it.Next() {
		t.Errorf("key %q is above the reader's timestamp", it.Key())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
}

func testDeletePrefix(t *testing.T, open Opener) {
	e := opened(t, open)
	for i := range 2500 {
		write(t, e, set(fmt.Sprintf("p%04d", i), "v", 3))
	}
	write(t, e, set("p0007", "w", 5), whole("p0007", "x", 8), set("o", "keep", 1), set("q", "keep", 1))
	for range 2 { // it may be repeated
		if err := e.DeletePrefix(t.Context(), []byte("p")); err != nil {
			t.Fatal(err)
		}
		for _, ts := range []graph.Timestamp{3, 5, 8, graph.MaxTimestamp} {
			equal(t, "after", scan(t, e, "", "", ts), "o 1=keep", "q 1=keep")
		}
		equal(t, "a key", versions(t, e, "p0007", 5))
	}
	if err := e.DeletePrefix(t.Context(), []byte("nothing")); err != nil {
		t.Fatal(err)
	}
}

func testDiscard(t *testing.T, open Opener) {
	e := opened(t, open)
	write(t, e, set("k", "a", 1), whole("k", "b", 3), set("k", "c", 5), whole("k", "d", 7))
	write(t, e, set("gone", "a", 1), del("gone", 3))
	e.SetDiscardTs(5)
	write(t, e, set("other", "x", 8))
	equal(t, "at the discard timestamp", versions(t, e, "k", 5), "5=c", "3=b!")
	equal(t, "above", versions(t, e, "k", 9), "7=d!")
	equal(t, "deleted", versions(t, e, "gone", 5))
	e.SetDiscardTs(9)
	equal(t, "newest", versions(t, e, "k", 9), "7=d!")
}

func testReopen(t *testing.T, open Opener) {
	dir := t.TempDir()
	e := open(t, dir)
	write(t, e, set("k", "a", 3), whole("k", "b", 5), del("k", 9))
	if err := e.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, e, set("l", "after sync", 4))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir)
	equal(t, "at 8", versions(t, e, "k", 8), "5=b!")
	equal(t, "at 4", versions(t, e, "k", 4), "3=a")
	equal(t, "deleted", versions(t, e, "k", 9))
	equal(t, "unsynced", versions(t, e, "l", 9), "4=after sync")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func testLargeBatch(t *testing.T, open Opener) {
	e := opened(t, open)
	var b storage.Batch
	for i := range 30_000 {
		key := fmt.Appendf(nil, "key%06d", i)
		switch i % 3 {
		case 0:
			b.Set(key, []byte("small"), graph.Timestamp(1+i%2))
		case 1:
			b.SetComplete(key, []byte(strings.Repeat("v", 100)), 2)
		default:
			b.Delete(key, 2)
		}
	}
	huge := strings.Repeat("huge", 1<<20)
	b.Set([]byte("huge"), []byte(huge), 2)
	if err := e.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	equal(t, "huge", versions(t, e, "huge", 2), "2="+huge)
	if got := len(scan(t, e, "key", "kez", 2)); got != 20_000 {
		t.Errorf("%d keys, want 20000", got)
	}
	equal(t, "one", versions(t, e, "key000001", 2), "2="+strings.Repeat("v", 100)+"!")
}

func testConcurrent(t *testing.T, open Opener) {
	e := opened(t, open)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				ts := graph.Timestamp(1 + i)
				// Each batch spans two keys and two timestamps.
				b := storage.Batch{Ops: []storage.Op{
					set(fmt.Sprintf("a%d", w), "x", ts), set(fmt.Sprintf("b%d", w), "x", ts+1),
				}}
				if err := e.Write(context.WithoutCancel(t.Context()), &b); err != nil {
					t.Error(err)
					return
				}
				r := e.ReaderAt(graph.MaxTimestamp)
				n := 0
				err := r.Versions(fmt.Appendf(nil, "b%d", w), func(graph.Timestamp, storage.Version) bool {
					n++
					return true
				})
				r.Close()
				if err != nil || n != i+1 {
					t.Errorf("%d versions after writing %d, error %v", n, i+1, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := e.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(scan(t, e, "", "", graph.MaxTimestamp)); got != 16 {
		t.Errorf("%d keys, want 16", got)
	}
}

func testCancelled(t *testing.T, open Opener) {
	e := opened(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := storage.Batch{Ops: []storage.Op{set("k", "v", 1)}}
	if err := e.Write(ctx, &b); !errors.Is(err, context.Canceled) {
		t.Errorf("write with a cancelled context: %v", err)
	}
	equal(t, "nothing was written", versions(t, e, "k", 9))
	write(t, e, set("k", "v", 1))
}

func testSize(t *testing.T, open Opener) {
	e := opened(t, open)
	for i := range 100 {
		write(t, e, set(fmt.Sprintf("prefix-1-%d", i), strings.Repeat("v", 1000), 1))
	}
	write(t, e, set("prefix-2-x", "v", 1))
	large, small := e.Size([]byte("prefix-1")), e.Size([]byte("prefix-2"))
	if large <= small || large < 50_000 {
		t.Errorf("sizes: %d of 100 000 bytes, %d of a few", large, small)
	}
	if all := e.Size(nil); all < 0 {
		t.Errorf("size of everything: %d", all)
	}
}
