package posting

import (
	"hash/maphash"
	"runtime"
	"sync"
	"sync/atomic"

	"dragg/graph"
	"dragg/posting/keys"
)

// maxShards bounds the independent parts of the cache; there are some for every processor, but few enough that of the lists of
// many nodes several lie in each. Their number is a power of two.
const (
	maxShards        = 256
	shardsAProcessor = 8
)

// maxQueued is how many commits may wait for a list that is being loaded, before the load is given up.
const maxQueued = 4096

// cache maps keys to the newest state of their lists. Commits update it in place. Lists that rest are packed; the others are
// entries. What does not fit its bytes is evicted: of the entries by the clock algorithm (Corbató 1968), which lets readers pass
// with a read lock and one store, of the packed lists by segment, with a mark that serves the same end.
type cache struct {
	seed   maphash.Seed
	limit  int64 // bytes; negative: nothing is kept
	bytes  atomic.Int64
	shards []cacheShard
	next   atomic.Uint32 // the shard to evict from next
}

type cacheShard struct {
	mu      sync.RWMutex
	packed  arena             // guarded by mu
	entries map[string]*entry // guarded by mu
	ring    []*entry          // guarded by mu
	hand    int               // guarded by mu
	held    int64             // bytes of the ring's entries; guarded by mu
	counted int64             // what of the shard is in cache.bytes; guarded by mu
	// touched counts, by hash, commits to keys that are not cached: what grows long without being read is
	// rolled up.
	touched [256]uint16 // guarded by mu

	hits, misses atomic.Int64
}

func newCache(limit int64) *cache {
	n := 1
	for n < maxShards && n < shardsAProcessor*runtime.GOMAXPROCS(0) {
		n *= 2
	}
	c := &cache{seed: maphash.MakeSeed(), limit: limit, shards: make([]cacheShard, n)}
	for i := range c.shards {
		c.shards[i].entries = make(map[string]*entry)
	}
	return c
}

func (c *cache) hash(key []byte) uint64 { return maphash.Bytes(c.seed, key) }

// shardOf returns the shard of the keys with hash h.
func (c *cache) shardOf(h uint64) *cacheShard { return &c.shards[c.shardAt(h)] }

func (c *cache) shardAt(h uint64) int { return int(h & uint64(len(c.shards)-1)) }

// find returns the list of key, packed or as an entry, or neither.
func (c *cache) find(key []byte) (packed, *entry) {
	h := c.hash(key)
	sh := c.shardOf(h)
	sh.mu.RLock()
	p, e := sh.find(h, key)
	if p != nil {
		p.mark()
	}
	sh.mu.RUnlock()
	switch {
	case p != nil:
		sh.hits.Add(1)
	case e != nil:
		sh.hits.Add(1)
		e.use()
	default:
		sh.misses.Add(1)
	}
	return p, e
}

// find is cache.find within the shard. The caller holds mu.
func (sh *cacheShard) find(h uint64, key []byte) (packed, *entry) {
	if p := sh.packed.find(h, key); p != nil {
		return p, nil
	}
	return nil, sh.entries[string(key)]
}

