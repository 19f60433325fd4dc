package live

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Goal: whatever a crash leaves of the log of ids, what was flushed before is known, and a tail that is torn is cut off so that the
// next run can append. Method: the log is cut at every byte.
func TestTornTail(t *testing.T) {
	next := uint64(1)
	lease := func(_ context.Context, n uint64) (uint64, error) { next += n; return next - n, nil }
	dir := t.TempDir()
	x, err := openXIDs(dir, lease)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int64 // after each flush
	for i := range 4 {
		for j := range 3 {
			if _, err := x.uid(t.Context(), fmt.Sprintf("id %d.%d", i, j)); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.flush(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "xids.log"))
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
	}
	if err := x.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "xids.log"))
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut <= len(whole); cut++ {
		for _, tail := range []string{"", "\xff\xff\xff\xff", strings.Repeat("\x00", 40)} {
			dir := t.TempDir()
			path := filepath.Join(dir, "xids.log")
			if err := os.WriteFile(path, append(slices.Clone(whole[:cut]), tail...), 0o644); err != nil {
				t.Fatal(err)
			}
			y, err := openXIDs(dir, lease)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			known := 0
			for _, size := range sizes {
				if int64(cut) >= size {
					known += 3
				}
			}
			if len(y.uids) != known {
				t.Fatalf("cut at %d, tail %q: %d ids are known, %d were flushed", cut, tail, len(y.uids), known)
			}
			if _, err := y.uid(t.Context(), "new"); err != nil {
				t.Fatal(err)
			}
			if err := y.close(); err != nil {
				t.Fatal(err)
			}
			z, err := openXIDs(dir, lease)
			if err != nil || len(z.uids) != known+1 || z.uids["new"] != y.uids["new"] {
				t.Fatalf("cut at %d: after appending %d ids, %v", cut, len(z.uids), err)
			}
			if err := z.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Whatever is in the folder, opening it ends without a panic.
func FuzzXIDs(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0, 7}, []byte(`{"a.rdf":7}`))
	f.Fuzz(func(t *testing.T, log, done []byte) {
		dir := t.TempDir()
		if os.WriteFile(filepath.Join(dir, "xids.log"), log, 0o644) != nil || os.WriteFile(filepath.Join(dir, "done.json"), done, 0o644) != nil {
			t.Fatal("the folder cannot be filled")
		}
		x, err := openXIDs(dir, nil)
		if err == nil {
			err = x.close()
		}
		_ = err // what cannot be read is an error; a panic is what is looked for
	})
}

// Goal: a file counts as loaded up to a line only when that line and all before it are in. Method: lines begin in order and end in
// any; a naive count is the twin.
func TestTrackerAgreesWithANaiveCount(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		tr, open, begun := newTracker(), []int{}, 0
		left := map[int]int{}
		for range 200 {
			if rng.IntN(2) == 0 {
				begun += 1 + rng.IntN(2) // lines without a statement are left out
				n := 1 + rng.IntN(3)
				tr.begin("f", begun, n)
				left[begun] = n
				for range n {
					open = append(open, begun)
				}
			} else if len(open) > 0 {
				i := rng.IntN(len(open))
				tr.end("f", open[i])
				if left[open[i]]--; left[open[i]] == 0 {
					delete(left, open[i])
				}
				open = slices.Delete(open, i, i+1)
			}
			got := tr.done(map[string]int{"f": 3, "g": 9})
			for line := range left {
				if got["f"] >= line && line > 3 {
					t.Fatalf("seed %d: loaded up to %d, but %d is not in", seed, got["f"], line)
				}
			}
			if len(left) == 0 && begun > 3 && got["f"] != begun || got["g"] != 9 {
				t.Fatalf("seed %d: all up to %d is in, but it says %v", seed, begun, got)
			}
		}
	}
}
