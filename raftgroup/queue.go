package raftgroup

import (
	"context"
	"sync"

	"go.etcd.io/raft/v3/raftpb"
)

// applyQueue carries committed entries from the driver to the applier. It is bounded by bytes: a machine that cannot keep up
// slows the log down instead of filling memory.
type applyQueue struct {
	maxBytes int

	mu      sync.Mutex
	entries []*raftpb.Entry // guarded by mu
	bytes   int             // guarded by mu
	filled  chan struct{}   // capacity 1: there may be entries
	drained chan struct{}   // capacity 1: there may be room
}

func newApplyQueue(maxBytes int) *applyQueue {
	return &applyQueue{maxBytes: maxBytes, filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// put appends entries; it waits while the queue is over its bound. One goroutine puts.
func (q *applyQueue) put(ctx context.Context, entries []*raftpb.Entry) error {
	for {
		q.mu.Lock()
		if q.bytes < q.maxBytes {
			q.entries = append(q.entries, entries...)
			for _, e := range entries {
				q.bytes += len(e.GetData())
			}
			q.mu.Unlock()
			signal(q.filled)
			return nil
		}
		q.mu.Unlock()
		select {
		case <-q.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take returns everything that waits, at least one entry. One goroutine takes.
func (q *applyQueue) take(ctx context.Context) ([]*raftpb.Entry, error) {
	for {
		q.mu.Lock()
		entries := q.entries
		q.entries, q.bytes = nil, 0
		q.mu.Unlock()
		if len(entries) > 0 {
			signal(q.drained)
			return entries, nil
		}
		select {
		case <-q.filled:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
