package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// uid names a node.
type uid uint64

func (u uid) String() string { return "0x" + strconv.FormatUint(uint64(u), 16) }

// triples is a graph.
type triples struct {
	nodes  []uid                      // all that are named, ascending
	values map[string]map[uid][]value // "title", and "title@en" for its values in a language
	edges  map[string]map[uid][]uid   // "friend", and "~friend" for its reverse; ascending
	facets map[element][]facet        // by key
}

// element is an edge or a value of a node.
type element struct {
	pred   string // of an edge forwards, of a value with its language
	from   uid
	object string // the target, or the value as text
}

func newTriples(nodes []uid) *triples {
	return &triples{
		nodes: nodes, values: map[string]map[uid][]value{}, edges: map[string]map[uid][]uid{}, facets: map[element][]facet{},
	}
}

// randomGraph draws a graph: values from small domains, so that they meet, and edges of all degrees, loops included.
func randomGraph(rnd *rand.Rand) *triples {
	n := 1 + rnd.IntN(24)
	if rnd.IntN(12) == 0 {
		n = 130 + rnd.IntN(250) // enough for what is done only with many candidates
	}
	var nodes []uid
	for i := range n {
		nodes = append(nodes, uid(i+1))
	}
	g := newTriples(nodes)
	density := 0.3 + 0.7*rnd.Float64()
	for _, p := range predicates() {
		for _, u := range g.nodes {
			if rnd.Float64() > density {
				continue
			}
			if p.kind == "uid" {
				g.randomEdges(rnd, p, u)
				continue
			}
			g.randomValues(rnd, p, u)
		}
	}
	for _, u := range g.nodes {
		for _, t := range nodeTypes() {
			if rnd.IntN(3) > 0 {
				g.put(typeOf, u, t.name)
			}
		}
	}
	return g
}

// randomEdges draws the edges of a node: few, or now and then up to as many as a small graph has nodes.
func (g *triples) randomEdges(rnd *rand.Rand, p predicate, u uid) {
	many := 1
	if p.list {
		many = rnd.IntN(6)
		if rnd.IntN(10) == 0 {
			many = min(24, len(g.nodes))
		}
	}
	for range many {
		to := uid(1 + rnd.IntN(len(g.nodes)))
		g.link(p.name, u, to)
		if p.facets {
			g.facets[element{p.name, u, to.String()}] = randomFacets(rnd)
		}
	}
}

func (g *triples) randomValues(rnd *rand.Rand, p predicate, u uid) {
	attrs := []string{p.name}
	if p.lang {
		attrs = nil
		for _, tag := range append([]string{""}, tags()...) {
			if rnd.IntN(2) == 0 {
				attrs = append(attrs, strings.TrimSuffix(p.name+"@"+tag, "@"))
			}
		}
	}
	for _, attr := range attrs {
		for again := true; again; again = p.list && rnd.IntN(2) == 0 {
			v := randomValue(rnd, p.kind)
			if p.name == namesOf {
				v = expandable()[rnd.IntN(len(expandable()))]
			}
			if p.lang {
				v = strings.ToLower(strings.Fields(v.(string))[0]) // what every collation puts in the same order
			}
			g.put(attr, u, v)
			if p.facets {
				g.facets[element{attr, u, plain(v)}] = randomFacets(rnd)
			}
		}
	}
}

func (g *triples) put(attr string, u uid, v value) {
	if g.values[attr] == nil {
		g.values[attr] = map[uid][]value{}
	}
	if list := g.values[attr][u]; !slices.Contains(list, v) {
		g.values[attr][u] = inStorageOrder(append(list, v))
	}
}

func (g *triples) link(pred string, from, to uid) {
	for p, e := range map[string][2]uid{pred: {from, to}, "~" + pred: {to, from}} {
		if g.edges[p] == nil {
			g.edges[p] = map[uid][]uid{}
		}
		if list := g.edges[p][e[0]]; !slices.Contains(list, e[1]) {
			list = append(list, e[1])
			slices.Sort(list)
			g.edges[p][e[0]] = list
		}
	}
}

// lines returns the graph as N-Quads, one a line, in order.
func (g *triples) lines() []string {
	var lines []string
	g.each(func(line string, _ func(*triples)) { lines = append(lines, line) })
	slices.Sort(lines)
	return lines
}

// quads returns the graph as N-Quads.
func (g *triples) quads() string { return strings.Join(g.lines(), "\n") + "\n" }

// without returns the graph that lacks those of its lines that are given, in order.
func (g *triples) without(lines []string) *triples {
	out := newTriples(g.nodes)
	g.each(func(line string, add func(*triples)) {
		if _, left := slices.BinarySearch(lines, line); !left {
			add(out)
		}
	})
	return out
}

// each visits every edge and value as a line of N-Quads, with what adds it to another graph.
func (g *triples) each(visit func(line string, add func(*triples))) {
	for attr, nodes := range g.values {
		pred, tag, _ := strings.Cut(attr, "@")
		for u, list := range nodes {
			for _, v := range list {
				at := element{attr, u, plain(v)}
				object := strings.TrimSuffix(strconv.Quote(plain(v))+"@"+tag, "@")
				visit(quad(u, pred, object, g.facets[at]), func(out *triples) {
					out.put(attr, u, v)
					out.facets[at] = g.facets[at]
				})
			}
		}
	}
	for pred, nodes := range g.edges {
		for u, list := range nodes {
			for _, to := range list {
				if pred[0] == '~' {
					continue
				}
				at := element{pred, u, to.String()}
				visit(quad(u, pred, "<"+to.String()+">", g.facets[at]), func(out *triples) {
					out.link(pred, u, to)
					out.facets[at] = g.facets[at]
				})
			}
		}
	}
}

func quad(u uid, pred, object string, facets []facet) string {
	return fmt.Sprintf("<%s> <%s> %s%s .", u, pred, object, facetsText(facets))
}
