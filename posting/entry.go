package posting

import (
	"sync"
	"sync/atomic"

	"dragg/graph"
)

// entryOverhead is about what an entry costs besides key and state: the entry, its place in the map and in
// the ring.
const entryOverhead = 200

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
		changed bool // since the hand last passed
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

// use keeps an entry from being evicted soon.
func (e *entry) use() {
	if !e.used.Load() {
		e.used.Store(true)
	}
}

// await returns the newest state, when it is loaded; nil where that failed.
func (e *entry) await() *state {
	if st := e.state.Load(); st != nil {
		return st
	}
	if done := e.done.Load(); done != nil {
		<-*done
	}
	return e.state.Load()
}

// entrySize is the size of an entry that holds st.
func entrySize(e *entry, st *state) int64 {
	return int64(entryOverhead + len(e.key) + st.bytes())
}

// add returns the chain with one more record.
func (c chain) add(r *record) chain {
	if r.whole {
		return chain{}
	}
	return chain{c.records + 1, c.ops + r.sets.len() + r.dels.Len(), c.tried}
}

// without is what is left of a chain when a part of it was rolled up.
func (c chain) without(rolled chain) chain {
	left := chain{records: max(0, c.records-rolled.records), ops: max(0, c.ops-rolled.ops)}
	left.tried = left.ops
	return left
}
