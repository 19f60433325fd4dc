package storagetest

import (
	"context"
	"errors"
	"testing"

	"dragg/graph"
	"dragg/storage"
)

func testHistory(t *testing.T, open Opener) {
	e := opened(t, open)
	folded := whole("k", "BC", 5)
	folded.Folded = true
	gone := del("k", 9)
	gone.Folded = true
	write(t, e, set("k", "a", 1), whole("k", "b", 3), set("k", "c", 5), folded, set("k", "d", 7), gone, set("k", "e", 11))
	write(t, e, set("l", "x", 2), del("l", 4), del("none", 4))
	for _, c := range []struct {
		at, floor graph.Timestamp
		want      []string
	}{
		{12, 0, []string{"k 11=e 9=-f 7=d 5=BC!f 5=c 3=b! 1=a", "l 4=- 2=x", "none 4=-"}},
		{12, 2, []string{"k 11=e 9=-f 7=d 5=BC!f 5=c 3=b! 1=a", "l 4=- 2=x", "none 4=-"}},
		{12, 3, []string{"k 11=e 9=-f 7=d 5=BC!f 5=c 3=b!", "l 4=- 2=x", "none 4=-"}},
		{12, 4, []string{"k 11=e 9=-f 7=d 5=BC!f 5=c 3=b!"}},
		{12, 5, []string{"k 11=e 9=-f 7=d 5=BC!f"}},
		{12, 9, []string{"k 11=e"}},
		{8, 7, []string{"k 7=d 5=BC!f"}},
		{8, 3, []string{"k 7=d 5=BC!f 5=c 3=b!", "l 4=- 2=x", "none 4=-"}},
		{2, 0, []string{"k 1=a", "l 2=x"}},
		{0, 0, nil},
	} {
		equal(t, "history", history(t, e, "", "", c.at, c.floor), c.want...)
	}
	equal(t, "of a range", history(t, e, "l", "m", 12, 0), "l 4=- 2=x")
	for _, c := range []struct {
		at, since graph.Timestamp
		want      []string
	}{
		{12, 0, []string{"k 11=e 9=-f 7=d 5=BC!f 5=c 3=b! 1=a", "l 4=- 2=x", "none 4=-"}},
		{12, 2, []string{"k 11=e 9=-f 7=d 5=BC!f 5=c 3=b!", "l 4=-", "none 4=-"}},
		{12, 5, []string{"k 11=e 9=-f 7=d"}},
		{8, 3, []string{"k 7=d 5=BC!f 5=c", "l 4=-", "none 4=-"}},
		{12, 11, nil},
	} {
		equal(t, "changes", changes(t, e, "", "", c.at, c.since), c.want...)
	}
	equal(t, "changes of a range", changes(t, e, "l", "m", 12, 2), "l 4=-")
	r := e.ReaderAt(12)
	defer r.Close()
	it := r.History(nil, nil, 0)
	it.SeekGE([]byte("kk"))
	n := 0
	for it.Next() && string(it.Key()) == "l" {
		if err := it.Versions(func(graph.Timestamp, storage.Version) bool { n++; return false }); err != nil {
			t.Fatal(err)
		}
	}
	if err := it.Close(); err != nil || n != 1 {
		t.Errorf("%d versions after stopping at the first, %v", n, err)
	}
}

var errFill = errors.New("the source failed")

