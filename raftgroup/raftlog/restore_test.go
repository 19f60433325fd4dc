package raftlog

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

// Goal: a snapshot of another member takes the place of the log, also of entries with higher indexes that nobody committed.
// Method: logs that end before, at and behind the snapshot, with its term and with others; then with and without new entries.
func TestRestoreReplacesTheLog(t *testing.T) {
	for _, c := range []struct {
		name         string
		last, term   uint64 // what the log holds: entries 2 to last
		markTerm     uint64
		first, count uint64 // entries that follow the mark at 10
		want         []uint64
	}{
		{"shorter log", 6, 2, 3, 0, 0, nil},
		{"shorter log, new entries", 6, 2, 3, 11, 2, []uint64{11, 12}},
		{"longer log of another term", 20, 2, 3, 0, 0, nil},
		{"longer log of a later term", 20, 4, 3, 0, 0, nil},
		{"longer log, new entries", 20, 2, 3, 11, 2, []uint64{11, 12}},
		{"log of the same term goes on", 12, 3, 3, 0, 0, []uint64{11, 12}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, l := create(t)
			save(t, l, 4, 1, entries(2, c.last+1, c.term, "old"))
			mark := Mark{Index: 10, Term: c.markTerm, ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}}}
			hard := &raftpb.HardState{Term: new(uint64(5)), Vote: new(uint64), Commit: new(uint64(10))}
			if err := l.Restore(mark, hard, entries(c.first, c.first+c.count, 5, "new")); err != nil {
				t.Fatal(err)
			}
			closeLog(t, l)
			for range 2 {
				l, st := reopen(t, dir)
				if st.Mark.Index != 10 || st.Mark.Term != c.markTerm || len(st.Mark.ConfState.GetVoters()) != 3 {
					t.Errorf("mark %+v", st.Mark)
				}
				if st.HardState.GetTerm() != 5 || st.HardState.GetCommit() != 10 {
					t.Errorf("hard state %v", st.HardState)
				}
				var got []uint64
				for _, e := range st.Entries {
					got = append(got, e.GetIndex())
				}
				if len(got) != len(c.want) || len(got) > 0 && got[0] != c.want[0] {
					t.Errorf("entries %v, want %v", got, c.want)
				}
				closeLog(t, l)
			}
		})
	}
}

// The log of a member that waits to be added has the zero mark, and is told from one whose making was cut short.
func TestBegin(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	dir := filepath.Join(t.TempDir(), "waits")
	l, st, err := Create(dir, me, Mark{})
	if err != nil || st.Mark.Index != 0 || !st.Begun {
		t.Fatal(st, err)
	}
	closeLog(t, l)
	l, st, err = Open(dir, me, quiet)
	if err != nil || !st.Begun || st.Mark.Index != 0 || len(st.Entries) != 0 || st.HardState.GetCommit() != 0 {
		t.Fatal(st, err)
	}
	closeLog(t, l)

	dir = filepath.Join(t.TempDir(), "cut short")
	meta, err := json.Marshal(me)
	if err != nil {
		t.Fatal(err)
	}
	w, err := wal.Create(zap.NewNop(), dir, meta)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, st, err = Open(dir, me, quiet)
	if err != nil || st.Begun || st.Mark.Index != 0 {
		t.Fatal(st, err)
	}
	if _, err := l.Begin(Mark{Index: 1, Term: 1, ConfState: confState()}); err != nil {
		t.Fatal(err)
	}
	save(t, l, 1, 1, entries(2, 4, 1, "a"))
	closeLog(t, l)
	l, st = reopen(t, dir)
	if !st.Begun || st.Mark.Index != 1 || len(st.Entries) != 2 || len(st.Mark.ConfState.GetVoters()) != 1 {
		t.Fatal(st)
	}
	closeLog(t, l)
}

// Sync writes down a commit index that nothing else would.
func TestSyncKeepsTheCommitIndex(t *testing.T) {
	dir, l := create(t)
	save(t, l, 1, 1, entries(2, 5, 1, "a"))
	save(t, l, 1, 4, nil)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	id, _, err := ReadIdentity(dir) // reads what is in the file, while the log is open
	if err != nil || id != me {
		t.Fatal(id, err)
	}
	end, err := readSegment(filepath.Join(dir, "0000000000000000-0000000000000000.wal"))
	if err != nil || end.index != 4 {
		t.Errorf("the file holds the log up to %d, %v", end.index, err)
	}
	closeLog(t, l)
}
