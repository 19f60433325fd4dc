package posting

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"dragg/graph"
	"dragg/posting/keys"
)

// The bounds of rosters.
const (
	// maxRoster is how many keys a roster may have; of a larger family only that is remembered.
	maxRoster = 4096
	// maxRosterKeys is how many keys all rosters may have together, about.
	maxRosterKeys = 1 << 16
)

// rosters are the families of keys, see keys.Family, of which readers asked for a range, in memory: to walk over keys on disk costs
// a thousand times as much as to read a cached list, all the more where many versions lie between them.
type rosters struct {
	some  atomic.Bool // there is one, or was: commits need not look before
	mu    sync.RWMutex
	of    map[string]*roster // by family; guarded by mu
	total int                // keys of all of them, about; guarded by mu
}

// roster is the keys of a family that have, or had, a list: a superset of those that any reader finds one under. Commits add to it
// before their readers may start.
type roster struct {
	keys atomic.Pointer[[]string] // ascending; nil while the disk is read
	big  atomic.Bool              // there are too many
	done chan struct{}            // closed when keys or big is set, or reading failed

	mu    sync.Mutex
	noted []string // while the disk is read; guarded by mu
}

func newRosters() *rosters { return &rosters{of: make(map[string]*roster)} }

func (rs *rosters) find(family []byte) *roster {
	rs.mu.RLock()
	defer rs.mu.RUnlock()
	return rs.of[string(family)]
}

// claim returns the roster of a family. mine says that it is new: the caller must fill it.
func (rs *rosters) claim(family []byte) (r *roster, mine bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.of[string(family)]; r != nil {
		return r, false
	}
	if rs.total > maxRosterKeys {
		clear(rs.of)
		rs.total = 0
	}
	rs.some.Store(true) // what was written before is on disk for who fills it
	r = &roster{done: make(chan struct{})}
	rs.of[string(family)] = r
	return r, true
}

// filled takes what the disk holds of a family; ok is false where that could not be read.
func (rs *rosters) filled(family []byte, r *roster, list []string, ok bool) {
	defer close(r.done)
	rs.mu.Lock()
	defer rs.mu.Unlock()
	switch {
	case !ok:
		if rs.of[string(family)] == r {
			delete(rs.of, string(family))
		}
	case len(list) > maxRoster:
		r.big.Store(true)
		rs.total++
	default:
		r.mu.Lock()
		list = append(list, r.noted...)
		slices.Sort(list)
		list = slices.Compact(list)
		r.keys.Store(&list)
		r.noted = nil
		r.mu.Unlock()
		rs.total += len(list)
	}
}

// note adds a key that is written now, where its family has a roster.
func (rs *rosters) note(key []byte) {
	if !rs.some.Load() {
		return
	}
	family := keys.Family(key)
	if family == nil {
		return
	}
	if r := rs.find(family); r != nil && !r.big.Load() {
		r.note(key)
	}
}

func (r *roster) note(key []byte) {
	if list := r.keys.Load(); list != nil {
		if _, there := search(*list, key); there {
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.keys.Load()
	if list == nil {
		r.noted = append(r.noted, string(key))
		return
	}
	i, there := search(*list, key)
	switch {
	case there:
	case len(*list) == maxRoster:
		r.big.Store(true)
	default:
		grown := slices.Insert(slices.Clip(*list), i, string(key))
		r.keys.Store(&grown)
	}
}

func search(list []string, key []byte) (int, bool) {
	return slices.BinarySearchFunc(list, key, func(a string, b []byte) int { return strings.Compare(a, string(b)) })
}

// in returns the keys in [from, to), a nil to meaning all from from on.
func in(list []string, from, to []byte) []string {
	i, _ := search(list, from)
	list = list[i:]
	if to != nil {
		i, _ = search(list, to)
		list = list[:i]
	}
	return list
}

// dropIncarnation forgets the rosters of a tablet copy.
func (rs *rosters) dropIncarnation(inc graph.Incarnation) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for family := range rs.of {
		if keys.IncarnationOf([]byte(family)) == inc {
			delete(rs.of, family)
		}
	}
}

func (rs *rosters) dropAll() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	clear(rs.of)
	rs.total = 0
}

// Keys returns keys in [from, to), which are of one family, in order: those under which the view may find a list that is not empty,
// the transaction's own among them; some of the lists may be empty. ok is false where there are too many to know them without the
// disk: then Scan is the way. The keys must not be changed. An error is the engine's, that of what the view awaits, or of ctx.
func (v *View) Keys(ctx context.Context, from, to []byte) (list []string, ok bool, err error) {
	family := keys.Family(from)
	if family == nil || v.s.cache.limit < 0 {
		return nil, false, nil
	}
	if err := v.await(); err != nil {
		return nil, false, err
	}
	r, err := v.s.roster(ctx, family)
	if err != nil || r.big.Load() {
		return nil, false, err
	}
	all := r.keys.Load()
	if all == nil { // who read it failed
		return nil, false, nil
	}
	list = in(*all, from, to)
	for key := range v.OwnKeys(from, to) {
		if i, there := search(list, key); !there {
			list = slices.Insert(slices.Clip(list), i, string(key))
		}
	}
	return list, true, nil
}

// roster returns the roster of a family, filled unless its reader failed.
func (s *Store) roster(ctx context.Context, family []byte) (*roster, error) {
	r := s.rosters.find(family)
	if r == nil {
		var mine bool
		if r, mine = s.rosters.claim(family); mine {
			return r, s.fill(ctx, family, r)
		}
	}
	select {
	case <-r.done:
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fill reads the keys of a family, whatever their lists hold by now, up to one more than a roster may have.
func (s *Store) fill(ctx context.Context, family []byte, r *roster) (err error) {
	var list []string
	ok := false
	defer func() { s.rosters.filled(family, r, list, ok) }() // also where the engine panics: others wait
	reader := s.engine.ReaderAt(graph.MaxTimestamp)
	defer reader.Close()
	it := reader.Scan(family, keys.End(family))
	for len(list) <= maxRoster && ctx.Err() == nil && it.Next() {
		list = append(list, string(it.Key()))
	}
	err = errors.Join(it.Close(), ctx.Err())
	ok = err == nil
	return err
}
