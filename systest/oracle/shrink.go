package oracle

// shrink drops parts of a query as long as it still fails.
func shrink(q *query, fails func(*query) bool) *query {
	if plain := q.clone(); q.spelling != 0 {
		if plain.spelling = 0; fails(plain) {
			q = plain
		}
	}
	for again := true; again; {
		again = false
		for i := 0; ; i++ {
			smaller := q.clone()
			c := &cutter{place: i}
			c.query(smaller)
			if !c.done {
				break
			}
			smaller.dropUnused()
			if valid(smaller) && fails(smaller) {
				q, again = smaller, true
				i--
			}
		}
	}
	return q
}

// shrinkGraph drops lines of a graph as long as the query still fails: many at a time first.
func shrinkGraph(g *triples, fails func(*triples) bool) *triples {
	for many := len(g.lines()) / 2; many > 0; many /= 2 {
		for at := 0; at < len(g.lines()); {
			lines := g.lines()
			smaller := g.without(lines[at:min(at+many, len(lines))])
			if len(smaller.lines()) > 0 && fails(smaller) {
				g = smaller
			} else {
				at += many
			}
		}
	}
	return g
}

// cutter makes the cut of one place; places are numbered in the order in which it meets them.
type cutter struct {
	place int
	done  bool
}

// here reports whether this is the place.
func (c *cutter) here() bool {
	c.place--
	if c.place == -1 {
		c.done = true
		return true
	}
	return false
}

func (c *cutter) query(q *query) {
	for i := range q.blocks {
		if c.here() {
			q.blocks = append(q.blocks[:i:i], q.blocks[i+1:]...)
			return
		}
	}
	for _, b := range q.blocks {
		c.node(b)
	}
}

func (c *cutter) node(n *node) {
	for _, cut := range []struct {
		there bool
		do    func()
	}{
		{n.facets != nil, func() { n.facets = nil }},
		{n.facets != nil && n.facets.filter != nil && (n.facets.all || n.facets.keys != nil), func() { n.facets.filter = nil }},
		{n.facets != nil && len(n.facets.keys) > 1, func() { n.facets.keys = n.facets.keys[1:] }},
		{n.facets != nil && len(n.facets.keys) > 1, func() { n.facets.keys = n.facets.keys[:len(n.facets.keys)-1] }},
		{len(n.types) > 1, func() { n.types = n.types[1:] }},
		{n.filter != nil, func() { n.filter = nil }},
		{n.cascade != nil, func() { n.cascade = nil }},
		{n.normalize, func() { n.normalize = false }},
		{n.reflex, func() { n.reflex = false }},
		{len(n.orders) > 0, func() { n.orders = n.orders[1:] }},
		{n.page.first != 0, func() { n.page.first = 0 }},
		{n.page.offset != 0, func() { n.page.offset = 0 }},
		{n.page.after != 0, func() { n.page.after = 0 }},
		{n.v != "", func() { n.v = "" }},
		{n.alias != "" && n.kind != block && n.kind != mathOf, func() { n.alias = "" }},
		{len(n.groups) > 1, func() { n.groups = n.groups[1:] }},
		{n.recurse != nil && n.recurse.depth > 1, func() { n.recurse = &recurse{depth: n.recurse.depth - 1, loop: n.recurse.loop} }},
	} {
		if cut.there && c.here() {
			cut.do()
			return
		}
	}
	n.fn, n.filter = c.cond(n.fn), c.cond(n.filter)
	if n.facets != nil {
		n.facets.filter = c.cond(n.facets.filter)
	}
	n.expr = c.expr(n.expr)
	for i := range n.kids {
		if len(n.kids) > 1 && c.here() {
			n.kids = append(n.kids[:i:i], n.kids[i+1:]...)
			return
		}
	}
	for _, k := range n.kids {
		if c.node(k); c.done {
			return
		}
	}
}

