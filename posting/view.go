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
	// touched keeps the compiler from leaving out what Prefetch reads.
	touched int
}

// View returns the view at readTs. Every commit at or below readTs must have been flushed. own may be nil.
func (s *Store) View(readTs graph.Timestamp, own *Pending) *View {
	return &View{s: s, ts: min(readTs, maxStampTs), own: own}
}

// ReadTs returns the timestamp of the view.
func (v *View) ReadTs() graph.Timestamp { return v.ts }

// Lists returns how many lists were read.
func (v *View) Lists() int { return v.lists }

// CacheHits returns how many of Lists were in memory. Those that a scan came upon are not.
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
func (v *View) Close() {}

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
		v.hits++
		return List{own: own}, nil
	}
	if err := v.await(); err != nil {
		return List{}, err
	}
	st, hit, err := v.s.stateAt(key, v.ts)
	if err != nil {
		return List{}, err
	}
	if hit {
		v.hits++
	}
	return List{s: st, ts: v.ts, own: own}, nil
}

// stateAt returns the list of key for a reader at ts, from the cache where it can: hit says that it was there.
func (s *Store) stateAt(key []byte, ts graph.Timestamp) (st *state, hit bool, err error) {
	if s.cache.limit < 0 {
		st, _, err = s.readState(key, ts)
		return st, false, err
	}
	e := s.cache.find(key)
	if hit = e != nil; !hit {
		s.cache.misses.Add(1)
		var mine bool
		if e, mine = s.cache.claim(key); mine {
			if err := s.load(e); err != nil {
				return nil, false, err
			}
		}
	} else {
		s.cache.hits.Add(1)
	}
	st = e.state.Load()
	if st == nil {
		if done := e.done.Load(); done != nil {
			<-*done
		}
		st = e.state.Load()
	}
	if st = st.at(ts); st != nil {
		return st, hit, nil
	}
	st, _, err = s.readState(key, ts)
	return st, false, err
}

// load reads the list of a claimed entry from disk, all versions of it.
func (s *Store) load(e *entry) error {
	var (
		st   *state
		ch   chain
		done bool
	)
	defer func() {
		if !done { // also where the engine panics: others wait for this entry
			s.cache.loaded(e, nil, chain{}, 0)
		}
	}()
	st, ch, err := s.readState([]byte(e.key), graph.MaxTimestamp)
	if err != nil {
		return fmt.Errorf("read list: %w", err)
	}
	done = true
	oldest := s.oldest()
	if st.ops > 0 && st.last <= oldest || st.ops > foldOps && st.ops > st.base.len()/foldShare {
		st = st.fold(oldest)
	}
	if st, ok := s.cache.loaded(e, st, ch, oldest); ok && ch.long(st.n) {
		s.queue.add(e.key)
	}
	return nil
}
