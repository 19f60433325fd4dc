package cluster

import (
	"context"
	"sync"

	"dragg/graph"
)

// Start is the beginning of a transaction: its timestamp, and the highest commit timestamp that its snapshot may contain.
type Start struct {
	Ts, After graph.Timestamp
}

// Starter draws start timestamps for many callers with few requests: whoever comes while a request is on its way waits for
// the next one, together with all others. A timestamp is drawn after its caller asked, so that it lies above every commit
// acknowledged before.
type Starter struct {
	clock Clock

	mu      sync.Mutex
	next    *drawing // guarded by mu: collects callers; nil when nobody waits
	drawing bool     // guarded by mu: a request is on its way
}

// drawing is one request on behalf of several callers.
type drawing struct {
	callers uint32
	done    chan struct{}
	first   graph.Timestamp
	after   graph.Timestamp
	err     error
}

// NewStarter returns a Starter over clock.
func NewStarter(clock Clock) *Starter { return &Starter{clock: clock} }

// Start draws a timestamp that nobody else has.
func (s *Starter) Start(ctx context.Context) (Start, error) {
	s.mu.Lock()
	if !s.drawing { // then nobody waits either, and nobody can join
		s.drawing = true
		s.mu.Unlock()
		first, after, err := s.draw(ctx, 1)
		return Start{Ts: first, After: after}, err
	}
	if s.next == nil {
		s.next = &drawing{done: make(chan struct{})}
	}
	d := s.next
	place := d.callers
	d.callers++
	s.mu.Unlock()
	select {
	case <-d.done:
	case <-ctx.Done():
		return Start{}, ctx.Err()
	}
	return Start{Ts: d.first + graph.Timestamp(place), After: d.after}, d.err
}

// draw carries out one request, and hands the callers that came meanwhile to a goroutine of their own, so that the leader can go on.
func (s *Starter) draw(ctx context.Context, callers uint32) (first, after graph.Timestamp, err error) {
	first, after, err = s.clock.Timestamps(ctx, callers)
	s.mu.Lock()
	next := s.next
	s.next = nil
	s.drawing = next != nil
	s.mu.Unlock()
	if next != nil {
		// The callers of next wait on it; whoever led before may have gone away, so that its context does not count.
		go s.drawFor(context.WithoutCancel(ctx), next) // ends with its request; its callers wait for it
	}
	return first, after, err
}

// drawFor carries out d.
func (s *Starter) drawFor(ctx context.Context, d *drawing) {
	d.first, d.after, d.err = s.draw(ctx, d.callers)
	close(d.done)
}
