package query

import (
	"slices"

	"dragg/dql"
	"dragg/graph"
)

// stageCandidates is from how many candidates on the parts of an "and" are asked one after the other: before, the one more call
// costs more than it saves.
const stageCandidates = 128

// filterStages tests cands on a filter. What an index answers comes first, so that what must be looked up node by node is asked
// of few nodes.
func (r *run) filterStages(l *level, f *filter, cands []graph.UID, then func(keep []graph.UID) error) error {
	cheap, dear := f.split()
	if len(cands) < stageCandidates || cheap == nil || dear == nil {
		return r.filterUIDs(l, f, cands, then)
	}
	return r.filterUIDs(l, cheap, cands, func(keep []graph.UID) error {
		if len(keep) == 0 {
			return then(nil)
		}
		return r.filterUIDs(l, dear, keep, then)
	})
}

// split parts the operands of an "and"; nil for none.
func (f *filter) split() (cheap, dear *filter) {
	if f.op != dql.FilterAnd {
		return nil, nil
	}
	part := func(want bool) *filter {
		p := &filter{op: dql.FilterAnd}
		for _, c := range f.children {
			if c.cheap() == want {
				p.children = append(p.children, c)
			}
		}
		if p.children == nil {
			return nil
		}
		return p
	}
	return part(true), part(false)
}

// cheap says that a filter costs few lists however many the candidates are: it is known here, or by a few lists of an index.
func (f *filter) cheap() bool {
	if f.op != dql.FilterFunc {
		return !slices.ContainsFunc(f.children, func(c *filter) bool { return !c.cheap() })
	}
	if f.fn.kind != onTablet {
		return true
	}
	switch f.fn.name {
	case "eq":
		return !f.fn.count && f.fn.indexed
	case "anyofterms", "allofterms", "anyoftext", "alloftext", "ngram":
		return true
	}
	return false
}

// The sizes of the pieces in which candidates are filtered where a page needs only some of them.
const (
	firstPiece  = 128
	piecesGrow  = 8
	pieceMargin = 8 // times what the page needs
)

// filterPieces filters the candidates of a single list piece by piece, ascending, until the page of the level is full. What lies
// behind it is never asked for (dql.md fact 42).
func (r *run) filterPieces(l *level, piece int, keep, rest []graph.UID, then func(keep []graph.UID) error) error {
	need := l.page.offset + l.page.first
	if len(keep) >= need || len(rest) == 0 {
		return then(keep)
	}
	n := min(piece, len(rest))
	return r.filterStages(l, l.filter, rest[:n], func(more []graph.UID) error {
		return r.filterPieces(l, piece*piecesGrow, append(keep, more...), rest[n:], then)
	})
}

// pieces says whether a level is one list of which the page takes the first that pass.
func (l *level) pieces() bool {
	return l.page.first > 0 && len(l.order) == 0 && len(l.facetOrder) == 0 && l.cascade == nil && l.rows.len() == 1 && l.block.walker == nil &&
		len(l.rows.targets) == len(l.rows.uids) && slices.IsSorted(l.rows.targets)
}
