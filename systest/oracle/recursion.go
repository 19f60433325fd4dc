package oracle

// recursion is a @recurse block at work.
type recursion struct {
	e       *evaluator
	b       *node
	used    map[step]bool
	found   map[expansion]*node
	top     *branch
	printed []uid           // all nodes whose values are shown
	reached map[*node][]uid // what each edge field led to
}

// expansion is a predicate that an expand stands for. It is one field wherever it is found.
type expansion struct {
	expand *node
	pred   string
}

// step is an edge that was used.
type step struct {
	by       *node
	from, to uid
}

// branch is all nodes of one level that were reached by the same fields.
type branch struct {
	nodes  []uid
	fields []*node // those that an expand stands for in its place
	rows   map[*node]map[uid][]uid
	below  map[*node]*branch
}

// recursion follows the edges of b from its roots, level by level, the branches of a level in the order of the fields. Without
// loop an edge that was used is not used again (fact 72). With a depth the edges that leave the last level are followed for the
// variables, but not shown.
func (e *evaluator) recursion(b *node) *recursion {
	r := &recursion{
		e: e, b: b, used: map[step]bool{}, found: map[expansion]*node{}, reached: map[*node][]uid{}, top: &branch{nodes: e.level(b)},
	}
	level := []*branch{r.top}
	for depth := 1; len(level) > 0; depth++ {
		var next []*branch
		for _, at := range level {
			next = append(next, r.leave(at, depth == b.recurse.depth)...)
		}
		level = next
	}
	r.printed = distinct(r.printed)
	return r
}

// leave follows the edges from a branch and returns the branches that they lead to.
func (r *recursion) leave(at *branch, last bool) (next []*branch) {
	r.printed = append(r.printed, at.nodes...)
	at.fields = r.fields(at.nodes)
	at.rows, at.below = map[*node]map[uid][]uid{}, map[*node]*branch{}
	for _, k := range at.fields {
		if k.kind != edge {
			continue
		}
		rows := map[uid][]uid{}
		var all []uid
		for _, u := range at.nodes {
			for _, to := range r.e.candidates(k, u) {
				if s := (step{k, u, to}); !r.used[s] {
					r.used[s] = !r.b.recurse.loop
					rows[u] = append(rows[u], to)
				}
			}
			all = append(all, rows[u]...)
		}
		r.reached[k] = append(r.reached[k], all...)
		if !last && len(all) > 0 {
			below := &branch{nodes: distinct(all)}
			at.rows[k], at.below[k] = rows, below
			next = append(next, below)
		}
	}
	return next
}

// fields returns what is asked of the nodes of a branch: an expand stands for the fields of all their types.
func (r *recursion) fields(nodes []uid) (list []*node) {
	for _, k := range r.b.kids {
		if k.kind != expandOf {
			list = append(list, k)
			continue
		}
		for _, pred := range r.e.expand(nodes, k) {
			at := expansion{k, pred}
			if r.found[at] == nil {
				r.found[at] = expandedField(k, pred)
				if r.found[at] == nil {
					continue
				}
				r.e.parent[r.found[at]] = r.b
				r.e.enter(r.found[at], r.b)
			}
			list = append(list, r.found[at])
		}
	}
	return list
}

// show writes a node of a branch and what hangs below it.
func (r *recursion) show(at *branch, u uid) object {
	var o object
	for _, k := range at.fields {
		if k.kind != edge {
			o = append(o, r.e.field(k, u, nil)...)
			continue
		}
		var list []object
		for _, to := range at.rows[k][u] {
			if below := r.show(at.below[k], to); len(below) > 0 {
				list = append(list, append(below, k.facets.show(name(k), r.e.g.onEdge(k.pred, u, to))...))
			}
		}
		o = append(o, edgeField(k, list)...)
	}
	return o
}
