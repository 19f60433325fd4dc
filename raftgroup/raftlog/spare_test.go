package raftlog

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// The spare segment that a killed process left counts as room, and does not stay beside the one that its successor makes.
func TestSpareSegment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	id := Identity{Cluster: "c", Group: 1, Node: 1}
	mark := Mark{Index: 1, Term: 1, ConfState: &raftpb.ConfState{Voters: []uint64{1}}}
	l, _, err := Create(dir, id, mark)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := SpareBytes(dir); n != 0 || err != nil {
		t.Errorf("after a clean end: %d bytes, %v", n, err)
	}
	left := filepath.Join(dir, "1.tmp")
	if err := os.WriteFile(left, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := SpareBytes(dir); n != 1<<20 || err != nil {
		t.Errorf("after a kill: %d bytes, %v", n, err)
	}
	l, _, err = Open(dir, id, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what the killed process left is still there: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := SpareBytes(filepath.Join(dir, "nowhere")); n != 0 || err != nil {
		t.Errorf("without a log: %d bytes, %v", n, err)
	}
}
