package query

import (
	"container/heap"
	"fmt"
	"slices"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/uidset"
	"dragg/query/answer"
	"dragg/query/task"
)

// pathSearch is a shortest block at work (dql.md facts 74 to 79).
//
// One path is found by Dijkstra's algorithm, with hops as a second criterion where the depth is bounded.
// Several paths, or a least weight, are found by best-first enumeration of paths without loops: they come
// out by weight. Neither knows the graph beforehand: when a node is to be expanded whose edges are not
// known, those of all open nodes are fetched in one round.
type pathSearch struct {
	spec     *dql.Path
	level    *level
	from, to graph.UID
	edges    []*node             // the predicates to follow
	arcs     map[graph.UID][]arc // the edges of the nodes that were fetched
	hops     map[graph.UID]int   // the fewest hops with which a node was settled
	open     labels
	seq      int
	count    int // edges followed
	several  bool
	capacity int
	paths    []answer.Path
}

// arc is an edge with its weight.
type arc struct {
	to     graph.UID
	weight float64
	by     *node
	facet  types.Value
}

// label is a path from the start to a node.
type label struct {
	node   graph.UID
	weight float64
	hops   int
	seq    int // when it was found, so that ties do not depend on luck
	goal   bool
	back   *label
	arc    arc
}

// Rough sizes for the account of memory, in bytes.
const (
	arcBytes   = 88
	labelBytes = 144 // with its place in the heap
)

// labels is a heap of open labels by weight, hops and age. Of labels that are as good, one at the goal comes first: to go on from
// another cannot lead to a better path, and would ask for the edges of a whole frontier.
type labels []*label

func (h labels) Len() int      { return len(h) }
func (h labels) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h labels) Less(i, j int) bool {
	a, b := h[i], h[j]
	switch {
	case a.weight != b.weight:
		return a.weight < b.weight
	case a.hops != b.hops:
		return a.hops < b.hops
	case a.goal != b.goal:
		return a.goal
	}
	return a.seq < b.seq
}

// Push implements heap.Interface.
func (h *labels) Push(x any) { *h = append(*h, x.(*label)) }

// Pop implements heap.Interface.
func (h *labels) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}

// startPath begins the search of a shortest block.
func (r *run) startPath(b *blockRun) error {
	spec := b.src.Path
	s := &pathSearch{
		spec: spec, level: b.root, arcs: map[graph.UID][]arc{}, hops: map[graph.UID]int{},
		several: spec.NumPaths > 1 || spec.MinWeight != nil, capacity: spec.MaxFrontier,
	}
	b.search = s
	if spec.NumPaths > r.opts.PathCount {
		return &LimitError{What: "paths", Limit: r.opts.PathCount}
	}
	for _, n := range b.root.node.children {
		if n.kind != dql.PredicateField || !n.edges {
			continue
		}
		if n.facetKeys != nil && len(n.facetKeys.Keys) > 1 {
			return fmt.Errorf("expected only 1 but got %d facets for the weight of %s", len(n.facetKeys.Keys), n.key)
		}
		s.edges = append(s.edges, n)
	}
	var err error
	if s.from, err = r.pathEnd(spec.From); err != nil {
		return err
	}
	if s.to, err = r.pathEnd(spec.To); err != nil {
		return err
	}
	if s.from == 0 || s.to == 0 || spec.Depth == 0 && s.from != s.to {
		return nil
	}
	heap.Push(&s.open, &label{node: s.from})
	return s.advance(r)
}

// pathEnd returns the uid of from or to; 0 for an empty variable.
func (r *run) pathEnd(a dql.Arg) (graph.UID, error) {
	if a.Kind == dql.UIDArg {
		return a.UID, nil
	}
	switch v := r.variable(a.Text); len(v.UIDs) {
	case 0:
		return 0, nil
	case 1:
		return v.UIDs[0], nil
	default:
		return 0, fmt.Errorf("from and to of a shortest path take a variable of one uid. Got: %s with %d uids",
			a.Text, len(v.UIDs))
	}
}

// advance expands open labels until the paths are found, nothing is open, or edges have to be fetched.
func (s *pathSearch) advance(r *run) error {
	for s.open.Len() > 0 && len(s.paths) < s.spec.NumPaths {
		if r.gone() {
			return r.quit()
		}
		l := s.open[0]
		if s.spec.MaxWeight != nil && l.weight > *s.spec.MaxWeight {
			return nil
		}
		if l.node == s.to {
			heap.Pop(&s.open)
			if s.spec.MinWeight == nil || l.weight >= *s.spec.MinWeight {
				s.paths = append(s.paths, l.path())
			}
			continue
		}
		if s.settled(l) || s.spec.Depth > 0 && l.hops >= s.spec.Depth {
			heap.Pop(&s.open)
			continue
		}
		arcs, known := s.arcs[l.node]
		if !known {
			return s.fetch(r)
		}
		heap.Pop(&s.open)
		if !s.several {
			s.hops[l.node] = l.hops
		}
		if err := s.expand(r, l, arcs); err != nil {
			return err
		}
	}
	return nil
}

// settled says whether a label cannot be part of a shortest path, as its node was reached before with no
// more weight and no more hops.
func (s *pathSearch) settled(l *label) bool {
	if s.several {
		return false
	}
	hops, ok := s.hops[l.node]
	return ok && (s.spec.Depth < 0 || hops <= l.hops)
}

