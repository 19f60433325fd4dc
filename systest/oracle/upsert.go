package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// upsert is a document that changes a graph: a query that defines variables, and mutations by them, some with conditions.
type upsert struct {
	vars  *query
	steps []*changes
}

// changes are one mutation.
type changes struct {
	when     []lengthTest // all must hold
	del, set []statement
}

// lengthTest compares how many nodes a uid variable has.
type lengthTest struct {
	op, v string
	n     int64
}

// statement changes a predicate of the nodes of a variable.
type statement struct {
	subject, pred string
	to            string // a uid variable, whose nodes all become targets
	from          string // a value variable: each node gets its own value
	fixed         value  // or what is written
	facets        []facet
}

// everything is the object of a deletion of all values.
type everything struct{}

func (u *upsert) text() string {
	var b strings.Builder
	b.WriteString("upsert {\nquery " + u.vars.text() + "\n")
	for _, c := range u.steps {
		b.WriteString("mutation")
		var tests []string
		for _, t := range c.when {
			tests = append(tests, fmt.Sprintf("%s(len(%s), %d)", t.op, t.v, t.n))
		}
		if tests != nil {
			b.WriteString(" @if(" + strings.Join(tests, " and ") + ")")
		}
		b.WriteString(" {\n  set {\n" + lines(c.set) + "  }\n  delete {\n" + lines(c.del) + "  }\n}\n")
	}
	b.WriteString("}")
	return b.String()
}

func lines(list []statement) string {
	var b strings.Builder
	for _, s := range list {
		object := "uid(" + s.to + ")"
		switch v := s.fixed.(type) {
		case everything:
			object = "*"
		case uid:
			object = "<" + v.String() + ">"
		case nil:
			if s.from != "" {
				object = "val(" + s.from + ")"
			}
		default:
			object = strconv.Quote(plain(v))
		}
		fmt.Fprintf(&b, "    uid(%s) <%s> %s%s .\n", s.subject, s.pred, object, facetsText(s.facets))
	}
	return b.String()
}

// apply returns the graph as it is afterwards. The variables are those of before; in each mutation deletions come first (fact 99).
func (u *upsert) apply(g *triples) *triples {
	e := newEvaluator(g, u.vars)
	out := g.without(nil)
	for _, c := range u.steps {
		fails := func(t lengthTest) bool { return !test(t.op, int64(len(e.set(t.v))), []value{t.n}) }
		if slices.ContainsFunc(c.when, fails) {
			continue
		}
		for _, s := range c.del {
			for _, n := range e.set(s.subject) {
				out.remove(e, s, n)
			}
		}
		for _, s := range c.set {
			for _, n := range e.set(s.subject) {
				out.add(e, s, n)
			}
		}
	}
	return out
}

// targets are the nodes that a statement leads to.
func (s statement) targets(e *evaluator) []uid {
	if s.to != "" {
		return e.set(s.to)
	}
	if to, ok := s.fixed.(uid); ok {
		return []uid{to}
	}
	return nil
}

func (g *triples) remove(e *evaluator, s statement, n uid) {
	targets := s.targets(e)
	_, all := s.fixed.(everything)
	if all {
		targets = slices.Clone(g.edges[s.pred][n])
	}
	for _, to := range targets {
		g.unlink(s.pred, n, to)
	}
	drop := func(attr string) {
		g.values[attr][n] = slices.DeleteFunc(slices.Clone(g.values[attr][n]), func(v value) bool { return all || v == s.fixed })
		if len(g.values[attr][n]) == 0 {
			delete(g.values[attr], n)
		}
	}
	for attr := range maps.Keys(g.values) {
		if attr == s.pred || all && strings.HasPrefix(attr, s.pred+"@") {
			drop(attr)
		}
	}
}

