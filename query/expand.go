package query

import (
	"fmt"
	"slices"

	"dragg/dql"
	"dragg/graph"
	"dragg/query/task"
)

// expand finds the fields that an expand stands for, and asks for them (dql.md facts 22 and 92).
func (r *run) expand(c *level) error {
	e := c.src.Expand
	switch {
	case e.Var != "":
		v := r.variable(e.Var)
		var names []string
		for _, x := range slices.Concat(v.Values, v.names) {
			names = append(names, x.Text())
		}
		slices.Sort(names)
		return r.expandTo(c, slices.Compact(names))
	case !e.All:
		return r.expandTo(c, typeFields(r.plan.schema, e.Types))
	}
	pred := graph.Pred(typePredicate)
	if _, ok := r.plan.schema.Predicate(pred); !ok {
		return r.expandTo(c, nil)
	}
	t := task.Task{Kind: task.Values, Predicate: pred, Src: c.parent.rows.uids}
	return r.ask(c, []task.Task{t}, func(_ *level, res []task.Result) error {
		var names []string
		seen := map[string]bool{}
		for _, v := range res[0].Values {
			if name := v.Text(); !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return r.expandTo(c, typeFields(r.plan.schema, names))
	})
}

// expandTo makes levels for the named fields below the expand, whose rows are those of its parent.
func (r *run) expandTo(c *level, fields []string) error {
	c.fetched = true
	c.rows = c.parent.rows // the fields hang below the expand, but belong to the nodes above it
	for _, name := range fields {
		n, err := r.expanded(c, name)
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		if c.parent.asksFor(n.attr.Key()) {
			return fmt.Errorf("repeated subgraph: [%s] while using expand()", n.attr.Key())
		}
		f := c.addChild(n)
		f.depth = c.depth
		if c.block.walker != nil {
			err = c.block.walker.fetch(r, f)
		} else {
			err = r.fetch(f)
		}
		if err != nil {
			return err
		}
	}
	if c.block.walker != nil {
		return c.block.walker.arrived(r)
	}
	return nil
}

// expansion is a predicate that an expand stands for.
type expansion struct {
	expand *node
	name   string
}

// expanded returns the field that an expand has for a predicate, the same one whenever it is asked; nil for none.
func (r *run) expanded(c *level, name string) (*node, error) {
	at := expansion{c.node, name}
	if n, ok := r.expansions[at]; ok {
		return n, nil
	}
	b := &builder{schema: r.plan.schema, memory: new(planMemory), recurse: c.block.walker != nil}
	n, ok, err := b.expanded(c.node, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		n = nil
	}
	if r.expansions == nil {
		r.expansions = map[expansion]*node{}
	}
	r.expansions[at] = n
	return n, nil
}

// asksFor reports whether a predicate is one of the fields below l, or of those that an expand below it stands for.
func (l *level) asksFor(key string) bool {
	return slices.ContainsFunc(l.children, func(c *level) bool {
		return c.kind == dql.PredicateField && c.attr.Key() == key || c.kind == dql.ExpandField && c.asksFor(key)
	})
}
