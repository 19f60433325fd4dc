package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

	replacing sync.Mutex // held by Replace
	cur       atomic.Pointer[content]
	n         int            // of the current content; guarded by replacing
	discard   atomic.Uint64  // as of SetDiscardTs
	broken    atomic.Bool    // it is not known which content counts after a loss of power
	work      sync.WaitGroup // contents that are being removed
}

// Open opens or creates the engine in dir, finishes the batch that a killed process left half-written, and removes what a
// Replace that was cut off, or had just succeeded, left behind.
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
	if err := removeOthers(dir, e.n); err != nil {
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

// Replace implements [storage.Engine]. The new content is filled in a folder beside the old one; it counts once the file
// "current" names that folder.
func (e *Engine) Replace(ctx context.Context, fill func(storage.Engine) error) (err error) {
	e.replacing.Lock()
	defer e.replacing.Unlock()
	dir := contentDir(e.dir, e.n+1)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("replace store: %w", err)
	}
	c, err := openContent(dir, e.cfg)
	if err != nil {
		return full(fmt.Errorf("replace store: %w", err))
	}
	switched := false
	defer func() {
		if !switched {
			err = errors.Join(err, c.Close(), os.RemoveAll(dir))
		}
	}()
	inner := &Engine{dir: dir, cfg: e.cfg}
	inner.cur.Store(c)
	if err := fill(inner); err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), c.Sync(ctx)); err != nil {
		return err
	}
	if switched, err = nameCurrent(e.dir, e.n+1); err != nil {
		e.broken.Store(switched)
		return full(fmt.Errorf("replace store: %w", err))
	}
	old, n := e.cur.Swap(c), e.n
	e.n++
	c.SetDiscardTs(graph.Timestamp(e.discard.Load()))
	old.retired.Store(true)
	e.work.Go(func() { e.remove(old, n) })
	return nil
}

// remove closes and deletes a content after its last reader. What fails is left to the next Open.
func (e *Engine) remove(old *content, n int) {
	old.drain()
	if err := errors.Join(old.Close(), removeContent(e.dir, n)); err != nil {
		e.cfg.Logger.Warn("what the store held before was not removed", "error", err)
	}
}

// currentName is the file that says which content counts: the number of its folder. Without it, it is the folder itself.
const currentName = "current"

func contentDir(dir string, n int) string {
	if n == 0 {
		return dir
	}
	return filepath.Join(dir, contentPrefix+strconv.Itoa(n))
}

const contentPrefix = "content-"

func currentContent(dir string) (int, error) {
	name := filepath.Join(dir, currentName)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s: %q is no number of a content", name, text)
	}
	if _, err := os.Stat(contentDir(dir, n)); err != nil {
		return 0, fmt.Errorf("%s names content %d: %w", name, n, err)
	}
	return n, nil
}

// nameCurrent makes content n the one that counts, durably. named says that it may count already, also after an error.
func nameCurrent(dir string, n int) (named bool, err error) {
	if err := syncFile(dir); err != nil { // the folder of the content
		return false, err
	}
	name := filepath.Join(dir, currentName)
	f, err := os.Create(name + ".tmp")
	if err != nil {
		return false, err
	}
	_, err = fmt.Fprintln(f, n)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, err
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return false, err
	}
	return true, syncFile(dir)
}

// removeOthers removes every content but the current one.
func removeOthers(dir string, current int) error {
	folders, err := filepath.Glob(filepath.Join(dir, contentPrefix+"*"))
	if err != nil {
		return err
	}
	for _, f := range folders {
		if f != contentDir(dir, current) {
			if err := os.RemoveAll(f); err != nil {
				return err
			}
		}
	}
	if current == 0 {
		return nil
	}
	return removeContent(dir, 0)
}

// removeContent removes the files of content n.
func removeContent(dir string, n int) error {
	if n > 0 {
		return os.RemoveAll(contentDir(dir, n))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range entries {
		if f.IsDir() || f.Name() == currentName || f.Name() == currentName+".tmp" {
			continue
		}
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	return nil
}
