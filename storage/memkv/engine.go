package memkv

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/google/btree"

	"dragg/graph"
	"dragg/storage"
)

var _ storage.Engine = (*Engine)(nil)

// errClosed says that the engine was closed or crashed.
var errClosed = errors.New("memkv: engine is closed")

// errReplaced says that a reader was used after the content that it reads was replaced.
var errReplaced = errors.New("memkv: the content that this reader reads was replaced")

// Config says what a new Engine can do. The zero Config is usable.
type Config struct {
	// Crashable keeps every write since the last Sync, so that Crash can lose some.
	Crashable bool
}

// Engine is a storage engine in memory.
type Engine struct {
	cfg       Config
	replacing sync.Mutex // held by Replace; it comes before mu
	mu        struct {   // guards the fields below
		sync.RWMutex
		tree     *btree.BTreeG[*item]
		bytes    int64
		discard  graph.Timestamp
		full     bool
		failure  error // what Write and Sync return
		closed   bool
		replaced int                  // how often
		kept     *filling             // what a Replace kept that failed; nil if nothing
		synced   *btree.BTreeG[*item] // as of the last Sync
		unsynced []write              // since then
	}
}

// write is one change of the engine that a crash can lose: a batch, or the deletion of a prefix.
type write struct {
	ops    []storage.Op
	prefix []byte
}

// item is a key with its versions, newest first. Items in a tree are immutable.
type item struct {
	key      []byte
	versions []storedVersion
}

type storedVersion struct {
	ts       graph.Timestamp
	value    []byte
	complete bool
	deleted  bool
	folded   bool
}

// newer says that v comes before o, and same that it replaces it.
func (v *storedVersion) newer(o *storedVersion) bool {
	return v.ts > o.ts || v.ts == o.ts && v.folded && !o.folded
}
func (v *storedVersion) same(o *storedVersion) bool { return v.ts == o.ts && v.folded == o.folded }

const overhead = 16 // bytes that a version counts besides key and value

func (it *item) bytes() int64 {
	n := 0
	for _, v := range it.versions {
		n += len(it.key) + len(v.value) + overhead
	}
	return int64(n)
}

func newTree() *btree.BTreeG[*item] {
	return btree.NewG(32, func(a, b *item) bool { return bytes.Compare(a.key, b.key) < 0 })
}

// New returns an empty engine.
func New(cfg Config) *Engine {
	e := &Engine{cfg: cfg}
	e.mu.tree, e.mu.synced = newTree(), newTree()
	return e
}

// usable returns why nothing can be changed, nil if it can. The caller holds mu.
func (e *Engine) usable() error {
	if e.mu.closed {
		return errClosed
	}
	return e.mu.failure
}

// Write implements [storage.Engine].
func (e *Engine) Write(ctx context.Context, b *storage.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.mu.closed:
		return errClosed
	case e.mu.failure != nil:
		return e.mu.failure
	case e.mu.full:
		return storage.ErrFull
	}
	for i := range b.Ops {
		e.apply(&b.Ops[i])
	}
	if e.cfg.Crashable {
		e.mu.unsynced = append(e.mu.unsynced, write{ops: slices.Clone(b.Ops)})
	}
	return nil
}

// apply stores one change. The caller holds mu.
func (e *Engine) apply(op *storage.Op) {
	old, _ := e.mu.tree.Get(&item{key: op.Key})
	next := &item{key: op.Key}
	v := storedVersion{op.Ts, op.Value, op.Complete || op.Delete, op.Delete, op.Folded}
	placed := false
	if old != nil {
		e.mu.bytes -= old.bytes()
		next.key = old.key
		for _, o := range old.versions {
			if !placed && !o.newer(&v) {
				next.versions, placed = append(next.versions, v), true
			}
			if !o.same(&v) {
				next.versions = append(next.versions, o)
			}
		}
	}
	if !placed {
		next.versions = append(next.versions, v)
	}
	e.put(next)
}

// put stores an item without what may be forgotten of it. The caller holds mu.
func (e *Engine) put(it *item) {
	for i, v := range it.versions {
		if v.complete && v.ts <= e.mu.discard {
			it.versions = it.versions[:i+1]
			if v.deleted {
				it.versions = it.versions[:i]
			}
			break
		}
	}
	if len(it.versions) == 0 {
		e.mu.tree.Delete(it)
		return
	}
	e.mu.bytes += it.bytes()
	e.mu.tree.ReplaceOrInsert(it)
}

