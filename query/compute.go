package query

import (
	"fmt"

	"dragg/dql"
	"dragg/graph/types"
	"dragg/query/arith"
	"dragg/query/task"
)

// compute fills the fields of a block that need no tablet, in the order of their variables.
func (r *run) compute(b *blockRun) error {
	awaited := map[string]int{}
	for _, l := range b.internals {
		if l.varName != "" {
			awaited[l.varName]++
		}
	}
	for pending := b.internals; len(pending) > 0; {
		var later []*level
		for _, l := range pending {
			ready := true
			l.reads(func(name string) { ready = ready && awaited[name] == 0 })
			if !ready {
				later = append(later, l)
				continue
			}
			if err := r.computeField(l); err != nil {
				return err
			}
			if err := r.quit(); err != nil {
				return err
			}
			if l.varName != "" {
				awaited[l.varName]--
			}
		}
		if len(later) == len(pending) {
			return fmt.Errorf("the variables of %s need one another", later[0].path())
		}
		pending = later
	}
	return nil
}

// reads visits the variables that a computed field reads.
func (l *level) reads(visit func(name string)) {
	if l.src.ValVar != "" {
		visit(l.src.ValVar)
	}
	usesOfMath(l.src.Math, visit)
}

func (r *run) computeField(l *level) error {
	if err := r.hold(task.ValueBytes * len(l.parent.rows.uids)); err != nil {
		return err
	}
	switch l.kind {
	case dql.CountUIDField:
		n := len(l.parent.rows.uids)
		if l.parent.parent == nil {
			n = len(l.parent.rows.targets)
		}
		v := &Var{Constant: types.OfInt(int64(n)), IsConstant: true}
		return l.block.define(l.varName, l.parent, v, nil)
	case dql.ValField:
		r.computeVal(l)
		return nil
	case dql.AggregateField:
		return r.computeAggregate(l)
	}
	return r.computeMath(l)
}

// lookup returns a variable of this block or of one that is done, and the local one if it is.
func (r *run) lookup(b *blockRun, name string) (*Var, *local) {
	if l := b.locals[name]; l != nil {
		return l.v, l
	}
	return r.variable(name), nil
}

// isEmptyBlock says whether the level is the root of a block of aggregates only.
func (l *level) isEmptyBlock() bool { return l.parent == nil && l.block.fn == nil }

// computeVal fills a val(x) field (dql.md fact 20).
func (r *run) computeVal(l *level) {
	v, _ := r.lookup(l.block, l.src.ValVar)
	if l.parent.isEmptyBlock() {
		if v.IsConstant {
			l.setOne(v.Constant)
		}
		return
	}
	c := v.align(l.parent.rows.uids)
	l.fill(len(l.parent.rows.uids), c.at)
}

// setOne makes the field a single value: that of a block of aggregates.
func (l *level) setOne(v types.Value) {
	l.values = values{offsets: []uint32{0, 1}, values: []types.Value{v}}
}

// fill sets the field of n rows.
func (l *level) fill(n int, at func(i int) (types.Value, bool)) {
	l.fetched = true
	l.values = values{offsets: make([]uint32, 1, n+1), values: make([]types.Value, 0, n)}
	for i := range n {
		if x, ok := at(i); ok {
			l.values.values = append(l.values.values, x)
		}
		l.values.offsets = append(l.values.offsets, uint32(len(l.values.values)))
	}
}

// computeAggregate folds the values that the children of each row have, or all values in a block of
// aggregates.
func (r *run) computeAggregate(l *level) error {
	v, loc := r.lookup(l.block, l.src.ValVar)
	agg := arith.Aggregate{Op: l.src.Agg}
	if l.parent.isEmptyBlock() {
		for _, x := range v.Values {
			agg.Add(x)
		}
		if v.IsConstant {
			agg.Add(v.Constant)
		}
		x, ok := agg.Value()
		if ok {
			l.setOne(x)
		}
		return l.defineConstant(x, ok)
	}
	l.fill(len(l.parent.rows.uids), func(int) (types.Value, bool) { return types.Value{}, false })
	if loc == nil {
		return nil // the edge below leads nowhere
	}
	edge := loc.level
	if edge == nil || edge.parent != l.parent || edge.kind != dql.PredicateField {
		return &levelError{field: l.key}
	}
	c := v.align(edge.rows.uids)
	l.fill(edge.rows.len(), func(i int) (types.Value, bool) {
		agg.Reset()
		if r.gone() {
			return types.Value{}, false
		}
		from, to := edge.rows.row(i)
		for _, at := range edge.rows.index[from:to] {
			if x, ok := c.at(int(at)); ok {
				agg.Add(x)
			}
		}
		return agg.Value()
	})
	return l.valueVariable()
}

func (l *level) defineConstant(x types.Value, ok bool) error {
	if l.varName == "" {
		return nil
	}
	return l.block.define(l.varName, nil, &Var{Constant: x, IsConstant: ok}, nil)
}

// computeMath evaluates a formula for every node of the parent's frontier.
func (r *run) computeMath(l *level) error {
	m := formula{run: r, columns: map[string]column{}}
	usesOfMath(l.src.Math, func(name string) {
		if _, ok := m.columns[name]; !ok {
			m.columns[name] = r.operand(l, name)
		}
	})
	expr := m.bind(l.src.Math)
	if l.parent.isEmptyBlock() {
		for _, c := range m.columns {
			if !c.constant {
				return l.defineConstant(types.Value{}, false)
			}
		}
		x, state := m.eval(expr, 0)
		ok := state == constant || state == present
		x = arith.Shown(x)
		if ok {
			l.setOne(x)
		}
		return l.defineConstant(x, ok)
	}
	l.fill(len(l.parent.rows.uids), func(i int) (types.Value, bool) {
		if r.gone() {
			return types.Value{}, false
		}
		x, state := m.eval(expr, i)
		return arith.Shown(x), state == constant || state == present
	})
	return l.valueVariable()
}

// operand lays out a variable for the formula at l: moved down the edges where an upper level of the block
// defines it, and by uid anywhere else (dql.md facts 56 and 57).
func (r *run) operand(l *level, name string) column {
	v, loc := r.lookup(l.block, name)
	at := l.parent
	if loc == nil || loc.level == nil || loc.level == at || v.IsConstant || l.block.walker != nil {
		return v.align(at.rows.uids)
	}
	var steps []*level
	for up := at; up != loc.level; up = up.edgeAbove() {
		steps = append(steps, up)
		if up.parent == nil {
			return v.align(at.rows.uids) // another branch
		}
	}
	c := v.align(loc.level.rows.uids)
	for i := len(steps) - 1; i >= 0; i-- {
		c = c.moveDown(&steps[i].rows, r.gone)
	}
	return c
}

// moveDown adds up, for each target, the values of all the rows that lead to it. Only ints and floats move. Once gone says so the
// sums do not matter any more.
func (c *column) moveDown(x *rows, gone func() bool) column {
	out := column{values: make([]types.Value, len(x.uids)), has: make([]bool, len(x.uids))}
	for i := range x.len() {
		v, ok := c.at(i)
		if !ok || v.Type() != types.Int && v.Type() != types.Float {
			continue
		}
		from, to := x.row(i)
		for _, at := range x.index[from:to] {
			if gone() {
				return out
			}
			if !out.has[at] {
				out.values[at], out.has[at] = v, true
				continue
			}
			sum, err := arith.Binary("+", out.values[at], v)
			if err != nil {
				continue // an overflow: the sum stays at what it was
			}
			out.values[at] = sum
		}
	}
	return out
}
