package memkv_test

import (
	"errors"
	"fmt"
	"testing"

	"dragg/graph"
	"dragg/storage"
	"dragg/storage/memkv"
	"dragg/storage/storagetest"
)

func TestConformance(t *testing.T) {
	kept := make(map[string]*memkv.Engine)
	storagetest.Run(t, func(_ *testing.T, dir string) storage.Engine {
		e := memkv.New(memkv.Config{Crashable: true})
		if old := kept[dir]; old != nil {
			e = old.Crash(memkv.LoseNothing, 0)
		}
		kept[dir] = e
		return e
	})
}

func has(t *testing.T, e *memkv.Engine, key string) bool {
	t.Helper()
	r := e.ReaderAt(graph.MaxTimestamp)
	defer r.Close()
	err := r.Versions([]byte(key), func(graph.Timestamp, storage.Version) bool { return true })
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// TestCrash checks what each loss may leave: synced batches always, the others whole or not at all.
func TestCrash(t *testing.T) {
	for _, c := range []struct {
		loss   memkv.Loss
		prefix bool // survivors are the first ones
	}{{memkv.LoseNothing, true}, {memkv.LoseSuffix, true}, {memkv.LoseAny, false}, {memkv.LoseAll, true}} {
		holes, lost := 0, 0
		for seed := range uint64(50) {
			e := memkv.New(memkv.Config{Crashable: true})
			for i := range 10 {
				b := storage.Batch{}
				b.Set(fmt.Appendf(nil, "a%d", i), nil, 1)
				b.Set(fmt.Appendf(nil, "b%d", i), nil, 2)
				if err := e.Write(t.Context(), &b); err != nil {
					t.Fatal(err)
				}
				if i == 3 {
					if err := e.Sync(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			next := e.Crash(c.loss, seed)
			if err := e.Sync(t.Context()); err == nil {
				t.Fatal("the crashed engine still works")
			}
			gone := false
			for i := range 10 {
				a, b := has(t, next, fmt.Sprintf("a%d", i)), has(t, next, fmt.Sprintf("b%d", i))
				if a != b {
					t.Fatalf("loss %d: half of batch %d survived", c.loss, i)
				}
				if !a && i <= 3 {
					t.Fatalf("loss %d: synced batch %d is gone", c.loss, i)
				}
				if a && gone {
					holes++
				}
				if gone = gone || !a; !a {
					lost++
				}
			}
		}
		if c.prefix && holes > 0 || !c.prefix && holes == 0 || (lost > 0) != (c.loss != memkv.LoseNothing) {
			t.Errorf("loss %d: %d holes, %d lost", c.loss, holes, lost)
		}
	}
}

func TestFullAndFailing(t *testing.T) {
	e := memkv.New(memkv.Config{})
	b := storage.Batch{}
	b.Set([]byte("k"), nil, 1)
	e.SetFull(true)
	if err := e.Write(t.Context(), &b); !errors.Is(err, storage.ErrFull) || has(t, e, "k") {
		t.Errorf("full: %v", err)
	}
	e.SetFull(false)
	if err := e.Write(t.Context(), &b); err != nil || !has(t, e, "k") {
		t.Errorf("room again: %v", err)
	}
	broken := errors.New("broken")
	e.SetFailure(broken)
	if err := e.Sync(t.Context()); !errors.Is(err, broken) {
		t.Errorf("failing: %v", err)
	}
}
