package posting

import (
	"iter"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/uidset"
)

// List is one posting list as a View sees it: its elements at the read timestamp, with the transaction's own
// changes on top. It is an immutable value: it may be copied, kept after the view is closed and read by many
// goroutines. The zero List is empty.
//
// A list holds uids (edges, index entries) or values. Len, IsEmpty and Contains cost at most a few searches
// and never build the set; UIDs builds it once where there are recent changes.
type List struct {
	s   *state // of a list in the store, or
	p   packed // of one that rests
	ts  graph.Timestamp
	own *record // of the transaction itself, or nil
}

// IsEmpty says that the list has no elements.
func (l List) IsEmpty() bool { return l.Len() == 0 }

// Len returns the number of uids, or of values in all languages.
func (l List) Len() int {
	if l.own != nil && l.own.whole {
		return l.own.sets.len()
	}
	n := 0
	switch {
	case l.p != nil:
		n = l.p.len()
	case l.s != nil:
		n = l.s.len(l.ts)
	}
	if l.own == nil {
		return n
	}
	ops := runOf(l.own, 0).ops
	for i := range ops {
		switch _, there := l.below(ops[i].id); {
		case there && ops[i].deleted():
			n--
		case !there && !ops[i].deleted():
			n++
		}
	}
	return n
}

// Contains says whether uid is in the list.
func (l List) Contains(uid graph.UID) bool {
	_, ok := l.find(uint64(uid))
	return ok
}

// UIDs returns the uids of the list. Of a list of values it returns the slots.
func (l List) UIDs() uidset.Set {
	if l.own != nil && l.own.whole {
		return l.own.sets.set()
	}
	var base uidset.Set
	switch {
	case l.p != nil:
		base = l.p.set()
	case l.s != nil:
		base = l.s.set(l.ts)
	}
	if l.own == nil {
		return base
	}
	return uidset.Or(uidset.AndNot(base, l.own.dels), l.own.sets.set())
}

// Value returns the value with the given language tag, "" for the untagged one, and whether there is one. Like all values of a list
// it may refer to the list's memory: it is for the time of a request. An error is ErrCorrupt.
func (l List) Value(lang string) (v types.Value, ok bool, err error) {
	pay, ok := l.find(LangSlot(lang))
	if !ok {
		return types.Value{}, false, nil
	}
	if len(pay) > 0 && pay[0] <= payloadType && types.ID(pay[0]).Valid() { // nothing but the value, as most are
		v, err = types.View(types.ID(pay[0]), pay[1:])
		return v, err == nil, err
	}
	p, err := decodePosting(LangSlot(lang), pay)
	return p.Value, err == nil, err
}

// Get returns the value in a slot, with its facets, and whether there is one. An error is ErrCorrupt.
func (l List) Get(slot uint64) (p Posting, ok bool, err error) {
	pay, ok := l.find(slot)
	if !ok {
		return Posting{}, false, nil
	}
	p, err = decodePosting(slot, pay)
	return p, err == nil, err
}

// Postings visits the values in the order of their slots. After a non-nil error it stops.
func (l List) Postings() iter.Seq2[Posting, error] {
	return func(yield func(Posting, error) bool) {
		l.each(func(e element) bool {
			p, err := decodePosting(e.id, e.pay)
			return yield(p, err) && err == nil
		})
	}
}

// AppendValues appends the values in the order of their slots to dst.
func (l List) AppendValues(dst []Posting) ([]Posting, error) {
	for p, err := range l.Postings() {
		if err != nil {
			return dst, err
		}
		dst = append(dst, p)
	}
	return dst, nil
}

// FacetsOf returns the facets on the edge to uid, sorted by key; nil where there are none or no such edge.
func (l List) FacetsOf(uid graph.UID) ([]graph.Facet, error) {
	pay, ok := l.find(uint64(uid))
	if !ok || pay == nil {
		return nil, nil
	}
	return decodeFacets(pay)
}

// HasFacets says that some edge of a list of uids may carry facets. Where it is false, FacetsOf is nil for
// every uid.
func (l List) HasFacets() bool {
	if l.own != nil && l.own.sets.pays() != paysNone {
		return true
	}
	if l.p != nil {
		return l.p.pays() != paysNone
	}
	if l.s == nil {
		return false
	}
	if l.s.base.pays() != paysNone {
		return true
	}
	for i := range l.s.runs {
		if anyPayload(l.s.runs[i].ops) {
			return true
		}
	}
	return false
}

// find returns the payload of an element and whether it is there.
func (l List) find(id uint64) (pay []byte, ok bool) {
	if l.own != nil {
		if pay, ok := l.own.sets.get(id); ok {
			return pay, true
		}
		if l.own.whole || l.own.dels.Contains(graph.UID(id)) {
			return nil, false
		}
	}
	return l.below(id)
}

// below is find without the transaction's own changes.
func (l List) below(id uint64) (pay []byte, ok bool) {
	switch {
	case l.p != nil:
		return l.p.get(id)
	case l.s != nil:
		return l.s.find(id, l.ts)
	}
	return nil, false
}

// each visits the elements in order, with their payloads.
func (l List) each(fn func(element) bool) {
	switch {
	case l.own == nil && l.p != nil:
		l.p.each(fn)
		return
	case l.own == nil && l.s != nil && len(l.s.runs) == 0:
		l.s.base.each(fn)
		return
	}
	for u := range l.UIDs().All() {
		pay, _ := l.find(uint64(u))
		if !fn(element{uint64(u), pay}) {
			return
		}
	}
}
