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
	name  string
	kind  string // of its values: as predicate.kind, "number" for ints and floats, "uid" for a uid variable
	once  bool   // one value for all nodes
	names bool   // the values are names of predicates
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
	if m.chance(40) {
		q.spelling = rnd.Uint64()
	}
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
		if !p.lang { // whether the name means all its languages is open
			list = append(list, p.name)
		}
	}
	if list == nil {
		return []string{""}
	}
	return list
}

// arrange gives a block or an edge order and paging.
func (m *maker) arrange(n *node) {
	if m.chance(35) {
		var keys []string
		for _, p := range predicates() {
			switch {
			case !p.ordered() || p.list:
			case p.lang:
				keys = append(keys, p.name+pick(m, []string{"", "@en", "@de"}))
			default:
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
		if p.kind != "uid" && p.list || p.kind == "geo" {
			continue
		}
		k := groupKey{pred: m.asked(p)}
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
		if p.list || !p.ordered() {
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
	if m.chance(25) {
		var k *node
		k, all = m.expand(0, scope{}, all)
		k.kids, k.orders = nil, nil
		if !b.recurse.loop {
			k.page = page{}
		}
		b.kids = append(b.kids, k)
	}
	for _, p := range all[:2+m.rnd.IntN(4)] {
		k := &node{kind: scalar, pred: m.asked(p)}
		k.facets = m.facets(p, false)
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
		} else if !p.list && p.kind != "geo" && m.chance(20) {
			k.v = m.name("v")
			m.open = append(m.open, variable{name: k.v, kind: p.kind})
		}
		b.kids = append(b.kids, k)
	}
	if !slices.ContainsFunc(b.kids, func(k *node) bool { return k.kind == edge || k.kind == expandOf }) {
		b.kids = append(b.kids, &node{kind: edge, pred: "~friend"})
	}
}
