package badgerkv

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Config sets the bounds of an Engine. The zero Config is usable: every field has the default named beside it.
type Config struct {
	// MemoryBytes is what the engine may hold in memory; 256 MiB. A third goes to memtables (three of them,
	// each a sixteenth but 4 to 16 MiB, and what Badger allocates beside), a quarter to the cache of table indexes and
	// filters, a thirty-second to that of blocks: what is read again and again is cached above the engine. The page cache is the
	// operating system's.
	MemoryBytes int64
	// ReserveBytes is the free space on the disk below which writes are refused; 256 MiB.
	ReserveBytes int64
	// DeletesPerSecond bounds how many versions DeletePrefix deletes in a second; 50 000.
	DeletesPerSecond int
	// Logger gets what Badger has to say; the default discards it.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.MemoryBytes <= 0 {
		c.MemoryBytes = 256 << 20
	}
	if c.ReserveBytes <= 0 {
		c.ReserveBytes = 256 << 20
	}
	if c.DeletesPerSecond <= 0 {
		c.DeletesPerSecond = 50_000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// valueThreshold is the size from which a value goes to the value log instead of the tables: whole lists and
// parts do not, large texts do.
const valueThreshold = 600 << 10

// memtables is how many memtables there may be besides the active one.
const memtables = 3

// minMemtable and maxMemtable bound the size of a memtable in bytes.
const (
	minMemtable = 4 << 20
	maxMemtable = 16 << 20
)

// memtable is how large a memtable shall be.
func (c Config) memtable() int64 { return min(max(c.MemoryBytes/16, minMemtable), maxMemtable) }

// options are Badger's, with memtables of the given size.
func (c Config) options(dir string, memtable int64) badger.Options {
	return badger.DefaultOptions(dir).
		WithLogger(logger{c.Logger}).
		WithMetricsEnabled(false).
		WithNumVersionsToKeep(1<<31 - 1).
		WithDetectConflicts(false).
		WithSyncWrites(false).
		WithVerifyValueChecksum(true).
		WithChecksumVerificationMode(options.OnTableAndBlockRead).
		WithMemTableSize(memtable).
		WithNumMemtables(memtables).
		WithNumCompactors(2).
		WithBaseTableSize(memtable / 4).
		WithBlockCacheSize(c.MemoryBytes / 32).
		WithIndexCacheSize(c.MemoryBytes / 4).
		WithValueThreshold(min(valueThreshold, memtable*15/100)).
		WithValueLogFileSize(256 << 20)
}

// logger hands Badger's lines to slog.
type logger struct{ l *slog.Logger }

func line(format string, args []any) string {
	return "badger: " + strings.TrimSpace(fmt.Sprintf(format, args...))
}

func (g logger) Errorf(format string, args ...any)   { g.l.Error(line(format, args)) }
func (g logger) Warningf(format string, args ...any) { g.l.Warn(line(format, args)) }
func (g logger) Infof(format string, args ...any)    { g.l.Debug(line(format, args)) }
func (g logger) Debugf(string, ...any)               {}
