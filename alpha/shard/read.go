package shard

import (
	"context"
	"errors"

	"dragg/alpha/lookup"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/query/task"
	"dragg/schema"
)

// Reader answers tasks about the group's tablets once the verdicts that the reader needs are applied.
type Reader struct {
	s      *Shard
	after  graph.Timestamp
	memory *lookup.Memory
}

var _ task.Runner = Reader{}

// Reader returns a runner for a snapshot that needs every verdict up to after. Its answers are made of memory and valid until that
// is reset; one Run at a time may use it.
func (s *Shard) Reader(after graph.Timestamp, memory *lookup.Memory) Reader {
	return Reader{s: s, after: after, memory: memory}
}

// Run implements task.Runner.
func (r Reader) Run(ctx context.Context, readTs graph.Timestamp, batch []task.Task) ([]task.Result, error) {
	s := r.s
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	if err := s.WaitTimestamp(ctx, r.after); err != nil {
		return nil, err
	}
	if err := s.horizon.enter(readTs); err != nil {
		return nil, err
	}
	defer s.horizon.leave(readTs)
	own, state, err := s.reading(readTs)
	if err != nil {
		return nil, err
	}
	view := r.memory.View(s.store, readTs, own)
	defer view.Close()
	results, err := lookup.Run(ctx, r.memory, view, state.tabletsAt(readTs), batch)
	if errors.Is(err, posting.ErrCorrupt) {
		err = fault.As(fault.Internal, err) // nothing that the client could mend
	}
	return results, err
}

// tabletsAt returns what the tablets are to a reader at ts.
func (p *published) tabletsAt(ts graph.Timestamp) lookup.Tablets {
	if p.settledAt(ts) {
		return p
	}
	return &earlier{published: p, ts: ts, local: p.schemaAt(ts)}
}

// Tablet implements lookup.Tablets for readers who find the tablets as they are now. It is an error to ask for one that another
// group serves: without it there would seem to be no data.
func (p *published) Tablet(name graph.Predicate) (lookup.Tablet, error) {
	t := p.tablets[name]
	switch {
	case t == nil && p.remote[name] != nil:
		return lookup.Tablet{}, errServedElsewhere(name)
	case t == nil:
		def, _ := p.local.Predicate(name)
		return lookup.Tablet{Predicate: def}, nil
	}
	t.used.reads.Add(1)
	return lookup.Tablet{Predicate: t.local, Incarnation: t.incarnation(), Placed: true}, nil
}

// earlier is the tablets as readers at ts find them.
type earlier struct {
	*published
	ts    graph.Timestamp
	local schema.Snapshot
}

// Tablet implements lookup.Tablets.
func (e *earlier) Tablet(name graph.Predicate) (lookup.Tablet, error) {
	t := e.copyAt(name, e.ts)
	if t == nil && e.published.tablet(name) != nil {
		return lookup.Tablet{}, errServedElsewhere(name)
	}
	def, _ := e.local.Predicate(name)
	if t == nil {
		return lookup.Tablet{Predicate: def}, nil
	}
	t.used.reads.Add(1)
	return lookup.Tablet{Predicate: def, Incarnation: t.incarnation(), Placed: true}, nil
}

func errServedElsewhere(name graph.Predicate) error {
	return fault.New(fault.Unavailable, "predicate %s is not served here to the snapshot of this request; please retry", name)
}

// settledAt says that readers at ts find the tablets as they are now.
func (p *published) settledAt(ts graph.Timestamp) bool {
	return ts >= p.derivedSince && ts >= p.switched
}

// reading returns what the transaction that started at ts has written, and the state to read with. What was written under an
// older definition may lack index keys that the state has, so that a query would not find it; Zero refuses it in any case.
func (s *Shard) reading(ts graph.Timestamp) (own *posting.Pending, state *published, err error) {
	t, state := s.txn(ts), s.view.Load()
	if t == nil {
		return nil, state, nil
	}
	if !state.current(t.epochs) {
		return nil, nil, errStaleEpoch
	}
	return t.pending, state, nil
}

// schemaAt returns the schema as a reader at ts may use it: keys that were derived from data later than ts hold nothing for it,
// and keys that were not built here yet nothing for anybody.
func (p *published) schemaAt(ts graph.Timestamp) schema.Snapshot {
	if p.settledAt(ts) {
		return p.local
	}
	var late []*schema.Predicate
	for _, f := range p.left { // as they were defined when they moved away
		if ts < f.until && p.copyAt(f.def.Name, ts) == f.tablet {
			late = append(late, f.local)
			if ts < f.derivedFrom() {
				late[len(late)-1] = underConstruction(f.def)
			}
		}
	}
	for _, t := range p.tablets {
		if ts < t.derivedFrom() {
			late = append(late, underConstruction(t.def))
		}
	}
	return p.local.With(schema.Update{Predicates: late})
}

// underConstruction returns def with everything that is derived marked as not complete.
func underConstruction(def *schema.Predicate) *schema.Predicate {
	d := *def
	d.Building = append(d.TokenizerNames(), schema.BuildingReverse, schema.BuildingCount)
	return &d
}
