package posting

import (
	"bytes"
	"fmt"
	"iter"

	"dragg/graph"
)

// View is a snapshot of the store at a read timestamp, with a transaction's own pending changes on top. It is
// cheap to make. One goroutine may use it at a time; Close must be called.
type View struct {
	s     *Store
	ts    graph.Timestamp
	own   *Pending
	lists int
	hits  int
	ready func() error // called before the first read of the store; nil when it may be read
	batch *Batch       // once there was one
}

// View returns the view at readTs. Every commit at or below readTs must have been flushed. own may be nil.
func (s *Store) View(readTs graph.Timestamp, own *Pending) *View {
	v := new(View)
	v.Open(s, readTs, own)
	return v
}

// Open makes v what Store.View returns, in the memory of a view that is closed.
func (v *View) Open(s *Store, readTs graph.Timestamp, own *Pending) {
	*v = View{s: s, ts: min(readTs, maxStampTs), own: own, batch: v.batch}
}

// ReadTs returns the timestamp of the view.
func (v *View) ReadTs() graph.Timestamp { return v.ts }

// Lists returns how many lists were read.
func (v *View) Lists() int { return v.lists }

// CacheHits returns how many of Lists were in memory. Lists that a scan came upon are not among them.
func (v *View) CacheHits() int { return v.hits }

// Await makes the view call ready before it first reads the store, instead of requiring that every commit at
// or below its timestamp was flushed when it was made. What reads nothing, or only the transaction's own
// changes, never waits.
func (v *View) Await(ready func() error) { v.ready = ready }

func (v *View) await() error {
	if v.ready == nil {
		return nil
	}
	ready := v.ready
	v.ready = nil
	return ready()
}

// Close ends the use of the view. Lists that came from it stay valid.
func (v *View) Close() {
	if b := v.batch; b != nil {
		clear(b.lists[:cap(b.lists)]) // it may wait long for the next one
	}
	*v = View{batch: v.batch}
}

// OwnKeys visits the keys in [from, to) that the transaction itself changed, in order; a nil to means all
// from from on. Counts are not derived before the commit: who reads count keys looks at these lists as well.
// The caller must not change the keys.
func (v *View) OwnKeys(from, to []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := v.own.seek(from); i < v.own.Len(); i++ {
			key := v.own.keys[i]
			if to != nil && bytes.Compare(key, to) >= 0 || !yield(key) {
				return
			}
		}
	}
}

// List returns the list under key; the empty list where there is none. It keeps no reference to key. An error
// wraps ErrCorrupt or is the engine's.
func (v *View) List(key []byte) (List, error) {
	v.lists++
	own, err := v.own.record(key)
	if err != nil {
		return List{}, err
	}
	if own != nil && own.whole {
		return List{own: own}, nil
	}
	if err := v.await(); err != nil {
		return List{}, err
	}
	l, hit, err := v.s.listAt(key, v.ts)
	l.own = own
	if hit {
		v.hits++
	}
	return l, err
}

// listAt returns the list of key for a reader at ts, from the cache where it can: hit says that it was there.
func (s *Store) listAt(key []byte, ts graph.Timestamp) (l List, hit bool, err error) {
	if s.cache.limit < 0 {
		l, err := s.listOnDisk(key, ts)
		return l, false, err
	}
	p, e := s.cache.find(key)
	if hit = p != nil || e != nil; !hit {
		var mine bool
		if p, e, mine = s.cache.claim(key); mine {
			if err := s.load(e, ts); err != nil {
				return List{}, false, err
			}
		}
	}
	if p != nil && p.from() <= ts {
		return List{p: p, ts: ts}, hit, nil
	}
	if e != nil {
		if st := e.await().at(ts); st != nil {
			return List{s: st, ts: ts}, hit, nil
		}
	}
	l, err = s.listOnDisk(key, ts)
	return l, false, err
}

func (s *Store) listOnDisk(key []byte, ts graph.Timestamp) (List, error) {
	st, _, err := s.readState(key, ts)
	if err != nil {
		return List{}, err
	}
	return List{s: st, ts: ts}, nil
}

// load reads the list of a claimed entry from disk, all versions of it, for a reader at ts.
func (s *Store) load(e *entry, ts graph.Timestamp) error {
	var (
		st   *state
		ch   chain
		done bool
	)
	defer func() {
		if !done { // also where the engine panics: others wait for this entry
			s.cache.loaded(e, nil, chain{}, 0, 0)
		}
	}()
	st, ch, err := s.readState([]byte(e.key), graph.MaxTimestamp)
	if err != nil {
		return fmt.Errorf("read list: %w", err)
	}
	done = true
	oldest := s.oldest()
	switch {
	case st.ops > 0 && st.last <= max(oldest, ts):
		st = newState(st.content(st.last), st.last) // older readers find it on disk, as they found this
	case st.ops > foldOps && st.ops > st.base.len()/foldShare:
		st = st.fold(oldest)
	}
	if st, ok := s.cache.loaded(e, st, ch, oldest, ts); ok && ch.long(st.n) {
		s.queue.add(e.key)
	}
	return nil
}
