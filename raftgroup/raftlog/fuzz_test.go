package raftlog

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// sample returns the bytes of a log with some entries and a mark, without the zeros behind them.
func sample(f *testing.F) []byte {
	f.Helper()
	dir := filepath.Join(f.TempDir(), "wal")
	l, _, err := Create(dir, Identity{Cluster: "c", Group: 1, Node: 2}, Mark{
		Index: 1, Term: 1, ConfState: &raftpb.ConfState{Voters: []uint64{2}},
	})
	if err != nil {
		f.Fatal(err)
	}
	var entries []*raftpb.Entry
	for i := uint64(2); i < 12; i++ {
		entries = append(entries, &raftpb.Entry{Index: new(i), Term: new(uint64(1)), Data: []byte("entry of the log")})
	}
	if err := l.Save(&raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(2)), Commit: new(uint64(11))}, entries); err != nil {
		f.Fatal(err)
	}
	if err := l.SetMark(Mark{Index: 6, Term: 1, ConfState: &raftpb.ConfState{Voters: []uint64{2}}}); err != nil {
		f.Fatal(err)
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "0000000000000000-0000000000000000.wal"))
	if err != nil {
		f.Fatal(err)
	}
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return append(b, make([]byte, 8)...)
}

// Goal: whatever the bytes of a log are, reading it gives an error or a log, never a panic. Method: a whole log is cut,
// overwritten and extended; what opens must open again.
func FuzzOpen(f *testing.F) {
	whole := sample(f)
	f.Add(0, []byte{}, 0)
	f.Add(len(whole)-20, []byte{}, 12)
	f.Add(100, []byte{0xff, 0x80, 0, 1}, 0)
	f.Add(len(whole), []byte{0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}, 0)
	f.Fuzz(func(t *testing.T, at int, patch []byte, cut int) {
		b := append([]byte(nil), whole...)
		at = max(0, min(at, len(b)))
		b = append(b[:at], append(append([]byte(nil), patch...), b[min(len(b), at+len(patch)):]...)...)
		b = b[:len(b)-max(0, min(cut, len(b)))]
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "0000000000000000-0000000000000000.wal"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		id, ok, err := ReadIdentity(dir)
		if err != nil || !ok {
			return
		}
		for range 2 {
			l, _, err := Open(dir, id, slog.New(slog.DiscardHandler))
			if err != nil {
				return
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
