package query

import (
	"cmp"
	"encoding/binary"
	"slices"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/query/answer"
	"dragg/query/arith"
	"dragg/query/task"
)

// groups are the groups of each row of a level with @groupby.
type groups [][]answer.Group

// grouping is one @groupby at work: what it needs to know of each node of the frontier.
type grouping struct {
	level *level
	// keys are the values that the nodes have of each key; a node without one belongs to no group.
	keys []keyColumn
	// columns holds for each field of the body its values, for aggregates over a predicate.
	columns []*task.Result
}

// bucket is one group: the values of its keys and the nodes in it, as indexes into the frontier.
type bucket struct {
	keys  []types.Value
	nodes []uint32
}

// group asks for the keys and the aggregated values of a level, and forms the groups (dql.md facts 68 to 71).
func (r *run) group(l *level) error {
	for _, k := range l.groupBy {
		if k.def == nil {
			return nil // nodes without the key belong to no group
		}
	}
	src := l.rows.uids
	var tasks []task.Task
	for _, k := range l.groupBy {
		t := task.Task{Kind: task.Values, Predicate: k.pred, Reverse: k.attr.Reverse, Langs: k.attr.Langs, Src: src}
		if k.edges {
			t.Kind = task.Edges
		}
		tasks = append(tasks, t)
	}
	var bodies []int // for each child the index of its task, or -1
	for _, c := range l.node.children {
		bodies = append(bodies, -1)
		if c.kind == dql.AggregateField && c.def != nil && !c.def.IsUID() {
			bodies[len(bodies)-1] = len(tasks)
			tasks = append(tasks, task.Task{Kind: task.Values, Predicate: c.pred, Langs: c.attr.Langs, Src: src})
		}
	}
	return r.ask(l, tasks, func(_ *level, res []task.Result) error {
		g := &grouping{level: l}
		for i, k := range l.groupBy {
			g.keys = append(g.keys, keyColumn{&res[i], k.edges})
		}
		for _, at := range bodies {
			if at < 0 {
				g.columns = append(g.columns, nil)
				continue
			}
			g.columns = append(g.columns, &res[at])
		}
		return g.finish(r)
	})
}

// Rough sizes for the account of memory, in bytes.
const (
	bucketBytes = 128 // a group with its entry in the index of groups
	memberBytes = 8   // a node in a group, while its slice grows
)

// keyColumn is the values of a key for each node: all targets of an edge, the first of several values.
type keyColumn struct {
	res   *task.Result
	edges bool
}

// of returns where the values of a node are.
func (k keyColumn) of(node uint32) (from, to uint32) {
	from, to = k.res.Offsets[node], k.res.Offsets[node+1]
	if !k.edges {
		to = min(to, from+1)
	}
	return from, to
}

func (k keyColumn) at(i uint32) types.Value {
	if k.edges {
		return types.OfUID(uint64(k.res.Targets[i]))
	}
	return k.res.Values[i]
}

// finish forms the groups of every row, and those of all nodes together for the variables.
func (g *grouping) finish(r *run) error {
	l := g.level
	l.groups = make(groups, l.rows.len())
	for i := range l.groups {
		from, to := l.rows.row(i)
		buckets, err := g.buckets(r, l.rows.index[from:to])
		if err != nil {
			return err
		}
		for _, b := range buckets {
			if r.gone() {
				return r.quit()
			}
			l.groups[i] = append(l.groups[i], g.members(b))
		}
	}
	return g.variables(r)
}

// variables defines the variables of the body over the groups of all nodes together.
func (g *grouping) variables(r *run) error {
	l := g.level
	all := make([]uint32, len(l.rows.uids))
	for i := range all {
		all[i] = uint32(i)
	}
	for i, c := range l.node.children {
		if c.varName == "" {
			continue
		}
		buckets, err := g.buckets(r, all)
		if err != nil {
			return err
		}
		if err := l.block.define(c.varName, nil, g.variable(i, buckets), nil); err != nil {
			return err
		}
	}
	return nil
}

