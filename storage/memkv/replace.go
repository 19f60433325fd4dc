package memkv

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"dragg/storage"
)

// filling is the content that a Replace fills.
type filling struct {
	*Engine
	outer *Engine
	note  []byte // guarded by outer.mu; nil before the first Keep
}

var _ storage.Filling = (*filling)(nil)

// Keep implements [storage.Filling].
func (f *filling) Keep(ctx context.Context, note []byte) error {
	if len(note) == 0 || len(note) > storage.MaxNote {
		return fmt.Errorf("memkv: a note of %d bytes", len(note))
	}
	if err := f.Sync(ctx); err != nil {
		return err
	}
	f.outer.mu.Lock()
	defer f.outer.mu.Unlock()
	if err := f.outer.usable(); err != nil {
		return err
	}
	f.note, f.outer.mu.kept = bytes.Clone(note), f
	return nil
}

// Replace implements [storage.Engine].
func (e *Engine) Replace(ctx context.Context, note []byte, fill func(storage.Filling) error) error {
	e.replacing.Lock()
	defer e.replacing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	next, err := e.filling(note)
	if err != nil {
		return err
	}
	if err := fill(next); err != nil {
		return err
	}
	next.mu.Lock()
	next.mu.closed = true
	tree := next.mu.tree
	next.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(); err != nil {
		return err
	}
	e.mu.tree, e.mu.bytes = newTree(), 0
	tree.Ascend(func(it *item) bool {
		e.put(&item{key: it.key, versions: slices.Clone(it.versions)})
		return true
	})
	e.mu.synced, e.mu.unsynced, e.mu.kept = e.mu.tree.Clone(), nil, nil
	e.mu.replaced++
	return nil
}

// filling returns what is kept under the note, or an empty content for none.
func (e *Engine) filling(note []byte) (*filling, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	kept := e.mu.kept
	if note != nil && (kept == nil || !bytes.Equal(kept.note, note)) {
		e.mu.kept = nil
		return nil, storage.ErrNoteGone
	}
	if note == nil {
		e.mu.kept = nil
		kept = &filling{Engine: New(e.cfg), outer: e}
	}
	kept.mu.Lock()
	kept.mu.full, kept.mu.failure, kept.mu.closed = e.mu.full, e.mu.failure, e.mu.closed
	kept.mu.Unlock()
	return kept, nil
}

// Kept implements [storage.Engine].
func (e *Engine) Kept() []byte {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.mu.kept == nil {
		return nil
	}
	return bytes.Clone(e.mu.kept.note)
}

// Abandon implements [storage.Engine].
func (e *Engine) Abandon() error {
	e.replacing.Lock()
	defer e.replacing.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.kept = nil
	return e.usable()
}
