package oracle

import "slices"

// looked is how a function looks at a predicate: in one of the ways to choose languages, if it has any.
func (m *maker) looked(p predicate) string {
	if !p.lang {
		return p.name
	}
	return p.name + pick(m, []string{"", "@en", "@fr", "@."})
}

// around draws a function on shapes whose answer is clear for every shape of the graph.
func (m *maker) around() *cond {
	c := &cond{op: pick(m, []string{"near", "within", "contains", "intersects"}), pred: "loc"}
	for range 20 {
		switch {
		case c.op == "near":
			c.args = []value{randomPoint(m.rnd, 0.25*float64(m.rnd.IntN(2))), 1000 * float64(10+m.rnd.IntN(300))}
		case c.op == "contains" && m.chance(70):
			c.args = []value{randomPoint(m.rnd, 0.25)}
		default:
			c.args = []value{randomArea(m.rnd, 0.25)}
		}
		clear := true
		for _, list := range m.g.values["loc"] {
			clear = clear && list[0].(shape).apart(c.op, c.args)
		}
		if clear {
			return c
		}
	}
	return nil
}

// facets draws what a field says of facets; nil for most. In a plain body only filters: which facets @normalize keeps is open.
func (m *maker) facets(p predicate, plain bool) *facets {
	if !p.facets || !m.chance(40) {
		return nil
	}
	f := &facets{}
	if m.chance(35) {
		f.filter = m.facetCondition(2)
	}
	if p.lang { // whether a language is chosen among all values or those that pass is open
		f.filter = nil
	}
	switch {
	case plain:
	case m.chance(40):
		f.all = true
	default:
		keys := append(facetKeys(), "none")
		m.rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, key := range keys[:1+m.rnd.IntN(3)] {
			k := facetKey{key: key}
			switch {
			case p.kind == "uid" && m.chance(40) && key != "close" && key != "none":
				k.order = pick(m, []string{"orderasc", "orderdesc"})
			case m.chance(30):
				k.alias = m.name("f")
			}
			f.keys = append(f.keys, k)
		}
	}
	if f.filter == nil && !f.all && f.keys == nil {
		return nil
	}
	return f
}

// ordering says whether the edges come in the order of facets.
func (f *facets) ordering() bool {
	return slices.ContainsFunc(f.keys, func(k facetKey) bool { return k.order != "" })
}

// facetVariables binds some of the facets of an edge. Only numbers: others cannot be added up where several edges lead to a node.
func (m *maker) facetVariables(f *facets) (defined []variable) {
	for i, k := range f.keys {
		if kind := facetKinds[k.key]; (kind == "int" || kind == "float") && k.alias == "" && k.order == "" && m.chance(60) {
			f.keys[i].v = &node{kind: facetVar, pred: k.key, v: m.name("v")}
			defined = append(defined, variable{name: f.keys[i].v.v, kind: kind})
		}
	}
	return defined
}

// facetCondition draws a filter of edges or values by their facets.
func (m *maker) facetCondition(depth int) *cond { return m.tree(depth, m.facetFunction) }

func (m *maker) facetFunction() *cond {
	c := &cond{pred: pick(m, facetKeys())}
	ops := append([]string{"eq"}, comparisons...)
	switch facetKinds[c.pred] {
	case "bool":
		ops = []string{"eq"}
	case "string":
		ops = append(ops, "anyofterms", "allofterms")
	}
	c.op, c.args = pick(m, ops), []value{randomValue(m.rnd, facetKinds[c.pred])}
	return c
}

// expand draws an expand with, for its edges, a body that defines nothing. It returns the predicates that may be asked for beside it.
func (m *maker) expand(depth int, s scope, beside []predicate) (*node, []predicate) {
	n := &node{kind: expandOf}
	brings := inTypes
	if v, ok := m.earlier(func(v variable) bool { return v.names }); ok && m.chance(50) {
		n.arg = v
		brings = func(pred string) bool { return slices.Contains(expandable(), pred) }
	} else if m.chance(40) {
		n.types = []string{pick(m, []string{"Person", "City", "None"})}
		if m.chance(30) {
			n.types = []string{"Person", "City"}
		}
	}
	if m.chance(70) {
		if m.chance(30) {
			n.filter = &cond{op: "type", args: []value{pick(m, []string{"Person", "City"})}}
		}
		if m.chance(40) {
			m.arrange(n)
		}
		n.facets = m.facets(predicate{kind: "uid", facets: m.chance(50)}, s.plain)
		if n.facets != nil && n.facets.ordering() {
			n.orders = nil
		}
		n.kids = m.quiet(depth, s)
	}
	return n, slices.DeleteFunc(beside, func(p predicate) bool { return brings(p.name) })
}

// quiet draws a body without variables.
func (m *maker) quiet(depth int, s scope) (kids []*node) {
	all := reversible()
	m.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if depth > 0 && m.chance(20) {
		var k *node
		k, all = m.expand(depth-1, s, all)
		kids = append(kids, k)
	}
	if !s.plain && m.chance(30) {
		kids = append(kids, &node{kind: uidOf})
	}
	for _, p := range all[:1+m.rnd.IntN(3)] {
		switch {
		case p.kind != "uid":
			kids = append(kids, m.scalar(p, s))
		case depth > 0:
			k := &node{kind: edge, pred: p.name, facets: m.facets(p, s.plain), kids: m.quiet(depth-1, s)}
			if m.chance(30) {
				k.filter = m.condition(1)
			}
			kids = append(kids, k)
		default:
			k := &node{kind: countOf, pred: p.name}
			if s.plain {
				k.alias = m.name("a")
			}
			kids = append(kids, k)
		}
	}
	return kids
}