// cond puts a part of a condition in the place of the whole.
func (c *cutter) cond(x *cond) *cond {
	if x == nil || c.done {
		return x
	}
	for i, k := range x.kids {
		if c.here() {
			return k
		}
		x.kids[i] = c.cond(k)
	}
	if len(x.args) > 1 && x.op == "eq" && c.here() {
		x.args = x.args[1:]
	}
	if len(x.uids) > 1 && c.here() {
		x.uids = x.uids[1:]
	}
	return x
}

func (c *cutter) expr(x *expr) *expr {
	if x == nil || c.done {
		return x
	}
	for i, k := range x.kids {
		if c.here() {
			return k
		}
		x.kids[i] = c.expr(k)
	}
	return x
}

func (q *query) clone() *query {
	out := &query{spelling: q.spelling}
	for _, b := range q.blocks {
		out.blocks = append(out.blocks, b.clone())
	}
	return out
}

func (n *node) clone() *node {
	out := *n
	out.fn, out.filter, out.facets, out.expr, out.kids = n.fn.clone(), n.filter.clone(), n.facets.clone(), n.expr.clone(), nil
	for _, k := range n.kids {
		out.kids = append(out.kids, k.clone())
	}
	return &out
}

func (c *cond) clone() *cond {
	if c == nil {
		return nil
	}
	out := *c
	out.kids = nil
	for _, k := range c.kids {
		out.kids = append(out.kids, k.clone())
	}
	return &out
}

func (x *expr) clone() *expr {
	if x == nil {
		return nil
	}
	out := *x
	out.kids = nil
	for _, k := range x.kids {
		out.kids = append(out.kids, k.clone())
	}
	return &out
}

// dropUnused takes away the definitions of variables that nobody uses.
func (q *query) dropUnused() {
	for again := true; again; {
		_, used := q.variables()
		again = false
		for _, b := range q.blocks {
			again = b.dropUnused(used) || again
		}
	}
}

func (n *node) dropUnused(used map[string]bool) (dropped bool) {
	if n.v != "" && !used[n.v] {
		if n.kind == mathOf || n.kind == aggregate {
			n.alias = "a" + n.v
		}
		n.v, dropped = "", true
	}
	if n.facets != nil {
		for i, k := range n.facets.keys {
			if k.v != nil && !used[k.v.v] {
				n.facets.keys[i].v, dropped = nil, true
			}
		}
	}
	for _, k := range n.kids {
		dropped = k.dropUnused(used) || dropped
	}
	return dropped
}

// valid reports whether every variable is defined once and used.
func valid(q *query) bool {
	defined, used := q.variables()
	for v := range used {
		if !defined[v] {
			return false
		}
	}
	return len(q.blocks) > 0 && len(used) == len(defined)
}

// variables returns the names that are defined and those that are used.
func (q *query) variables() (defined, used map[string]bool) {
	defined, used = map[string]bool{}, map[string]bool{}
	for _, b := range q.blocks {
		b.variables(defined, used)
	}
	return defined, used
}

func (n *node) variables(defined, used map[string]bool) {
	if n.v != "" {
		defined[n.v] = true
	}
	if n.arg != "" {
		used[n.arg] = true
	}
	for _, o := range n.orders {
		if o.val != "" {
			used[o.val] = true
		}
	}
	n.fn.variables(used)
	n.filter.variables(used)
	n.expr.variables(used)
	if n.facets != nil {
		for _, k := range n.facets.keys {
			if k.v != nil {
				defined[k.v.v] = true
			}
		}
	}
	for _, k := range n.kids {
		k.variables(defined, used)
	}
}

func (c *cond) variables(used map[string]bool) {
	if c == nil {
		return
	}
	for _, v := range append([]string{c.val, c.from}, c.vars...) {
		if v != "" {
			used[v] = true
		}
	}
	for _, k := range c.kids {
		k.variables(used)
	}
}

func (x *expr) variables(used map[string]bool) {
	if x == nil {
		return
	}
	if x.v != "" {
		used[x.v] = true
	}
	for _, k := range x.kids {
		k.variables(used)
	}
}
