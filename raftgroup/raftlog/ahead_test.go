package raftlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"golang.org/x/sys/unix"
)

// newest opens the newest segment.
func newest(t *testing.T, dir string) *os.File {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	f, err := os.OpenFile(slices.Max(segments), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// unwritten returns where the first block of the newest segment is that was never written.
func unwritten(t *testing.T, dir string) int64 {
	t.Helper()
	at, err := newest(t, dir).Seek(0, unix.SEEK_HOLE)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Small saves find zeros where they go to, large ones do not wait for any, and there are never many more than needed.
func TestZerosAhead(t *testing.T) {
	dir, l := create(t)
	written := int64(0)
	for i := uint64(2); i < 400; i++ {
		save(t, l, 1, i, entries(i, i+1, 1, string(make([]byte, 4<<10))))
		written += 4 << 10
		if at := unwritten(t, dir); at < written || at > written+2*aheadBytes {
			t.Fatalf("after %d bytes the first unwritten block is at %d", written, at)
		}
	}
	before := unwritten(t, dir)
	save(t, l, 1, 400, entries(400, 401, 1, string(make([]byte, 2<<20))))
	if at := unwritten(t, dir); at > before+2<<20+aheadBytes {
		t.Errorf("a save of 2 MiB moved the first unwritten block from %d to %d", before, at)
	}
	closeLog(t, l)
}

// Whatever the sizes of the saves, with marks set at the same time: a copy of the files, as a crash leaves them, holds what was saved.
func TestZerosAheadKeepRecords(t *testing.T) {
	dir, l := create(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var mark uint64 = 1
	var marking sync.WaitGroup
	data := func(i uint64) string { return fmt.Sprint(i, " ", rng.Uint64()) }
	want := map[uint64]string{}
	next := uint64(2)
	for round := range 300 {
		var list []*raftpb.Entry
		for range 1 + rng.IntN(4) {
			size := rng.IntN(1 << rng.IntN(21))
			want[next] = data(next) + string(bytes.Repeat([]byte{byte(round), 0}, size/2))
			list = append(list, &raftpb.Entry{Index: new(next), Term: new(uint64(1)), Data: []byte(want[next])})
			next++
		}
		save(t, l, 1, next-1, list)
		if round%20 == 10 {
			marking.Wait()
			mark = next - 1
			at := Mark{Index: mark, Term: 1, ConfState: confState()}
			marking.Go(func() {
				if err := l.SetMark(at); err != nil {
					t.Error(err)
				}
			})
		}
		if round%50 == 49 {
			marking.Wait()
			holds(t, dir, mark, next, want)
		}
	}
	marking.Wait()
	closeLog(t, l)
	holds(t, dir, mark, next, want)
}

// holds checks that a copy of the log begins at mark and holds want up to next.
func holds(t *testing.T, dir string, mark, next uint64, want map[uint64]string) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "wal")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	l, st := reopen(t, copied)
	defer closeLog(t, l)
	if st.Mark.Index != mark || uint64(len(st.Entries)) != next-1-mark {
		t.Fatalf("the log begins at %d and holds %d entries, want %d and %d", st.Mark.Index, len(st.Entries), mark, next-1-mark)
	}
	for _, e := range st.Entries {
		if string(e.GetData()) != want[e.GetIndex()] {
			t.Fatalf("entry %d is not what was saved", e.GetIndex())
		}
	}
}

// Blocks that a file system takes for unwritten and that hold records all the same are left alone.
func TestZerosAheadNeverOverwrite(t *testing.T) {
	dir, l := create(t)
	at := unwritten(t, dir)
	behind := []byte("a record that nobody expects here")
	f := newest(t, dir)
	if _, err := f.WriteAt(behind, at+64<<10); err != nil {
		t.Fatal(err)
	}
	if err := fillTail(dir); err == nil {
		t.Error("the record was not seen")
	}
	got := make([]byte, len(behind))
	if _, err := f.ReadAt(got, at+64<<10); err != nil || !bytes.Equal(got, behind) {
		t.Errorf("the record is now %q (%v)", got, err)
	}
	closeLog(t, l)
}

// Where zeros cannot be written ahead, saves go on without.
func TestSavesGoOnWithoutZeros(t *testing.T) {
	dir, l := create(t)
	moved := dir + ".moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	for i := uint64(2); i < 200; i++ {
		save(t, l, 1, i, entries(i, i+1, 1, string(make([]byte, 4<<10))))
	}
	if !l.ahead.off {
		t.Error("filling did not fail")
	}
	if err := os.Rename(moved, dir); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	l, st := reopen(t, dir)
	if len(st.Entries) != 198 {
		t.Errorf("%d entries, want 198", len(st.Entries))
	}
	closeLog(t, l)
}

// BenchmarkSave is one small save after the other, each synced, with zeros ahead and without.
func BenchmarkSave(b *testing.B) {
	for _, size := range []int{300, 5 << 10, 16 << 10, 128 << 10} {
		for _, off := range []bool{true, false} {
			name := "ahead"
			if off {
				name = "plain"
			}
			b.Run(fmt.Sprintf("bytes=%d/%s", size, name), func(b *testing.B) {
				l, _, err := Create(filepath.Join(b.TempDir(), "wal"), me, Mark{Index: 1, Term: 1, ConfState: confState()})
				if err != nil {
					b.Fatal(err)
				}
				l.ahead.off = off
				data := make([]byte, size)
				i := uint64(1)
				for b.Loop() {
					i++
					hard := &raftpb.HardState{Term: new(uint64(1)), Vote: new(uint64(2)), Commit: new(i - 1)}
					if err := l.Save(hard, []*raftpb.Entry{{Index: new(i), Term: new(uint64(1)), Data: data}}); err != nil {
						b.Fatal(err)
					}
				}
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
