package cycle

import (
	"fmt"
	"slices"
	"strings"

	"dragg/systest/history"
)

// searches are the kinds of edges among which a cycle is looked for, in turn: the first that has one names the strongest claim that
// is broken.
func searches() []edge {
	var out []edge
	for _, more := range []edge{0, session, session | realtime} {
		out = append(out, inside|ww|more, inside|ww|wr|more, inside|ww|wr|rw|over|more)
	}
	return out
}

// maxStarts bounds how many nodes of a component are tried as the start of a witness.
const maxStarts = 64

// violations reports a witness of each component: there a transaction comes before itself. It returns which nodes are in one.
func (c *checker) violations() (broken []bool) {
	p := c.graph.pack()
	broken = make([]bool, c.graph.nodes)
	for _, nodes := range p.components() {
		for _, n := range nodes {
			broken[n] = true
		}
		if len(c.report.Violations) == history.MaxViolations {
			c.report.More++
			continue
		}
		c.witness(p, nodes)
	}
	return broken
}

// witness finds a short cycle in a component, and its name.
func (c *checker) witness(p *packed, nodes []int32) {
	for _, kinds := range searches() {
		part := p.part(nodes, kinds)
		for _, inner := range part.components() {
			small := part.part(inner, kinds)
			walk := small.cycle()
			steps := c.steps(small, walk, func(n int32) int32 { return nodes[inner[n]] })
			c.report.Add(name(steps), whose(steps), "%s", c.describe(steps))
			return
		}
	}
}

// cycle returns the edges of a short cycle, of one with a single rw if there is one. Every node is on some cycle.
func (p *packed) cycle() []int32 {
	var best []int32
	better := func(walk []int32) {
		if walk != nil && (best == nil || len(walk) < len(best)) {
			best = walk
		}
	}
	n := int32(len(p.first) - 1)
	tried := 0
	for from := int32(0); from < n && tried < maxStarts; from++ {
		for e := p.first[from]; e < p.first[from+1]; e++ {
			if p.by[e] != rw {
				continue
			}
			if tried++; tried > maxStarts {
				break
			}
			// Through the overwriters once, and back without another rw.
			if back := p.path(p.to[e], from, ^rw); back != nil {
				better(append([]int32{e}, back...))
			}
		}
	}
	if best != nil {
		return best
	}
	for from := range min(n, maxStarts) {
		better(p.path(from, from, ^edge(0)))
	}
	return best
}

// step is one edge of a witness, between transactions.
type step struct {
	from, to int
	by       edge
}

// steps turns a walk over nodes into one over transactions.
func (c *checker) steps(p *packed, walk []int32, node func(int32) int32) []step {
	var out []step
	for _, e := range walk {
		to := node(p.to[e])
		if int(to) >= 2*c.graph.txns { // overwriters: the next edge leads to one of them
			continue
		}
		switch by := p.by[e]; by {
		case inside:
		case over:
			out = append(out, step{to: int(to) / 2, by: rw})
		default:
			out = append(out, step{to: int(to) / 2, by: by})
		}
	}
	for i := range out {
		out[i].from = out[(i+len(out)-1)%len(out)].to
	}
	return slices.DeleteFunc(out, func(s step) bool { return s.from == s.to }) // who reads and then overwrites
}

// name says what a cycle of these steps is called.
func name(steps []step) Kind {
	antis, reads, suffix := 0, 0, Kind("")
	for _, s := range steps {
		switch s.by {
		case rw:
			antis++
		case wr:
			reads++
		case session:
			if suffix == "" {
				suffix = inSession
			}
		case realtime:
			suffix = inRealTime
		}
	}
	switch {
	case antis > 1:
		return GNonadjacent + suffix
	case antis == 1:
		return GSingle + suffix
	case reads > 0:
		return G1c + suffix
	}
	return G0 + suffix
}

func whose(steps []step) (txns []int) {
	for _, s := range steps {
		txns = append(txns, s.from)
	}
	return txns
}

// describe renders a cycle with what its transactions did.
func (c *checker) describe(steps []step) string {
	words := map[edge]string{
		ww: "was overwritten by", wr: "was read by", rw: "did not see", session: "was before, in its session,", realtime: "ended before",
	}
	var b strings.Builder
	for i, s := range steps {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %s %d", s.from, words[s.by], s.to)
	}
	for _, s := range steps {
		t := c.txns[s.from]
		fmt.Fprintf(&b, "; %d [%v-%v] %s %v", s.from, t.Invoke, t.Return, t.Outcome, t.Ops)
	}
	return b.String()
}

// skews counts the components that are only in the graph of serializability.
func (c *checker) skews(broken []bool) int {
	c.graph.serial()
	count := 0
	for _, nodes := range c.graph.pack().components() {
		if c.several(nodes, broken) {
			count++
		}
	}
	return count
}

// several reports whether the nodes are those of two transactions or more, none of which is part of a violation. One transaction that
// reads and then writes has a path to itself.
func (c *checker) several(nodes []int32, broken []bool) bool {
	one := int32(nobody)
	several := false
	for _, n := range nodes {
		if broken[n] {
			return false
		}
		if int(n) < 2*c.graph.txns {
			several = several || one != nobody && one != n/2
			one = n / 2
		}
	}
	return several
}