// Sync implements [storage.Engine].
func (e *Engine) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(); err != nil {
		return err
	}
	if e.cfg.Crashable {
		e.mu.synced, e.mu.unsynced = e.mu.tree.Clone(), nil
	}
	return nil
}

// DeletePrefix implements [storage.Engine].
func (e *Engine) DeletePrefix(ctx context.Context, prefix []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(); err != nil {
		return err
	}
	e.deletePrefix(prefix)
	if e.cfg.Crashable {
		e.mu.unsynced = append(e.mu.unsynced, write{prefix: slices.Clone(prefix)})
	}
	return nil
}

func (e *Engine) deletePrefix(prefix []byte) {
	var dead []*item
	e.mu.tree.AscendGreaterOrEqual(&item{key: prefix}, func(it *item) bool {
		if !bytes.HasPrefix(it.key, prefix) {
			return false
		}
		dead = append(dead, it)
		return true
	})
	for _, it := range dead {
		e.mu.tree.Delete(it)
		e.mu.bytes -= it.bytes()
	}
}

// SetDiscardTs implements [storage.Engine]. It forgets at once.
func (e *Engine) SetDiscardTs(ts graph.Timestamp) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ts <= e.mu.discard {
		return
	}
	e.mu.discard = ts
	var old []*item
	e.mu.tree.Ascend(func(it *item) bool {
		if len(it.versions) > 1 || it.versions[0].deleted {
			old = append(old, it)
		}
		return true
	})
	for _, it := range old {
		e.mu.bytes -= it.bytes()
		e.put(&item{key: it.key, versions: slices.Clone(it.versions)})
	}
}

// Size implements [storage.Engine].
func (e *Engine) Size(prefix []byte) int64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if len(prefix) == 0 {
		return e.mu.bytes
	}
	n := int64(0)
	e.mu.tree.AscendGreaterOrEqual(&item{key: prefix}, func(it *item) bool {
		if !bytes.HasPrefix(it.key, prefix) {
			return false
		}
		n += it.bytes()
		return true
	})
	return n
}

// Close implements [storage.Engine].
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.closed = true
	return nil
}

// SetFull makes every Write fail with storage.ErrFull, or ends that.
func (e *Engine) SetFull(full bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.full = full
}

// SetFailure makes every Write and Sync fail with err; nil ends that.
func (e *Engine) SetFailure(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.failure = err
}

// Loss says what a crash leaves of the writes that no Sync covered.
type Loss uint8

// The losses.
const (
	LoseNothing Loss = iota // the process died, the machine did not
	LoseSuffix              // the first of them survive
	LoseAny                 // any of them survive: a disk writes back in its own order
	LoseAll                 // none survives
	LoseAnyOps              // any of their changes survive: a batch need not be in one place of the disk
)

// Crash ends this engine and returns the one that the next process finds. The engine must be Crashable. What
// is lost is drawn from seed.
func (e *Engine) Crash(loss Loss, seed uint64) *Engine {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.closed = true
	rng := rand.New(rand.NewPCG(seed, uint64(len(e.mu.unsynced))))
	next := New(e.cfg)
	next.mu.tree = e.mu.synced.Clone()
	next.mu.tree.Ascend(func(it *item) bool {
		next.mu.bytes += it.bytes()
		return true
	})
	keep := len(e.mu.unsynced)
	if loss == LoseSuffix {
		keep = rng.IntN(keep + 1)
	}
	for i, w := range e.mu.unsynced {
		if loss == LoseAll || i >= keep || loss == LoseAny && rng.IntN(2) == 0 {
			continue
		}
		if w.prefix != nil {
			next.deletePrefix(w.prefix)
			continue
		}
		for j := range w.ops {
			if loss != LoseAnyOps || rng.IntN(2) == 0 {
				next.apply(&w.ops[j])
			}
		}
	}
	next.mu.synced = next.mu.tree.Clone()
	if k := e.mu.kept; k != nil {
		next.mu.kept = &filling{Engine: k.Crash(loss, seed), outer: next, note: k.note}
	}
	return next
}
