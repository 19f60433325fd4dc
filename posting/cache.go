package posting

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"dragg/graph"
	"dragg/posting/keys"
)

// cacheShards is the number of independent parts of the cache; a power of two.
const cacheShards = 64

// entryOverhead is about what an entry costs besides key and state: the entry, its place in the map and in
// the ring.
const entryOverhead = 200

// maxQueued is how many commits may wait for a list that is being loaded, before the load is given up.
const maxQueued = 4096

// cache maps keys to the newest state of their lists. Commits update it in place; what does not fit its bytes
// is evicted by the clock algorithm (Corbató 1968), which lets readers pass with a read lock and one store.
type cache struct {
	seed   maphash.Seed
	limit  int64 // bytes; negative: nothing is kept
	bytes  atomic.Int64
	shards [cacheShards]cacheShard
	next   atomic.Uint32 // the shard to evict from next

	hits, misses atomic.Int64
}

type cacheShard struct {
	mu      sync.RWMutex
	entries map[string]*entry
	ring    []*entry
	hand    int
	// touched counts, by hash, commits to keys that are not cached: what grows long without being read is
	// rolled up.
	touched [256]uint16
}

// entry is one cached list. Its state is nil while it is being loaded, and for good if that failed.
type entry struct {
	key   string
	state atomic.Pointer[state]
	used  atomic.Bool
	done  atomic.Pointer[chan struct{}] // closed and forgotten when the load is over
	slot  int                           // place in the ring; guarded by the shard's mu
	bytes int64                         // guarded by the shard's mu

	mu struct { // guards the fields below; taken after the shard's mu, or without it
		sync.Mutex
		loading bool
		dead    bool // it must not be used for newer readers: it has left the map
		queued  []commit
		chain   chain
	}
}

// commit is one record of a key at its timestamp.
type commit struct {
	ts  graph.Timestamp
	rec []byte
}

// chain is what lies on disk above the last whole version of a key.
type chain struct {
	records, ops int
	// tried is how many of ops the last rollup had to leave, because a reader was open below them.
	tried int
}

// long says that a rollup is due: the changes outgrew the list they apply to.
func (c chain) long(elements int) bool {
	return c.records > 1 && c.ops-c.tried > max(foldOps, elements/foldShare)
}

func newCache(limit int64) *cache {
	c := &cache{seed: maphash.MakeSeed(), limit: limit}
	for i := range c.shards {
		c.shards[i].entries = make(map[string]*entry)
	}
	return c
}

func (c *cache) shard(key []byte) *cacheShard {
	return &c.shards[maphash.Bytes(c.seed, key)&(cacheShards-1)]
}

// find returns the entry of key, or nil.
func (c *cache) find(key []byte) *entry {
	sh := c.shard(key)
	sh.mu.RLock()
	e := sh.entries[string(key)]
	sh.mu.RUnlock()
	if e != nil && !e.used.Load() {
		e.used.Store(true)
	}
	return e
}

// claim returns the entry of key. mine says that it is new: the caller must load it and call loaded.
func (c *cache) claim(key []byte) (e *entry, mine bool) {
	sh := c.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.entries[string(key)]; e != nil {
		return e, false
	}
	e = &entry{key: string(key), slot: -1}
	done := make(chan struct{})
	e.done.Store(&done)
	e.mu.loading = true
	sh.entries[e.key] = e
	return e, true
}

// loaded ends the load of an entry: st is the state found on disk, nil after an error. It reports whether the
// entry stays.
func (c *cache) loaded(e *entry, st *state, ch chain, oldest graph.Timestamp) (*state, bool) {
	e.mu.Lock()
	e.mu.loading = false
	ok := st != nil && !e.mu.dead
	for _, q := range e.mu.queued {
		if !ok {
			break
		}
		switch {
		case q.ts > st.last:
			r, err := decodeRecord(q.rec)
			if ok = err == nil; ok {
				st, ch = st.push(&r, q.ts, oldest), ch.add(&r)
			}
		case q.ts < st.last:
			ok = false // a replay: the disk knows better
		}
	}
	e.mu.queued = nil
	e.mu.chain = ch
	e.mu.dead = !ok
	if ok {
		e.state.Store(st)
	}
	e.mu.Unlock()
	close(*e.done.Swap(nil))
	sh := c.shard([]byte(e.key))
	sh.mu.Lock()
	if !ok {
		c.remove(sh, e)
	} else if sh.entries[e.key] == e {
		e.slot = len(sh.ring)
		sh.ring = append(sh.ring, e)
		e.bytes = entrySize(e, st)
		c.bytes.Add(e.bytes)
	}
	sh.mu.Unlock()
	c.evict()
	return st, ok
}

func (c chain) add(r *record) chain {
	if r.whole {
		return chain{}
	}
	return chain{c.records + 1, c.ops + r.sets.len() + r.dels.Len(), c.tried}
}

// entrySize is the size of an entry that holds st.
func entrySize(e *entry, st *state) int64 {
	return int64(entryOverhead + len(e.key) + st.bytes())
}

