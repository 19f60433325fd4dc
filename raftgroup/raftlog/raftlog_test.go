package raftlog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

var me = Identity{Cluster: "c", Group: 1, Node: 2}

func confState() *raftpb.ConfState { return &raftpb.ConfState{Voters: []uint64{2}} }

func create(t *testing.T) (string, *Log) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "wal")
	l, st, err := Create(dir, me, Mark{Index: 1, Term: 1, ConfState: confState()})
	if err != nil {
		t.Fatal(err)
	}
	if st.Mark.Index != 1 || len(st.Entries) != 0 || st.HardState.GetCommit() != 1 {
		t.Fatalf("a new log holds %+v", st)
	}
	return dir, l
}

func reopen(t *testing.T, dir string) (*Log, *State) {
	t.Helper()
	l, st, err := Open(dir, me, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l, st
}

func entries(from, to, term uint64, data string) (out []*raftpb.Entry) {
	for i := from; i < to; i++ {
		out = append(out, &raftpb.Entry{Index: new(i), Term: new(term), Data: fmt.Appendf(nil, "%s %d", data, i)})
	}
	return out
}

func save(t *testing.T, l *Log, term, commit uint64, list []*raftpb.Entry) {
	t.Helper()
	if err := l.Save(&raftpb.HardState{Term: new(term), Vote: new(uint64(2)), Commit: new(commit)}, list); err != nil {
		t.Fatal(err)
	}
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// What was saved is there after opening: entries after the mark, the newest hard state, the membership.
func TestSaveAndOpen(t *testing.T) {
	dir, l := create(t)
	save(t, l, 1, 1, entries(2, 10, 1, "a"))
	save(t, l, 3, 9, entries(7, 12, 3, "b")) // a new leader replaces the end
	if err := l.Save(nil, nil); err != nil {
		t.Error(err)
	}
	if err := l.Save(nil, entries(12, 13, 3, "c")); err != nil {
		t.Error(err)
	}
	closeLog(t, l)
	l, st := reopen(t, dir)
	if st.Mark.Index != 1 || st.HardState.GetTerm() != 3 || st.HardState.GetCommit() != 9 || len(st.Entries) != 11 {
		t.Fatalf("mark %+v, hard state %v, %d entries", st.Mark, st.HardState, len(st.Entries))
	}
	for i, e := range st.Entries {
		want, term := "a", uint64(1)
		if e.GetIndex() >= 7 {
			want, term = "b", 3
		}
		if e.GetIndex() == 12 {
			want = "c"
		}
		if e.GetIndex() != uint64(i+2) || e.GetTerm() != term || string(e.GetData()) != fmt.Sprintf("%s %d", want, i+2) {
			t.Errorf("entry %d: %v", i, e)
		}
	}
	save(t, l, 3, 12, entries(13, 15, 3, "d"))
	closeLog(t, l)
	l, st = reopen(t, dir)
	if len(st.Entries) != 13 {
		t.Errorf("%d entries after a second opening", len(st.Entries))
	}
	closeLog(t, l)
}

// A mark is where the next opening starts, and what lies in whole segments below it is deleted.
func TestMarksTrim(t *testing.T) {
	dir, l := create(t)
	big := strings.Repeat("x", 1<<20)
	segments := func() int {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, "*.wal"))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	for i := uint64(2); i < 80; i++ {
		save(t, l, 1, i, entries(i, i+1, 1, big))
	}
	before := segments()
	if err := l.SetMark(Mark{Index: 70, Term: 1, ConfState: confState()}); err != nil {
		t.Fatal(err)
	}
	if after := segments(); before < 3 || after >= before {
		t.Errorf("%d segments before the mark, %d after", before, after)
	}
	closeLog(t, l)
	l, st := reopen(t, dir)
	if st.Mark.Index != 70 || st.Mark.Term != 1 || !slices.Equal(st.Mark.ConfState.GetVoters(), []uint64{2}) || len(st.Entries) != 9 ||
		st.Entries[0].GetIndex() != 71 {
		t.Errorf("mark %+v, %d entries", st.Mark, len(st.Entries))
	}
	if err := l.SetMark(Mark{Index: 79, Term: 1, ConfState: confState()}); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	l, st = reopen(t, dir)
	if st.Mark.Index != 79 || len(st.Entries) != 0 {
		t.Errorf("mark %+v, %d entries", st.Mark, len(st.Entries))
	}
	save(t, l, 1, 80, entries(80, 81, 1, "after"))
	closeLog(t, l)
	l, st = reopen(t, dir)
	if len(st.Entries) != 1 || string(st.Entries[0].GetData()) != "after 80" {
		t.Errorf("after the trim: %v", st.Entries)
	}
	closeLog(t, l)
}

// A log tells whose it is, and opens for nobody else.
func TestIdentity(t *testing.T) {
	if _, ok, err := ReadIdentity(filepath.Join(t.TempDir(), "none")); ok || err != nil {
		t.Errorf("a folder without a log: %v %v", ok, err)
	}
	dir, l := create(t)
	save(t, l, 1, 2, entries(2, 4, 1, "x"))
	closeLog(t, l)
	if id, ok, err := ReadIdentity(dir); !ok || err != nil || id != me {
		t.Errorf("%+v %v %v", id, ok, err)
	}
	for _, other := range []Identity{{"d", 1, 2}, {"c", 2, 2}, {"c", 1, 3}} {
		if _, _, err := Open(dir, other, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrIdentity) {
			t.Errorf("%+v opened it: %v", other, err)
		}
	}
	l, _ = reopen(t, dir) // nobody left it locked
	closeLog(t, l)
	if _, _, err := Create(dir, me, Mark{Index: 1, Term: 1, ConfState: confState()}); err == nil {
		t.Error("a log was made over another")
	}
}

// tail returns the newest segment and how many bytes of it are used.
func tail(t *testing.T, dir string) (path string, whole []byte, used int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	slices.Sort(names)
	path = names[len(names)-1]
	if whole, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return path, whole, len(bytes.TrimRight(whole, "\x00"))
}

// Goal: a torn tail is cut off: what is left are entries that were saved, from the first on, without a hole; those that were synced
// before the torn write all. Method: the last write is cut anywhere, and nothing follows; or at a sector, and zeros follow.
func TestTornTail(t *testing.T) {
	dir, l := create(t)
	save(t, l, 1, 5, entries(2, 6, 1, "synced"))
	_, _, synced := tail(t, dir)
	save(t, l, 1, 5, entries(6, 10, 1, strings.Repeat("torn", 300)))
	closeLog(t, l)
	path, whole, used := tail(t, dir)
	rng := rand.New(rand.NewPCG(1, 1))
	repaired := 0
	for range 60 {
		cut := synced + rng.IntN(used-synced+1)
		left := slices.Clone(whole[:cut])
		if rng.IntN(2) == 0 {
			cut = max(cut&^511, synced)
			left = append(slices.Clone(whole[:cut]), make([]byte, len(whole)-cut)...)
		}
		if err := os.WriteFile(path, left, 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		l, st, err := Open(dir, me, slog.New(slog.NewTextHandler(&said, nil)))
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", cut, used, err)
		}
		if strings.Contains(said.String(), "torn tail") {
			repaired++
		}
		if len(st.Entries) < 4 || len(st.Entries) > 8 {
			t.Fatalf("cut at %d: %d entries", cut, len(st.Entries))
		}
		for i, e := range st.Entries {
			if e.GetIndex() != uint64(i+2) {
				t.Fatalf("cut at %d: entry %d has index %d", cut, i, e.GetIndex())
			}
		}
		save(t, l, 2, 5, entries(uint64(len(st.Entries)+2), uint64(len(st.Entries)+3), 2, "next"))
		closeLog(t, l)
		l, again := reopen(t, dir)
		if len(again.Entries) != len(st.Entries)+1 {
			t.Fatalf("cut at %d: %d entries after one more was saved", cut, len(again.Entries))
		}
		closeLog(t, l)
		if broken, err := filepath.Glob(path + ".broken"); err == nil {
			for _, b := range broken {
				if err := os.Remove(b); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if repaired == 0 {
		t.Error("nothing was ever repaired: the test tests nothing")
	}
}

// Goal: damage is refused, never read over and never taken for a torn tail: committed entries may lie behind it. Method: one bit
// flips; where the log still opens, every committed entry must be there.
func TestDamageIsRefused(t *testing.T) {
	const last = 39
	dir, l := create(t)
	for i := uint64(2); i <= last; i++ {
		save(t, l, 1, i-1, entries(i, i+1, 1, "a longer text, so that most bits are those of entries"))
	}
	save(t, l, 1, last, nil)
	closeLog(t, l)
	path, whole, used := tail(t, dir)
	rng := rand.New(rand.NewPCG(2, 1))
	refused, flips := 0, 300
	for range flips {
		at := rng.IntN(used)
		b := slices.Clone(whole[:used+4096])
		b[at] ^= 1 << rng.IntN(8)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, st, err := Open(dir, me, slog.New(slog.DiscardHandler))
		if err != nil {
			refused++
			continue
		}
		for i, e := range st.Entries {
			if e.GetIndex() != uint64(i+2) || !strings.HasPrefix(string(e.GetData()), "a longer text") {
				t.Fatalf("bit at %d: entry %d is %v", at, i, e)
			}
		}
		if len(st.Entries) < last-1 {
			t.Errorf("bit at byte %d of %d: opened with %d entries of %d", at, used, len(st.Entries), last-1)
		}
		closeLog(t, l)
	}
	if refused < flips*9/10 {
		t.Errorf("only %d of %d damaged logs were refused", refused, flips)
	}
}
