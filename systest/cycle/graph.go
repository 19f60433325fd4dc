package cycle

import "slices"

// edge is a set of kinds of edges.
type edge uint8

const (
	ww       edge = 1 << iota // overwrites
	wr                        // reads from
	rw                        // read what was overwritten: from the reader to a node of overwriters
	over                      // the rest of an rw: from the node of overwriters to one of them
	session                   // the same client did it before
	realtime                  // it ended before the other began
	inside                    // between the two nodes of a transaction
)

// graph has nodes 2t and 2t+1 for transaction t, and behind them the overwriters of each version: one node between the many who read
// it and the many who replaced it. Edges are gathered first, then packed.
//
// rw leave first nodes only, all other dependencies leave second ones: a path that comes into a first node may go on by either, one
// that comes into a second node, which is by rw, only by a dependency.
type graph struct {
	txns, nodes      int
	sources, targets []int32
	kinds            []edge
}

func newGraph(txns int) *graph {
	g := &graph{txns: txns, nodes: 2 * txns}
	for t := range int32(txns) {
		g.add(inside, 2*t, 2*t+1)
	}
	return g
}

func (g *graph) add(kind edge, from, to int32) {
	g.sources, g.targets, g.kinds = append(g.sources, from), append(g.targets, to), append(g.kinds, kind)
}

// depend notes that b depends on a. Nothing is noted of a transaction and itself, or nobody.
func (g *graph) depend(kind edge, a, b int32) {
	if a != b && a != nobody && b != nobody {
		g.add(kind, 2*a+1, 2*b)
	}
}

// overwriters makes the node of those who replaced a version.
func (g *graph) overwriters() int32 {
	g.nodes++
	return int32(g.nodes - 1)
}

// overwrites notes that b replaced the version.
func (g *graph) overwrites(version, b int32) { g.add(over, version, 2*b+1) }

// sameOverwriters notes that whoever replaced the next version replaced this one too.
func (g *graph) sameOverwriters(version, next int32) { g.add(over, version, next) }

// antidepend notes that a read the version.
func (g *graph) antidepend(a, version int32) { g.add(rw, 2*a, version) }

// dependencies returns how many edges there are beside those inside transactions.
func (g *graph) dependencies() int { return len(g.targets) - g.txns }

// serial adds what turns the graph into one in which rw may follow rw: the test of serializability instead.
func (g *graph) serial() {
	for t := range int32(g.txns) {
		g.add(inside, 2*t+1, 2*t)
	}
}

// packed is a graph by source: the edges of node n are first[n] to first[n+1].
type packed struct {
	first, to []int32
	by        []edge
}

func (g *graph) pack() *packed {
	p := &packed{first: make([]int32, g.nodes+1), to: make([]int32, len(g.targets)), by: make([]edge, len(g.targets))}
	for _, s := range g.sources {
		p.first[s+1]++
	}
	for i := range g.nodes {
		p.first[i+1] += p.first[i]
	}
	free := make([]int32, g.nodes)
	copy(free, p.first)
	for i, s := range g.sources {
		p.to[free[s]], p.by[free[s]] = g.targets[i], g.kinds[i]
		free[s]++
	}
	return p
}

// part returns the graph of some nodes and the edges of some kinds between them, with new numbers: the places in nodes.
func (p *packed) part(nodes []int32, kinds edge) *packed {
	number := make(map[int32]int32, len(nodes))
	for i, n := range nodes {
		number[n] = int32(i)
	}
	out := &packed{first: make([]int32, 1, len(nodes)+1)}
	for _, n := range nodes {
		for e := p.first[n]; e < p.first[n+1]; e++ {
			if to, ok := number[p.to[e]]; ok && p.by[e]&kinds != 0 {
				out.to, out.by = append(out.to, to), append(out.by, p.by[e])
			}
		}
		out.first = append(out.first, int32(len(out.to)))
	}
	return out
}

// path returns the edges of a shortest path from one node to another, by the given kinds only; nil when there is none. A path from a
// node to itself has at least one edge.
func (p *packed) path(from, to int32, kinds edge) []int32 {
	came := make([]int32, len(p.first)-1) // by node: the edge it was reached by, plus one
	before := make([]int32, len(came))    // by node: where that edge begins
	queue := []int32{from}
	for len(queue) > 0 && came[to] == 0 {
		n := queue[0]
		queue = queue[1:]
		for e := p.first[n]; e < p.first[n+1]; e++ {
			if t := p.to[e]; p.by[e]&kinds != 0 && came[t] == 0 {
				came[t] = e + 1
				before[t] = n
				queue = append(queue, t)
			}
		}
	}
	if came[to] == 0 {
		return nil
	}
	var edges []int32
	for n := to; len(edges) == 0 || n != from; n = before[n] {
		edges = append(edges, came[n]-1)
	}
	slices.Reverse(edges)
	return edges
}
