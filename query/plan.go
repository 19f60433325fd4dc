package query

import (
	"errors"
	"fmt"

	"dragg/dql"
	"dragg/graph"
	"dragg/query/answer"
	"dragg/query/task"
	"dragg/schema"
)

// Plan is a document bound to a schema. It is immutable and may be executed any number of times,
// concurrently.
type Plan struct {
	blocks      []*block
	schema      schema.Snapshot
	schemaQuery *dql.SchemaQuery
	memory      *planMemory // nil once released
}

// Release gives the plan's memory back, for others to come: it must not be used afterwards, nor be at work. Whoever may not know
// leaves it to the collector.
func (p *Plan) Release() {
	if m := p.memory; m != nil {
		m.free()
	}
}

// block is one root block of a plan.
type block struct {
	src *dql.Block
	// fn finds the root nodes; nil for a block of aggregates only and for shortest.
	fn *function
	// root stands for the block itself: its filter, order, paging and children.
	root *node
	// needs are the indexes of the blocks that have to be done before.
	needs []int
}

// node is one field of a plan, or the root of a block.
type node struct {
	kind  dql.FieldKind // 0 for the root of a block
	edges bool          // a predicate of edges
	list  bool          // shown as an array
	// shown says that the field appears in the answer.
	shown bool
	// aliased says that key was chosen by the client.
	aliased   bool
	normalize bool
	// names says that nothing but an expand reads the variable, so that a node may have several values.
	names bool

	src     *dql.Field // nil for a root and for what expand made
	key     string
	varName string

	attr *dql.Attr // nil for a root; it is the document's, and not changed
	pred graph.Predicate
	def  *schema.Predicate // nil for an unknown predicate

	filter      *filter
	order       []orderKey
	page        page
	facets      *task.Facets
	facetKeys   *answer.FacetKeys
	facetOrder  []dql.FacetOrder
	facetVars   []dql.FacetKey // Var is set
	cascade     *cascade
	groupBy     []groupKey
	expandTypes *filter // the type filter of an expand

	children []*node
}

// page is a slice of a list.
type page struct {
	first, offset int
	after         graph.UID
}

func (p page) isZero() bool { return p == page{} }

func (p page) task() task.Page { return task.Page{First: p.first, Offset: p.offset, After: p.after} }

// cascade says which fields a node must have. nil is no @cascade; no names are all fields.
type cascade struct{ names map[string]bool }

// orderKey is one sort key.
type orderKey struct {
	pred  graph.Predicate
	langs []string
	// varName is set for val(x).
	varName string
	desc    bool
}

// groupKey is one key of @groupby.
type groupKey struct {
	key   string
	pred  graph.Predicate
	attr  dql.Attr
	def   *schema.Predicate // nil for an unknown predicate
	edges bool
}

// Build binds a document to a schema. It reads no data. It refuses what the schema alone shows to be wrong:
// a reverse edge that is not kept, a language on a predicate without @lang, an order by what has none,
// aggregates at the wrong level, variables that need one another.
func Build(doc *dql.Document, snapshot schema.Snapshot) (*Plan, error) {
	m := plans.Get().(*planMemory)
	m.plan = Plan{schema: snapshot, schemaQuery: doc.Schema, blocks: m.tops.Take(len(doc.Blocks))[:0], memory: m}
	p, b := &m.plan, &builder{schema: snapshot, memory: m}
	paths := 0
	for _, src := range doc.Blocks {
		if src.Path != nil {
			paths++
		}
		if paths > 1 {
			return nil, errPaths // they would answer under one key
		}
		blk, err := b.block(src)
		if err != nil {
			return nil, err
		}
		p.blocks = append(p.blocks, blk)
	}
	if err := p.schedule(); err != nil {
		return nil, err
	}
	return p, nil
}

var errPaths = errors.New("only one shortest block is allowed in a query")

// builder makes plan nodes. It is also used while a query runs, for the fields that expand finds.
type builder struct {
	schema schema.Snapshot
	memory *planMemory
	// recurse says that the block is a @recurse or shortest: its edges need no body.
	recurse bool
}

