package query

import (
	"dragg/dql"
	"dragg/graph/types"
	"dragg/query/arith"
)

// formula evaluates the trees of math() row by row.
type formula struct {
	run     *run
	columns map[string]column
}

// term is a tree of dql.Math whose variables are bound to columns.
type term struct {
	op    string
	args  []*term
	col   column
	leaf  bool
	value types.Value // of a constant leaf
	konst bool
}

// state says what kind of value a part of a formula has in one row.
type state uint8

const (
	missing  state = iota // a variable without a value
	constant              // a literal or a constant variable
	present               // a value that depends on the node
	failed                // an operation without a result: the field vanishes (dql.md fact 61)
)

func (m *formula) bind(src *dql.Math) *term {
	if src.Op == "" {
		if src.Var == "" {
			return &term{leaf: true, konst: true, value: src.Const}
		}
		return &term{leaf: true, col: m.columns[src.Var]}
	}
	t := &term{op: src.Op}
	for _, a := range src.Args {
		t.args = append(t.args, m.bind(a))
	}
	return t
}

// eval returns the value of t in row i. A missing operand of a binary operator counts as the int 0 where
// the other one depends on the node (dql.md fact 61).
func (m *formula) eval(t *term, i int) (types.Value, state) {
	switch {
	case t.konst:
		return t.value, constant
	case t.leaf:
		v, ok := t.col.at(i)
		switch {
		case t.col.constant:
			return v, constant
		case ok:
			return v, present
		}
		return types.OfInt(0), missing
	case t.op == "cond":
		return m.cond(t, i)
	case len(t.args) == 1:
		v, s := m.eval(t.args[0], i)
		if s == missing || s == failed {
			return v, s
		}
		var err error
		if t.op == "since" {
			v, err = arith.Since(v, m.run.clock())
		} else {
			v, err = arith.Unary(t.op, v)
		}
		return v, stateOf(s, err)
	}
	a, sa := m.eval(t.args[0], i)
	b, sb := m.eval(t.args[1], i)
	s := max(sa, sb)
	if s == failed || sa == missing && sb != present || sb == missing && sa != present {
		if s != failed {
			s = missing
		}
		return types.OfInt(0), s
	}
	v, err := arith.Binary(t.op, a, b)
	return v, stateOf(s, err)
}

func stateOf(s state, err error) state {
	if err != nil {
		return failed
	}
	return s
}

// cond picks its second or third operand; both kinds of row are those of the first.
func (m *formula) cond(t *term, i int) (types.Value, state) {
	c, s := m.eval(t.args[0], i)
	if s == missing || s == failed {
		return c, s
	}
	if c.Type() != types.Bool {
		return c, failed
	}
	pick := t.args[2]
	if c.Bool() {
		pick = t.args[1]
	}
	v, ps := m.eval(pick, i)
	if ps == missing || ps == failed {
		return v, ps
	}
	return v, max(s, ps)
}
