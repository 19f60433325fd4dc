package query

import (
	"fmt"
	"slices"
	"strings"

	"dragg/dql"
)

// schedule finds which blocks need which, and refuses variables that need one another. It also refuses a
// variable that decides what is traversed in the very block that defines it, but for the uid variables of the
// edges that lead to the place: any other block could not be read level by level.
func (p *Plan) schedule() error {
	definedIn := map[string]int{}
	for i, b := range p.blocks {
		b.defines(func(name string) { definedIn[name] = i })
	}
	for i, b := range p.blocks {
		var err error
		b.uses(func(name string, early bool) {
			at, ok := definedIn[name]
			switch {
			case !ok:
				err = fmt.Errorf("some variables are used but not defined: %s", name)
			case at != i:
				if !slices.Contains(b.needs, at) {
					b.needs = append(b.needs, at)
				}
			case early:
				err = fmt.Errorf("variable %s is used by a function, filter or order in the block that defines it: "+
					"use it in another block, or in a filter below the edge that defines it", name)
			}
		})
		if err != nil {
			return err
		}
	}
	p.markNames()
	if len(p.blocks) == 1 {
		return nil
	}
	return p.checkCycles()
}

// markNames finds the variables that only expand(val(x)) reads: they may come from lists.
func (p *Plan) markNames() {
	var expands map[string]int
	for _, b := range p.blocks {
		b.root.walk(func(n *node) {
			if n.kind == dql.ExpandField && n.src.Expand.Var != "" {
				if expands == nil {
					expands = map[string]int{}
				}
				expands[n.src.Expand.Var]++
			}
		})
	}
	if expands == nil {
		return
	}
	reads := map[string]int{}
	for _, b := range p.blocks {
		b.uses(func(name string, _ bool) { reads[name]++ })
	}
	for _, b := range p.blocks {
		b.root.walk(func(n *node) {
			n.names = n.varName != "" && expands[n.varName] > 0 && expands[n.varName] == reads[n.varName]
		})
	}
}

// checkCycles takes away blocks that need nothing that is left until none is left.
func (p *Plan) checkCycles() error {
	done := make([]bool, len(p.blocks))
	for range p.blocks {
		for i, b := range p.blocks {
			if !done[i] && !slices.ContainsFunc(b.needs, func(n int) bool { return !done[n] }) {
				done[i] = true
			}
		}
	}
	var names []string
	for i, b := range p.blocks {
		if !done[i] {
			names = append(names, b.name())
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("the variables of the blocks %s need one another", strings.Join(names, ", "))
}

// defines calls visit for each variable that the block defines.
func (b *block) defines(visit func(name string)) {
	if b.src.Var != "" {
		visit(b.src.Var)
	}
	b.root.walk(func(n *node) {
		if n.varName != "" {
			visit(n.varName)
		}
		for _, f := range n.facetVars {
			visit(f.Var)
		}
		if n.kind == dql.ExpandField {
			definesOfField(n.src, visit)
		}
	})
}

// definesOfField visits the variables that an expand defines, or a field which is planned only when its expand is.
func definesOfField(f *dql.Field, visit func(name string)) {
	if f.Var != "" {
		visit(f.Var)
	}
	if f.Facets != nil {
		for _, k := range f.Facets.Keys {
			if k.Var != "" {
				visit(k.Var)
			}
		}
	}
	for _, c := range f.Fields {
		definesOfField(c, visit)
	}
}

// uses calls visit for each variable that the block reads; early ones decide what is traversed.
func (b *block) uses(visit func(name string, early bool)) {
	early := func(name string) { visit(name, true) }
	b.fn.uses(early)
	if b.src.Path != nil {
		for _, end := range []dql.Arg{b.src.Path.From, b.src.Path.To} {
			if end.Kind == dql.UIDVarArg {
				early(end.Text)
			}
		}
	}
	b.walkDown(b.root, nil, func(n *node, above []string) {
		early := func(name string) { visit(name, !slices.Contains(above, name)) }
		n.filter.uses(early)
		n.expandTypes.uses(early)
		for _, o := range n.order {
			if o.varName != "" {
				visit(o.varName, true)
			}
		}
		if n.src == nil {
			return
		}
		if n.kind == dql.ExpandField {
			usesOfField(n.src, func(name string, first bool) { visit(name, first && !slices.Contains(above, name)) })
			return
		}
		if n.src.ValVar != "" {
			visit(n.src.ValVar, false)
		}
		usesOfMath(n.src.Math, func(name string) { visit(name, false) })
	})
}

func usesOfMath(m *dql.Math, visit func(name string)) {
	if m == nil {
		return
	}
	if m.Var != "" {
		visit(m.Var)
	}
	for _, a := range m.Args {
		usesOfMath(a, visit)
	}
}

// usesOfField visits the variables that an expand uses, or a field which is planned only when its expand is.
func usesOfField(f *dql.Field, visit func(name string, early bool)) {
	if f.ValVar != "" {
		visit(f.ValVar, false)
	}
	usesOfMath(f.Math, func(name string) { visit(name, false) })
	usesOfFilter(f.Filter, func(name string) { visit(name, true) })
	for _, o := range f.Order {
		if o.Var != "" {
			visit(o.Var, true)
		}
	}
	if f.Expand != nil && f.Expand.Var != "" {
		visit(f.Expand.Var, true)
	}
	for _, c := range f.Fields {
		usesOfField(c, visit)
	}
}

func usesOfFilter(f *dql.Filter, visit func(name string)) {
	if f == nil {
		return
	}
	if f.Func != nil {
		if f.Func.Var != "" {
			visit(f.Func.Var)
		}
		for _, a := range f.Func.Args {
			if a.Kind == dql.UIDVarArg || a.Kind == dql.ValVarArg {
				visit(a.Text)
			}
		}
	}
	for _, c := range f.Children {
		usesOfFilter(c, visit)
	}
}

// walkDown visits the node and all below it, with the uid variables of the edges that lead there. What @recurse and shortest
// reach, they reach over several levels, so that none is known there.
func (b *block) walkDown(n *node, above []string, visit func(n *node, above []string)) {
	visit(n, above)
	if name := b.uidVariable(n); name != "" && b.src.Recurse == nil && b.src.Path == nil {
		above = append(above[:len(above):len(above)], name)
	}
	for _, c := range n.children {
		b.walkDown(c, above, visit)
	}
}

// uidVariable returns the variable of the nodes that a root or an edge leads to, "" for none.
func (b *block) uidVariable(n *node) string {
	switch {
	case n == b.root:
		return b.src.Var
	case n.kind == dql.PredicateField && n.edges:
		return n.varName
	}
	return ""
}

// walk visits the node and all below it.
func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, c := range n.children {
		c.walk(visit)
	}
}
