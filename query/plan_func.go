package query

import (
	"fmt"
	"slices"

	"dragg/dql"
	"dragg/graph"
	"dragg/query/task"
)

// funcKind says who evaluates a function.
type funcKind uint8

const (
	onTablet funcKind = iota + 1 // the runner, by a Match task
	onUIDs                       // here: uid(...)
	onValues                     // here: eq(val(x), ...)
	onLength                     // here: eq(len(v), ...)
	onNobody                     // it holds for no node: an unknown predicate
)

// function is a planned function call.
type function struct {
	kind funcKind
	src  *dql.Func
	name string

	pred    graph.Predicate
	reverse bool
	langs   []string
	count   bool
	indexed bool
	args    []dql.Arg

	uids []graph.UID // the literals of uid and uid_in, ascending
	vars []string    // the variables of uid and uid_in
}

// filter is a planned filter tree.
type filter struct {
	op       dql.FilterOp
	fn       *function
	children []*filter
}

func (b *builder) filter(f *dql.Filter) (*filter, error) {
	if f == nil || f.Op == dql.FilterAnd && len(f.Children) == 0 {
		return nil, nil
	}
	out := &filter{op: f.Op}
	if f.Op == dql.FilterFunc {
		fn, err := b.function(f.Func)
		out.fn = fn
		return out, err
	}
	for _, c := range f.Children {
		child, err := b.filter(c)
		if err != nil {
			return nil, err
		}
		out.children = append(out.children, child)
	}
	return out, nil
}

// typePredicate is the predicate that holds the types of a node.
const typePredicate = "dgraph.type"

func (b *builder) function(f *dql.Func) (*function, error) {
	fn := b.memory.function()
	fn.src, fn.name, fn.args = f, f.Name, f.Args
	switch {
	case f.Name == "uid":
		fn.kind = onUIDs
		fn.splitUIDs()
		return fn, nil
	case f.Name == "type":
		fn.kind, fn.name, fn.pred = onTablet, "eq", graph.Pred(typePredicate)
		if _, ok := b.schema.Predicate(fn.pred); !ok {
			fn.kind = onNobody
		}
		return fn, nil
	case f.Subject == dql.OnVal:
		fn.kind = onValues
		return fn, nil
	case f.Subject == dql.OnLen:
		fn.kind = onLength
		return fn, nil
	}
	return fn, b.tabletFunction(fn, f)
}

// tabletFunction plans a function on a predicate.
func (b *builder) tabletFunction(fn *function, f *dql.Func) error {
	switch f.Name {
	case "similar_to", "anyof", "allof":
		return fmt.Errorf("the function %s is not supported yet", f.Name)
	}
	def, err := b.attr(f.Attr)
	if err != nil {
		return err
	}
	fn.kind, fn.pred, fn.reverse, fn.langs = onTablet, graph.Pred(f.Attr.Name), f.Attr.Reverse, f.Attr.Langs
	fn.count, fn.indexed = f.Subject == dql.OnCount, def != nil && def.Indexed()
	if def == nil {
		fn.kind = onNobody
		return nil
	}
	switch f.Name {
	case "has":
	case "uid_in":
		fn.splitUIDs()
		if !def.IsUID() {
			fn.kind = onNobody
		}
	default:
		if def.IsUID() && !fn.count {
			return fmt.Errorf("attribute %s is not valid scalar type: it is of type uid", f.Attr.Name)
		}
	}
	return nil
}

// splitUIDs parts the arguments into literals and variables. Uid 0 names no node.
func (fn *function) splitUIDs() {
	for _, a := range fn.args {
		switch {
		case a.Kind == dql.UIDVarArg:
			fn.vars = append(fn.vars, a.Text)
		case a.UID != 0:
			fn.uids = append(fn.uids, a.UID)
		}
	}
	slices.Sort(fn.uids)
	fn.uids = slices.Compact(fn.uids)
}

// uses calls visit for each variable that the function reads.
func (fn *function) uses(visit func(name string)) {
	if fn == nil {
		return
	}
	if fn.src.Var != "" {
		visit(fn.src.Var)
	}
	for _, a := range fn.args {
		if a.Kind == dql.UIDVarArg || a.Kind == dql.ValVarArg {
			visit(a.Text)
		}
	}
}

func (f *filter) uses(visit func(name string)) {
	if f == nil {
		return
	}
	f.fn.uses(visit)
	for _, c := range f.children {
		c.uses(visit)
	}
}

// taskFunc returns the function as a tablet reads it. texts are the resolved arguments.
func (fn *function) taskFunc(texts []string, uids []graph.UID) task.Func {
	return task.Func{Name: task.FuncName(fn.name), Args: texts, Count: fn.count, UIDs: uids}
}
