package query

import (
	"time"

	"dragg/dql"
)

// Step is one step of a plan as people read it: a block, or a field of it.
type Step struct {
	// Name is the key of the field, or the name of the block.
	Name string `json:"name"`
	// Ask is what the step asks, and of whom.
	Ask string `json:"ask"`
	// Filter is the condition that what was found is held against.
	Filter string `json:"filter,omitempty"`
	// Notes are what was decided about the step, each for a reason that the function which decides gives.
	Notes []string `json:"notes,omitempty"`
	// After are the blocks that have to be done before.
	After []string `json:"after,omitempty"`
	// Cost is nil where the step did not run.
	Cost *Cost `json:"cost,omitempty"`
	// Steps are the fields below.
	Steps []*Step `json:"steps,omitempty"`
}

// Cost is what a step took.
type Cost struct {
	// Rows is how many edges, values, counts and nodes came back, before filters that are held against them.
	Rows int `json:"rows"`
	// Lists is how many posting lists were read.
	Lists int `json:"lists"`
	// CacheHits is how many of these were in memory. The others were read from disk, or come upon by a scan.
	CacheHits int `json:"cache_hits"`
	// Rounds is how many batches the step had a part in.
	Rounds int `json:"rounds"`
	// Time is how long those batches took and what was made of the answers. Steps that share a batch wait for the same time, so
	// that the times of steps do not add up to that of the query.
	Time time.Duration `json:"time_ns"`
}

// Explain returns the blocks of a plan in the order of the text. Nothing runs.
func (p *Plan) Explain() []*Step { return p.steps(nil) }

func (p *Plan) steps(costs map[*node]*Cost) []*Step {
	var list []*Step
	for _, b := range p.blocks {
		s := b.root.step(costs)
		s.Name = b.name()
		s.Ask = b.ask()
		for _, i := range b.needs {
			s.After = append(s.After, p.blocks[i].name())
		}
		list = append(list, s)
	}
	return list
}

func (b *block) name() string {
	switch {
	case b.src.Var != "":
		return b.src.Var
	case b.src.Path != nil:
		return "shortest"
	case b.src.Alias == "":
		return "var"
	}
	return b.src.Alias
}

// ask says how the root nodes of a block are found.
func (b *block) ask() string {
	switch {
	case b.src.Path != nil:
		return "a search for shortest paths, one round for each frontier"
	case b.fn == nil:
		return "nothing: values of variables"
	}
	text := b.fn.ask()
	if b.src.Recurse != nil {
		text += ", then its fields again below every edge"
	}
	return text
}

// ask says who evaluates a function.
func (f *function) ask() string {
	text := (&dql.Filter{Op: dql.FilterFunc, Func: f.src}).String()
	switch {
	case f.kind == onNobody:
		return text + ": no node, the predicate is unknown"
	case f.kind != onTablet:
		return text + ": known here"
	case f.name == "has":
		return text + " by all its nodes"
	case f.indexed:
		return text + " by index"
	}
	return text
}

// step returns a node with all below it.
func (n *node) step(costs map[*node]*Cost) *Step {
	s := &Step{Name: n.key, Ask: n.ask(), Notes: n.notes(), Cost: costs[n]}
	if s.Cost != nil && s.Cost.Rounds == 0 {
		s.Cost = nil
	}
	if n.filter != nil {
		s.Filter = n.filter.source().String()
	}
	for _, c := range n.children {
		s.Steps = append(s.Steps, c.step(costs))
	}
	return s
}

// ask says what is asked for a field of all nodes above it at once.
func (n *node) ask() string {
	switch n.kind {
	case dql.ExpandField:
		return "the predicates of the nodes' types"
	case dql.PredicateField, dql.CountField, dql.CheckPwdField:
		switch {
		case n.def == nil:
			return "nothing: the predicate is unknown"
		case n.kind == dql.CheckPwdField:
			return "checks of " + n.attr.Key()
		case n.kind == dql.CountField && n.filter == nil && n.facets == nil:
			return "counts of " + n.attr.Key()
		case n.edges:
			return "edges of " + n.attr.Key()
		}
		return "values of " + n.attr.Key()
	}
	return "nothing: computed here"
}

// notes are what the run will decide alike however many nodes there are.
func (n *node) notes() (list []string) {
	paged := !n.page.isZero()
	whole := n.filter == nil && len(n.order) == 0 && len(n.facetOrder) == 0 && n.cascade == nil
	if cheap, dear := n.filter.halves(); cheap && dear {
		list = append(list, "what an index answers is filtered first")
	}
	switch {
	case paged && whole:
		list = append(list, "the page is cut where the list is read")
	case paged && n.cascade != nil:
		list = append(list, "the page is cut after @cascade has pruned")
	case paged:
		list = append(list, "the page is cut after filter and order")
	}
	if len(n.order) > 0 && n.order[0].varName == "" && n.page.first == 0 {
		list = append(list, "ordered without first: only so many are kept as the limit of sorted rows says")
	}
	if len(n.groupBy) > 0 {
		list = append(list, "grouped here")
	}
	return list
}

// halves says whether a filter has parts that an index answers and others, which are asked one after the other for many nodes.
func (f *filter) halves() (cheap, dear bool) {
	if f == nil {
		return false, false
	}
	a, b := f.split()
	return a != nil, b != nil
}

// source returns a planned filter as it is written.
func (f *filter) source() *dql.Filter {
	out := &dql.Filter{Op: f.op}
	if f.fn != nil {
		out.Func = f.fn.src
	}
	for _, c := range f.children {
		out.Children = append(out.Children, c.source())
	}
	return out
}
