package mesh

import (
	"context"
	"sync"
	"time"
)

// Condition is the state of a flow. The zero value is a network without faults.
type Condition struct {
	// Cut lets nothing through; what was sent arrives when the flow is mended.
	Cut bool
	// Refuse resets connections.
	Refuse bool
	// Delay is how much later everything arrives.
	Delay time.Duration
	// BytesPerSecond bounds what goes through; 0 for no bound.
	BytesPerSecond int
}

// flow is all that travels from one node to another.
type flow struct {
	mu        sync.Mutex
	condition Condition     // guarded by mu
	changed   chan struct{} // guarded by mu: closed by the next change
}

func newFlow() *flow { return &flow{changed: make(chan struct{})} }

func (f *flow) set(c Condition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.condition = c
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *flow) get() (Condition, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.condition, f.changed
}

// passable returns when the flow is not cut. It reports false if ctx ended before.
func (f *flow) passable(ctx context.Context) bool {
	for {
		c, changed := f.get()
		if !c.Cut {
			return ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
