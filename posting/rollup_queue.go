package posting

import "sync"

// maxDue bounds the keys that wait for a rollup; more are forgotten, and found again by their next reader or
// commit.
const maxDue = 1 << 14

// rollupQueue holds the keys that are due for a rollup, each once.
type rollupQueue struct {
	mu struct { // guards the fields below
		sync.Mutex
		keys []string
		in   map[string]bool
	}
	wake chan struct{} // of one element: something was added
}

func newRollupQueue() *rollupQueue {
	q := &rollupQueue{wake: make(chan struct{}, 1)}
	q.mu.in = make(map[string]bool)
	return q
}

func (q *rollupQueue) add(key string) {
	q.mu.Lock()
	if q.mu.in[key] || len(q.mu.keys) >= maxDue {
		q.mu.Unlock()
		return
	}
	q.mu.in[key] = true
	q.mu.keys = append(q.mu.keys, key)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns up to n keys.
func (q *rollupQueue) take(n int) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.mu.keys))
	out := q.mu.keys[:n:n]
	q.mu.keys = q.mu.keys[n:]
	for _, k := range out {
		delete(q.mu.in, k)
	}
	return out
}
