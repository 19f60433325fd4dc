package query

import (
	"slices"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/uidset"
	"dragg/query/task"
)

// level is one plan node at work, for all nodes of the parent's frontier at once.
type level struct {
	*node
	block    *blockRun
	parent   *level // nil for the root
	children []*level
	depth    int // 1 for the root
	// rows are the edges of a root or an edge.
	rows rows
	// values are the values of a value field, a computed field or checkpwd.
	values values
	counts []int64
	groups groups
	// fetched says that the field has been asked for; an unknown predicate never is.
	fetched bool
	// hidden says that the level was fetched for a variable only.
	hidden bool
}

// values are the values of one field: row i belongs to the i-th uid of the parent's frontier.
type values struct {
	offsets []uint32
	values  []types.Value
	langs   []string
	facets  [][]graph.Facet
}

// path returns the keys from the root, which itself has none, to the field.
func (l *level) path() string {
	if l.parent == nil {
		return ""
	}
	if up := l.parent.path(); up != "" {
		return up + "." + l.key
	}
	return l.key
}

// start finds the root nodes of a block.
func (r *run) start(b *blockRun) error {
	l := &b.top
	*l = level{node: b.block.root, block: b, depth: 1}
	b.root = l
	if b.src.Path != nil {
		return r.startPath(b)
	}
	if b.fn == nil {
		r.addChildren(l)
		return nil
	}
	if b.src.Recurse != nil {
		b.walker = newRecursion(b)
	}
	if b.fn.kind != onTablet {
		uids, ascending, err := r.localRoot(b.fn)
		if err != nil {
			return err
		}
		return r.rootFound(l, uids, ascending, false)
	}
	texts, ok, err := r.texts(b.fn)
	if err != nil {
		return err
	}
	if !ok {
		return r.rootFound(l, nil, true, false)
	}
	t := task.Task{
		Kind: task.Match, AtRoot: true, Predicate: b.fn.pred, Reverse: b.fn.reverse, Langs: b.fn.langs,
		Func: b.fn.taskFunc(texts, nil),
	}
	paged := l.filter == nil && len(l.order) == 0 && l.cascade == nil
	if paged {
		t.Page = l.page.task()
	}
	t.Best = r.best(l, b.fn)
	return r.ask(l, []task.Task{t}, func(l *level, res []task.Result) error {
		return r.rootFound(l, res[0].Set.Slice(), true, paged)
	})
}

// best says which nodes of a root function matter where they are ordered by the very predicate that it looks at and then cut.
func (r *run) best(l *level, fn *function) task.Best {
	if l.filter != nil || l.cascade != nil || len(l.order) == 0 || l.page.after != 0 || fn.count || fn.reverse {
		return task.Best{}
	}
	k := l.order[0]
	if k.varName != "" || k.pred != fn.pred || len(k.langs) > 0 || len(fn.langs) > 0 {
		return task.Best{}
	}
	return task.Best{N: r.pageEnd(l), Desc: k.desc, ByUID: len(l.order) == 1}
}

// rootFound takes the nodes of the root function. ascending says that they ascend, paged that they were cut
// already.
func (r *run) rootFound(l *level, uids []graph.UID, ascending, paged bool) error {
	r.result.NumUIDs[""] += uint64(len(uids))
	l.rows = oneRow(uids, ascending)
	l.fetched = true
	if err := r.hold(task.TargetBytes * len(uids)); err != nil {
		return err
	}
	return r.refine(l, paged, (*run).descend)
}

// refine filters, orders and cuts the rows of a level, whose uids and index are set, and then goes on.
func (r *run) refine(l *level, paged bool, then func(*run, *level) error) error {
	if l.filter == nil && len(l.order) == 0 && len(l.facetOrder) == 0 {
		return r.refined(l, paged, then)
	}
	return r.filterLevel(l, func() error {
		return r.orderLevel(l, func() error { return r.refined(l, paged, then) })
	})
}

