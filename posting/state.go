package posting

import (
	"sync/atomic"

	"dragg/graph"
	"dragg/posting/uidset"
)

// state is what is known of one list from a timestamp on: the whole content at from, and every later change.
// It is immutable; a commit makes a new one that shares most of it.
//
// Changes lie in runs (see run.go). When they outgrow the content they are folded into it, so that a change
// costs O(log n) amortised however hot the list is. What older readers need stays reachable by prev.
type state struct {
	from graph.Timestamp
	last graph.Timestamp // of the newest change, or from
	base content
	runs []run
	ops  int // in runs
	n    int // elements at last
	size int // bytes of base and of the payloads in runs
	prev *state
	// memo is the set at last, once somebody asked for it.
	memo atomic.Pointer[uidset.Set]
}

const (
	// foldOps and foldShare say when changes are folded: more than foldOps of them, and more than 1/foldShare
	// of the content.
	foldOps   = 64
	foldShare = 8
	// foldSmall is up to how many elements a list is folded as soon as no reader needs the older state: runs take
	// several times the memory of a set.
	foldSmall = 64
	// maxPrev is how many older states a list keeps for readers that started before the last fold.
	maxPrev = 4
)

// newState returns the state of a list that holds c from ts on.
func newState(c content, ts graph.Timestamp) *state {
	return &state{from: ts, last: ts, base: c, n: c.len(), size: c.bytes()}
}

// push returns s with a newer record on top. Readers at or above oldest must still find what they need.
func (s *state) push(r *record, ts, oldest graph.Timestamp) *state {
	if r.whole {
		next := newState(r.sets, ts)
		if ts > oldest {
			next.prev = s.keep(oldest, maxPrev)
		}
		return next
	}
	if s.ops > 0 && s.last <= oldest && s.base.len()+s.ops <= foldSmall {
		s = s.fold(oldest)
	}
	added := runOf(r, ts)
	n := s.n
	for i := range added.ops {
		_, there := s.find(added.ops[i].id, maxStampTs)
		if there == added.ops[i].deleted() {
			if there {
				n--
			} else {
				n++
			}
		}
	}
	next := &state{
		from: s.from, last: ts, base: s.base, runs: pushRun(s.runs, added), ops: s.ops + len(added.ops), n: n,
		size: s.size + r.sets.payBytes(),
	}
	if s.from > oldest {
		next.prev = s.prev.keep(oldest, maxPrev)
	}
	if next.ops > foldOps && next.ops > next.base.len()/foldShare {
		return next.fold(oldest)
	}
	return next
}

// fold returns the state whose content is that of s at its last change.
func (s *state) fold(oldest graph.Timestamp) *state {
	next := newState(s.content(s.last), s.last)
	if s.last > oldest {
		next.prev = s.keep(oldest, maxPrev)
	}
	return next
}

// keep returns s without what no reader at or above oldest needs, and at most depth states long.
func (s *state) keep(oldest graph.Timestamp, depth int) *state {
	if s == nil || depth == 0 {
		return nil
	}
	var prev *state
	if s.from > oldest {
		prev = s.prev.keep(oldest, depth-1)
	}
	if prev == s.prev {
		return s
	}
	return &state{
		from: s.from, last: s.last, base: s.base, runs: s.runs, ops: s.ops, n: s.n, size: s.size, prev: prev,
	}
}

// at returns the state that answers a reader at ts, or nil where that is older than what s knows.
func (s *state) at(ts graph.Timestamp) *state {
	for s != nil && s.from > ts {
		s = s.prev
	}
	return s
}

// find returns the payload of an element as of ts and whether it is there. ts must be at or above from.
func (s *state) find(id uint64, ts graph.Timestamp) (pay []byte, ok bool) {
	for i := len(s.runs) - 1; i >= 0; i-- {
		if o, ok := s.runs[i].find(id, ts); ok {
			return o.pay, !o.deleted()
		}
	}
	return s.base.get(id)
}

// set returns the elements as of ts.
func (s *state) set(ts graph.Timestamp) uidset.Set {
	if len(s.runs) == 0 {
		return s.base.set()
	}
	if ts < s.last {
		return applyOps(s.base.set(), visible(s.runs, ts))
	}
	if m := s.memo.Load(); m != nil {
		return *m
	}
	m := applyOps(s.base.set(), visible(s.runs, ts))
	s.memo.Store(&m)
	return m
}

// len returns the number of elements as of ts.
func (s *state) len(ts graph.Timestamp) int {
	if ts >= s.last {
		return s.n
	}
	n := s.base.len()
	for _, o := range visible(s.runs, ts) {
		_, there := s.base.get(o.id)
		switch {
		case there && o.deleted():
			n--
		case !there && !o.deleted():
			n++
		}
	}
	return n
}

// content returns the elements with their payloads as of ts.
func (s *state) content(ts graph.Timestamp) content {
	changes := visible(s.runs, ts)
	if len(changes) == 0 {
		return s.base
	}
	if s.base.pays() == paysNone && !anyPayload(changes) {
		return content{ids: applyOps(s.base.ids, changes)}
	}
	elems := make([]element, 0, s.base.len()+len(changes))
	s.base.each(func(e element) bool {
		for len(changes) > 0 && changes[0].id < e.id {
			elems = appendSet(elems, &changes[0])
			changes = changes[1:]
		}
		if len(changes) > 0 && changes[0].id == e.id {
			elems = appendSet(elems, &changes[0])
			changes = changes[1:]
			return true
		}
		elems = append(elems, e)
		return true
	})
	for i := range changes {
		elems = appendSet(elems, &changes[i])
	}
	return contentOf(elems)
}

func appendSet(elems []element, o *op) []element {
	if o.deleted() {
		return elems
	}
	return append(elems, element{o.id, o.pay})
}

func anyPayload(ops []op) bool {
	for i := range ops {
		if ops[i].pay != nil {
			return true
		}
	}
	return false
}

// applyOps returns base after the changes, at most one an element.
func applyOps(base uidset.Set, ops []op) uidset.Set {
	if len(ops) == 0 {
		return base
	}
	var sets, dels []graph.UID
	for i := range ops {
		if ops[i].deleted() {
			dels = append(dels, graph.UID(ops[i].id))
		} else {
			sets = append(sets, graph.UID(ops[i].id))
		}
	}
	return uidset.Or(uidset.AndNot(base, uidset.Of(dels)), uidset.Of(sets))
}

// bytes returns roughly how much memory s holds, its prev included.
func (s *state) bytes() int {
	n := 0
	for ; s != nil; s = s.prev {
		n += 200 + s.size + 40*s.ops
		if s.ops > 0 && s.base.pay == nil {
			n += s.size // the memo
		}
		n += 40 * len(s.runs)
	}
	return n
}
