package shard

import (
	"slices"

	"dragg/graph"
	"dragg/schema"
)

// Copy is a tablet copy that this replica serves.
type Copy struct {
	Incarnation graph.Incarnation
	Predicate   *schema.Predicate // what is not complete on this replica is in Building
}

// Copies returns every tablet copy that the replica serves, by incarnation; for tools that check them.
func (s *Shard) Copies() []Copy {
	v := s.view.Load()
	out := make([]Copy, 0, len(v.tablets))
	for _, t := range v.tablets {
		out = append(out, Copy{t.incarnation(), t.local})
	}
	slices.SortFunc(out, func(a, b Copy) int {
		if a.Incarnation < b.Incarnation {
			return -1
		}
		return 1
	})
	return out
}

// Retired returns the copies whose bytes wait for deletion.
func (s *Shard) Retired() []graph.Incarnation {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]graph.Incarnation, len(s.dropped))
	for i, d := range s.dropped {
		out[i] = graph.Incarnation(d.Incarnation)
	}
	return out
}

// Moving returns the copies that are on their way here, and those that moved away and are still read.
func (s *Shard) Moving() (here, away []graph.Incarnation) {
	v := s.view.Load()
	for _, in := range v.incoming {
		here = append(here, in.incarnation())
	}
	for _, f := range v.left {
		away = append(away, f.incarnation())
	}
	slices.Sort(here)
	return here, away
}

// Undecided returns the transactions that are pending, oldest first, and of these the ones that, as the replica remembers,
// have ended already: there must be none.
func (s *Shard) Undecided() (pending, ended []graph.Timestamp) {
	s.batch.Lock()
	defer s.batch.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for start := range s.pending {
		pending = append(pending, start)
		if s.ended.set[start] {
			ended = append(ended, start)
		}
	}
	slices.Sort(pending)
	slices.Sort(ended)
	return pending, ended
}

// Load is what this replica knows of a tablet that it serves.
type Load struct {
	Incarnation   graph.Incarnation
	Bytes         int64  // on disk, about
	Reads, Writes uint64 // tasks answered and prewrites applied since the replica was started
}

// Loads returns the load of every tablet that the replica serves, in no order.
func (s *Shard) Loads() []Load {
	v := s.view.Load()
	out := make([]Load, 0, len(v.tablets))
	for _, t := range v.tablets {
		out = append(out, Load{t.incarnation(), s.store.DiskBytes(t.incarnation()), t.used.reads.Load(), t.used.writes.Load()})
	}
	return out
}
