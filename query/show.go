package query

import (
	"dragg/dql"
	"dragg/query/answer"
)

// show adds a block to the answer.
func (r *run) show(b *blockRun) {
	a := r.result.Answer
	switch {
	case b.search != nil:
		a.Paths = append(a.Paths, b.search.paths...)
		return
	case b.src.Kind != dql.ResultBlock:
		return
	}
	room := r.result.nodes
	out := answer.Block{Key: b.src.Alias, Normalize: b.src.Normalize, IgnoreReflex: b.src.IgnoreReflex}
	switch {
	case len(b.root.groupBy) > 0:
		out.Kind = answer.Grouped
		out.Root = answer.Node{Kind: answer.Groups, Groups: b.root.groups}
	case b.fn == nil:
		out.Kind = answer.Aggregates
		out.Root = answer.Node{Kind: answer.Edge, Children: b.root.answerFields(room)}
	default:
		b.root.answerEdge(&out.Root, room)
	}
	a.Blocks = append(a.Blocks, out)
}

// answerEdge makes a node of the answer of the level, with all below it.
func (l *level) answerEdge(n *answer.Node, room *nodes) {
	n.Kind, n.Key, n.Aliased, n.List, n.Normalize = answer.Edge, l.key, l.aliased, l.list, l.normalize
	n.Offsets, n.Targets, n.Index = l.rows.offsets, l.rows.targets, l.rows.index
	n.Children = l.answerFields(room)
	if l.facetKeys != nil && l.rows.facets != nil {
		n.Facets, n.FacetKeys = l.rows.facets, l.facetKeys
	}
}

// answerFields returns the fields below a level, those that an expand found among them.
func (l *level) answerFields(room *nodes) []answer.Node {
	if len(l.children) == 0 {
		return nil
	}
	list := room.Take(len(l.children))[:0]
	for _, c := range l.children {
		if c.kind == dql.ExpandField {
			list = append(list, c.answerFields(room)...)
			continue
		}
		list = append(list, answer.Node{Key: c.key, Aliased: c.aliased})
		if !c.answerField(&list[len(list)-1], room) {
			list = list[:len(list)-1]
		}
	}
	return list
}

// answerField completes one field, and says whether it appears.
func (l *level) answerField(n *answer.Node, room *nodes) bool {
	switch l.kind {
	case dql.UIDField:
		n.Kind = answer.UID
		return true
	case dql.CountUIDField:
		n.Kind = answer.CountUID
		return true
	case dql.CountField:
		n.Kind, n.Counts = answer.Count, l.counts
		return l.counts != nil
	case dql.ValField, dql.AggregateField, dql.MathField:
		n.Kind, n.Offsets, n.Values = answer.Scalar, l.values.offsets, l.values.values
		return true
	}
	switch {
	case !l.fetched || !l.shown || l.hidden:
		return false
	case l.edges && len(l.groupBy) > 0:
		n.Kind, n.Groups = answer.Groups, l.groups
		return true
	case l.edges:
		l.answerEdge(n, room)
		return true
	}
	n.Kind, n.List, n.Checks = answer.Scalar, l.list, l.kind == dql.CheckPwdField
	n.Offsets, n.Values = l.values.offsets, l.values.values
	if l.everyLanguage() {
		n.Langs = l.values.langs
	}
	if l.facetKeys != nil && l.values.facets != nil {
		n.Facets, n.FacetKeys = l.values.facets, l.facetKeys
	}
	return true
}
