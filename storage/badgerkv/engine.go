package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"dragg/graph"
	"dragg/storage"
)

var _ storage.Engine = (*Engine)(nil)

// Engine is a storage engine on disk. What it holds lies in its folder itself, or, once it was replaced, in a folder below
// that the file "current" names.
type Engine struct {
	dir string
	cfg Config

	replacing sync.Mutex // held by Replace; it comes before the one of kept
	cur       atomic.Pointer[content]
	n         int            // of the current content; guarded by replacing
	kept      kept           // what a Replace left that failed
	discard   atomic.Uint64  // as of SetDiscardTs
	broken    atomic.Bool    // it is not known which content counts after a loss of power
	work      sync.WaitGroup // contents that are being removed
}

// Open opens or creates the engine in dir, finishes the batch that a killed process left half-written, and removes what a
// Replace that was cut off, or had just succeeded, left behind, but for what it kept.
func Open(dir string, cfg Config) (*Engine, error) {
	e := &Engine{dir: dir, cfg: cfg.withDefaults()}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	var err error
	if e.n, err = currentContent(dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	c, err := openContent(contentDir(dir, e.n), e.cfg)
	if err != nil {
		return nil, err
	}
	e.cur.Store(c)
	if err := errors.Join(e.kept.open(dir, e.n, e.cfg.Logger), removeOthers(dir, e.n, e.kept.get() != nil)); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), c.Close())
	}
	return e, nil
}

// enter returns the current content, which the caller leaves when it is done with it.
func (e *Engine) enter() *content {
	for {
		if c := e.cur.Load(); c.enter() {
			return c
		}
	}
}

var errBroken = errors.New("the store was replaced, but the disk failed to say so durably")

// Write implements [storage.Engine].
func (e *Engine) Write(ctx context.Context, b *storage.Batch) error {
	if e.broken.Load() {
		return errBroken
	}
	c := e.enter()
	defer c.leave()
	return c.Write(ctx, b)
}

// Sync implements [storage.Engine].
func (e *Engine) Sync(ctx context.Context) error {
	if e.broken.Load() {
		return errBroken
	}
	c := e.enter()
	defer c.leave()
	return c.Sync(ctx)
}

// DeletePrefix implements [storage.Engine].
func (e *Engine) DeletePrefix(ctx context.Context, prefix []byte) error {
	c := e.enter()
	defer c.leave()
	return c.DeletePrefix(ctx, prefix)
}

// SetDiscardTs implements [storage.Engine].
func (e *Engine) SetDiscardTs(ts graph.Timestamp) {
	for old := e.discard.Load(); uint64(ts) > old; old = e.discard.Load() {
		if e.discard.CompareAndSwap(old, uint64(ts)) {
			c := e.enter()
			defer c.leave()
			c.SetDiscardTs(ts)
			return
		}
	}
}

// Size implements [storage.Engine].
func (e *Engine) Size(prefix []byte) int64 {
	c := e.enter()
	defer c.leave()
	return c.Size(prefix)
}

// Room returns storage.ErrFull where the disk has no room for that many bytes of changes beside the reserve and what
// compactions need.
func (e *Engine) Room(reserve, bytes int64) error {
	c := e.enter()
	defer c.leave()
	return c.Room(reserve, bytes)
}

// Close implements [storage.Engine].
func (e *Engine) Close() error {
	e.work.Wait()
	return e.cur.Load().Close()
}
