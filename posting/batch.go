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
		v.batch = &Batch{v: v}
	}
	b := v.batch
	b.keys, b.size = keys, size
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
	for i := range c.shards {
		if from, to := count[i], count[i+1]; from < to {
			b.findIn(&c.shards[i], order[from:to], &hashes)
		}
	}
}

// findIn looks in one shard for the keys that order names.
func (b *Batch) findIn(sh *cacheShard, order []uint8, hashes *[BatchLists]uint64) {
	var rests [BatchLists]packed
	hits := 0
	sh.mu.RLock()
	for n, i := range order { // they are fetched from memory all at once, as none depends on another
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
