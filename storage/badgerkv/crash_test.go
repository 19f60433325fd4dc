package badgerkv

// What a killed process and a full disk leave behind.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"dragg/graph"
	"dragg/storage"
)

func smallConfig() Config { return Config{MemoryBytes: 64 << 20, ReserveBytes: 1} }

func openIn(t *testing.T, dir string, cfg Config) *Engine {
	t.Helper()
	e, err := Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func has(t *testing.T, e storage.Engine, key string, ts graph.Timestamp) bool {
	t.Helper()
	r := e.ReaderAt(ts)
	defer r.Close()
	err := r.Versions([]byte(key), func(graph.Timestamp, storage.Version) bool { return true })
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// manyTimestamps is a batch that Badger does not store atomically by itself.
func manyTimestamps(n int) []storage.Op {
	var ops []storage.Op
	for i := range n {
		op := storage.Op{Key: fmt.Appendf(nil, "k%d", i), Value: []byte("v"), Ts: graph.Timestamp(1 + i%3)}
		op.Complete, op.Delete, op.Folded = i%5 < 2, i%5 == 1, i%10 == 0
		ops = append(ops, op)
	}
	return ops
}

// TestJournalFinishesBatches kills a process, in effect, after the journal was written and before or amid the
// store.
func TestJournalFinishesBatches(t *testing.T) {
	dir := t.TempDir()
	killed := errors.New("killed")
	ops := manyTimestamps(100)
	collect := func(j *[]storage.Op) func([]storage.Op) error {
		return func(ops []storage.Op) error {
			*j = append(*j, ops...)
			return nil
		}
	}
	var got []storage.Op
	open := func() *journal {
		t.Helper()
		got = nil
		j, err := openJournal(dir, collect(&got))
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	stop := func(j *journal) {
		t.Helper()
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
	j := open()
	if err := j.write(ops, func([]storage.Op) error { return nil }); err != nil {
		t.Fatal(err)
	}
	stop(j)
	if j = open(); len(got) != 0 {
		t.Errorf("%d changes of a finished batch are done again", len(got))
	}
	if err := j.write(ops, func([]storage.Op) error { return killed }); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	stop(j)
	same := func(a, b storage.Op) bool {
		return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) && a.Ts == b.Ts &&
			a.Complete == b.Complete && a.Delete == b.Delete && a.Folded == b.Folded
	}
	if j = open(); !slices.EqualFunc(got, ops, same) {
		t.Errorf("%d changes of a batch of %d are done again", len(got), len(ops))
	}
	if err := j.write(ops, func([]storage.Op) error { return killed }); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	stop(j)
	damage(t, dir, 8) // another boot id: the machine was restarted
	if j = open(); len(got) != 0 {
		t.Error("a batch of an earlier boot is done again")
	}
	if err := j.write(ops, func([]storage.Op) error { return killed }); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	stop(j)
	damage(t, dir, journalHeader+20) // torn
	if j = open(); len(got) != 0 {
		t.Error("a torn batch is done again")
	}
	stop(j)
}

// damage changes a byte of every journal file that holds a batch.
func damage(t *testing.T, dir string, at int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > at {
			b[at] ^= 0x55
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKilled copies the files of a running engine, which is what a killed process leaves, with half a batch
// stored.
func TestKilled(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	e := openIn(t, dir, smallConfig())
	if err := e.Write(t.Context(), &storage.Batch{Ops: manyTimestamps(20)}); err != nil {
		t.Fatal(err)
	}
	half := []storage.Op{{Key: []byte("x"), Value: []byte("1"), Ts: 7}, {Key: []byte("y"), Value: []byte("1"), Ts: 8}}
	killed := errors.New("killed")
	err := e.cur.Load().journal.write(half, func(ops []storage.Op) error {
		return errors.Join(e.cur.Load().writeOps(ops[:1]), killed)
	})
	if !errors.Is(err, killed) {
		t.Fatal(err)
	}
	copyFiles(t, dir, copied)
	next := openIn(t, copied, smallConfig())
	for _, key := range []string{"x", "y", "k2", "k19"} {
		if !has(t, next, key, 9) {
			t.Errorf("key %s is gone", key)
		}
	}
}

// TestLessMemoryAfterAKill opens what a killed process left with a quarter of its memory: its memtables are
// larger than those that this configuration asks for.
func TestLessMemoryAfterAKill(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	large, small := Config{MemoryBytes: 256 << 20, ReserveBytes: 1}, smallConfig()
	e := openIn(t, dir, large)
	const keys = 100_000 // of some 150 bytes: more than a small memtable, less than a large one
	for i := 0; i < keys; i += 1000 {
		b := storage.Batch{}
		for k := range 1000 {
			b.Set(fmt.Appendf(nil, "key-%08d", i+k), bytes.Repeat([]byte("v"), 50), 1)
		}
		if err := e.Write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	copyFiles(t, dir, copied)
	next, err := Open(copied, small)
	if err != nil {
		t.Fatal(err)
	}
	if last := fmt.Sprintf("key-%08d", keys-1); !has(t, next, last, 9) {
		t.Errorf("key %s is gone", last)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	if size, err := memtableBytes(copied, small.memtable()); err != nil || size != small.memtable() {
		t.Errorf("after a clean end the memtables have %d bytes, not %d as configured: %v", size, small.memtable(), err)
	}
}

// copyFiles copies the files of a directory, holes as holes.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(from, "*"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<16)
	zero := make([]byte, len(block))
	for _, name := range names {
		in, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(filepath.Join(to, filepath.Base(name)))
		if err != nil {
			t.Fatal(err)
		}
		info, err := in.Stat()
		if err == nil {
			err = out.Truncate(info.Size())
		}
		for at := int64(0); err == nil && at < info.Size(); at += int64(len(block)) {
			n, e := in.ReadAt(block, at)
			if e != nil && !errors.Is(e, io.EOF) {
				err = e
			}
			if err == nil && !bytes.Equal(block[:n], zero[:n]) {
				_, err = out.WriteAt(block[:n], at)
			}
		}
		if err := errors.Join(err, in.Close(), out.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSyncWhileRotating syncs again and again while memtables rotate, are flushed and vanish.
func TestSyncWhileRotating(t *testing.T) {
	e := openIn(t, t.TempDir(), smallConfig())
	value := bytes.Repeat([]byte("v"), 32<<10)
	for i := range 600 {
		b := storage.Batch{}
		b.Set(fmt.Appendf(nil, "k%d", i), value, graph.Timestamp(i+1))
		if err := e.Write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if i%30 == 0 {
			if err := e.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestFullDisk fills a small file system of its own: writes are refused in time, reads go on, and so do
// writes after there is room again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		t.Skipf("cannot mount a file system: %v", err)
	}
	defer func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	e, err := Open(filepath.Join(dir, "store"), Config{MemoryBytes: 64 << 20, ReserveBytes: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	filler := filepath.Join(dir, "filler")
	// Larger than what compactions may need meanwhile for memtables that were not tables yet when the write was refused.
	if err := os.WriteFile(filler, make([]byte, 128<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 64<<10)
	rng := rand.New(rand.NewPCG(1, 1))
	stored := 0
	for ; stored < 4000; stored++ {
		b := storage.Batch{}
		for i := 0; i < len(value); i += 8 { // nothing to compress
			binary.LittleEndian.PutUint64(value[i:], rng.Uint64())
		}
		b.Set(fmt.Appendf(nil, "k%d", stored), bytes.Clone(value), graph.Timestamp(stored+1))
		if err = e.Write(t.Context(), &b); err != nil {
			break
		}
	}
	if !errors.Is(err, storage.ErrFull) || stored == 0 {
		t.Fatalf("after %d writes: %v", stored, err)
	}
	last := fmt.Sprintf("k%d", stored-1)
	if !has(t, e, last, graph.MaxTimestamp) || has(t, e, fmt.Sprintf("k%d", stored), graph.MaxTimestamp) {
		t.Error("the refused write is there, or the last accepted one is not")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	b := storage.Batch{}
	b.Set([]byte("again"), value, graph.Timestamp(stored+2))
	if err := e.Write(t.Context(), &b); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// What Open needs at once is known before: nothing for a new store, and no less than a memtable holds that is left.
func TestOpenBytes(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	if n, err := OpenBytes(dir); n != 0 || err != nil {
		t.Errorf("of nothing: %d, %v", n, err)
	}
	e, err := Open(dir, smallConfig())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		b := storage.Batch{}
		b.Set(fmt.Appendf(nil, "k%d", i), bytes.Repeat([]byte("v"), 100<<10), graph.Timestamp(i+1))
		if err := e.Write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
	}
	copyFiles(t, dir, copied)
	if n, err := OpenBytes(copied); n < 2_000_000 || n > 8<<20 || err != nil {
		t.Errorf("after a kill: %d, %v", n, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := OpenBytes(dir); n == 0 || n > 1<<20 || err != nil {
		t.Errorf("after a clean end, of one compressed table: %d, %v", n, err)
	}
}
