package cluster

import (
	"context"
	"sync/atomic"
	"time"

	"dragg/internal/fault"
	"dragg/internal/sleep"
)

// Turns remembers which of several nodes that do the same answered last. The zero value begins with the first. It is safe for
// concurrent use.
type Turns struct {
	at atomic.Uint64 // counts on; of n nodes the one to ask is at modulo n
}

// First returns the node to ask, "" where there is none.
func (t *Turns) First(nodes []string) string {
	if len(nodes) == 0 {
		return ""
	}
	return nodes[t.at.Load()%uint64(len(nodes))]
}

// Leave moves on from a node that did not help, unless somebody else did already.
func (t *Turns) Leave(node string, nodes []string) {
	at := t.at.Load()
	if len(nodes) > 0 && nodes[at%uint64(len(nodes))] == node {
		t.at.CompareAndSwap(at, at+1)
	}
}

// Manner says how nodes are asked in turn.
type Manner struct {
	// Patience is how long it goes on. Each node is asked once in any case.
	Patience time.Duration
	// First and Most bound the pause after all nodes were asked in vain; it doubles.
	First, Most time.Duration
	// Once says that a call which may have been carried out is not repeated.
	Once bool
}

var errNobody = fault.New(fault.Unavailable, "no node is known")

// Unanswered is the error of a call that no node answered in time.
type Unanswered struct {
	// Maybe says that the call may have been carried out all the same.
	Maybe bool
	// Err is what came of the last try.
	Err error
}

// Error implements error.
func (u *Unanswered) Error() string { return u.Err.Error() }

// Unwrap returns what came of the last try.
func (u *Unanswered) Unwrap() error { return u.Err }

// InTurn calls one node after the other until one answers, be it with an error that another node would give as well (its class is
// neither Unavailable nor, if the call may be repeated, Unknown). It returns an [*Unanswered] when ctx or its patience ends. nodes
// is asked anew for each try: it may have learned of more.
func InTurn[T any](
	ctx context.Context, t *Turns, m Manner, nodes func() []string, call func(ctx context.Context, node string) (T, error),
) (T, error) {
	pause, until := m.First, time.Now().Add(m.Patience)
	for maybe, tries := false, 1; ; tries++ {
		known := nodes()
		node := t.First(known)
		var answer T
		err := errNobody
		if node != "" {
			answer, err = call(ctx, node)
		}
		class := fault.ClassOf(err)
		if err == nil || ctx.Err() == nil && class != fault.Unavailable && (m.Once || class != fault.Unknown) {
			return answer, err
		}
		maybe = maybe || class == fault.Unknown || ctx.Err() != nil
		t.Leave(node, known)
		late := tries >= len(known) && !time.Now().Before(until)
		if ctx.Err() == nil && !late && tries%max(1, len(known)) == 0 {
			if stopped := sleep.For(ctx, pause); stopped != nil {
				err = stopped
			}
			pause = min(2*pause, m.Most)
		}
		if ctx.Err() != nil || late {
			var none T
			return none, &Unanswered{Maybe: maybe, Err: err}
		}
	}
}