// buckets distributes nodes over groups, ordered by size and then by the keys. A node with several values of several keys is in as
// many groups as they have combinations, so that what is made is accounted for as it is made.
func (g *grouping) buckets(r *run, nodes []uint32) ([]*bucket, error) {
	d := distribution{r: r, keys: g.keys, byUID: map[graph.UID]*bucket{}, byKey: map[string]*bucket{}}
	scratch := make([]types.Value, 0, len(g.keys))
	for _, n := range nodes {
		var err error
		if len(g.keys) == 1 && g.keys[0].edges {
			err = d.placeByEdges(n)
		} else {
			err = d.place(n, scratch)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.hold(d.bytes); err != nil {
		return nil, err
	}
	list := d.list
	slices.SortStableFunc(list, func(a, b *bucket) int {
		if r.gone() {
			return 0
		}
		if c := cmp.Compare(len(a.nodes), len(b.nodes)); c != 0 {
			return c
		}
		for i := range a.keys {
			if c := compareKeys(a.keys[i], b.keys[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	return list, r.quit()
}

// distribution is the making of groups.
type distribution struct {
	r     *run
	keys  []keyColumn
	byUID map[graph.UID]*bucket // where the only key is an edge
	byKey map[string]*bucket
	list  []*bucket
	text  []byte // scratch space for the text of a group's keys
	steps int
	bytes int // made and not accounted for yet
}

// placesBetween is how many places of nodes in groups lie between two looks at the account of memory.
const placesBetween = 1024

// place puts a node into all groups whose keys begin with the given ones.
func (d *distribution) place(node uint32, keys []types.Value) error {
	if depth := len(keys); depth < len(d.keys) {
		for from, to := d.keys[depth].of(node); from < to; from++ {
			if err := d.place(node, append(keys, d.keys[depth].at(from))); err != nil {
				return err
			}
		}
		return nil
	}
	d.text = d.text[:0]
	for _, v := range keys {
		at := len(d.text)
		d.text = types.AppendBinary(append(d.text, byte(v.Type()), 0, 0, 0, 0), v)
		binary.BigEndian.PutUint32(d.text[at+1:], uint32(len(d.text)-at))
	}
	b := d.byKey[string(d.text)]
	if b == nil {
		b = d.begin(slices.Clone(keys))
		d.byKey[string(d.text)] = b
		d.bytes += len(d.text)
	}
	return d.add(b, node)
}

// placeByEdges is place where the only key is an edge.
func (d *distribution) placeByEdges(node uint32) error {
	for from, to := d.keys[0].of(node); from < to; from++ {
		u := d.keys[0].res.Targets[from]
		b := d.byUID[u]
		if b == nil {
			b = d.begin([]types.Value{types.OfUID(uint64(u))})
			d.byUID[u] = b
		}
		if err := d.add(b, node); err != nil {
			return err
		}
	}
	return nil
}

// begin makes a group.
func (d *distribution) begin(keys []types.Value) *bucket {
	b := &bucket{keys: keys}
	d.list = append(d.list, b)
	d.bytes += bucketBytes + task.ValueBytes*len(keys)
	return b
}

// add puts a node into a group.
func (d *distribution) add(b *bucket, node uint32) error {
	b.nodes = append(b.nodes, node)
	d.bytes += memberBytes
	return d.account()
}

// account looks at the context and the memory now and then.
func (d *distribution) account() error {
	if d.r.gone() {
		return d.r.quit()
	}
	if d.steps++; d.steps%placesBetween != 0 {
		return nil
	}
	bytes := d.bytes
	d.bytes = 0
	return d.r.hold(bytes)
}

// compareKeys orders the values of one key; those without an order, as bools, by their stored form.
func compareKeys(a, b types.Value) int {
	if a.Type() == types.UID && b.Type() == types.UID {
		return cmp.Compare(a.UID(), b.UID())
	}
	if c, err := types.Compare(a, b); err == nil {
		return c
	}
	return slices.Compare(types.AppendBinary(nil, a), types.AppendBinary(nil, b))
}

// members returns what the answer shows of a group.
func (g *grouping) members(b *bucket) answer.Group {
	out := answer.Group{Members: make([]answer.Member, 0, len(g.level.groupBy)+len(g.level.node.children))}
	for i, k := range g.level.groupBy {
		out.Members = append(out.Members, answer.Member{Key: k.key, Value: b.keys[i]})
	}
	for i, c := range g.level.node.children {
		if v, ok := g.body(i, b); ok {
			out.Members = append(out.Members, answer.Member{Key: c.key, Value: v})
		}
	}
	return out
}

// body returns the value of the i-th field of the body for a group.
func (g *grouping) body(i int, b *bucket) (types.Value, bool) {
	c := g.level.node.children[i]
	if c.kind == dql.CountUIDField {
		return types.OfInt(int64(len(b.nodes))), true
	}
	res := g.columns[i]
	if res == nil {
		return types.Value{}, false
	}
	agg := arith.Aggregate{Op: c.src.Agg}
	for _, n := range b.nodes {
		for _, v := range res.Values[res.Offsets[n]:res.Offsets[n+1]] {
			agg.Add(v)
		}
	}
	return agg.Value()
}

// variable returns the i-th field of the body by the uid that the groups have as their only key.
func (g *grouping) variable(i int, buckets []*bucket) *Var {
	slices.SortFunc(buckets, func(a, b *bucket) int { return cmp.Compare(a.keys[0].UID(), b.keys[0].UID()) })
	v := &Var{Values: []types.Value{}}
	for _, b := range buckets {
		if x, ok := g.body(i, b); ok {
			v.UIDs = append(v.UIDs, graph.UID(b.keys[0].UID()))
			v.Values = append(v.Values, x)
		}
	}
	return v
}
