// Package gather collects requests that come close together, so that they share one fsync or one message.
//
// It is the group commit of databases without a timer: as long as other goroutines have something to do they may be about to
// ask too, so the gatherer lets them run; when nothing more comes it goes. Whoever is alone never waits, and the busier the
// process is the fuller are its batches, and the less each request costs.
package gather

import (
	"runtime"
	"time"
)

// Gatherer collects from a channel. It belongs to one goroutine.
type Gatherer[T any] struct {
	in    <-chan T
	most  int
	batch []T
}

// New returns a gatherer of at most most requests from in.
func New[T any](in <-chan T, most int) *Gatherer[T] { return &Gatherer[T]{in: in, most: most} }

// The gatherer goes when nothing came while it let others run that often in a row, or has waited that long in all: others may
// have long work to do.
const (
	quietYields = 2
	longest     = time.Millisecond
)

// Gather returns first and what else comes close to it. full is asked after each request, first included, whether the batch
// is large enough. The slice is valid until the next call.
func (g *Gatherer[T]) Gather(first T, full func(T) bool) []T {
	g.batch = append(g.batch[:0], first)
	if full(first) {
		return g.batch
	}
	began := time.Now()
	for yields := 0; len(g.batch) < g.most; {
		select {
		case next := <-g.in:
			g.batch = append(g.batch, next)
			if full(next) {
				return g.batch
			}
			yields = 0
			continue
		default:
		}
		if yields++; yields > quietYields || time.Since(began) > longest {
			break
		}
		runtime.Gosched()
	}
	return g.batch
}
