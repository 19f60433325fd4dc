package task

import (
	"fmt"

	"dragg/graph"
)

// Room bounds what the answers to a batch may hold, so that a question whose answer is too large fails while it is being
// answered and not when the memory is gone. All tasks of a batch carry the same Room and use it up together.
type Room struct {
	Edges Bound // targets of tasks of kind Edges
	Bytes Bound // as Result.Bytes counts
}

// Bound is how much there may be of something, and how much of it was used up before. The zero Bound is none.
type Bound struct{ Limit, Used int }

// Left returns an error where n more are too many. what is the thing that is counted, in the plural.
func (b Bound) Left(n int, what string) error {
	if b.Limit > 0 && n > b.Limit-b.Used {
		return &LimitError{What: what, Limit: b.Limit}
	}
	return nil
}

// What a Room counts, for errors.
const (
	CountedEdges = "edges"
	CountedBytes = "bytes of memory"
)

// LimitError says that a query needs more than it may have.
type LimitError struct {
	// What is the thing that is too much, in the plural.
	What string
	// Limit is how much is allowed.
	Limit int
}

// Error names the limit.
func (e *LimitError) Error() string {
	return fmt.Sprintf("the query exceeds the limit of %d %s", e.Limit, e.What)
}

// Rough sizes for the account of memory, in bytes.
const (
	TargetBytes = 16 // a target with its index and its place in the frontier
	ValueBytes  = 32 // a value, without what it refers to
	facetBytes  = 96
	rowBytes    = 24
)

// FacetBytes is what the facets of one edge or value hold, roughly.
func FacetBytes(facets []graph.Facet) int { return rowBytes + facetBytes*len(facets) }

// Bytes is what the result holds, roughly.
func (r *Result) Bytes() int {
	n := TargetBytes*(len(r.Targets)+r.Set.Len()) + ValueBytes*len(r.Values) + 8*len(r.Counts) + 4*len(r.Offsets)
	for i := range r.Values {
		n += r.Values[i].Extent()
	}
	for _, f := range r.Facets {
		n += FacetBytes(f)
	}
	return n
}
