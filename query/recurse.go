package query

import (
	"slices"

	"dragg/dql"
	"dragg/graph"
)

// recursion is a @recurse at work: the fields of the block are asked for again below every edge (dql.md
// facts 67, 72).
type recursion struct {
	depth int // levels of nodes, 0 for no bound
	loop  bool
	// seen are the edges that were followed, where they may not be followed again.
	seen  map[hop]struct{}
	edges int
	// asked are the edges and expands of the current level of nodes, waiting those of them that are not there yet. The next level begins when
	// all are: which branch may use an edge must not depend on how many rounds the filters of another take.
	asked   []*level
	waiting int
}

// hop is one edge of the graph.
type hop struct {
	by       *node
	from, to graph.UID
}

// hopBytes is what a hop takes in the set of those seen, roughly.
const hopBytes = 48

func newRecursion(b *blockRun) *recursion {
	w := &recursion{depth: b.src.Recurse.Depth, loop: b.src.Recurse.Loop}
	if !w.loop {
		w.seen = map[hop]struct{}{}
	}
	return w
}

// descend asks for the fields of the block for the nodes of l.
func (w *recursion) descend(r *run, l *level) error {
	if l.depth > r.opts.RecurseDepth {
		return &LimitError{What: "levels of @recurse", Limit: r.opts.RecurseDepth}
	}
	w.waiting++ // until all is asked for
	for _, n := range l.block.root.node.children {
		if err := w.fetch(r, l.addChild(n)); err != nil {
			return err
		}
	}
	return w.arrived(r)
}

// arrived begins the next level with the last edge or expand of this one.
func (w *recursion) arrived(r *run) error {
	if w.waiting--; w.waiting > 0 || len(w.asked) == 0 {
		return nil
	}
	level := w.asked
	w.asked = nil
	w.waiting++ // until all is asked for
	for _, c := range level {
		for _, edge := range c.edgesHere() {
			if len(edge.rows.targets) == 0 {
				continue
			}
			if err := r.descend(edge); err != nil {
				return err
			}
		}
	}
	return w.arrived(r)
}

// edgesHere returns the edge itself, or those that an expand stands for.
func (l *level) edgesHere() []*level {
	if l.kind != dql.ExpandField {
		return []*level{l}
	}
	return slices.DeleteFunc(slices.Clone(l.children), func(c *level) bool { return !c.edges || c.hidden })
}

// fetch asks for one field. Past the last level only variables are filled.
func (w *recursion) fetch(r *run, c *level) error {
	if c.kind == dql.ExpandField {
		w.asked, w.waiting = append(w.asked, c), w.waiting+1
		return r.fetch(c)
	}
	if c.kind != dql.PredicateField || !c.edges || c.def == nil {
		return r.fetch(c)
	}
	last := w.depth > 0 && c.edgeAbove().depth >= w.depth
	if last && c.varName == "" {
		return nil
	}
	c.hidden = last
	if !last {
		if w.waiting++; c.parent.kind != dql.ExpandField { // which stands for its edges
			w.asked = append(w.asked, c)
		}
	}
	return r.fetchEdges(c, c.parent.rows.uids, false, func(r *run, c *level) error {
		w.edges += len(c.rows.targets)
		if w.edges > r.opts.TraversedEdges {
			return &LimitError{What: "edges in @recurse", Limit: r.opts.TraversedEdges}
		}
		if !w.loop {
			if err := r.hold(hopBytes * len(c.rows.targets)); err != nil {
				return err
			}
			w.dropSeen(r, c)
			if err := r.quit(); err != nil {
				return err
			}
		}
		return r.refine(c, false, func(r *run, c *level) error {
			if last {
				c.block.uidVars = append(c.block.uidVars, uidVar{c.varName, c})
				return nil
			}
			return w.arrived(r)
		})
	})
}

// dropSeen drops the edges that were followed before and notes the others.
func (w *recursion) dropSeen(r *run, c *level) {
	src := c.parent.rows.uids
	row := 0
	c.rows.own()
	ends := append([]uint32(nil), c.rows.offsets...)
	c.rows.keep(func(i int) bool {
		if r.gone() {
			return false
		}
		for uint32(i) >= ends[row+1] {
			row++
		}
		h := hop{by: c.node, from: src[row], to: c.rows.targets[i]}
		if _, ok := w.seen[h]; ok {
			return false
		}
		w.seen[h] = struct{}{}
		return true
	})
	c.rows.compact()
}