// expand opens the labels one edge further.
func (s *pathSearch) expand(r *run, l *label, arcs []arc) error {
	opened := 0
	for _, a := range arcs {
		if r.gone() {
			return r.quit()
		}
		if s.several && l.visits(a.to) {
			continue
		}
		s.seq++
		next := &label{node: a.to, weight: l.weight + a.weight, hops: l.hops + 1, seq: s.seq, goal: a.to == s.to, back: l, arc: a}
		if s.settled(next) {
			continue
		}
		heap.Push(&s.open, next)
		opened++
	}
	if err := r.hold(labelBytes * opened); err != nil { // what was closed stays reachable from what it led to
		return err
	}
	switch {
	case s.capacity > 0 && s.open.Len() > s.capacity:
		slices.SortFunc(s.open, func(a, b *label) int {
			if (labels{a, b}).Less(0, 1) {
				return -1
			}
			return 1
		})
		s.open = s.open[:s.capacity] // the worst ones go; a sorted slice is a heap
	case s.open.Len() > r.opts.PathFrontier:
		return &LimitError{What: "open paths", Limit: r.opts.PathFrontier}
	}
	return nil
}

// visits says whether the path goes through u.
func (l *label) visits(u graph.UID) bool {
	for ; l != nil; l = l.back {
		if l.node == u {
			return true
		}
	}
	return false
}

// path returns the label as a path of the answer.
func (l *label) path() answer.Path {
	p := answer.Path{Weight: l.weight}
	for ; l != nil; l = l.back {
		p.Nodes = append(p.Nodes, l.node)
		if l.back == nil {
			break
		}
		h := answer.Hop{Key: l.arc.by.key, Facet: l.arc.facet}
		if k, ok := weightFacet(l.arc.by); ok {
			h.FacetKey = l.arc.by.key + "|" + k.Key
			if k.Alias != "" {
				h.FacetKey = k.Alias
			}
		}
		p.Hops = append(p.Hops, h)
	}
	slices.Reverse(p.Nodes)
	slices.Reverse(p.Hops)
	return p
}

// weightFacet returns the facet that is the weight of an edge; ok is false where each hop weighs 1.
func weightFacet(n *node) (k answer.FacetKey, ok bool) {
	if n.facetKeys == nil || len(n.facetKeys.Keys) != 1 {
		return k, false
	}
	return n.facetKeys.Keys[0], true
}

// fetch asks for the edges of all open nodes, and goes on.
func (s *pathSearch) fetch(r *run) error {
	var src []graph.UID
	for _, l := range s.open {
		if r.gone() {
			return r.quit()
		}
		if _, known := s.arcs[l.node]; !known && l.node != s.to {
			src = append(src, l.node)
		}
	}
	slices.Sort(src)
	src = slices.Compact(src)
	for _, u := range src {
		s.arcs[u] = nil
	}
	var tasks []task.Task
	for _, n := range s.edges {
		tasks = append(tasks, task.Task{
			Kind: task.Edges, Predicate: n.pred, Reverse: n.attr.Reverse, Src: src, Facets: n.facets,
		})
	}
	return r.ask(s.level, tasks, func(_ *level, res []task.Result) error { return s.filter(r, src, res, 0) })
}

// filter applies the filters of the predicates from the i-th on, takes the edges that are left and goes on.
func (s *pathSearch) filter(r *run, src []graph.UID, res []task.Result, i int) error {
	if i == len(s.edges) {
		return s.advance(r)
	}
	n := s.edges[i]
	x := rows{offsets: res[i].Offsets, targets: res[i].Targets, facets: res[i].Facets, shared: true}
	x.distinct()
	take := func(keep []graph.UID) error {
		if err := s.take(r, n, src, &x, keep); err != nil {
			return err
		}
		return s.filter(r, src, res, i+1)
	}
	if n.filter == nil {
		return take(x.uids)
	}
	return r.filterUIDs(s.level, n.filter, x.uids, take)
}

// take adds the edges whose target is in keep and that have a weight.
func (s *pathSearch) take(r *run, n *node, src []graph.UID, x *rows, keep []graph.UID) error {
	all := len(keep) == len(x.uids)
	if !all {
		keep = uidset.Intersect(nil, keep, x.uids)
	}
	k, weighed := weightFacet(n)
	for row, u := range src {
		from, to := x.row(row)
		s.count += to - from
		if s.count > r.opts.TraversedEdges {
			return &LimitError{What: "edges in a shortest path", Limit: r.opts.TraversedEdges}
		}
		if err := r.hold(arcBytes * (to - from)); err != nil {
			return err
		}
		for i := from; i < to; i++ {
			if r.gone() {
				return r.quit()
			}
			a := arc{to: x.targets[i], weight: 1, by: n}
			if !all {
				if _, ok := slices.BinarySearch(keep, a.to); !ok {
					continue
				}
			}
			if weighed {
				w, ok := facetOf(x.facets, i, k.Key)
				if !ok {
					continue
				}
				if a.weight, ok = weightOf(w); !ok {
					continue
				}
				a.facet = w
			}
			s.arcs[u] = append(s.arcs[u], a)
		}
	}
	return nil
}

// weightOf returns a facet as a weight. Text and dates are none, nor are negative numbers, for which there
// is no shortest path.
func weightOf(v types.Value) (float64, bool) {
	switch v.Type() {
	case types.Int:
		return float64(v.Int()), v.Int() >= 0
	case types.Float:
		return v.Float(), v.Float() >= 0
	}
	return 0, false
}

// variable returns the nodes of the best path.
func (s *pathSearch) variable() *Var {
	if len(s.paths) == 0 {
		return &Var{}
	}
	v := &Var{path: s.paths[0].Nodes, UIDs: slices.Clone(s.paths[0].Nodes)}
	slices.Sort(v.UIDs)
	v.UIDs = slices.Compact(v.UIDs)
	return v
}
