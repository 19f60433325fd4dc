package oracle

import (
	"slices"
)

// fields draws the body of a block or an edge. It returns the variables that it defines beside those given.
func (m *maker) fields(n *node, depth int, s scope, defined []variable) ([]*node, []variable) {
	var kids []*node
	var here []variable // defined at this level
	if m.chance(40) && !n.normalize && !s.plain {
		kids = append(kids, &node{kind: uidOf})
		if m.chance(20) {
			kids[0].v = m.name("v")
			defined = append(defined, variable{name: kids[0].v, kind: "uid"})
		}
	}
	all := reversible()
	m.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if depth > 0 && m.chance(8) {
		var k *node
		k, all = m.expand(depth-1, s, all) // what it brings may not be asked for beside it
		kids = append(kids, k)
	}
	for _, p := range all[:1+m.rnd.IntN(4)] {
		if p.kind == "uid" {
			if depth == 0 || m.chance(25) {
				kids = append(kids, m.counting(p, s, &here))
				continue
			}
			k, below := m.edge(p, depth-1, scope{above: append(slices.Clone(s.above), here...), plain: s.plain})
			kids = append(kids, k)
			defined = append(defined, below.all...)
			if !s.plain && k.groups == nil {
				kids = append(kids, m.collapsed(below.direct, &here)...)
			}
			continue
		}
		if (p.lang || p.list) && m.chance(10) {
			kids = append(kids, m.countingValues(p, s))
			continue
		}
		k := m.scalar(p, s)
		if !p.list && p.kind != "geo" && k.pred != p.name+"@*" && m.chance(25) || p.name == namesOf && m.chance(60) {
			k.v = m.name("v")
			here = append(here, variable{name: k.v, kind: p.kind, names: p.name == namesOf})
		}
		kids = append(kids, k)
	}
	if !s.plain {
		kids = append(kids, m.computed(append(slices.Clone(s.above), here...), &here)...)
		if m.chance(15) && (n.kind == block || !single(n.pred)) {
			k := &node{kind: countUID}
			if n.kind == block && m.chance(30) {
				k.v = m.name("v")
				defined = append(defined, variable{name: k.v, kind: "int", once: true})
			}
			kids = append(kids, k)
		}
	}
	return kids, append(defined, here...)
}

// reversible are the predicates, and the reverses of some edges.
func reversible() []predicate {
	return append(predicates(), predicate{name: "~friend", kind: "uid", list: true, facets: true},
		predicate{name: "~boss", kind: "uid", list: true, facets: true})
}

// scalar is a value field without a variable.
func (m *maker) scalar(p predicate, s scope) *node {
	k := &node{kind: scalar, pred: m.asked(p), facets: m.facets(p, s.plain)}
	switch {
	case p.lang && m.chance(15):
		k.pred = p.name + "@*"
	case m.chance(40) || s.plain && m.chance(60):
		k.alias = m.name("a")
	}
	return k
}

// asked is how a field asks for a predicate: in one of the ways to choose a language, if it has any.
func (m *maker) asked(p predicate) string {
	if !p.lang {
		return p.name
	}
	return p.name + pick(m, []string{"", "@en", "@fr", "@en:fr", "@de:.", "@fr:de:en", "@."})
}

// countingValues is count of a value predicate.
func (m *maker) countingValues(p predicate, s scope) *node {
	k := &node{kind: countOf, pred: p.name}
	if p.lang {
		k.pred += pick(m, []string{"@en", "@de"})
	}
	if s.plain || m.chance(40) {
		k.alias = m.name("a")
	}
	return k
}

// counting is count(pred).
func (m *maker) counting(p predicate, s scope, here *[]variable) *node {
	k := &node{kind: countOf, pred: p.name}
	if s.plain || m.chance(40) {
		k.alias = m.name("a")
	}
	if m.chance(30) {
		k.filter = m.condition(1)
	}
	if p.facets && m.chance(15) {
		k.facets = &facets{filter: m.facetCondition(1)}
	}
	if m.chance(25) && !s.plain {
		k.v, k.alias = m.name("v"), ""
		*here = append(*here, variable{name: k.v, kind: "int"})
	}
	return k
}

// edgeVars are the variables of an edge: those of its own body, and all.
type edgeVars struct{ direct, all []variable }