// claim returns the list of key as find does. mine says that the entry is new: the caller must load it and call loaded.
func (c *cache) claim(key []byte) (p packed, e *entry, mine bool) {
	h := c.hash(key)
	sh := c.shardOf(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if p, e := sh.find(h, key); p != nil || e != nil {
		return p, e, false
	}
	e = &entry{key: string(key), slot: -1}
	done := make(chan struct{})
	e.done.Store(&done)
	e.mu.loading = true
	sh.entries[e.key] = e
	return nil, e, true
}

// loaded ends the load of an entry for a reader at ts: st is the state found on disk, nil after an error. It returns what the list
// is now, and reports whether it stays. What has not changed since ts rests: older readers are few, and ask the disk.
func (c *cache) loaded(e *entry, st *state, ch chain, oldest, ts graph.Timestamp) (*state, bool) {
	h := c.hash([]byte(e.key))
	sh := c.shardOf(h)
	sh.mu.Lock()
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
	switch {
	case !ok:
		sh.remove(e)
	case sh.entries[e.key] == e && !sh.rest(h, e, max(oldest, ts)):
		sh.enter(e, entrySize(e, st))
	}
	e.mu.Unlock()
	c.count(sh)
	sh.mu.Unlock()
	close(*e.done.Swap(nil)) // who waits looks at the state
	c.evict()
	return st, ok
}

// rest packs the list of an entry if it has not changed since ts, in place of the entry. The caller holds the shard's mu and the
// entry's.
func (sh *cacheShard) rest(h uint64, e *entry, ts graph.Timestamp) bool {
	st := rests(e.state.Load(), e.key, ts)
	if st == nil {
		return false
	}
	sh.remove(e)
	e.mu.dead = true
	sh.packed.put(h, e.key, st, e.mu.chain)
	return true
}

// enter puts an entry of the map into the ring.
func (sh *cacheShard) enter(e *entry, bytes int64) {
	e.slot = len(sh.ring)
	sh.ring = append(sh.ring, e)
	e.bytes = bytes
	sh.held += bytes
}

// count closes the gaps in what is packed where they have grown large, and brings the sum of bytes up to date. The caller holds the
// shard's mu.
func (c *cache) count(sh *cacheShard) {
	sh.packed.tidy(c.hash)
	now := sh.held + sh.packed.bytes()
	c.bytes.Add(now - sh.counted)
	sh.counted = now
}

// apply tells the cache of a committed record. due says that the key's chain has grown long.
func (c *cache) apply(key []byte, ts graph.Timestamp, rec []byte, oldest graph.Timestamp) (due bool, err error) {
	h := c.hash(key)
	sh := c.shardOf(h)
	for {
		sh.mu.RLock()
		p, e := sh.find(h, key)
		sh.mu.RUnlock()
		if p != nil {
			e = c.wakeUp(h, key)
		}
		if e == nil {
			return !isWhole(rec) && sh.touch(h), nil
		}
		due, gone, err := c.push(h, e, ts, rec, oldest)
		if !gone {
			return due, err
		}
	}
}

// wakeUp makes the packed list of key an entry, which it returns; nil where there is neither by now.
func (c *cache) wakeUp(h uint64, key []byte) *entry {
	sh := c.shardOf(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p, e := sh.find(h, key)
	if p == nil {
		return e
	}
	st := p.unpack()
	e = &entry{key: string(key)}
	e.state.Store(st)
	e.used.Store(p.unmark())
	e.mu.chain = p.chain()
	sh.packed.forget(h, key)
	sh.entries[e.key] = e
	sh.enter(e, entrySize(e, st))
	c.count(sh)
	return e
}

// push adds a committed record to an entry. gone says that the entry has left the cache, and what is in its place must be asked.
func (c *cache) push(h uint64, e *entry, ts graph.Timestamp, rec []byte, oldest graph.Timestamp) (due, gone bool, err error) {
	sh := c.shardOf(h)
	e.mu.Lock()
	if e.mu.loading {
		if e.mu.queued = append(e.mu.queued, commit{ts, rec}); len(e.mu.queued) > maxQueued {
			e.mu.dead, e.mu.queued = true, nil
		}
		e.mu.Unlock()
		return false, false, nil
	}
	st := e.state.Load()
	switch {
	case e.mu.dead:
		e.mu.Unlock()
		return false, true, nil
	case ts == st.last:
		e.mu.Unlock()
		return false, false, nil
	case ts < st.last: // a replay: the disk knows better
		e.mu.Unlock()
		c.dropKey([]byte(e.key))
		return false, false, nil
	}
	r, err := decodeRecord(rec)
	if err != nil {
		e.mu.Unlock()
		return false, false, err
	}
	st = st.push(&r, ts, oldest)
	e.state.Store(st)
	e.mu.changed = true
	e.mu.chain = e.mu.chain.add(&r)
	due = e.mu.chain.long(st.n)
	e.mu.Unlock()
	sh.mu.Lock()
	if e.slot >= 0 {
		bytes := entrySize(e, st)
		sh.held += bytes - e.bytes
		e.bytes = bytes
	}
	for range sweepSteps {
		c.sweep(sh)
	}
	c.count(sh)
	sh.mu.Unlock()
	c.evict()
	return due, false, nil
}

// sweepSteps is how many entries each commit looks at: it wakes one at most, and an entry is packed at the second look.
const sweepSteps = 3

// sweep packs the entry that the hand comes to if it has not changed since the hand last passed. The caller holds the shard's mu.
func (c *cache) sweep(sh *cacheShard) {
	if len(sh.ring) == 0 {
		return
	}
	if sh.hand >= len(sh.ring) {
		sh.hand = 0
	}
	e := sh.ring[sh.hand]
	e.mu.Lock()
	if e.mu.changed || !sh.rest(c.hash([]byte(e.key)), e, graph.MaxTimestamp) {
		e.mu.changed = false
		sh.hand++
	}
	e.mu.Unlock()
}

// rolledUp tells the cache that a rollup has replaced the chain of a key.
func (c *cache) rolledUp(key []byte, rolled chain) {
	h := c.hash(key)
	sh := c.shardOf(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p, e := sh.find(h, key)
	if p != nil {
		p.rolledUp(rolled)
	}
	if e != nil {
		e.mu.Lock()
		e.mu.chain = e.mu.chain.without(rolled)
		e.mu.Unlock()
	}
}

// dropKey removes the list of a key, so that the next reader loads it from disk; one that is being loaded will not stay.
func (c *cache) dropKey(key []byte) {
	h := c.hash(key)
	sh := c.shardOf(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	p, e := sh.find(h, key)
	if p != nil {
		sh.packed.forget(h, key)
	}
	if e != nil {
		sh.kill(e)
	}
	c.count(sh)
}

// dropIncarnation removes every list of a tablet copy.
func (c *cache) dropIncarnation(inc graph.Incarnation) {
	c.dropWhere(func(key []byte) bool { return keys.IncarnationOf(key) == inc })
}

// dropAll removes every list.
func (c *cache) dropAll() { c.dropWhere(func([]byte) bool { return true }) }

func (c *cache) dropWhere(which func(key []byte) bool) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		for key, e := range sh.entries {
			if which([]byte(key)) {
				sh.kill(e)
			}
		}
		sh.packed.forgetWhere(which)
		c.count(sh)
		sh.mu.Unlock()
	}
}

func (c *cache) stats() (lists int, bytes, hits, misses int64) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.RLock()
		lists += len(sh.entries) + sh.packed.len()
		sh.mu.RUnlock()
		hits, misses = hits+sh.hits.Load(), misses+sh.misses.Load()
	}
	return lists, c.bytes.Load(), hits, misses
}

