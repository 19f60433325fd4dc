package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"os"

	"dragg/graph"
	"dragg/storage"
)

// filling is the content that a Replace fills: an engine of its own in a folder below.
type filling struct {
	*Engine
	outer *Engine
	n     int // of the content
}

var _ storage.Filling = (*filling)(nil)

// Keep implements [storage.Filling].
func (f *filling) Keep(ctx context.Context, note []byte) error {
	if err := f.Sync(ctx); err != nil {
		return err
	}
	return full(f.outer.kept.set(f.outer.dir, f.n, note))
}

// Replace implements [storage.Engine]. The new content is filled in a folder beside the old one; it counts once the file
// "current" names that folder. What is kept of it is named by the file "kept".
func (e *Engine) Replace(ctx context.Context, note []byte, fill func(storage.Filling) error) (err error) {
	e.replacing.Lock()
	defer e.replacing.Unlock()
	n := e.n + 1
	c, err := e.openNext(n, note)
	if err != nil {
		return fmt.Errorf("replace store: %w", err)
	}
	switched := false
	defer func() {
		if switched {
			return
		}
		err = errors.Join(err, c.Close())
		if e.kept.get() == nil {
			err = errors.Join(err, os.RemoveAll(c.dir))
		}
	}()
	inner := &filling{Engine: &Engine{dir: c.dir, cfg: e.cfg}, outer: e, n: n}
	inner.cur.Store(c)
	if err := fill(inner); err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), c.Sync(ctx)); err != nil {
		return err
	}
	if switched, err = nameCurrent(e.dir, n); err != nil {
		e.broken.Store(switched)
		return full(fmt.Errorf("replace store: %w", err))
	}
	old := e.cur.Swap(c)
	e.n = n
	c.SetDiscardTs(graph.Timestamp(e.discard.Load()))
	old.retired.Store(true)
	e.work.Go(func() { e.remove(old, n-1) })
	if err := e.kept.drop(e.dir); err != nil { // the next Open sees that it is the current one
		e.cfg.Logger.Warn("the note of what was kept while the store was replaced was not removed", "error", err)
	}
	return nil
}

// openNext opens the content that is filled next: what is kept under the note, or an empty one for none.
func (e *Engine) openNext(n int, note []byte) (*content, error) {
	if note == nil || string(note) != string(e.kept.get()) {
		if err := e.abandon(); err != nil {
			return nil, err
		}
		if note != nil {
			return nil, storage.ErrNoteGone
		}
	}
	c, err := openContent(contentDir(e.dir, n), e.cfg)
	if err != nil && note != nil {
		return nil, errors.Join(storage.ErrNoteGone, err, e.abandon())
	}
	return c, full(err)
}

// Kept implements [storage.Engine].
func (e *Engine) Kept() []byte { return e.kept.get() }

// Abandon implements [storage.Engine].
func (e *Engine) Abandon() error {
	e.replacing.Lock()
	defer e.replacing.Unlock()
	return e.abandon()
}

// abandon removes the content that is filled next, with what is kept of it. The caller holds replacing.
func (e *Engine) abandon() error {
	return errors.Join(e.kept.drop(e.dir), os.RemoveAll(contentDir(e.dir, e.n+1)))
}

// remove closes and deletes a content after its last reader. What fails is left to the next Open.
func (e *Engine) remove(old *content, n int) {
	old.drain()
	if err := errors.Join(old.Close(), removeContent(e.dir, n)); err != nil {
		e.cfg.Logger.Warn("what the store held before was not removed", "error", err)
	}
}
