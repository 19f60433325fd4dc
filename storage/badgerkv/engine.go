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
	"dragg/storage"
)

var _ storage.Engine = (*Engine)(nil)

// Engine is a storage engine on disk.
type Engine struct {
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
}

// Open opens or creates the engine in dir, and finishes the batch that a killed process left half-written.
func Open(dir string, cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
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
	e := &Engine{db: db, dir: dir, cfg: cfg, written: newWrittenBytes(), opened: time.Now(), stop: make(chan struct{})}
	if e.journal, err = openJournal(dir, e.writeOps); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	e.work.Go(e.collectGarbage)
	return e, nil
}

// garbageInterval is how often the value log is looked over for files that are mostly garbage.
const garbageInterval = 5 * time.Minute

// collectGarbage works until Close.
func (e *Engine) collectGarbage() {
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

// Close implements [storage.Engine].
func (e *Engine) Close() error {
	close(e.stop)
	e.work.Wait()
	return errors.Join(e.db.Close(), e.journal.close())
}

// SetDiscardTs implements [storage.Engine].
func (e *Engine) SetDiscardTs(ts graph.Timestamp) {
	if old := e.discard.Load(); uint64(ts) > old && e.discard.CompareAndSwap(old, uint64(ts)) {
		e.db.SetDiscardTs(upTo(ts))
	}
}

// Sync implements [storage.Engine].
func (e *Engine) Sync(ctx context.Context) error {
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

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
