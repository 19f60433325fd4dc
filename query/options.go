package query

import "dragg/query/task"

// Options bounds what a query may cost. The zero value means the defaults.
type Options struct {
	// Profile gathers Result.Profile.
	Profile bool
	// MemoryBytes is how much the uids, values and facets that a query holds may take together. Default 512
	// MiB.
	MemoryBytes int
	// Budget is what this query shares with others; nil for none. Result.Release gives back what it took.
	Budget *Budget
	// QueryEdges is how many edges the whole query may follow. Default 10,000,000.
	QueryEdges int
	// TraversedEdges is how many edges one @recurse or shortest block may follow. Default 1,000,000.
	TraversedEdges int
	// RecurseDepth is how many levels a @recurse may have, whatever depth it asks for. Default 10,000.
	RecurseDepth int
	// SortedRows is how many nodes a list keeps that is ordered by a predicate and has no first (dql.md
	// fact 43). Default 1,000.
	SortedRows int
	// PathFrontier is how many open paths a shortest block may hold, if it says nothing. Default 1,000,000.
	PathFrontier int
	// PathCount is how many paths a shortest block may ask for. Default 1,000.
	PathCount int
}

func (o Options) withDefaults() Options {
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&o.MemoryBytes, 512<<20)
	set(&o.QueryEdges, 10_000_000)
	set(&o.TraversedEdges, 1_000_000)
	set(&o.RecurseDepth, 10_000)
	set(&o.SortedRows, 1_000)
	set(&o.PathFrontier, 1_000_000)
	set(&o.PathCount, 1_000)
	return o
}

// LimitError says that a query needs more than the Options allow.
type LimitError = task.LimitError
