package raftgroup

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// Whoever waits for an index is woken when it is reached, whenever he comes.
func TestWatermark(t *testing.T) {
	var w watermark
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range uint64(200) {
		wg.Go(func() {
			if err := w.wait(ctx, i, nil); err != nil {
				t.Error(err)
			}
			if got := w.Load(); got < i {
				t.Errorf("waited for %d, woken at %d", i, got)
			}
		})
	}
	for i := range uint64(200) {
		w.advance(i)
	}
	wg.Wait()
	cancel()
	if err := w.wait(ctx, 1000, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting in vain ended with %v", err)
	}
	stopped := make(chan struct{})
	close(stopped)
	if err := w.wait(t.Context(), 1000, stopped); !errors.Is(err, errEnded) {
		t.Errorf("waiting for a group that has stopped ended with %v", err)
	}
	if len(w.waiting) != 1 { // the last one need not be forgotten: the group is over
		t.Errorf("%d still wait", len(w.waiting))
	}
}
