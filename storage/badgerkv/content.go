package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"dragg/graph"
)

// content is what an engine holds at a time: a Badger store in a folder of its own.
type content struct {
	db      *badger.DB
	dir     string
	cfg     Config
	journal *journal
	written *writtenBytes
	discard atomic.Uint64

	opened time.Time
	free   gauge // bytes on the disk
	debt   gauge // bytes that compactions need

	stop chan struct{}
	work sync.WaitGroup // the value log's garbage collector

	users   atomic.Int64  // readers that are open and calls under way
	retired atomic.Bool   // the engine has another content now: nobody comes any more
	idle    chan struct{} // capacity 1: the last user may have left
}

// openContent opens or creates a store in dir, and finishes the batch that a killed process left half-written.
func openContent(dir string, cfg Config) (*content, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := removeStillborn(dir, cfg.Logger); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	memtable, err := memtableBytes(dir, cfg.memtable())
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db, err := badger.OpenManaged(cfg.options(dir, memtable))
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	e := &content{
		db: db, dir: dir, cfg: cfg, written: newWrittenBytes(), opened: time.Now(), stop: make(chan struct{}),
		idle: make(chan struct{}, 1),
	}
	if e.journal, err = openJournal(dir, e.writeOps); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	e.work.Go(e.collectGarbage)
	return e, nil
}

// garbageInterval is how often the value log is looked over for files that are mostly garbage.
const garbageInterval = 5 * time.Minute

// collectGarbage works until Close.
func (e *content) collectGarbage() {
	t := time.NewTicker(garbageInterval)
	defer t.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-t.C:
		}
		err := e.db.RunValueLogGC(0.5)
		if err != nil && !errors.Is(err, badger.ErrNoRewrite) && !errors.Is(err, badger.ErrRejected) {
			e.cfg.Logger.Warn("value log not collected", "error", err)
		}
	}
}

func (e *content) Close() error {
	close(e.stop)
	e.work.Wait()
	return errors.Join(e.db.Close(), e.journal.close())
}

func (e *content) SetDiscardTs(ts graph.Timestamp) {
	if old := e.discard.Load(); uint64(ts) > old && e.discard.CompareAndSwap(old, uint64(ts)) {
		e.db.SetDiscardTs(upTo(ts))
	}
}

// Sync is a barrier: see the package comment.
func (e *content) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.db.Sync(); err != nil {
		return fmt.Errorf("sync store: %w", err)
	}
	// Memtables that wait to be flushed hold batches too. fsync through any descriptor of a file writes back
	// the pages that Badger dirtied through its mapping.
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		names, err := filepath.Glob(filepath.Join(e.dir, pattern))
		if err != nil {
			return fmt.Errorf("sync store: %w", err)
		}
		for _, name := range names {
			if err := syncFile(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("sync store: %w", err)
			}
		}
	}
	if err := syncFile(e.dir); err != nil {
		return fmt.Errorf("sync store: %w", err)
	}
	return nil
}

// enter notes a user; it returns false where the content is retired.
func (e *content) enter() bool {
	e.users.Add(1)
	if e.retired.Load() {
		e.leave()
		return false
	}
	return true
}

func (e *content) leave() {
	if e.users.Add(-1) == 0 && e.retired.Load() {
		select {
		case e.idle <- struct{}{}:
		default:
		}
	}
}

// drain returns once the last user of a retired content has left.
func (e *content) drain() {
	for e.users.Load() > 0 {
		<-e.idle
	}
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