func (g *triples) add(e *evaluator, s statement, n uid) {
	g.nodes = distinct(append(append(slices.Clone(g.nodes), n), s.targets(e)...)) // uid(0x..) never asked whether it is there
	for _, to := range s.targets(e) {
		if single(s.pred) {
			for _, old := range slices.Clone(g.edges[s.pred][n]) {
				g.unlink(s.pred, n, old)
			}
		}
		g.link(s.pred, n, to)
		g.facets[element{s.pred, n, to.String()}] = s.facets
	}
	v, ok := s.fixed, s.to == "" && s.targets(e) == nil
	if s.from != "" {
		v, ok = e.variable(s.from)[n] // without a value the statement says nothing (fact 110)
	}
	if !ok {
		return
	}
	if !isList(s.pred) && g.values[s.pred] != nil {
		delete(g.values[s.pred], n)
	}
	g.put(s.pred, n, v)
	g.facets[element{s.pred, n, plain(v)}] = s.facets
}

func (g *triples) unlink(pred string, from, to uid) {
	for p, e := range map[string][2]uid{pred: {from, to}, "~" + pred: {to, from}} {
		list := slices.DeleteFunc(slices.Clone(g.edges[p][e[0]]), func(u uid) bool { return u == e[1] })
		if g.edges[p] == nil {
			continue
		}
		if g.edges[p][e[0]] = list; len(list) == 0 {
			delete(g.edges[p], e[0])
		}
	}
}

// upsert draws a document. Sets are made only where the variables have nodes: without one a node would be made (fact 102).
func (m *maker) upsert() *upsert {
	u := &upsert{vars: &query{}}
	values := map[string]string{} // variables by kind
	var names []string
	for range 2 {
		b := &node{kind: block, alias: "var", v: m.name("v"), fn: m.function(true), kids: []*node{}}
		if m.chance(40) {
			b.filter = m.condition(1)
		}
		for _, p := range []predicate{{name: "age", kind: "int"}, {name: "name", kind: "string"}} {
			v := m.name("x")
			b.kids = append(b.kids, &node{kind: scalar, pred: p.name, v: v})
			values[b.v+p.kind] = v
		}
		u.vars.blocks = append(u.vars.blocks, b)
		names = append(names, b.v)
	}
	for range 1 + m.rnd.IntN(2) {
		u.steps = append(u.steps, m.changes(names, values))
	}
	m.useAll(u, values)
	return u
}

// useAll has every variable used: what is defined and not used is refused.
func (m *maker) useAll(u *upsert, values map[string]string) {
	for i, v := range slices.Sorted(maps.Values(values)) {
		u.vars.blocks = append(u.vars.blocks, &node{
			kind: block, alias: fmt.Sprint("u", i), fn: &cond{op: "uid", vars: []string{v}}, kids: []*node{{kind: uidOf}},
		})
	}
}

func (m *maker) changes(names []string, values map[string]string) *changes {
	c := &changes{}
	v, w := names[0], names[1]
	if m.chance(50) {
		v, w = w, v
	}
	if m.chance(50) {
		op := pick(m, append([]string{"eq"}, comparisons...))
		c.when = append(c.when, lengthTest{op, pick(m, names), int64(m.rnd.IntN(4))})
	}
	for _, p := range []string{"nick", "age", "tags", "friend", "boss", "likes", "title"} {
		if !m.chance(35) {
			continue
		}
		s := statement{subject: v, pred: p, fixed: everything{}}
		switch {
		case (p == "friend" || p == "likes") && m.chance(50):
			s.to, s.fixed = w, nil
		case p == "tags" && m.chance(50):
			s.fixed = randomValue(m.rnd, "string")
		}
		c.del = append(c.del, s)
	}
	all := []statement{
		{pred: "nick", from: values[v+"string"]},
		{pred: "rank", from: values[v+"int"]},
		{pred: "age", fixed: randomValue(m.rnd, "int")},
		{pred: "score", fixed: randomValue(m.rnd, "float")},
		{pred: "tags", fixed: randomValue(m.rnd, "string"), facets: randomFacets(m.rnd)},
		{pred: "friend", to: w, facets: randomFacets(m.rnd)},
		{pred: "likes", to: v},
		{pred: "boss", fixed: pick(m, m.g.nodes), facets: randomFacets(m.rnd)},
	}
	m.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, s := range all[:1+m.rnd.IntN(4)] {
		s.subject = v
		c.set = append(c.set, s)
	}
	c.when = append(c.when, lengthTest{"gt", v, 0}, lengthTest{"ge", w, 1})
	return c
}
