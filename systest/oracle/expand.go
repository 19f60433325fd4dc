package oracle

import (
	"slices"
	"strings"
)

// fieldsOf returns the fields below a node of the query. Those that an expand stands for are known once its nodes are: it works on
// the types of all of them together.
func (e *evaluator) fieldsOf(n *node) []*node {
	if !slices.ContainsFunc(n.kids, func(k *node) bool { return k.kind == expandOf }) {
		return n.kids
	}
	if list, ok := e.expanded[n]; ok {
		return list
	}
	var list []*node
	for _, k := range n.kids {
		if k.kind != expandOf {
			list = append(list, k)
			continue
		}
		for _, pred := range e.expand(e.level(n), k) {
			f := expandedField(k, pred)
			if f == nil || f.kind == edge && k.kids == nil {
				continue
			}
			e.parent[f] = n
			e.enter(f, e.blocks[n])
			list = append(list, f)
		}
	}
	e.expanded[n] = list
	return list
}

// expand returns the predicates that an expand below nodes stands for: the fields of the types that it names, or that the nodes have,
// or the values of a variable. Their order is not defined (fact 92); this is the order in which the engine has them.
func (e *evaluator) expand(nodes []uid, k *node) (preds []string) {
	if k.arg != "" {
		for _, v := range e.variable(k.arg) {
			preds = append(preds, v.(string))
		}
		slices.Sort(preds)
		return slices.Compact(preds)
	}
	names := k.types
	if names == nil {
		for _, t := range nodeTypes() {
			if slices.ContainsFunc(nodes, func(u uid) bool { return slices.Contains(e.g.values[typeOf][u], value(t.name)) }) {
				names = append(names, t.name)
			}
		}
	}
	for _, name := range names {
		for _, t := range nodeTypes() {
			for _, f := range t.fields {
				if t.name == name && !slices.Contains(preds, f) {
					preds = append(preds, f)
				}
			}
		}
	}
	return preds
}

// expandedField is the field that an expand has for a predicate: with all facets, of all languages, and for an edge with the body
// of the expand, with what that says of its edges; nil for what is no predicate.
func expandedField(k *node, pred string) *node {
	known := slices.ContainsFunc(predicates(), func(p predicate) bool { return p.name == strings.TrimPrefix(pred, "~") })
	if !known {
		return nil
	}
	f := &node{kind: scalar, pred: pred, facets: &facets{all: true}}
	for _, p := range predicates() {
		switch {
		case p.name != strings.TrimPrefix(pred, "~"):
		case p.kind == "uid":
			f.kind, f.filter, f.page, f.orders = edge, k.filter, k.page, k.orders
			if k.facets != nil {
				f.facets = k.facets
			}
			for _, kid := range k.kids {
				f.kids = append(f.kids, kid.clone())
			}
		case p.lang:
			f.pred += "@*"
		}
	}
	return f
}

// inTypes says whether a predicate is a field of some type.
func inTypes(pred string) bool {
	return slices.ContainsFunc(nodeTypes(), func(t nodeType) bool { return slices.Contains(t.fields, pred) })
}
