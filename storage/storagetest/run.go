package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"dragg/graph"
	"dragg/storage"
)

// Opener opens an engine in dir: an empty one the first time, afterwards the one that was closed there. An
// engine without a disk may keep it by dir.
type Opener func(t *testing.T, dir string) storage.Engine

// Run checks that the engines of open keep the contract of package storage.
func Run(t *testing.T, open Opener) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Opener)
	}{
		{"versions", testVersions},
		{"empty values", testEmptyValues},
		{"overwrite", testOverwrite},
		{"deletion", testDeletion},
		{"complete", testComplete},
		{"folded", testFolded},
		{"scan", testScan},
		{"seek", testSeek},
		{"snapshot of a scan", testScanSnapshot},
		{"delete prefix", testDeletePrefix},
		{"discard", testDiscard},
		{"reopen", testReopen},
		{"large batch", testLargeBatch},
		{"concurrent writers", testConcurrent},
		{"history", testHistory},
		{"replace", testReplace},
		{"replace in pieces", testKept},
		{"cancelled", testCancelled},
		{"size", testSize},
		{"random history", testRandom},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

func opened(t *testing.T, open Opener) storage.Engine {
	t.Helper()
	e := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// line is a version as text: "ts=value", with a ! after a complete one.
func line(ts graph.Timestamp, v storage.Version) string {
	mark := ""
	if v.Complete {
		mark = "!"
	}
	return fmt.Sprintf("%d=%s%s", ts, v.Value, mark)
}

func write(t *testing.T, e storage.Engine, ops ...storage.Op) {
	t.Helper()
	if err := e.Write(t.Context(), &storage.Batch{Ops: slices.Clone(ops)}); err != nil {
		t.Fatal(err)
	}
}

func set(key, value string, ts graph.Timestamp) storage.Op {
	return storage.Op{Key: []byte(key), Value: []byte(value), Ts: ts}
}

func whole(key, value string, ts graph.Timestamp) storage.Op {
	return storage.Op{Key: []byte(key), Value: []byte(value), Ts: ts, Complete: true}
}

func del(key string, ts graph.Timestamp) storage.Op {
	return storage.Op{Key: []byte(key), Ts: ts, Delete: true, Complete: true}
}

// versions returns what a reader at ts sees of key.
func versions(t *testing.T, e storage.Engine, key string, ts graph.Timestamp) []string {
	t.Helper()
	r := e.ReaderAt(ts)
	defer r.Close()
	var out []string
	err := r.Versions([]byte(key), func(ts graph.Timestamp, v storage.Version) bool {
		out = append(out, line(ts, v))
		return true
	})
	if errors.Is(err, storage.ErrNotFound) != (len(out) == 0) || err != nil && len(out) > 0 {
		t.Fatalf("key %q at %d: %d versions, error %v", key, ts, len(out), err)
	}
	return out
}

// scan returns what a reader at ts sees in [from, to); to "" stands for the end of the store.
func scan(t *testing.T, e storage.Engine, from, to string, ts graph.Timestamp) []string {
	t.Helper()
	r := e.ReaderAt(ts)
	defer r.Close()
	it := r.Scan([]byte(from), end(to))
	var out []string
	for it.Next() {
		s := string(it.Key())
		err := it.Versions(func(ts graph.Timestamp, v storage.Version) bool {
			s += " " + line(ts, v)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// keysDown returns the keys that a reader at ts visits in [from, to), downwards.
func keysDown(t *testing.T, e storage.Engine, from, to string, ts graph.Timestamp) (out []string) {
	t.Helper()
	r := e.ReaderAt(ts)
	defer r.Close()
	err := r.KeysDown([]byte(from), end(to), func(key []byte) bool {
		out = append(out, string(key))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// history returns what a reader at ts passes of the history of [from, to) down to floor. Deletions are marked with a -, folded
// versions with an f.
func history(t *testing.T, e storage.Engine, from, to string, ts, floor graph.Timestamp) []string {
	t.Helper()
	r := e.ReaderAt(ts)
	defer r.Close()
	return passed(t, r.History([]byte(from), end(to), floor))
}

// changes is history for Reader.Changes.
func changes(t *testing.T, e storage.Engine, from, to string, ts, since graph.Timestamp) []string {
	t.Helper()
	r := e.ReaderAt(ts)
	defer r.Close()
	return passed(t, r.Changes([]byte(from), end(to), since))
}

func passed(t *testing.T, it storage.Iterator) []string {
	t.Helper()
	var out []string
	for it.Next() {
		s := ""
		err := it.Versions(func(ts graph.Timestamp, v storage.Version) bool {
			s += " " + historyLine(ts, v)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if s != "" {
			out = append(out, string(it.Key())+s)
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func historyLine(ts graph.Timestamp, v storage.Version) string {
	if v.Deleted {
		v.Complete = false
		v.Value = append(v.Value, '-')
	}
	if v.Folded {
		return line(ts, v) + "f"
	}
	return line(ts, v)
}

func end(to string) []byte {
	if to == "" {
		return nil
	}
	return []byte(to)
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}
