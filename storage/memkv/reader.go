package memkv

import (
	"bytes"
	"errors"

	"github.com/google/btree"

	"dragg/graph"
	"dragg/storage"
)

// ReaderAt implements [storage.Engine].
func (e *Engine) ReaderAt(ts graph.Timestamp) storage.Reader {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return &reader{e: e, ts: ts, of: e.mu.replaced}
}

type reader struct {
	e  *Engine
	ts graph.Timestamp
	of int // what the engine held when the reader was opened
}

// usable returns an error where the engine was closed or its content replaced. The caller holds mu.
func (r *reader) usable() error {
	switch {
	case r.e.mu.closed:
		return errClosed
	case r.of != r.e.mu.replaced:
		return errReplaced
	}
	return nil
}

func (r *reader) Versions(key []byte, fn func(graph.Timestamp, storage.Version) bool) error {
	r.e.mu.RLock()
	if err := r.usable(); err != nil {
		r.e.mu.RUnlock()
		return err
	}
	it, _ := r.e.mu.tree.Get(&item{key: key})
	r.e.mu.RUnlock()
	if it == nil || !it.visit(r.ts, fn) {
		return storage.ErrNotFound
	}
	return nil
}

func (r *reader) Scan(from, to []byte) storage.Iterator { return r.scan(from, to) }

// KeysDown implements [storage.Reader].
func (r *reader) KeysDown(from, to []byte, fn func(key []byte) bool) error {
	it := r.scan(from, to)
	if it.err != nil {
		return it.err
	}
	visit := func(i *item) bool {
		switch {
		case bytes.Compare(i.key, from) < 0:
			return false
		case to != nil && bytes.Equal(i.key, to), !i.visit(r.ts, nil):
			return true
		}
		return fn(i.key)
	}
	if to == nil {
		it.tree.Descend(visit)
	} else {
		it.tree.DescendLessOrEqual(&item{key: to}, visit)
	}
	return nil
}

// History implements [storage.Reader].
func (r *reader) History(from, to []byte, floor graph.Timestamp) storage.Iterator {
	it := r.scan(from, to)
	it.history, it.floor = true, floor
	return it
}

// Changes implements [storage.Reader].
func (r *reader) Changes(from, to []byte, since graph.Timestamp) storage.Iterator {
	it := r.scan(from, to)
	it.history, it.floor, it.above = true, since, since
	return it
}

func (r *reader) scan(from, to []byte) *iterator {
	r.e.mu.Lock() // a clone marks the tree's nodes as shared
	defer r.e.mu.Unlock()
	if err := r.usable(); err != nil {
		return &iterator{err: err}
	}
	return &iterator{tree: r.e.mu.tree.Clone(), ts: r.ts, from: bytes.Clone(from), to: bytes.Clone(to)}
}

func (r *reader) Close() {}

// visit calls fn as storage.Reader.Versions does, and says whether there was anything to pass.
func (it *item) visit(ts graph.Timestamp, fn func(graph.Timestamp, storage.Version) bool) (any bool) {
	for _, v := range it.versions {
		if v.ts > ts {
			continue
		}
		if v.deleted {
			return any
		}
		any = true
		if fn != nil && !fn(v.ts, v.pass()) || v.complete {
			return true
		}
	}
	return any
}

func (v *storedVersion) pass() storage.Version {
	return storage.Version{Value: v.value, Complete: v.complete, Deleted: v.deleted, Folded: v.folded}
}

// visitHistory calls fn as storage.Reader.History does.
func (it *item) visitHistory(ts, floor graph.Timestamp, fn func(graph.Timestamp, storage.Version) bool) {
	for _, v := range it.versions {
		switch {
		case v.ts > ts:
			continue
		case v.ts <= floor && v.deleted:
			return
		case !fn(v.ts, v.pass()), v.ts <= floor && v.complete:
			return
		}
	}
}

// iterator walks a clone of the tree.
type iterator struct {
	tree *btree.BTreeG[*item]
	ts   graph.Timestamp
	from []byte // the next key is at or above it
	to   []byte
	cur  *item
	err  error

	history bool // it is one of Reader.History
	floor   graph.Timestamp
	above   graph.Timestamp // what is not above is not passed
}

var errNoKey = errors.New("memkv: no current key")

func (i *iterator) Next() bool {
	i.cur = nil
	if i.err != nil {
		return false
	}
	i.tree.AscendGreaterOrEqual(&item{key: i.from}, func(it *item) bool {
		if i.to != nil && bytes.Compare(it.key, i.to) >= 0 {
			return false
		}
		if !i.history && !it.visit(i.ts, nil) {
			return true
		}
		i.cur = it
		return false
	})
	if i.cur == nil {
		return false
	}
	i.from = append(append(i.from[:0], i.cur.key...), 0)
	return true
}

func (i *iterator) SeekGE(key []byte) {
	if bytes.Compare(key, i.from) > 0 {
		i.from = append(i.from[:0], key...)
	}
}

func (i *iterator) Key() []byte {
	if i.cur == nil {
		return nil
	}
	return i.cur.key
}

func (i *iterator) Versions(fn func(graph.Timestamp, storage.Version) bool) error {
	if i.cur == nil {
		return errNoKey
	}
	if i.history {
		i.cur.visitHistory(i.ts, i.floor, func(ts graph.Timestamp, v storage.Version) bool { return ts > i.above && fn(ts, v) })
		return nil
	}
	i.cur.visit(i.ts, fn)
	return nil
}

func (i *iterator) Close() error { return i.err }
