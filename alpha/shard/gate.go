package shard

import (
	"context"
	"sync"

	"dragg/internal/fault"
)

// errRestoring is what everybody gets who reads while the state is replaced.
var errRestoring = fault.New(fault.Unavailable, "this replica is just taking over the state of another one; please retry")

// gate counts those who read the engine outside of Apply, so that what it holds can be replaced when nobody reads it. The zero
// gate is open.
type gate struct {
	mu    sync.Mutex
	users int           // guarded by mu
	shut  bool          // guarded by mu
	hurry chan struct{} // guarded by mu: closed when users shall leave; made when somebody asks for it
	empty chan struct{} // guarded by mu: closed by the last user who leaves a gate that is shut
}

// enter lets a user in who is done within moments, or looks at leaving. Without an error leave has to follow.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return errRestoring
	}
	g.users++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.users--; g.users == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// leaving is closed when users shall leave.
func (g *gate) leaving() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hurry == nil {
		g.hurry = make(chan struct{})
	}
	return g.hurry
}

// working lets somebody in for long: the context ends, with errRestoring, when the state is to be replaced.
func (g *gate) working(ctx context.Context) (work context.Context, leave func(), err error) {
	if err := g.enter(); err != nil {
		return nil, nil, err
	}
	work, cancel := context.WithCancelCause(ctx)
	hurry, stop := g.leaving(), make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-hurry:
			cancel(errRestoring)
		case <-stop:
		}
	})
	return work, func() {
		close(stop)
		watcher.Wait()
		cancel(nil)
		g.leave()
	}, nil
}

// close lets nobody in any more and returns when the last one has left. Open it again, also after an error.
func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	g.shut = true
	if g.hurry == nil {
		g.hurry = make(chan struct{})
	}
	close(g.hurry)
	var empty chan struct{}
	if g.users > 0 {
		empty = make(chan struct{})
		g.empty = empty
	}
	g.mu.Unlock()
	if empty == nil {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut, g.hurry, g.empty = false, nil, nil
}