func (m *maker) edge(p predicate, depth int, s scope) (*node, edgeVars) {
	n := &node{kind: edge, pred: p.name}
	if m.chance(30) {
		n.alias = m.name("a")
	}
	if m.chance(35) {
		n.filter = m.condition(1)
	}
	m.arrange(n)
	if !s.plain && m.chance(8) && !single(p.name) {
		n.orders, n.page = nil, page{}
		n.kids = m.groupBody(n, false)
		return n, edgeVars{}
	}
	if s.plain && m.chance(10) {
		n.cascade = m.cascade()
	}
	var v edgeVars
	n.facets = m.facets(p, s.plain)
	if n.facets != nil && n.facets.ordering() {
		n.orders = nil // the one or the other
	}
	if n.facets != nil && !s.plain {
		v.direct = m.facetVariables(n.facets)
		v.all = append(v.all, v.direct...)
		s.above = append(slices.Clone(s.above), v.direct...)
	}
	if m.chance(15) {
		n.v = m.name("v")
		v.all = append(v.all, variable{name: n.v, kind: "uid"})
	}
	var inside []variable
	n.kids, inside = m.fields(n, depth, s, nil)
	v.all = append(v.all, inside...)
	for _, k := range n.kids {
		for _, d := range inside {
			if d.name == k.v {
				v.direct = append(v.direct, d)
			}
		}
	}
	return n, v
}

// collapsed are aggregates over the variables of a child's body.
func (m *maker) collapsed(direct []variable, here *[]variable) (kids []*node) {
	for _, d := range m.folded(direct) {
		if !m.chance(50) {
			continue
		}
		op, yields := m.fold(d.kind)
		k := &node{kind: aggregate, op: op, arg: d.name}
		if m.chance(40) {
			k.v = m.name("v")
			*here = append(*here, variable{name: k.v, kind: yields})
		} else if m.chance(40) {
			k.alias = m.name("a")
		}
		kids = append(kids, k)
	}
	return kids
}

// computed are formulas and val(x) over what can be seen.
func (m *maker) computed(above []variable, here *[]variable) (kids []*node) {
	var numbers []variable
	for _, v := range append(slices.Clone(m.vars), above...) {
		if v.kind == "int" || v.kind == "float" || v.kind == "number" {
			numbers = append(numbers, v)
		}
	}
	if len(numbers) > 0 && m.chance(40) {
		x, yields := m.formula(numbers, 2)
		k := &node{kind: mathOf, expr: x, alias: m.name("a")}
		if m.chance(30) && yields != "" {
			k.v = m.name("v")
			k.alias = ""
			*here = append(*here, variable{name: k.v, kind: yields})
		}
		kids = append(kids, k)
	}
	if v, ok := m.earlier(func(v variable) bool { return v.kind != "uid" && !v.once }); ok && m.chance(30) {
		kids = append(kids, &node{kind: valOf, arg: v})
		if m.chance(30) {
			kids[len(kids)-1].alias = m.name("a")
		}
	}
	return kids
}

// formula draws an expression that holds a variable, and says what it yields; "" where that is only known when it runs.
func (m *maker) formula(numbers []variable, depth int) (*expr, string) {
	if depth == 0 || m.chance(25) {
		v := pick(m, numbers)
		if depth == 2 {
			return &expr{op: "neg", kids: []*expr{{v: v.name}}}, v.kind
		}
		return &expr{v: v.name}, v.kind
	}
	a, ka := m.formula(numbers, depth-1)
	if m.chance(15) {
		op := pick(m, []string{"floor", "ceil", "sqrt", "exp", "ln"})
		if op == "sqrt" || op == "exp" || op == "ln" {
			ka = "" // not exact, so that the order of a sum would matter
		}
		return &expr{op: op, kids: []*expr{a}}, ka
	}
	b, kb := a, ka
	switch m.rnd.IntN(3) {
	case 0:
		b, kb = &expr{fixed: int64(m.rnd.IntN(4))}, "int"
	case 1:
		b, kb = &expr{fixed: float64(2*m.rnd.IntN(4)+1) / 4}, "float"
	default:
		b, kb = m.formula(numbers, depth-1)
	}
	if m.chance(10) {
		test := &expr{op: pick(m, []string{"<", "<=", ">", ">=", "==", "!="}), kids: []*expr{a, b}}
		if depth < 2 {
			return &expr{op: "cond", kids: []*expr{test, a, b}}, ""
		}
		return test, ""
	}
	x := &expr{op: pick(m, []string{"+", "-", "*", "/", "%", "min", "max"}), kids: []*expr{a, b}}
	if m.chance(8) {
		x.op = "pow"
		return x, ""
	}
	if ka == kb {
		return x, ka
	}
	if ka == "" || kb == "" {
		return x, ""
	}
	return x, "number"
}