// refined cuts the rows of a level that are filtered and in order, and then goes on.
func (r *run) refined(l *level, paged bool, then func(*run, *level) error) error {
	switch {
	case paged:
		return then(r, l)
	case l.cascade == nil:
		r.cut(l)
	case l.page.after > 0:
		l.rows.page(0, 0, l.page.after) // only first and offset wait for the pruning (dql.md fact 53)
	}
	l.rows.compact()
	return then(r, l)
}

// cut applies the paging of a level (dql.md facts 41 and 43). The rows are not compacted.
func (r *run) cut(l *level) {
	p := l.page
	if len(l.order) > 0 && l.order[0].varName == "" && p.first == 0 {
		p.first = r.opts.SortedRows
		for i := range l.rows.len() {
			if from, to := l.rows.row(i); to-from-p.offset > p.first {
				r.result.Truncated = true
			}
		}
	}
	if p.isZero() {
		return
	}
	l.rows.page(p.first, p.offset, p.after)
}

// filterLevel keeps the targets for which the filter of the level holds.
func (r *run) filterLevel(l *level, then func() error) error {
	if l.filter == nil {
		return then()
	}
	keep := func(keep []graph.UID) error {
		l.rows.keepUIDs(keep)
		return then()
	}
	if !l.pieces() {
		return r.filterStages(l, l.filter, l.rows.uids, keep)
	}
	from, _ := slices.BinarySearch(l.rows.uids, l.page.after+1)
	return r.filterPieces(l, max(firstPiece, pieceMargin*(l.page.offset+l.page.first)), nil, l.rows.uids[from:], keep)
}

// descend asks for the fields below a root or an edge.
func (r *run) descend(l *level) error {
	if l.varName != "" || l.parent == nil && l.block.src.Var != "" {
		name := l.varName
		if l.parent == nil {
			name = l.block.src.Var
		}
		l.block.uidVars = append(l.block.uidVars, uidVar{name, l})
		r.result.set(name, &Var{UIDs: l.rows.uids}) // for filters below; the block publishes it when it is done
	}
	if err := r.facetVariables(l); err != nil {
		return err
	}
	switch {
	case len(l.groupBy) > 0:
		return r.group(l)
	case l.block.walker != nil:
		return l.block.walker.descend(r, l)
	}
	r.addChildren(l)
	r.pending, r.tasks = slices.Grow(r.pending, len(l.children)), slices.Grow(r.tasks, len(l.children))
	for _, c := range l.children {
		if err := r.fetch(c); err != nil {
			return err
		}
	}
	return nil
}

// addChildren makes the levels below l.
func (r *run) addChildren(l *level) {
	levels := r.memory.levels.Take(len(l.node.children))
	l.children = r.memory.children.Take(len(levels))[:0]
	for i, n := range l.node.children {
		l.adopt(&levels[i], n)
	}
}

// addChild makes the level of n below l.
func (l *level) addChild(n *node) *level {
	c := new(level)
	l.adopt(c, n)
	return c
}

// adopt makes c the level of n below l.
func (l *level) adopt(c *level, n *node) {
	c.node, c.block, c.parent, c.depth = n, l.block, l, l.depth+1
	l.children = append(l.children, c)
	switch n.kind {
	case dql.ValField, dql.AggregateField, dql.MathField:
		l.block.internals = append(l.block.internals, c)
	case dql.UIDField:
		if n.varName != "" {
			l.block.uidVars = append(l.block.uidVars, uidVar{n.varName, c})
		}
	case dql.CountUIDField:
		if n.varName != "" {
			l.block.internals = append(l.block.internals, c)
		}
	}
}

// fetch asks for one field of the parent's frontier.
func (r *run) fetch(c *level) error {
	src := c.parent.rows.uids
	switch c.kind {
	case dql.ExpandField:
		return r.expand(c)
	case dql.PredicateField:
		switch {
		case c.def == nil:
			return nil
		case c.edges && (c.shown || c.varName != "" || len(c.facetVars) > 0 || c.parent.cascade != nil):
			return r.fetchEdges(c, src, true, (*run).descend)
		case c.edges, c.def.Type == types.Password:
			return nil
		}
		return r.fetchValues(c, src)
	case dql.CountField:
		if c.def == nil {
			return nil
		}
		return r.fetchCounts(c, src)
	case dql.CheckPwdField:
		if c.def == nil {
			return nil
		}
		return r.fetchValues(c, src)
	}
	return nil
}

