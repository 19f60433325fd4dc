package oracle

import (
	"cmp"
	"slices"
)

// evaluator answers one query. It remembers nothing but the levels and variables that it has worked out.
type evaluator struct {
	g      *triples
	parent map[*node]*node
	blocks map[*node]*node // the block that a node is in
	defs   map[string]*node
	levels map[*node][]uid
	vars   map[string]map[uid]value
	sets   map[string][]uid

	expanded map[*node][]*node // the fields below a node, for those with an expand
}

func newEvaluator(g *triples, q *query) *evaluator {
	e := &evaluator{
		g: g, parent: map[*node]*node{}, blocks: map[*node]*node{}, defs: map[string]*node{},
		levels: map[*node][]uid{}, vars: map[string]map[uid]value{}, sets: map[string][]uid{}, expanded: map[*node][]*node{},
	}
	for _, b := range q.blocks {
		e.enter(b, b)
	}
	return e
}

func (e *evaluator) enter(n, b *node) {
	e.blocks[n] = b
	if n.v != "" {
		e.defs[n.v] = n
	}
	if n.facets != nil {
		for _, k := range n.facets.keys {
			if k.v != nil {
				e.parent[k.v] = n
				e.enter(k.v, b)
			}
		}
	}
	for _, k := range n.kids {
		e.parent[k] = n
		e.enter(k, b)
	}
}

// distinct returns a list ascending and without duplicates.
func distinct(list []uid) []uid {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// root returns the nodes that a root function finds, ascending.
func (e *evaluator) root(c *cond) []uid {
	if c.op == "uid" {
		list := slices.Clone(c.uids) // uid() never checks existence (fact 6)
		for _, v := range c.vars {
			list = append(list, e.set(v)...)
		}
		return distinct(list)
	}
	nodes := e.g.nodes
	if c.val != "" {
		nodes = e.set(c.val) // some of them may hold no data
	}
	var list []uid
	for _, u := range nodes {
		if c.count && len(e.g.edges[c.pred][u]) == 0 {
			continue // zero is not tracked (fact 82)
		}
		if e.holds(c, u) {
			list = append(list, u)
		}
	}
	return list
}

// holds reports whether a node meets a condition.
func (e *evaluator) holds(c *cond, u uid) bool {
	switch c.op {
	case "and":
		return !slices.ContainsFunc(c.kids, func(k *cond) bool { return !e.holds(k, u) })
	case "or":
		return slices.ContainsFunc(c.kids, func(k *cond) bool { return e.holds(k, u) })
	case "not":
		return !e.holds(c.kids[0], u)
	case "uid":
		return slices.Contains(e.root(c), u)
	case "uid_in":
		wanted := slices.Clone(c.uids)
		for _, v := range c.vars {
			wanted = append(wanted, e.set(v)...)
		}
		return slices.ContainsFunc(e.g.edges[c.pred][u], func(to uid) bool { return slices.Contains(wanted, to) })
	case "has":
		return e.has(c.pred, u)
	case "type":
		return slices.Contains(e.g.values[typeOf][u], c.args[0])
	}
	return slices.ContainsFunc(e.subjects(c, u), func(v value) bool { return test(c.op, v, e.arguments(c)) })
}

func (e *evaluator) has(pred string, u uid) bool {
	return len(e.g.seenBy(pred, u)) > 0 || len(e.g.edges[pred][u]) > 0
}

// subjects are the values of a node that a function looks at.
func (e *evaluator) subjects(c *cond, u uid) []value {
	switch {
	case c.count:
		return []value{int64(len(e.g.edges[c.pred][u]))}
	case c.val != "":
		if v, ok := e.variable(c.val)[u]; ok {
			return []value{v}
		}
		return nil
	}
	return e.g.seenBy(c.pred, u)
}

// arguments are what the values are compared with: literals, or any value of a variable (fact 65).
func (e *evaluator) arguments(c *cond) []value {
	if c.from == "" {
		return c.args
	}
	var list []value
	for _, v := range e.variable(c.from) {
		list = append(list, v)
	}
	return list
}

// sorted orders nodes by the keys: missing values last both ways, or without a place where the key is a variable (fact 45);
// ties by uid.
func (e *evaluator) sorted(list []uid, orders []order) []uid {
	if len(orders) == 0 {
		return list
	}
	keys := make([]func(u uid) (value, bool), len(orders))
	for i, o := range orders {
		keys[i] = func(u uid) (value, bool) {
			if o.val != "" {
				v, ok := e.variable(o.val)[u]
				return v, ok
			}
			return first(e.g.of(o.key, u))
		}
	}
	if orders[0].val != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(u uid) bool { _, ok := keys[0](u); return !ok })
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b uid) int {
		for i, o := range orders {
			x, hasX := keys[i](a)
			y, hasY := keys[i](b)
			if c := compareSome(x, y, hasX, hasY, o.desc); c != 0 {
				return c
			}
		}
		return cmp.Compare(a, b)
	})
	return list
}