// kill removes an entry for good, also one that is being loaded. The caller holds mu.
func (sh *cacheShard) kill(e *entry) {
	e.mu.Lock()
	e.mu.dead = true
	e.mu.Unlock()
	sh.remove(e)
}

// remove takes e out of the map and the ring. The caller holds mu.
func (sh *cacheShard) remove(e *entry) {
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
	sh.held -= e.bytes
	e.slot = -1
}

// evict removes lists, shard by shard, until the cache is within its limit: the ones first that nobody used for some time.
func (c *cache) evict() {
	for tries := 0; c.bytes.Load() > c.limit && tries < 2*len(c.shards); tries++ {
		sh := c.shardOf(uint64(c.next.Add(1)))
		sh.mu.Lock()
		before := sh.counted
		if sh.held > sh.packed.bytes() {
			sh.evictEntry()
		} else {
			sh.packed.evict(c.hash)
		}
		if c.count(sh); sh.counted < before {
			tries = 0
		}
		sh.mu.Unlock()
	}
}

// evictEntry removes the entry that the hand comes to first and that nobody used since it last passed. The caller holds mu.
func (sh *cacheShard) evictEntry() {
	for steps := 2 * len(sh.ring); steps > 0 && len(sh.ring) > 0; steps-- {
		if sh.hand >= len(sh.ring) {
			sh.hand = 0
		}
		e := sh.ring[sh.hand]
		if e.used.Swap(false) {
			sh.hand++
			continue
		}
		sh.kill(e)
		return
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
