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
	s     *Shard
	after graph.Timestamp
}

var _ task.Runner = Reader{}

// Reader returns a runner for a snapshot that needs every verdict up to after.
func (s *Shard) Reader(after graph.Timestamp) Reader { return Reader{s: s, after: after} }

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
	if err := state.serves(readTs, batch); err != nil {
		return nil, err
	}
	view := s.store.View(readTs, own)
	defer view.Close()
	copyOf := func(name graph.Predicate) (graph.Incarnation, bool) {
		t := state.copyAt(name, readTs)
		if t == nil {
			return 0, false
		}
		return t.incarnation(), true
	}
	results, err := lookup.Run(ctx, view, state.schemaAt(readTs), copyOf, batch)
	if errors.Is(err, posting.ErrCorrupt) {
		err = fault.As(fault.Internal, err) // nothing that the client could mend
	}
	return results, err
}

// serves returns an error where one of the tasks is about a predicate that another group serves to readers at ts. Without it there
// would seem to be no data.
func (p *published) serves(ts graph.Timestamp, batch []task.Task) error {
	for i := range batch {
		name := batch[i].Predicate
		t := p.copyAt(name, ts)
		if t != nil {
			t.used.reads.Add(1)
		} else if p.tablet(name) != nil {
			return fault.New(fault.Unavailable, "predicate %s is not served here to a snapshot at %d; please retry", name, ts)
		}
	}
	return nil
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
	if ts >= p.derivedSince && ts >= p.switched {
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