// apply tells the cache of a committed record. due says that the key's chain has grown long.
func (c *cache) apply(key []byte, ts graph.Timestamp, rec []byte, oldest graph.Timestamp) (due bool, err error) {
	h := maphash.Bytes(c.seed, key)
	sh := &c.shards[h&(cacheShards-1)]
	sh.mu.RLock()
	e := sh.entries[string(key)]
	sh.mu.RUnlock()
	if e == nil {
		return !isWhole(rec) && sh.touch(h), nil
	}
	e.mu.Lock()
	if e.mu.loading {
		if e.mu.queued = append(e.mu.queued, commit{ts, rec}); len(e.mu.queued) > maxQueued {
			e.mu.dead, e.mu.queued = true, nil
		}
		e.mu.Unlock()
		return false, nil
	}
	st := e.state.Load()
	if st == nil || e.mu.dead || ts == st.last {
		e.mu.Unlock()
		return false, nil
	}
	if ts < st.last { // a replay: the disk knows better
		e.mu.dead = true
		e.mu.Unlock()
		c.drop(e)
		return false, nil
	}
	r, err := decodeRecord(rec)
	if err != nil {
		e.mu.Unlock()
		return false, err
	}
	st = st.push(&r, ts, oldest)
	e.state.Store(st)
	e.mu.chain = e.mu.chain.add(&r)
	due = e.mu.chain.long(st.n)
	e.mu.Unlock()
	c.resize(sh, e, entrySize(e, st))
	return due, nil
}

// rolledUp tells the cache that a rollup has replaced the chain of a key.
func (c *cache) rolledUp(key []byte, rolled chain) {
	if e := c.find(key); e != nil {
		e.mu.Lock()
		e.mu.chain.records = max(0, e.mu.chain.records-rolled.records)
		e.mu.chain.ops = max(0, e.mu.chain.ops-rolled.ops)
		e.mu.chain.tried = e.mu.chain.ops
		e.mu.chain.tried = e.mu.chain.ops
		e.mu.Unlock()
	}
}

// drop removes an entry, so that the next reader loads the list from disk.
func (c *cache) drop(e *entry) {
	sh := c.shard([]byte(e.key))
	sh.mu.Lock()
	c.remove(sh, e)
	sh.mu.Unlock()
}

// dropKey removes the entry of a key; one that is being loaded will not stay.
func (c *cache) dropKey(key []byte) {
	sh := c.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.entries[string(key)]; e != nil {
		c.kill(sh, e)
	}
}

// dropIncarnation removes every entry of a tablet copy.
func (c *cache) dropIncarnation(inc graph.Incarnation) {
	c.dropWhere(func(key string) bool { return keys.IncarnationOf([]byte(key)) == inc })
}

// dropAll removes every entry.
func (c *cache) dropAll() { c.dropWhere(func(string) bool { return true }) }

func (c *cache) dropWhere(which func(key string) bool) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		for key, e := range sh.entries {
			if which(key) {
				c.kill(sh, e)
			}
		}
		sh.mu.Unlock()
	}
}

func (c *cache) stats() (lists int, bytes, hits, misses int64) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.RLock()
		lists += len(sh.entries)
		sh.mu.RUnlock()
	}
	return lists, c.bytes.Load(), c.hits.Load(), c.misses.Load()
}

// kill removes an entry for good, also one that is being loaded. The caller holds the shard's mu.
func (c *cache) kill(sh *cacheShard, e *entry) {
	e.mu.Lock()
	e.mu.dead = true
	e.mu.Unlock()
	c.remove(sh, e)
}

// remove takes e out of the map and the ring. The caller holds the shard's mu.
func (c *cache) remove(sh *cacheShard, e *entry) {
	if sh.entries[e.key] == e {
		delete(sh.entries, e.key)
	}
	if e.slot < 0 {
		return
	}
	last := len(sh.ring) - 1
	sh.ring[e.slot] = sh.ring[last]
	sh.ring[e.slot].slot = e.slot
	sh.ring[last] = nil
	sh.ring = sh.ring[:last]
	c.bytes.Add(-e.bytes)
	e.slot = -1
}

func (c *cache) resize(sh *cacheShard, e *entry, bytes int64) {
	sh.mu.Lock()
	if e.slot >= 0 {
		c.bytes.Add(bytes - e.bytes)
		e.bytes = bytes
	}
	sh.mu.Unlock()
	c.evict()
}

// evict removes entries, shard by shard, until the cache is within its limit: the ones first that nobody used
// since the hand of their shard last passed.
func (c *cache) evict() {
	for tries := 0; c.bytes.Load() > c.limit && tries < 2*cacheShards; tries++ {
		sh := &c.shards[c.next.Add(1)&(cacheShards-1)]
		sh.mu.Lock()
		for steps := 2 * len(sh.ring); steps > 0 && len(sh.ring) > 0; steps-- {
			if sh.hand >= len(sh.ring) {
				sh.hand = 0
			}
			e := sh.ring[sh.hand]
			if e.used.Swap(false) {
				sh.hand++
				continue
			}
			c.remove(sh, e)
			tries = 0
			break
		}
		sh.mu.Unlock()
	}
}

// touch counts a commit to a key that is not cached, and says now and then that it may have grown long.
func (sh *cacheShard) touch(h uint64) bool {
	const often = 256
	sh.mu.Lock()
	defer sh.mu.Unlock()
	n := &sh.touched[h>>56]
	if *n++; *n < often {
		return false
	}
	*n = 0
	return true
}