// fetchEdges asks for the edges from src and refines them. push says that paging may be left to the tablet.
func (r *run) fetchEdges(c *level, src []graph.UID, push bool, then func(*run, *level) error) error {
	t := task.Task{
		Kind: task.Edges, Predicate: c.pred, Reverse: c.attr.Reverse, Src: src, Facets: c.facets,
	}
	paged := push && c.filter == nil && len(c.order) == 0 && len(c.facetOrder) == 0 && c.cascade == nil &&
		c.kind != dql.CountField
	if paged {
		t.Page = c.page.task()
	}
	return r.ask(c, []task.Task{t}, func(c *level, res []task.Result) error {
		c.takeEdges(&res[0])
		if !push {
			return then(r, c)
		}
		return r.refine(c, paged, then)
	})
}

// takeEdges makes rows of a result.
func (c *level) takeEdges(res *task.Result) {
	c.fetched = true
	c.rows = rows{offsets: res.Offsets, targets: res.Targets, facets: res.Facets, shared: true}
	if len(res.Offsets) == 2 {
		c.rows.uids, c.rows.index = res.Targets, ascending(len(res.Targets))
		return
	}
	c.rows.distinct()
}

func (r *run) fetchValues(c *level, src []graph.UID) error {
	t := task.Task{Kind: task.Values, Predicate: c.pred, Src: src, Langs: c.attr.Langs, Facets: c.facets}
	if c.kind == dql.CheckPwdField {
		t.Func = task.Func{Name: task.CheckPwd, Args: []string{c.src.Password}}
	}
	return r.ask(c, []task.Task{t}, func(c *level, res []task.Result) error {
		c.fetched = true
		c.values = values{
			offsets: res[0].Offsets, values: res[0].Values, langs: res[0].Langs, facets: res[0].Facets,
		}
		return c.valueVariable()
	})
}

// fetchCounts asks how many edges or values the nodes have; with a filter the edges themselves are needed
// (dql.md facts 17 and 54).
func (r *run) fetchCounts(c *level, src []graph.UID) error {
	switch {
	case c.edges && (c.filter != nil || c.facets != nil):
		return r.fetchEdges(c, src, false, func(r *run, c *level) error {
			return r.filterLevel(c, func() error {
				c.takeCounts(c.rows.offsets)
				return c.valueVariable()
			})
		})
	case len(c.attr.Langs) > 0 || c.facets != nil:
		return r.fetchValueCounts(c, src)
	}
	t := task.Task{Kind: task.Counts, Predicate: c.pred, Reverse: c.attr.Reverse, Src: src}
	return r.ask(c, []task.Task{t}, func(c *level, res []task.Result) error {
		c.fetched, c.counts = true, res[0].Counts
		if c.counts == nil {
			c.counts = []int64{}
		}
		return c.valueVariable()
	})
}

func (r *run) fetchValueCounts(c *level, src []graph.UID) error {
	t := task.Task{Kind: task.Values, Predicate: c.pred, Src: src, Langs: c.attr.Langs, Facets: c.facets}
	return r.ask(c, []task.Task{t}, func(c *level, res []task.Result) error {
		c.fetched = true
		c.takeCounts(res[0].Offsets)
		return c.valueVariable()
	})
}

func (c *level) takeCounts(offsets []uint32) {
	c.counts = make([]int64, len(offsets)-1)
	for i := range c.counts {
		c.counts[i] = int64(offsets[i+1] - offsets[i])
	}
}

// merge returns the union of two ascending slices, without copying where one is empty.
func merge(a, b []graph.UID) []graph.UID {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	return uidset.Union(nil, a, b)
}
