package query

import (
	"fmt"
	"slices"
	"strconv"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/uidset"
	"dragg/query/arith"
	"dragg/query/task"
)

// evaluation is a filter tree over one set of candidates: the part that is known here, and the tasks for
// the rest.
type evaluation struct {
	*filter
	cands    []graph.UID // what this part of the tree is tested on, ascending
	children []*evaluation
	set      []graph.UID // the result of a function evaluated here
	task     int         // the index of the task of any other function, or -1
}

// filterUIDs tests cands, which ascend, and hands over those for which the filter holds, ascending. All
// functions of the tree are asked in one round.
func (r *run) filterUIDs(l *level, f *filter, cands []graph.UID, then func(keep []graph.UID) error) error {
	var tasks []task.Task
	e, err := r.prepare(f, cands, &tasks)
	if err != nil {
		return err
	}
	return r.ask(l, tasks, func(_ *level, res []task.Result) error { return then(e.eval(res)) })
}

// prepare evaluates what needs no tablet and makes tasks for the rest. What is known of an "and" narrows
// what is asked of its other operands.
func (r *run) prepare(f *filter, cands []graph.UID, tasks *[]task.Task) (*evaluation, error) {
	e := &evaluation{filter: f, cands: cands, task: -1}
	if f.op == dql.FilterFunc {
		return e, r.prepareFunc(e, tasks)
	}
	narrow := cands
	if f.op == dql.FilterAnd {
		for _, c := range f.children {
			if c.op != dql.FilterFunc || c.fn.kind == onTablet {
				continue
			}
			set, err := r.localFilter(c.fn, narrow)
			if err != nil {
				return nil, err
			}
			narrow = set
		}
		e.cands = narrow
	}
	for _, c := range f.children {
		if f.op == dql.FilterAnd && c.op == dql.FilterFunc && c.fn.kind != onTablet {
			continue
		}
		child, err := r.prepare(c, narrow, tasks)
		if err != nil {
			return nil, err
		}
		e.children = append(e.children, child)
	}
	return e, nil
}

func (r *run) prepareFunc(e *evaluation, tasks *[]task.Task) (err error) {
	fn := e.fn
	if fn.kind != onTablet {
		e.set, err = r.localFilter(fn, e.cands)
		return err
	}
	texts, ok, err := r.texts(fn)
	if err != nil || !ok {
		return err
	}
	uids := fn.uids
	if fn.name == "uid_in" {
		for _, v := range fn.vars {
			uids = merge(uids, r.variable(v).UIDs)
		}
		if len(uids) == 0 {
			return nil
		}
	}
	e.task = len(*tasks)
	*tasks = append(*tasks, task.Task{
		Kind: task.Match, Predicate: fn.pred, Reverse: fn.reverse, Langs: fn.langs, Src: e.cands,
		Func: fn.taskFunc(texts, uids),
	})
	return nil
}

// eval puts the answers together. The result ascends and is a subset of the candidates.
func (e *evaluation) eval(res []task.Result) []graph.UID {
	switch e.op {
	case dql.FilterFunc:
		if e.task < 0 {
			return e.set
		}
		return uidset.Intersect(nil, res[e.task].Set.Slice(), e.cands)
	case dql.FilterNot:
		return uidset.Difference(nil, e.cands, e.children[0].eval(res))
	case dql.FilterOr:
		sets := make([][]graph.UID, len(e.children))
		for i, c := range e.children {
			sets[i] = c.eval(res)
		}
		return uidset.MergeK(nil, sets...)
	}
	out := e.cands
	for _, c := range e.children {
		out = uidset.Intersect(nil, out, c.eval(res))
	}
	return out
}

// variable returns a variable that is known to be defined by a block that is done.
func (r *run) variable(name string) *Var {
	if v := r.result.Vars[name]; v != nil {
		return v
	}
	return &Var{}
}

// localRoot evaluates a root function that needs no tablet. The uids ascend unless they are those of a path.
func (r *run) localRoot(fn *function) (uids []graph.UID, ascending bool, err error) {
	switch fn.kind {
	case onUIDs:
		if len(fn.vars) == 0 {
			return fn.uids, true, nil
		}
		if len(fn.vars) == 1 && len(fn.uids) == 0 {
			if path := r.variable(fn.vars[0]).path; path != nil {
				return path, false, nil
			}
		}
		sets := [][]graph.UID{fn.uids}
		for _, v := range fn.vars {
			sets = append(sets, r.variable(v).UIDs)
		}
		return uidset.MergeK(nil, sets...), true, nil
	case onValues:
		uids, err := r.compareValues(fn, r.variable(fn.src.Var).UIDs)
		return uids, true, err
	case onLength:
		return nil, true, fmt.Errorf("len(%s) can only be used in the condition of a mutation", fn.src.Var)
	}
	return nil, true, nil
}

