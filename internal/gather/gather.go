// Package gather collects requests that come close together, so that they share one fsync or one message.
//
// It is the group commit of databases with a twist: whoever is alone never waits. The gatherer waits a little only for as many
// requests as came together the last time; when they do not come, it expects fewer.
package gather

import "time"

// Gatherer collects from a channel. It belongs to one goroutine.
type Gatherer[T any] struct {
	in     <-chan T
	most   int
	linger time.Duration
	expect int // how many came together last time
	batch  []T
}

// New returns a gatherer of at most most requests from in, which waits at most linger for those it expects.
func New[T any](in <-chan T, most int, linger time.Duration) *Gatherer[T] {
	return &Gatherer[T]{in: in, most: most, linger: linger}
}

// Gather returns first and what else comes close to it. full is asked after each request, first included, whether the batch
// is large enough. The slice is valid until the next call.
func (g *Gatherer[T]) Gather(first T, full func(T) bool) []T {
	g.batch = append(g.batch[:0], first)
	done := full(first)
	var late <-chan time.Time
	for !done && len(g.batch) < g.most {
		next, ok := g.next(&late)
		if !ok {
			break
		}
		g.batch = append(g.batch, next)
		done = full(next)
	}
	g.expect = len(g.batch)
	return g.batch
}

// next returns what is there, or what comes while the gatherer still expects something.
func (g *Gatherer[T]) next(late *<-chan time.Time) (v T, ok bool) {
	select {
	case v = <-g.in:
		return v, true
	default:
	}
	if len(g.batch) >= g.expect {
		return v, false
	}
	if *late == nil {
		*late = time.After(g.linger)
	}
	select {
	case v = <-g.in:
		return v, true
	case <-*late:
		return v, false
	}
}
