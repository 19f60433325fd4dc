package posting

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/storage"
)

// Config sets the bounds of a Store. The zero Config is usable: every field has the default named beside it.
type Config struct {
	// CacheBytes is how much memory decoded lists may take; 64 MiB. Negative: nothing is kept.
	CacheBytes int64
	// SplitBytes is the stored size above which a rollup splits a list into parts; 512 KiB.
	SplitBytes int
	// OldestReader returns the timestamp from which on readers are to be expected; lists are folded and rolled
	// up to it. A reader below it is answered from disk, correctly but more slowly. It must not pass the applied
	// watermark, the hold of a tablet copy, or the timestamp of an index build that has not finished. nil means
	// that nothing is known: no rollups, and folded lists keep what older readers may need.
	OldestReader func() graph.Timestamp
	// RollupsPerSecond bounds the background rollups; 2000.
	RollupsPerSecond int
	// Logger gets what the background work has to say; the default discards it.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.CacheBytes == 0 {
		c.CacheBytes = 64 << 20
	}
	if c.SplitBytes <= 0 {
		c.SplitBytes = 512 << 10
	}
	if c.RollupsPerSecond <= 0 {
		c.RollupsPerSecond = 2000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Store holds the posting lists of one replica: an engine, and a cache of decoded lists that commits update
// in place. All methods may be called concurrently.
type Store struct {
	engine storage.Engine
	cfg    Config
	cache  *cache
	queue  *rollupQueue

	rosters *rosters

	discard atomic.Uint64 // as of SetDiscardTs

	mu struct { // guards the fields below; held during a rollup of one key
		sync.Mutex
		retired map[graph.Incarnation]bool
		builds  map[graph.Timestamp]int // index builds by their timestamp
	}
}

// NewStore returns a store over engine. The caller keeps the engine and closes it after the store's last use.
func NewStore(engine storage.Engine, cfg Config) *Store {
	s := &Store{engine: engine, cfg: cfg.withDefaults(), rosters: newRosters()}
	s.cache = newCache(s.cfg.CacheBytes)
	s.queue = newRollupQueue()
	s.mu.retired = make(map[graph.Incarnation]bool)
	s.mu.builds = make(map[graph.Timestamp]int)
	return s
}

// SetDiscardTs allows the engine to forget superseded versions below ts, and rollups to forget that a list
// existed. No reader may be open below ts, now or later, replays of commits included: ts must not pass the
// last commit that is known to be durable. ts never decreases.
func (s *Store) SetDiscardTs(ts graph.Timestamp) {
	s.discard.Store(uint64(ts))
	s.engine.SetDiscardTs(ts)
}

// Retire forgets a tablet copy: its lists leave the cache and no rollup writes under its incarnation any
// more, so that its prefix may be deleted. Nobody may commit to it afterwards.
func (s *Store) Retire(inc graph.Incarnation) {
	s.mu.Lock()
	s.mu.retired[inc] = true
	s.mu.Unlock()
	s.Forget(inc)
}

// Forget drops every cached list of a tablet copy. It is needed after its keys were written past the store.
func (s *Store) Forget(inc graph.Incarnation) {
	s.cache.dropIncarnation(inc)
	s.rosters.dropIncarnation(inc)
}

// CacheStats returns how many lists the cache holds, their bytes, and how often a list was found and not
// found in it.
func (s *Store) CacheStats() (lists int, bytes, hits, misses int64) { return s.cache.stats() }

// oldest returns the timestamp below which no reader is open; 0 where that is not known.
func (s *Store) oldest() graph.Timestamp {
	if s.cfg.OldestReader == nil {
		return 0
	}
	return s.cfg.OldestReader()
}

// DiskBytes returns the approximate bytes on disk of a tablet copy.
func (s *Store) DiskBytes(inc graph.Incarnation) int64 { return s.engine.Size(keys.Prefix(inc)) }