func (b *builder) block(src *dql.Block) (*block, error) {
	b.recurse = src.Recurse != nil || src.Path != nil
	blk, root := &b.memory.blocks.Take(1)[0], &b.memory.nodes.Take(1)[0]
	*blk = block{src: src, root: root}
	*root = node{key: src.Alias, shown: true, list: true, edges: true, normalize: src.Normalize}
	var err error
	if src.Func != nil {
		if blk.fn, err = b.function(src.Func); err != nil {
			return nil, err
		}
	}
	if err := b.level(root, src.Filter, src.Order, src.Page, src.GroupBy); err != nil {
		return nil, err
	}
	root.cascade = cascadeOf(src.Cascade, nil)
	anyLevel := len(src.GroupBy) > 0 || src.Func == nil // aggregates need not stand above their variable
	if root.children, err = b.fields(src.Fields, root.cascade, anyLevel); err != nil {
		return nil, err
	}
	return blk, root.checkGroupVars()
}

// level plans what a root and an edge have in common.
func (b *builder) level(
	n *node, f *dql.Filter, order []dql.Order, p dql.Page, keys []dql.GroupKey,
) (err error) {
	if n.filter, err = b.filter(f); err != nil {
		return err
	}
	if n.order, err = b.order(order, p); err != nil {
		return err
	}
	n.page = page{first: p.First, offset: p.Offset, after: p.After}
	for _, k := range keys {
		def, err := b.attr(k.Attr)
		if err != nil {
			return err
		}
		g := groupKey{key: k.Alias, pred: graph.Pred(k.Attr.Name), attr: k.Attr, def: def}
		if g.key == "" {
			g.key = k.Attr.Key()
		}
		g.edges = def != nil && def.IsUID()
		n.groupBy = append(n.groupBy, g)
	}
	return nil
}

// checkGroupVars refuses variables in the body of a @groupby that does not group by one edge (dql.md fact
// 71).
func (n *node) checkGroupVars() error {
	if len(n.groupBy) == 0 || len(n.groupBy) == 1 && (n.groupBy[0].edges || n.groupBy[0].def == nil) {
		return nil
	}
	for _, c := range n.children {
		if c.varName != "" {
			return fmt.Errorf("vars can be assigned only when grouped by UID attribute. Got: %s", c.varName)
		}
	}
	return nil
}

func cascadeOf(c *dql.Cascade, inherited *cascade) *cascade {
	if c == nil {
		return inherited
	}
	out := &cascade{}
	for _, name := range c.Names {
		if out.names == nil {
			out.names = map[string]bool{}
		}
		out.names[name] = true
	}
	return out
}

func (b *builder) fields(src []*dql.Field, inherited *cascade, anyLevel bool) ([]*node, error) {
	if len(src) == 0 {
		return nil, nil
	}
	nodes, list := b.memory.nodes.Take(len(src)), b.memory.children.Take(len(src))
	for i, f := range src {
		list[i] = &nodes[i]
		if err := b.field(list[i], f, inherited); err != nil {
			return nil, err
		}
	}
	if anyLevel {
		return list, nil
	}
	for _, n := range list {
		if n.kind == dql.AggregateField && !definesBelow(list, n.src.ValVar) {
			return list, &levelError{field: n.key}
		}
	}
	return list, nil
}

// levelError says that an aggregate does not stand one level above its variable. In a block of aggregates
// only it does not matter.
type levelError struct{ field string }

func (e *levelError) Error() string {
	return fmt.Sprintf("invalid variable aggregation. Check the levels. Got: %s", e.field)
}

// definesBelow says whether one of the edges defines a variable among its children or by its facets.
func definesBelow(list []*node, name string) bool {
	for _, e := range list {
		for _, f := range e.facetVars {
			if f.Var == name {
				return true
			}
		}
		for _, c := range e.children {
			if c.varName == name {
				return true
			}
		}
	}
	return false
}

// attr looks up a predicate and checks its direction and languages. def is nil for an unknown one.
func (b *builder) attr(a dql.Attr) (def *schema.Predicate, err error) {
	def, ok := b.schema.Predicate(graph.Pred(a.Name))
	if !ok {
		return nil, nil
	}
	if a.Reverse && (!def.IsUID() || !def.Reverse) {
		return nil, fmt.Errorf("predicate %s doesn't have reverse edge", a.Name)
	}
	if len(a.Langs) > 0 && !def.Lang {
		return nil, fmt.Errorf("language tags can only be used with predicates of string type having @lang "+
			"directive in schema. Got: [%s]", a.Name)
	}
	return def, nil
}
