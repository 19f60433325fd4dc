package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// maker draws queries. What it makes is valid: every variable is used, no field is asked for twice, and what the language leaves
// open is not asked.
type maker struct {
	rnd  *rand.Rand
	g    *triples
	vars []variable // of the blocks that are finished
	open []variable // of a @groupby or @recurse that is not
	last int        // number of the last name
}

// variable is what the maker knows of one.
type variable struct {
	name string
	kind string // of its values: as predicate.kind, "number" for ints and floats, "uid" for a uid variable
	once bool   // one value for all nodes
}

// scope is what the fields of one body may use beside the variables of other blocks.
type scope struct {
	above []variable // defined at this level or above it
	plain bool       // only fields that @cascade and @normalize know what to do with
}

func randomQuery(rnd *rand.Rand, g *triples) *query {
	m := &maker{rnd: rnd, g: g}
	q := &query{}
	for range 1 + rnd.IntN(3) {
		q.blocks = append(q.blocks, m.block())
	}
	_, used := q.variables()
	for _, v := range m.vars {
		if !used[v.name] {
			q.blocks = append(q.blocks, m.use(v))
		}
	}
	rnd.Shuffle(len(q.blocks), func(i, j int) { q.blocks[i], q.blocks[j] = q.blocks[j], q.blocks[i] })
	return q
}

func (m *maker) chance(percent int) bool { return m.rnd.IntN(100) < percent }

func (m *maker) name(letter string) string {
	m.last++
	return fmt.Sprint(letter, m.last)
}

func pick[T any](m *maker, list []T) T { return list[m.rnd.IntN(len(list))] }

// use is a block that does no more than use a variable.
func (m *maker) use(v variable) *node {
	b := &node{kind: block, alias: m.name("u"), fn: &cond{op: "uid", vars: []string{v.name}}, kids: []*node{{kind: uidOf}}}
	switch {
	case v.once:
		b.fn = &cond{op: "uid", uids: []uid{1, 2}}
		b.kids = append(b.kids, &node{kind: mathOf, alias: m.name("a"), expr: &expr{op: "+", kids: []*expr{{v: v.name}, {fixed: int64(1)}}}})
	case v.kind != "uid":
		b.kids = append(b.kids, &node{kind: valOf, arg: v.name})
	}
	return b
}

func (m *maker) block() *node {
	b := &node{kind: block, alias: m.name("q")}
	if m.chance(25) {
		b.alias = "var"
	}
	if list := m.folded(m.vars); len(list) > 0 && m.chance(15) {
		m.aggregates(b, list)
		return b
	}
	b.fn = m.function(true)
	if m.chance(50) {
		b.filter = m.condition(2)
	}
	switch m.rnd.IntN(10) {
	case 0:
		m.groupBlock(b)
	case 1:
		m.recurseBlock(b)
	default:
		m.plainBlock(b)
	}
	m.vars, m.open = append(m.vars, m.open...), nil
	return b
}

func (m *maker) plainBlock(b *node) {
	m.arrange(b)
	s := scope{}
	switch m.rnd.IntN(6) {
	case 0:
		b.cascade = m.cascade()
		s.plain = true
	case 1:
		if b.alias != "var" {
			b.normalize, s.plain = true, true
			if m.chance(30) {
				b.cascade = m.cascade()
			}
		}
	case 2:
		b.reflex = true
	}
	var defined []variable
	if m.chance(15) {
		b.v = m.name("v")
		defined = append(defined, variable{name: b.v, kind: "uid"})
	}
	b.kids, defined = m.fields(b, 3, s, defined)
	m.vars = append(m.vars, defined...)
}

func (m *maker) cascade() []string {
	if m.chance(60) {
		return []string{""}
	}
	all := predicates()
	m.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var list []string
	for _, p := range all[:1+m.rnd.IntN(3)] {
		list = append(list, p.name)
	}
	return list
}

// arrange gives a block or an edge order and paging.
func (m *maker) arrange(n *node) {
	if m.chance(35) {
		var keys []string
		for _, p := range predicates() {
			if p.kind != "uid" && p.kind != "bool" && !p.list {
				keys = append(keys, p.name)
			}
		}
		m.rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		if n.fn != nil && slices.Contains(keys, n.fn.pred) && m.chance(50) { // what an index can answer in order
			keys = append([]string{n.fn.pred}, slices.DeleteFunc(keys, func(k string) bool { return k == n.fn.pred })...)
		}
		for _, k := range keys[:1+m.rnd.IntN(3)] {
			n.orders = append(n.orders, order{key: k, desc: m.chance(50)})
		}
	} else if v, ok := m.earlier(func(v variable) bool { return v.kind != "uid" && v.kind != "bool" && !v.once }); ok && m.chance(20) {
		n.orders = []order{{val: v, desc: m.chance(50)}}
	}
	if m.chance(30) {
		n.page.first = 1 + m.rnd.IntN(4)
	}
	if m.chance(20) {
		n.page.offset = m.rnd.IntN(4)
	}
	if n.orders == nil {
		if m.chance(10) {
			n.page.first = -1 - m.rnd.IntN(3)
		}
		if m.chance(10) {
			n.page.after = pick(m, m.g.nodes)
		}
	}
}