func testReplace(t *testing.T, open Opener) {
	dir := t.TempDir()
	e := open(t, dir)
	reopen := func() {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = open(t, dir)
	}
	write(t, e, set("k", "old", 5), whole("k", "newest", 9), set("l", "old", 3))
	e.SetDiscardTs(2)
	refused := func(what string, ctx context.Context, fill func(storage.Filling) error, want error) {
		t.Helper()
		if err := e.Replace(ctx, nil, fill); !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
		equal(t, what, scan(t, e, "", "", 9), "k 9=newest!", "l 3=old")
	}
	refused("refused", t.Context(), func(next storage.Filling) error {
		write(t, next, set("k", "x", 1))
		return errFill
	}, errFill)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	refused("cancelled", ended, func(storage.Filling) error { return nil }, context.Canceled)
	reopen()
	equal(t, "reopened", scan(t, e, "", "", 9), "k 9=newest!", "l 3=old")
	for round := range 3 {
		err := e.Replace(t.Context(), nil, func(next storage.Filling) error {
			equal(t, "at first", scan(t, next, "", "", graph.MaxTimestamp))
			write(t, next, set("k", "new", 4), set("m", "new", graph.Timestamp(6+round)))
			equal(t, "filled", scan(t, next, "", "", 5), "k 4=new")
			equal(t, "meanwhile", scan(t, e, "l", "m", 9), []string{"l 3=old"}[min(round, 1):]...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, again := range []bool{false, true} {
			if again {
				reopen()
			}
			equal(t, "replaced", history(t, e, "", "", 9, 0), "k 4=new", "m "+line(graph.Timestamp(6+round), storage.Version{Value: []byte("new")}))
		}
		write(t, e, del("k", 9))
		equal(t, "written to", scan(t, e, "a", "l", 9))
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// testKept has a Replace fail again and again and go on, also in another process.
func testKept(t *testing.T, open Opener) {
	dir := t.TempDir()
	e := open(t, dir)
	reopen := func() {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = open(t, dir)
	}
	fails := func(note string, want error, fill func(storage.Filling) error) {
		t.Helper()
		var from []byte
		if note != "" {
			from = []byte(note)
		}
		if err := e.Replace(t.Context(), from, fill); !errors.Is(err, want) {
			t.Fatalf("from %q: %v, want %v", note, err, want)
		}
		equal(t, "the old content", scan(t, e, "", "", 9), "k 3=old")
	}
	keep := func(next storage.Filling, note string) {
		t.Helper()
		if err := next.Keep(t.Context(), []byte(note)); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(want string) {
		t.Helper()
		if got := string(e.Kept()); got != want {
			t.Fatalf("kept %q, want %q", got, want)
		}
	}
	write(t, e, set("k", "old", 3))
	kept("")
	fails("none", storage.ErrNoteGone, func(storage.Filling) error { t.Error("filled from a note that is not there"); return nil })
	var want []string
	for i, note := range []string{"", "1", "2", "3"} { // each goes on where the one before was
		fails(note, errFill, func(next storage.Filling) error {
			equal(t, "what is kept", scan(t, next, "", "", 9)[:i], want...)
			key := string('a' + rune(i))
			write(t, next, set(key, "new", 4))
			want = append(want, key+" 4=new")
			keep(next, "overwritten")
			keep(next, string('1'+rune(i)))
			write(t, next, set("z", "not kept", 4)) // may be there or not
			return errFill
		})
		kept(string('1' + rune(i)))
		if i%2 == 0 {
			reopen()
			kept(string('1' + rune(i)))
			equal(t, "the old content, reopened", scan(t, e, "", "", 9), "k 3=old")
		}
	}
	fails("4", errFill, func(storage.Filling) error { return errFill })
	kept("4")
	fails("5", storage.ErrNoteGone, nil)
	kept("")
	fails("", errFill, func(next storage.Filling) error { keep(next, "x"); return errFill })
	fails("", errFill, func(next storage.Filling) error {
		equal(t, "at first, without a note", scan(t, next, "", "", 9))
		return errFill
	})
	kept("")
	fails("", errFill, func(next storage.Filling) error { keep(next, "x"); return errFill })
	if err := e.Abandon(); err != nil {
		t.Fatal(err)
	}
	kept("")
	fails("", errFill, func(next storage.Filling) error { write(t, next, set("k", "new", 5)); keep(next, "x"); return errFill })
	reopen()
	if err := e.Replace(t.Context(), []byte("x"), func(next storage.Filling) error {
		write(t, next, set("l", "new", 5))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		kept("")
		equal(t, "replaced", scan(t, e, "", "", 9), "k 5=new", "l 5=new")
		reopen()
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// replaceBy replaces what the engine holds by what the model says that it holds.
func replaceBy(t *testing.T, e storage.Engine, m model) {
	t.Helper()
	err := e.Replace(t.Context(), nil, func(next storage.Filling) error {
		var b storage.Batch
		for _, versions := range m {
			for _, op := range versions {
				b.Ops = append(b.Ops, op)
			}
		}
		if len(b.Ops) > 0 {
			write(t, next, b.Ops...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