// localFilter evaluates a function on candidates without a tablet.
func (r *run) localFilter(fn *function, cands []graph.UID) ([]graph.UID, error) {
	switch fn.kind {
	case onUIDs:
		keep := uidset.Intersect(nil, cands, fn.uids)
		for _, v := range fn.vars {
			keep = merge(keep, uidset.Intersect(nil, cands, r.variable(v).UIDs))
		}
		return keep, nil
	case onValues:
		return r.compareValues(fn, cands)
	case onLength:
		holds, err := r.compareLength(fn)
		if holds {
			return cands, err
		}
		return nil, err
	}
	return nil, nil
}

// compareLength evaluates eq(len(v), n).
func (r *run) compareLength(fn *function) (bool, error) {
	n := int64(r.variable(fn.src.Var).Len())
	var args []int64
	for _, a := range fn.args {
		x, err := strconv.ParseInt(a.Text, 0, 64)
		if err != nil {
			return false, err
		}
		args = append(args, x)
	}
	switch fn.name {
	case "eq":
		return slices.Contains(args, n), nil
	case "between":
		return args[0] <= n && n <= args[1], nil
	}
	return arith.Holds(fn.name, int(n-args[0])), nil
}

// compareValues keeps the candidates whose value in the variable compares as asked.
func (r *run) compareValues(fn *function, cands []graph.UID) ([]graph.UID, error) {
	v := r.variable(fn.src.Var)
	if !v.IsConstant {
		cands = uidset.Intersect(nil, cands, v.UIDs)
	}
	c := comparison{run: r, fn: fn}
	var keep []graph.UID
	at := 0
	for _, u := range cands {
		x := v.Constant
		if !v.IsConstant {
			for v.UIDs[at] < u {
				at++
			}
			x = v.Values[at]
		}
		holds, err := c.holds(u, x)
		if err != nil {
			return nil, err
		}
		if holds {
			keep = append(keep, u)
		}
	}
	return keep, nil
}

// comparison compares values with the arguments of a function, which take on the type of the values.
type comparison struct {
	run    *run
	fn     *function
	typ    types.ID
	parsed []types.Value // the literal arguments as values of typ
	ready  bool
}

func (c *comparison) holds(u graph.UID, x types.Value) (bool, error) {
	if !c.ready || c.typ != x.Type() {
		if err := c.parse(x.Type()); err != nil {
			return false, err
		}
	}
	orders := make([]int, 0, 2)
	for i, a := range c.fn.args {
		y := c.parsed[i]
		if a.Kind == dql.ValVarArg {
			var ok bool
			if y, ok = c.run.variable(a.Text).Value(u); !ok {
				return false, nil
			}
		}
		o, err := orderOf(x, y)
		if err != nil {
			return false, fmt.Errorf("function %s on val(%s): %w", c.fn.name, c.fn.src.Var, err)
		}
		if c.fn.name == "eq" && o == 0 {
			return true, nil
		}
		orders = append(orders, o)
	}
	switch c.fn.name {
	case "eq":
		return false, nil
	case "between":
		return orders[0] >= 0 && orders[1] <= 0, nil
	}
	return arith.Holds(c.fn.name, orders[0]), nil
}

func orderOf(x, y types.Value) (int, error) {
	if x.Type() == types.Bool && y.Type() == types.Bool {
		if types.Equal(x, y) {
			return 0, nil
		}
		return 1, nil
	}
	return arith.Order(x, y)
}

// parse reads the literal arguments as values of type id; an int is compared with a fraction as a float.
func (c *comparison) parse(id types.ID) error {
	c.typ, c.ready = id, true
	c.parsed = make([]types.Value, len(c.fn.args))
	for i, a := range c.fn.args {
		if a.Kind == dql.ValVarArg {
			continue
		}
		v, err := types.Parse(a.Text, id)
		if err != nil && id == types.Int {
			if f, ferr := types.Parse(a.Text, types.Float); ferr == nil {
				v, err = f, nil
			}
		}
		if err != nil {
			return fmt.Errorf("function %s on val(%s): %w", c.fn.name, c.fn.src.Var, err)
		}
		c.parsed[i] = v
	}
	return nil
}

// texts returns the arguments of a tablet function as text; ok is false where a variable has no value, and
// then the function holds for no node (dql.md fact 65).
func (r *run) texts(fn *function) (texts []string, ok bool, err error) {
	if fn.kind == onNobody {
		return nil, false, nil
	}
	fromVar := false
	for _, a := range fn.args {
		switch a.Kind {
		case dql.TextArg:
			texts = append(texts, a.Text)
		case dql.RegexpArg:
			texts = append(texts, a.Text, a.Flags)
		case dql.ValVarArg:
			fromVar = true
			v := r.variable(a.Text)
			if v.IsConstant {
				texts = append(texts, v.Constant.Text())
			}
			for _, x := range v.Values {
				texts = append(texts, x.Text())
			}
		}
	}
	if !fromVar {
		return texts, true, nil
	}
	if fn.name == "eq" {
		slices.Sort(texts)
		texts = slices.Compact(texts)
	}
	want := 1
	if fn.name == "between" {
		want = 2
	}
	if fn.name != "eq" && len(texts) > want {
		return nil, false, fmt.Errorf("function %s expects only %d argument, but got %d", fn.name, want, len(texts))
	}
	return texts, len(texts) >= want, nil
}