// earlier finds a variable of a finished block.
func (m *maker) earlier(fits func(variable) bool) (string, bool) {
	var list []variable
	for _, v := range m.vars {
		if fits(v) {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		return "", false
	}
	v := pick(m, list)
	return v.name, true
}

// folded are the variables that can be aggregated.
func (m *maker) folded(list []variable) (out []variable) {
	for _, v := range list {
		if !v.once && v.kind != "uid" && v.kind != "bool" {
			out = append(out, v)
		}
	}
	return out
}

// fold draws an aggregate for a kind, and says what it yields.
func (m *maker) fold(kind string) (op, yields string) {
	if kind == "string" || kind == "time" {
		return pick(m, []string{"min", "max"}), kind
	}
	op = pick(m, []string{"min", "max", "sum", "avg"})
	if op == "avg" {
		return op, "float"
	}
	return op, kind
}

// aggregates fills a block without a root.
func (m *maker) aggregates(b *node, list []variable) {
	for range 1 + m.rnd.IntN(3) {
		v := pick(m, list)
		op, yields := m.fold(v.kind)
		k := &node{kind: aggregate, op: op, arg: v.name, alias: m.name("a")}
		if b.alias == "var" || m.chance(30) && (yields == "int" || yields == "float" || yields == "number") {
			if yields == "string" || yields == "time" {
				continue
			}
			k.v, k.alias = m.name("v"), ""
			m.vars = append(m.vars, variable{name: k.v, kind: yields, once: true})
		}
		if !slices.ContainsFunc(b.kids, func(o *node) bool { return o.v == k.v && name(o) == name(k) }) {
			b.kids = append(b.kids, k)
		}
	}
	if len(b.kids) == 0 {
		k := &node{kind: aggregate, op: "min", arg: list[0].name, alias: m.name("a")}
		b.alias, b.kids = m.name("q"), []*node{k}
	}
}

func (m *maker) groupBlock(b *node) {
	b.kids = m.groupBody(b, true)
}

// groupBody draws keys and a body for @groupby.
func (m *maker) groupBody(n *node, root bool) (kids []*node) {
	all := predicates()
	m.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, p := range all {
		if p.name == "tags" {
			continue
		}
		k := groupKey{pred: p.name}
		if m.chance(30) {
			k.alias = m.name("k")
		}
		n.groups = append(n.groups, k)
		if m.chance(60) {
			break
		}
	}
	// Only a group by one edge may define variables.
	names := root && len(n.groups) == 1 && slices.Contains([]string{"friend", "likes", "boss"}, n.groups[0].pred)
	add := func(k *node, kind string) {
		if names && m.chance(40) {
			k.v = m.name("v")
			m.open = append(m.open, variable{name: k.v, kind: kind})
		} else if m.chance(30) {
			k.alias = m.name("a")
		}
		kids = append(kids, k)
	}
	if m.chance(70) {
		add(&node{kind: countUID}, "int")
	}
	for range m.rnd.IntN(3) {
		p := pick(m, predicates())
		if p.list || p.kind == "uid" || p.kind == "bool" {
			continue
		}
		op, yields := m.fold(p.kind)
		k := &node{kind: aggregate, op: op, pred: p.name}
		if !slices.ContainsFunc(kids, func(o *node) bool { return o.op == op && o.pred == p.name }) {
			add(k, yields)
		}
	}
	if len(kids) == 0 {
		add(&node{kind: countUID}, "int")
	}
	return kids
}

func (m *maker) recurseBlock(b *node) {
	b.recurse = &recurse{depth: m.rnd.IntN(4)}
	if b.recurse.depth > 0 {
		b.recurse.loop = m.chance(50)
	}
	if m.chance(30) {
		b.page.first = 1 + m.rnd.IntN(3)
	}
	if m.chance(30) {
		b.kids = append(b.kids, &node{kind: uidOf})
	}
	all := append(predicates(), predicate{name: "~boss", kind: "uid"}, predicate{name: "~likes", kind: "uid"})
	m.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, p := range all[:2+m.rnd.IntN(4)] {
		k := &node{kind: scalar, pred: p.name}
		if p.kind == "uid" {
			k.kind = edge
			if m.chance(40) {
				k.filter = m.condition(1)
			}
			if b.recurse.loop && m.chance(30) {
				k.page.first = 1 + m.rnd.IntN(3)
			}
			if m.chance(20) {
				k.v = m.name("v")
				m.open = append(m.open, variable{name: k.v, kind: "uid"})
			}
		} else if !p.list && m.chance(20) {
			k.v = m.name("v")
			m.open = append(m.open, variable{name: k.v, kind: p.kind})
		}
		b.kids = append(b.kids, k)
	}
	if !slices.ContainsFunc(b.kids, func(k *node) bool { return k.kind == edge }) {
		b.kids = append(b.kids, &node{kind: edge, pred: "~friend"})
	}
}

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
	all := append(predicates(), predicate{name: "~friend", kind: "uid", list: true}, predicate{name: "~boss", kind: "uid", list: true})
	m.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
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
		k := &node{kind: scalar, pred: p.name}
		if m.chance(40) || s.plain && m.chance(60) {
			k.alias = m.name("a")
		}
		if !p.list && m.chance(25) {
			k.v = m.name("v")
			here = append(here, variable{name: k.v, kind: p.kind})
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

// counting is count(pred).
func (m *maker) counting(p predicate, s scope, here *[]variable) *node {
	k := &node{kind: countOf, pred: p.name}
	if s.plain || m.chance(40) {
		k.alias = m.name("a")
	}
	if m.chance(30) {
		k.filter = m.condition(1)
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
	if ka == kb {
		return x, ka
	}
	if ka == "" || kb == "" {
		return x, ""
	}
	return x, "number"
}
