package badgerkv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"golang.org/x/sys/unix"

	"dragg/storage"
	"dragg/storage/room"
)

// Room returns storage.ErrFull where the disk has no room for that many bytes of changes beside the reserve and what
// compactions need: they write new tables before they delete the old ones, and must never meet the end of the disk, since
// Badger writes tables through a mapping.
//
// It may be wrong by what is written within freeInterval, which the reserve has room for.
func (e *content) Room(reserve, bytes int64) error {
	now := time.Since(e.opened)
	free, err := e.free.at(now, freeInterval, func() (int64, error) { return room.Free(e.dir) })
	if err != nil {
		return err
	}
	debt, err := e.debt.at(now, debtInterval, e.measureDebt)
	if err != nil {
		return err
	}
	return fits(free, reserve, debt, bytes)
}

// fits returns storage.ErrFull where free is less than what must stay free and what is to be written.
func fits(free, reserve, debt, bytes int64) error {
	// A batch lies in the journal and in a memtable, and later in a table.
	if free < reserve+debt+3*bytes {
		return fmt.Errorf("%w: %d MiB are free, of which %d are reserved and %d are for compactions",
			storage.ErrFull, free>>20, reserve>>20, debt>>20)
	}
	return nil
}

// checkRoom is for the engine's own writes, which are few and large. What is owed may use half of the reserve, and what
// compactions will need: when it was accepted there was room for all of it.
func (e *content) checkRoom(bytes int, owed bool) error {
	free, err := room.Free(e.dir)
	if err != nil {
		return err
	}
	if owed {
		return fits(free, e.cfg.ReserveBytes/2, 0, int64(bytes))
	}
	debt, err := e.debt.at(time.Since(e.opened), debtInterval, e.measureDebt)
	if err != nil {
		return err
	}
	return fits(free, e.cfg.ReserveBytes, debt, int64(bytes))
}

// How long a measurement is good for: the disk is asked, and the levels are added up, by every write.
const (
	freeInterval = 5 * time.Millisecond
	debtInterval = 100 * time.Millisecond
)

// gauge is a number that is measured again when it is too old.
type gauge struct {
	measured atomic.Int64 // when, in nanoseconds; 0: never
	value    atomic.Int64
}

// at returns the number as it was at most interval before now. Several callers may measure at the same time.
func (g *gauge) at(now, interval time.Duration, measure func() (int64, error)) (int64, error) {
	if m := g.measured.Load(); m != 0 && int64(now)-m < int64(interval) {
		return g.value.Load(), nil
	}
	v, err := measure()
	if err != nil {
		return 0, err
	}
	g.value.Store(v)
	g.measured.Store(int64(now))
	return v, nil
}

// measureDebt estimates how much room the next compactions need for a while: for what memtables still have to become tables,
// and for merging all of the first level into the one below it.
func (e *content) measureDebt() (int64, error) {
	bytes := e.db.Opts().MemTableSize
	for _, l := range e.db.Levels() {
		if l.Level == 0 || l.IsBaseLevel {
			bytes += l.Size
		}
	}
	return bytes, nil
}

// full turns the system's error of a full disk into storage.ErrFull.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	}
	return err
}

// OpenBytes estimates how much room Open needs for the store in dir: Badger at once turns the memtables that are left into
// tables, and merges the first levels. It is zero for a store that is new.
func OpenBytes(dir string) (int64, error) {
	n, err := currentContent(dir)
	if err != nil {
		return 0, err
	}
	dir = contentDir(dir, n)
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	tables, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir))
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("the store's manifest: %w", err)
	}
	bytes, err := allocated(filepath.Join(dir, "*.mem"))
	if err != nil {
		return 0, err
	}
	for i, level := range tables.Levels {
		for id := range level.Tables {
			n, err := allocated(table.NewFilename(id, dir))
			if err != nil {
				return 0, err
			}
			bytes += n
		}
		if i > 0 && len(level.Tables) > 0 { // the level that the first one is merged into
			break
		}
	}
	return bytes, nil
}

// allocated returns how much of the disk the files of a pattern take; memtables are larger on paper.
func allocated(pattern string) (bytes int64, err error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		var st unix.Stat_t
		if err := unix.Stat(name, &st); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		bytes += st.Blocks * 512
	}
	return bytes, nil
}
