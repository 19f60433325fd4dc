package posting

import "slices"

// BatchLists bounds how many lists one Batch holds: so many stay in the processor's second cache until they are read.
const BatchLists = 128

// Batch is the lists of many keys, as far as they are in memory: found with few locks, and while the processor waits for one it
// fetches others. It is worth its while for frontiers of more than a few nodes. It belongs to its view, and is valid until the
// view's next batch.
type Batch struct {
	v     *View
	keys  []byte
	size  int
	lists []List // zero where the list is not in memory
}

// Batch looks for the lists of keys that lie one after the other in keys, each size bytes long, at most BatchLists. keys must not
// change while the batch is used. An error is that of what the view awaits.
func (v *View) Batch(keys []byte, size int) (*Batch, error) {
	if v.batch == nil {
		v.batch = new(Batch)
	}
	b := v.batch
	b.v, b.keys, b.size = v, keys, size
	n := len(keys) / size
	b.lists = slices.Grow(b.lists[:0], n)[:n]
	clear(b.lists)
	if v.s.cache.limit < 0 || v.own.Len() > 0 { // what the transaction itself changed is looked up list by list
		return b, nil
	}
	if err := v.await(); err != nil {
		return nil, err
	}
	b.find(n)
	return b, nil
}

// List returns the list of the i-th key as View.List does.
func (b *Batch) List(i int) (List, error) {
	if l := b.lists[i]; l.p != nil || l.s != nil {
		b.v.lists++
		b.v.hits++
		return l, nil
	}
	return b.v.List(b.key(i))
}

func (b *Batch) key(i int) []byte { return b.keys[i*b.size : (i+1)*b.size] }

// find looks in one shard of the cache after the other for the first n keys.
func (b *Batch) find(n int) {
	c := b.v.s.cache
	var hashes [BatchLists]uint64
	var count [maxShards + 1]uint8
	for i := range n {
		hashes[i] = c.hash(b.key(i))
		count[c.shardAt(hashes[i])+1]++
	}
	for i := range c.shards {
		count[i+1] += count[i]
	}
	var order [BatchLists]uint8
	place := count
	for i := range n {
		at := c.shardAt(hashes[i])
		order[place[at]] = uint8(i)
		place[at]++
	}
	if n >= leastAhead {
		for i := range c.shards {
			c.shards[i].fetchSlots(order[count[i]:count[i+1]], &hashes)
		}
		for i := range c.shards {
			c.shards[i].fetchLists(order[count[i]:count[i+1]], &hashes)
		}
	}
	var rests [BatchLists]packed
	for i := range c.shards {
		if from, to := count[i], count[i+1]; from < to {
			b.findIn(&c.shards[i], order[from:to], &hashes, &rests)
		}
	}
}

// leastAhead is how many lists make it worth its while to have their memory fetched before they are read: each waits some hundred
// nanoseconds for its own, and the locks of the shards have it wait alone.
const leastAhead = 32

// fetchSlots has the places in the table fetched where the lists of the keys that order names would stand.
func (sh *cacheShard) fetchSlots(order []uint8, hashes *[BatchLists]uint64) {
	sh.mu.RLock()
	for _, i := range order {
		sh.packed.table.fetch(hashes[i])
	}
	sh.mu.RUnlock()
}

// fetchLists has the lists fetched that stand there.
func (sh *cacheShard) fetchLists(order []uint8, hashes *[BatchLists]uint64) {
	sh.mu.RLock()
	for _, i := range order {
		if at, ok := sh.packed.maybe(hashes[i]); ok {
			sh.packed.fetch(at)
		}
	}
	sh.mu.RUnlock()
}

// findIn looks in one shard for the keys that order names. rests is scratch space, which would take longer to make for each shard than
// the search for a few keys.
func (b *Batch) findIn(sh *cacheShard, order []uint8, hashes *[BatchLists]uint64, rests *[BatchLists]packed) {
	hits := 0
	sh.mu.RLock()
	for n, i := range order { // none depends on another, so the processor waits for several at once
		rests[n] = nil
		if at, ok := sh.packed.maybe(hashes[i]); ok {
			rests[n] = sh.packed.get(at)
		}
	}
	for n, i := range order {
		p, e := rests[n], (*entry)(nil)
		if !p.is(b.key(int(i))) {
			p, e = nil, sh.entries[string(b.key(int(i)))]
		}
		if b.take(int(i), p, e) {
			hits++
		}
	}
	sh.mu.RUnlock()
	sh.hits.Add(int64(hits))
}

// take keeps what was found of the i-th list, and reports whether it is of use.
func (b *Batch) take(i int, p packed, e *entry) bool {
	ts := b.v.ts
	if p != nil {
		p.mark()
		if p.from() <= ts {
			b.lists[i] = List{p: p, ts: ts}
			return true
		}
		return false
	}
	if e == nil {
		return false
	}
	e.use()
	st := e.state.Load()
	if st == nil {
		return false // it is being loaded
	}
	if st = st.at(ts); st == nil {
		return false
	}
	b.lists[i] = List{s: st, ts: ts}
	return true
}
