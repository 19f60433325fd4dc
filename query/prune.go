package query

import (
	"dragg/dql"
	"dragg/graph"
)

// prune applies @cascade: from the leaves up, a node goes away that lacks a requested field, and then the
// paging that was put off is done (dql.md facts 51 to 53). Rows lose elements, but frontiers stay as they
// are, so that the columns below keep fitting. Once nobody waits for the answer everything may go.
func (r *run) prune(b *blockRun) {
	if b.root == nil || b.fn == nil {
		return
	}
	r.pruneLevel(b.root)
}

func (r *run) pruneLevel(l *level) {
	for _, c := range l.children {
		if c.kind == dql.PredicateField && c.edges || c.kind == dql.ExpandField {
			r.pruneLevel(c)
		}
	}
	if l.cascade == nil || l.kind == dql.ExpandField || !l.fetched || len(l.groupBy) > 0 {
		return
	}
	alive := make([]bool, len(l.rows.uids))
	for i := range alive {
		alive[i] = !r.gone() && l.complete(l, i)
	}
	l.rows.keep(func(i int) bool { return alive[l.rows.index[i]] })
	r.cut(l)
}

// complete says whether row i has every field below from that the cascade of l asks for.
func (l *level) complete(from *level, i int) bool {
	for _, c := range from.children {
		if l.cascade.names != nil && !l.cascade.names[c.attr.Key()] && c.kind != dql.ExpandField {
			continue
		}
		switch {
		case c.kind == dql.ExpandField:
			if !l.complete(c, i) {
				return false
			}
		case c.kind != dql.PredicateField:
		case c.edges && (l.block.walker != nil || len(c.groupBy) > 0):
		case c.edges:
			if !c.fetched || c.rows.offsets[i] == c.rows.offsets[i+1] {
				return false
			}
		case !c.fetched || c.values.offsets[i] == c.values.offsets[i+1]:
			return false
		}
	}
	return true
}

// reachedUIDs returns the nodes of a level that are left, ascending: the distinct targets of a root or
// edge, or those of the parent for a uid field.
func (l *level) reachedUIDs() []graph.UID {
	if l.kind == dql.UIDField {
		return l.parent.reachedUIDs()
	}
	if !l.mayBePruned() {
		return l.rows.uids
	}
	reached := l.reached()
	var out []graph.UID
	for i, u := range l.rows.uids {
		if reached[i] {
			out = append(out, u)
		}
	}
	return out
}

// mayBePruned says whether a cascade above or at l may have left nodes in frontiers that no row refers to.
func (l *level) mayBePruned() bool {
	for up := l; up != nil; up = up.parent {
		if up.cascade != nil {
			return true
		}
	}
	return false
}

// reached marks the nodes of the frontier that can still be reached from the root.
func (l *level) reached() []bool {
	out := make([]bool, len(l.rows.uids))
	var rows []bool // nil: all
	if up := l.edgeAbove(); up != nil {
		rows = up.reached()
	}
	for i := range l.rows.len() {
		if rows != nil && !rows[i] {
			continue
		}
		from, to := l.rows.row(i)
		for _, at := range l.rows.index[from:to] {
			out[at] = true
		}
	}
	return out
}

// edgeAbove returns the level whose frontier the rows of l belong to, or nil for the root.
func (l *level) edgeAbove() *level {
	up := l.parent
	for up != nil && up.kind == dql.ExpandField {
		up = up.parent
	}
	return up
}
