package oracle

import (
	"maps"
	"slices"
	"strings"
)

// set returns the uids of a variable, ascending: of a value variable its keys (fact 60).
func (e *evaluator) set(name string) []uid {
	if list, ok := e.sets[name]; ok {
		return list
	}
	n := e.defs[name]
	var list []uid
	switch {
	case n.kind == edge && e.blocks[n].recurse != nil:
		list = e.recursion(e.blocks[n]).reached[n]
	case n.kind == block || n.kind == edge:
		list = e.left(n) // uid variables are pruned by @cascade
	case n.kind == uidOf:
		list = e.left(e.parent[n])
	default:
		list = slices.Collect(maps.Keys(e.variable(name)))
	}
	e.sets[name] = distinct(list)
	return e.sets[name]
}

// constant is the key under which a variable holds one value for all nodes (fact 58).
const constant uid = 1<<64 - 1

// variable returns the values of a variable. Values are there before @cascade prunes.
func (e *evaluator) variable(name string) map[uid]value {
	if m, ok := e.vars[name]; ok {
		return m
	}
	n := e.defs[name]
	m := map[uid]value{}
	e.vars[name] = m
	at := e.parent[n]
	if at == nil || n.kind == edge || n.kind == uidOf {
		return m // of a uid variable
	}
	if at.groups != nil {
		e.groupVariable(n, m)
		return m
	}
	if at.kind == block && at.fn == nil {
		if v, ok := e.once(n); ok {
			m[constant] = v
		}
		return m
	}
	if n.kind == facetVar {
		e.facetVariable(n, m)
		return m
	}
	if n.kind == countUID {
		m[constant] = int64(len(e.left(at)))
		return m
	}
	nodes := e.level(at)
	if at.recurse != nil {
		nodes = e.recursion(at).printed
	}
	for _, u := range nodes {
		if v, ok := e.valueAt(n, u); ok {
			m[u] = v
		}
	}
	return m
}

// valueAt is the value of a field at a node.
func (e *evaluator) valueAt(n *node, u uid) (value, bool) {
	at := e.parent[n]
	switch n.kind {
	case scalar:
		if list := e.shown(n, u); len(list) > 0 {
			return list[0].v, true
		}
	case countOf:
		count := int64(len(e.shown(n, u)))
		for _, to := range e.g.edges[n.pred][u] {
			// The paging of a count is ignored, its filters are not.
			if (n.filter == nil || e.holds(n.filter, to)) && n.facets.keeps(e.g.onEdge(n.pred, u, to)) {
				count++
			}
		}
		return count, true
	case valOf:
		v, ok := lookup(e.seen(n.arg, at), u)
		return v, ok
	case mathOf:
		r := e.formula(n.expr, at, u)
		return r.v, r.ok
	case aggregate:
		var list []value
		values := e.variable(n.arg)
		for _, to := range e.rows(e.parent[e.defs[n.arg]], u) {
			if v, ok := values[to]; ok {
				list = append(list, v)
			}
		}
		return fold(n.op, list)
	}
	return nil, false
}

// shownValue is a value of a field with the attribute that it is of: one language of those that are asked for.
type shownValue struct {
	v    value
	attr string
}

// shown returns the values of a field at a node that its facet filter keeps.
func (e *evaluator) shown(n *node, u uid) (list []shownValue) {
	attrs := []string{e.g.chosen(n.pred, u)}
	if pred, all := strings.CutSuffix(n.pred, "@*"); all {
		attrs = e.g.inLanguages(pred, u)
	}
	for _, attr := range attrs {
		for _, v := range e.g.values[attr][u] {
			if n.facets.keeps(e.g.onValue(attr, u, v)) {
				list = append(list, shownValue{v, attr})
			}
		}
	}
	return list
}

func lookup(m map[uid]value, u uid) (value, bool) {
	if v, ok := m[constant]; ok {
		return v, true
	}
	v, ok := m[u]
	return v, ok
}

// seen returns a variable as it is seen at a level: below its definition the sum over all paths (fact 56), elsewhere unchanged
// (fact 57).
func (e *evaluator) seen(name string, at *node) map[uid]value {
	from := e.parent[e.defs[name]]
	var path []*node // from below the definition down to at
	for n := at; n != from; n = e.parent[n] {
		if n == nil {
			return e.variable(name)
		}
		path = append(path, n)
	}
	m := e.variable(name)
	for _, n := range slices.Backward(path) {
		below := map[uid]value{}
		for _, u := range e.level(e.parent[n]) {
			v, ok := m[u]
			if !ok || !numeric(v) {
				continue // only numbers move down
			}
			for _, to := range e.candidates(n, u) {
				if old, ok := below[to]; ok {
					below[to], _ = fold("sum", []value{old, v})
				} else {
					below[to] = v
				}
			}
		}
		m = below
	}
	return m
}

func numeric(v value) bool {
	switch v.(type) {
	case int64, float64:
		return true
	}
	return false
}

// fold aggregates values.
func fold(op string, list []value) (value, bool) {
	if len(list) == 0 {
		return nil, false
	}
	out := list[0]
	total, whole := 0.0, true
	for i, v := range list {
		if c := 0; op == "min" || op == "max" {
			c = compare(v, out)
			if op == "min" && c < 0 || op == "max" && c > 0 {
				out = v
			}
			continue
		}
		_, isInt := v.(int64)
		whole = whole && isInt
		if i == 0 {
			total = number(v) // 0 + -0 would be 0
		} else {
			total += number(v)
		}
	}
	switch {
	case op == "avg":
		return total / float64(len(list)), true // always a float (fact 62)
	case op == "sum" && whole:
		return int64(total), true
	case op == "sum":
		return total, true
	}
	return out, true
}

// once is an aggregate or a formula of a block without a root: one value for everything.
func (e *evaluator) once(n *node) (value, bool) {
	if n.kind == mathOf {
		r := e.formula(n.expr, e.parent[n], constant)
		return r.v, r.ok
	}
	m := e.variable(n.arg)
	var list []value
	for _, u := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[u])
	}
	return fold(n.op, list)
}
