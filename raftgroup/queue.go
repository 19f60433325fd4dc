package raftgroup

import (
	"context"
	"sync"
)

// applyQueue carries what is committed from the driver to the applier. It never holds the driver up, which has heartbeats to
// send and to answer: the driver asks whether it is full, and takes nothing on then that would fill it further.
type applyQueue struct {
	maxBytes int

	mu      sync.Mutex
	commits []commit      // guarded by mu
	bytes   int           // guarded by mu
	filled  chan struct{} // capacity 1: there may be entries
	drained chan struct{} // capacity 1: there may be room again
}

func newApplyQueue(maxBytes int) *applyQueue {
	return &applyQueue{maxBytes: maxBytes, filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// put appends to the queue.
func (q *applyQueue) put(commits ...commit) {
	q.mu.Lock()
	q.commits = append(q.commits, commits...)
	for _, c := range commits {
		q.bytes += len(c.entry.GetData())
	}
	q.mu.Unlock()
	signal(q.filled)
}

// full reports whether the queue is over its bound. drained is signalled when it no longer is.
func (q *applyQueue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes >= q.maxBytes
}

// size returns the bytes of what waits.
func (q *applyQueue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// take returns everything that waits, at least one entry. One goroutine takes.
func (q *applyQueue) take(ctx context.Context) ([]commit, error) {
	for {
		q.mu.Lock()
		commits, full := q.commits, q.bytes >= q.maxBytes
		q.commits, q.bytes = nil, 0
		q.mu.Unlock()
		if full {
			signal(q.drained)
		}
		if len(commits) > 0 {
			return commits, nil
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
