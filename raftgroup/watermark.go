package raftgroup

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// watermark is an index that only moves up, and that can be waited for.
type watermark struct {
	index atomic.Uint64

	mu      sync.Mutex
	waiting []waiting    // guarded by mu
	some    atomic.Int32 // how many wait
}

type waiting struct {
	index uint64
	done  chan struct{}
}

// Load returns the index.
func (w *watermark) Load() uint64 { return w.index.Load() }

// advance moves up to index, and wakes those who waited for that. One goroutine advances.
func (w *watermark) advance(index uint64) {
	if index <= w.index.Load() {
		return
	}
	w.index.Store(index)
	if w.some.Load() == 0 {
		return // whoever comes now sees the new index
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(one waiting) bool {
		if one.index <= index {
			close(one.done)
			return true
		}
		return false
	})
	w.some.Store(int32(len(w.waiting)))
}

// wait returns when the watermark has reached index.
func (w *watermark) wait(ctx context.Context, index uint64, stopped <-chan struct{}) error {
	if w.index.Load() >= index {
		return nil
	}
	done := make(chan struct{})
	w.mu.Lock()
	w.waiting = append(w.waiting, waiting{index, done})
	w.some.Store(int32(len(w.waiting)))
	if w.index.Load() >= index { // it moved before some was set, and did not look here
		close(done)
		w.waiting = w.waiting[:len(w.waiting)-1]
		w.some.Store(int32(len(w.waiting)))
	}
	w.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-stopped:
		return errEnded
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(one waiting) bool { return one.done == done })
	w.some.Store(int32(len(w.waiting)))
	return ctx.Err()
}
