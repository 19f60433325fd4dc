package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"dragg/graph/types"
)

// uid names a node.
type uid uint64

func (u uid) String() string { return "0x" + strconv.FormatUint(uint64(u), 16) }

// value is an int64, float64, string, bool or time.Time.
type value any

// predicate is what the schema says of one.
type predicate struct {
	name, schema string
	kind         string // int float string bool time uid
	list         bool
	indexed      bool // for eq at root
	sorted       bool // for inequality at root
	terms        bool
	reverse      bool
	counted      bool // for counts at root
}

// predicates returns the schema that every random graph has.
func predicates() []predicate {
	return []predicate{
		{name: "name", kind: "string", schema: "string @index(exact, term)", indexed: true, sorted: true, terms: true},
		{name: "nick", kind: "string", schema: "string @index(hash)", indexed: true},
		{name: "age", kind: "int", schema: "int @index(int)", indexed: true, sorted: true},
		{name: "rank", kind: "int", schema: "int"},
		{name: "score", kind: "float", schema: "float @index(float)", indexed: true, sorted: true},
		{name: "alive", kind: "bool", schema: "bool @index(bool)", indexed: true},
		{name: "born", kind: "time", schema: "datetime @index(year)", indexed: true, sorted: true},
		{name: "tags", kind: "string", schema: "[string] @index(exact)", list: true, indexed: true},
		{name: "friend", kind: "uid", schema: "[uid] @reverse @count", list: true, reverse: true, counted: true},
		{name: "likes", kind: "uid", schema: "[uid] @reverse", list: true, reverse: true},
		{name: "boss", kind: "uid", schema: "uid @reverse", reverse: true},
	}
}

// triples is a graph.
type triples struct {
	nodes  []uid // all that are named, ascending
	values map[string]map[uid][]value
	edges  map[string]map[uid][]uid // "friend", and "~friend" for its reverse; ascending
}

// typeOf is the predicate of the types of a node.
const typeOf = "dgraph.type"

// randomGraph draws a graph: values from small domains, so that they meet, and edges of all degrees, loops included.
func randomGraph(rnd *rand.Rand) *triples {
	g := &triples{values: map[string]map[uid][]value{}, edges: map[string]map[uid][]uid{}}
	n := 1 + rnd.IntN(24)
	if rnd.IntN(12) == 0 {
		n = 130 + rnd.IntN(250) // enough for what is done only with many candidates
	}
	for i := range n {
		g.nodes = append(g.nodes, uid(i+1))
	}
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
			g.put(p.name, u, randomValue(rnd, p.kind))
			for p.list && rnd.IntN(2) == 0 {
				g.put(p.name, u, randomValue(rnd, p.kind))
			}
		}
	}
	for _, u := range g.nodes {
		for _, t := range []string{"Person", "City"} {
			if rnd.IntN(3) > 0 {
				g.put(typeOf, u, t)
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
		g.link(p.name, u, uid(1+rnd.IntN(len(g.nodes))))
	}
}

func (g *triples) put(pred string, u uid, v value) {
	if g.values[pred] == nil {
		g.values[pred] = map[uid][]value{}
	}
	if list := g.values[pred][u]; !slices.Contains(list, v) {
		g.values[pred][u] = inStorageOrder(append(list, v))
	}
}

// inStorageOrder sorts a list of strings as lists are answered: by a fingerprint that no reader of the language can know
// (fact 23), so this is the engine's own.
func inStorageOrder(list []value) []value {
	if len(list) > 1 {
		slices.SortFunc(list, func(a, b value) int {
			x, y := types.Fingerprint(types.OfString(a.(string))), types.Fingerprint(types.OfString(b.(string)))
			if x < y {
				return -1
			}
			return 1
		})
	}
	return list
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

func randomValue(rnd *rand.Rand, kind string) value {
	switch kind {
	case "int":
		return int64(rnd.IntN(9) - 2)
	case "float":
		return float64(rnd.IntN(17)-4) / 4 // exact, so that the order of a sum does not matter
	case "bool":
		return rnd.IntN(2) == 0
	case "time":
		return time.Date(2000+rnd.IntN(4), time.Month(1+rnd.IntN(2)), 1, 0, 0, 0, 0, time.UTC)
	}
	words := []string{"ann", "Bob", "cyd", "Dov", "eve"}
	text := words[rnd.IntN(len(words))]
	if rnd.IntN(2) == 0 {
		text += " " + words[rnd.IntN(len(words))]
	}
	return text
}

// schema returns the text of the schema.
func schema() string {
	var b strings.Builder
	for _, p := range predicates() {
		fmt.Fprintf(&b, "%s: %s .\n", p.name, p.schema)
	}
	b.WriteString("type Person {\n name\n}\ntype City {\n name\n}\n")
	return b.String()
}

// quads returns the graph as N-Quads.
func (g *triples) quads() string {
	var b strings.Builder
	for pred, nodes := range g.values {
		for u, list := range nodes {
			for _, v := range list {
				b.WriteString(quad(u, pred, strconv.Quote(plain(v))) + "\n")
			}
		}
	}
	for pred, nodes := range g.edges {
		for u, list := range nodes {
			for _, to := range list {
				if pred[0] != '~' {
					b.WriteString(quad(u, pred, "<"+to.String()+">") + "\n")
				}
			}
		}
	}
	lines := strings.SplitAfter(b.String(), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// lines returns the graph as N-Quads, one a line.
func (g *triples) lines() []string { return strings.SplitAfter(strings.TrimSpace(g.quads()), "\n") }

// without returns the graph that lacks one of its lines.
func (g *triples) without(line int) *triples {
	out := &triples{nodes: g.nodes, values: map[string]map[uid][]value{}, edges: map[string]map[uid][]uid{}}
	left := g.lines()[line]
	for pred, nodes := range g.values {
		for u, list := range nodes {
			for _, v := range list {
				if quad(u, pred, strconv.Quote(plain(v))) != strings.TrimSpace(left) {
					out.put(pred, u, v)
				}
			}
		}
	}
	for pred, nodes := range g.edges {
		for u, list := range nodes {
			for _, to := range list {
				if pred[0] != '~' && quad(u, pred, "<"+to.String()+">") != strings.TrimSpace(left) {
					out.link(pred, u, to)
				}
			}
		}
	}
	return out
}

func quad(u uid, pred, object string) string { return fmt.Sprintf("<%s> <%s> %s .", u, pred, object) }

// plain returns the text of a value as it is written within quotes.
func plain(v value) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

// literal returns a value as an argument in a query.
func literal(v value) string {
	switch v.(type) {
	case string, time.Time:
		return strconv.Quote(plain(v))
	}
	return plain(v)
}
