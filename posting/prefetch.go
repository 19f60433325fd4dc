package posting

import "hash/maphash"

// prefetchLists bounds how many lists one Prefetch touches: so many stay in the processor's second cache until they are read.
const prefetchLists = 128

// Prefetch touches the cached lists of keys that lie one after the other in keys, each size bytes long. It changes nothing and
// returns nothing: it only makes the reads that follow find the memory close by. A list lies in five places of memory that depend
// on one another, and a reader waits for each; here the processor fetches those of many lists at once, as no lock stands between
// them. It is worth its while for frontiers of more than a few dozen nodes.
func (v *View) Prefetch(keys []byte, size int) {
	c := v.s.cache
	if c.limit < 0 || size == 0 {
		return
	}
	var hashes [prefetchLists]uint64
	n := min(len(keys)/size, prefetchLists)
	var count [cacheShards + 1]uint8
	for i := range n {
		hashes[i] = maphash.Bytes(c.seed, keys[i*size:(i+1)*size])
		count[hashes[i]&(cacheShards-1)+1]++
	}
	for i := range cacheShards {
		count[i+1] += count[i]
	}
	var order [prefetchLists]uint8
	place := count
	for i := range n {
		sh := hashes[i] & (cacheShards - 1)
		order[place[sh]] = uint8(i)
		place[sh]++
	}
	var entries [prefetchLists]*entry
	for s := range cacheShards {
		from, to := count[s], count[s+1]
		if from == to {
			continue
		}
		sh := &c.shards[s]
		sh.mu.RLock()
		for at := from; at < to; at++ {
			i := int(order[at])
			entries[at] = sh.entries[string(keys[i*size:(i+1)*size])]
		}
		sh.mu.RUnlock()
	}
	v.touch(entries[:n])
}

// touch reads a little of every place that a reader will look at.
func (v *View) touch(entries []*entry) {
	var states [prefetchLists]*state
	for i, e := range entries {
		if e != nil {
			states[i] = e.state.Load()
		}
	}
	sum := 0
	for i := range entries {
		if st := states[i]; st != nil {
			sum += st.n + int(st.from)
		}
	}
	for i := range entries {
		if st := states[i]; st != nil && len(st.base.one) > 0 {
			sum += int(st.base.one[0])
		}
	}
	v.touched += sum
}
