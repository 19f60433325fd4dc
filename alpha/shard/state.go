package shard

import (
	"slices"
	"sync/atomic"

	"dragg/graph"
	"dragg/posting"
	"dragg/protos/pb"
	"dragg/schema"
)

// tablet is one predicate that the group serves. It is immutable.
type tablet struct {
	set *pb.TabletSet // as Zero sent it; never changed
	def *schema.Predicate

	owed  []owed            // builds that are not complete here, oldest first
	since graph.Timestamp   // the highest timestamp of a build that is
	local *schema.Predicate // def, with what is owed as well in Building
	used  *usage            // of the copy; shared by all that follow it
}

// usage counts what a replica has done with a tablet copy since it was started.
type usage struct{ reads, writes atomic.Uint64 }

func (t *tablet) incarnation() graph.Incarnation { return graph.Incarnation(t.set.Tablet.Incarnation) }

// txn is a transaction that waits for its verdict. It is immutable: a further prewrite makes a new one.
type txn struct {
	pending *posting.Pending
	epochs  []uint64 // of the tablets, as the writer knew them
	keys    []uint64
	closed  bool // it takes no more prewrites
}

// written is what Zero must know of it.
func (t *txn) written() Written { return Written{Epochs: t.epochs, Keys: t.keys} }

// published is what readers see: immutable, replaced as a whole.
type published struct {
	schema    schema.Snapshot // as Zero published it
	local     schema.Snapshot // with what is not complete here in Building
	tablets   map[graph.Predicate]*tablet
	byEpoch   map[uint64]*tablet
	remote    map[graph.Predicate]*tablet   // those that other groups serve: where they are, and their definitions
	incoming  map[graph.Predicate]*incoming // those of them that move here; replaced as a whole
	left      []*former                     // copies that moved away and are still read; replaced as a whole
	watermark graph.Timestamp
	maxUID    graph.UID
	members   []*pb.Member // of the whole cluster, in no order; replaced as a whole
	seq       uint64       // the last event of Zero's stream
	// derivedSince is the highest of any tablet: readers at or above it may use every index.
	derivedSince graph.Timestamp
	// switched is the highest switch of any tablet's move: for readers at or above it who serves a tablet is who serves it now.
	switched graph.Timestamp
}

// withMember returns the members after one of them came, moved, or went.
func (p *published) withMember(m *pb.Member, gone bool) []*pb.Member {
	out := slices.DeleteFunc(slices.Clone(p.members), func(o *pb.Member) bool { return o.Id == m.Id && o.Group == m.Group })
	if gone {
		return out
	}
	return append(out, m)
}

// fenced reports whether nothing may be written to the tablet, because it is about to be another group's.
func (t *tablet) fenced() bool { return t.set.Tablet.Move.GetFence() != 0 }

// servedSince returns the timestamp of the tablet's last move: snapshots below are read where it was then.
func (t *tablet) servedSince() graph.Timestamp {
	if n := len(t.set.Tablet.Former); n > 0 {
		return graph.Timestamp(t.set.Tablet.Former[n-1].Until)
	}
	return 0
}

// current reports whether the tablets that a writer found are here, and still what they were.
func (p *published) current(epochs []uint64) bool {
	for _, e := range epochs {
		if t := p.byEpoch[e]; t == nil || t.fenced() {
			return false
		}
	}
	return true
}

// keep makes t what is known of its predicate. The maps must be the caller's own.
func (p *published) keep(t *tablet) {
	p.forget(t.def.Name)
	p.tablets[t.def.Name] = t
	p.byEpoch[t.set.Tablet.Epoch] = t
}

func (p *published) forget(name graph.Predicate) {
	if old := p.tablets[name]; old != nil {
		delete(p.byEpoch, old.set.Tablet.Epoch)
		delete(p.tablets, name)
	}
}

// settle brings what follows from the tablets up to date.
func (p *published) settle() {
	p.derivedSince, p.switched = 0, 0
	var owing []*schema.Predicate
	for _, t := range p.remote {
		p.switched = max(p.switched, t.servedSince())
	}
	for _, t := range p.tablets {
		p.switched = max(p.switched, t.servedSince())
		p.derivedSince = max(p.derivedSince, t.derivedFrom())
		if t.local != t.def {
			owing = append(owing, t.local)
		}
	}
	p.local = p.schema.With(schema.Update{Predicates: owing})
}

// tablet returns the tablet of a predicate, whoever serves it; nil where there is none.
func (p *published) tablet(name graph.Predicate) *tablet {
	if t := p.tablets[name]; t != nil {
		return t
	}
	return p.remote[name]
}

// route returns the group that serves a predicate to readers at ts.
func (p *published) route(name graph.Predicate, ts graph.Timestamp) (graph.GroupID, bool) {
	t := p.tablet(name)
	if t == nil {
		return 0, false
	}
	if ts < p.switched {
		for _, f := range t.set.Tablet.Former {
			if ts < graph.Timestamp(f.Until) {
				return graph.GroupID(f.Group), true
			}
		}
	}
	return graph.GroupID(t.set.Tablet.Group), true
}

// copyAt returns the copy of a predicate that this group serves to readers at ts; nil where it serves none.
func (p *published) copyAt(name graph.Predicate, ts graph.Timestamp) *tablet {
	if ts >= p.switched {
		return p.tablets[name]
	}
	t := p.tablet(name)
	if t == nil {
		return nil
	}
	for _, f := range t.set.Tablet.Former {
		if ts < graph.Timestamp(f.Until) {
			return p.formerly(graph.Incarnation(f.Incarnation))
		}
	}
	return p.tablets[name]
}

func (p *published) formerly(inc graph.Incarnation) *tablet {
	for _, f := range p.left {
		if f.incarnation() == inc {
			return f.tablet
		}
	}
	return nil
}

// held returns the timestamp above which nothing may be forgotten because of tablets that move, limit when there is none below it.
func (p *published) held(limit graph.Timestamp) graph.Timestamp {
	for _, t := range p.tablets {
		if m := t.set.Tablet.Move; m != nil {
			limit = min(limit, graph.Timestamp(m.Base))
		}
	}
	for _, in := range p.incoming {
		limit = min(limit, in.base)
	}
	return limit
}

// endedLimit is how many ended transactions a shard remembers, to refuse prewrites that come late.
const endedLimit = 4096

// ended remembers the latest transactions that ended.
type ended struct {
	order []graph.Timestamp
	set   map[graph.Timestamp]bool
}

func (e *ended) add(ts graph.Timestamp) {
	if e.set[ts] {
		return
	}
	if e.set == nil {
		e.set = map[graph.Timestamp]bool{}
	}
	e.set[ts] = true
	e.order = append(e.order, ts)
	if len(e.order) > 2*endedLimit {
		for _, old := range e.order[:endedLimit] {
			delete(e.set, old)
		}
		e.order = slices.Clone(e.order[endedLimit:])
	}
}

func nameOf(namespace uint64, predicate string) graph.Predicate {
	return graph.Predicate{Namespace: graph.Namespace(namespace), Name: predicate}
}