// compareSome orders two values of which some may be missing: these come last, both ways.
func compareSome(x, y value, hasX, hasY, desc bool) int {
	switch {
	case hasX != hasY:
		return map[bool]int{true: -1, false: 1}[hasX]
	case !hasX:
		return 0
	case desc:
		return -compare(x, y)
	}
	return compare(x, y)
}

// first returns the first of a list, if it has any.
func first(list []value) (value, bool) {
	if len(list) == 0 {
		return nil, false
	}
	return list[0], true
}

// paged cuts a list (fact 41).
func paged(list []uid, p page) []uid {
	if p.first < 0 {
		return list[max(0, len(list)+p.first):]
	}
	list = list[min(p.offset, len(list)):]
	if p.first > 0 {
		list = list[:min(p.first, len(list))]
	}
	return list
}

// cascade returns the list that applies to a node: its own, else its parent's (fact 52).
func (e *evaluator) cascade(n *node) []string {
	for ; n != nil; n = e.parent[n] {
		if n.cascade != nil {
			return n.cascade
		}
	}
	return nil
}

// candidates are the nodes of a block (u is 0) or of an edge from u, in order, before pruning and what comes after it.
func (e *evaluator) candidates(n *node, u uid) []uid {
	var list []uid
	if n.kind == block {
		list = e.root(n.fn)
	} else {
		list = e.g.edges[n.pred][u]
	}
	onEdge := func(to uid) []facet { return e.g.onEdge(n.pred, u, to) }
	list = slices.DeleteFunc(slices.Clone(list), func(to uid) bool {
		return to <= n.page.after || n.filter != nil && !e.holds(n.filter, to) || !n.facets.keeps(onEdge(to))
	})
	list = e.sorted(list, n.orders)
	n.facets.sort(list, onEdge)
	if e.cascade(n) == nil {
		list = paged(list, n.page)
	}
	return list
}

// rows are the nodes that are left of the candidates after pruning.
func (e *evaluator) rows(n *node, u uid) []uid {
	list := e.candidates(n, u)
	if e.cascade(n) == nil {
		return list
	}
	list = slices.DeleteFunc(list, func(to uid) bool { return !e.survives(n, to) })
	return paged(list, n.page) // fact 53
}

// survives reports whether a node has all that @cascade asks for (fact 51).
func (e *evaluator) survives(n *node, u uid) bool {
	list := e.cascade(n)
	for _, k := range e.fieldsOf(n) {
		if list[0] != "" && !slices.Contains(list, k.pred) {
			continue
		}
		if k.kind == scalar && len(e.shown(k, u)) == 0 || k.kind == edge && len(e.rows(k, u)) == 0 {
			return false
		}
	}
	return true
}

// level returns all nodes that a block or an edge reaches, before pruning, ascending.
func (e *evaluator) level(n *node) []uid {
	if list, ok := e.levels[n]; ok {
		return list
	}
	var list []uid
	if n.kind == block {
		list = e.candidates(n, 0)
	} else {
		for _, u := range e.level(e.parent[n]) {
			list = append(list, e.candidates(n, u)...)
		}
	}
	e.levels[n] = distinct(list)
	return e.levels[n]
}

// left returns all nodes that a block or an edge reaches, after pruning, ascending.
func (e *evaluator) left(n *node) []uid {
	if n.kind == block {
		return distinct(e.rows(n, 0))
	}
	var list []uid
	for _, u := range e.left(e.parent[n]) {
		list = append(list, e.rows(n, u)...)
	}
	return distinct(list)
}
