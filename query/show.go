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
	out := answer.Block{Key: b.src.Alias, Normalize: b.src.Normalize, IgnoreReflex: b.src.IgnoreReflex}
	switch {
	case len(b.root.groupBy) > 0:
		out.Kind = answer.Grouped
		out.Root = &answer.Node{Kind: answer.Groups, Groups: b.root.groups}
	case b.fn == nil:
		out.Kind = answer.Aggregates
		out.Root = &answer.Node{Kind: answer.Edge, Children: b.root.answerFields(nil)}
	default:
		out.Root = b.root.answerEdge()
	}
	a.Blocks = append(a.Blocks, out)
}

// answerEdge returns the level as a node of the answer, with all below it.
func (l *level) answerEdge() *answer.Node {
	n := &answer.Node{
		Kind: answer.Edge, Key: l.key, Aliased: l.aliased, List: l.list, Normalize: l.normalize,
		Offsets: l.rows.offsets, Targets: l.rows.targets, Index: l.rows.index,
	}
	if l.facetKeys != nil && l.rows.facets != nil {
		n.Facets, n.FacetKeys = l.rows.facets, l.facetKeys
	}
	n.Children = l.answerFields(nil)
	return n
}

// answerFields appends the fields below a level.
func (l *level) answerFields(list []*answer.Node) []*answer.Node {
	for _, c := range l.children {
		if c.kind == dql.ExpandField {
			list = c.answerFields(list)
			continue
		}
		if n := c.answerField(); n != nil {
			list = append(list, n)
		}
	}
	return list
}

// answerField returns one field, or nil where it does not appear.
func (l *level) answerField() *answer.Node {
	n := &answer.Node{Key: l.key, Aliased: l.aliased}
	switch l.kind {
	case dql.UIDField:
		n.Kind = answer.UID
		return n
	case dql.CountUIDField:
		n.Kind = answer.CountUID
		return n
	case dql.CountField:
		n.Kind, n.Counts = answer.Count, l.counts
		if l.counts == nil {
			return nil
		}
		return n
	case dql.ValField, dql.AggregateField, dql.MathField:
		n.Kind, n.Offsets, n.Values = answer.Scalar, l.values.offsets, l.values.values
		return n
	}
	switch {
	case !l.fetched || !l.shown || l.hidden:
		return nil
	case l.edges && len(l.groupBy) > 0:
		n.Kind, n.Groups = answer.Groups, l.groups
		return n
	case l.edges:
		return l.answerEdge()
	}
	n.Kind, n.List, n.Checks = answer.Scalar, l.list, l.kind == dql.CheckPwdField
	n.Offsets, n.Values = l.values.offsets, l.values.values
	if l.everyLanguage() {
		n.Langs = l.values.langs
	}
	if l.facetKeys != nil && l.values.facets != nil {
		n.Facets, n.FacetKeys = l.values.facets, l.facetKeys
	}
	return n
}
