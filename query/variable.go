package query

import (
	"fmt"
	"slices"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/query/arith"
)

// local is a value variable in the block that defines it.
type local struct {
	v *Var
	// level is the one whose frontier the variable is keyed by; nil where there are several, as in @recurse.
	level *level
}

// define sets a value variable, or adds to it where several levels define it. A uid that has a value
// already keeps it, unless add says how to put both together.
func (b *blockRun) define(
	name string, at *level, v *Var, add func(a, b types.Value) (types.Value, error),
) error {
	have := b.locals[name]
	if b.locals == nil {
		b.locals = map[string]*local{}
	}
	if have == nil {
		b.locals[name] = &local{v: v, level: at}
		return nil
	}
	out := &Var{
		UIDs: merge(have.v.UIDs, v.UIDs), Constant: have.v.Constant, IsConstant: have.v.IsConstant || v.IsConstant,
		names: slices.Concat(have.v.names, v.names),
	}
	out.Values = make([]types.Value, len(out.UIDs))
	for i, u := range out.UIDs {
		x, inOld := have.v.at(u)
		y, inNew := v.at(u)
		switch {
		case inOld && inNew && add != nil:
			sum, err := add(x, y)
			if err != nil {
				return fmt.Errorf("variable %s: %w", name, err)
			}
			x = sum
		case !inOld:
			x = y
		}
		out.Values[i] = x
	}
	b.locals[name] = &local{v: out}
	return nil
}

// at returns the value that u itself has, constants aside.
func (v *Var) at(u graph.UID) (types.Value, bool) {
	if i, ok := slices.BinarySearch(v.UIDs, u); ok && v.Values != nil {
		return v.Values[i], true
	}
	return types.Value{}, false
}

// valueVariable defines the variable of a value or count field.
func (l *level) valueVariable() error {
	if l.varName == "" {
		return nil
	}
	v := &Var{}
	src := l.parent.rows.uids
	if l.counts != nil {
		v.UIDs = src
		v.Values = make([]types.Value, len(l.counts))
		for i, n := range l.counts {
			v.Values[i] = types.OfInt(n)
		}
		return l.block.define(l.varName, l.parent, v, nil)
	}
	offsets := l.values.offsets
	if len(l.values.values) == len(src) && !slices.ContainsFunc(offsets[1:], moreThanOne(offsets)) {
		v.UIDs, v.Values = src, l.values.values
		return l.block.define(l.varName, l.parent, v, nil)
	}
	v.Values = []types.Value{}
	for i, u := range src {
		switch n := offsets[i+1] - offsets[i]; {
		case n > 1 && l.names:
			v.names = append(v.names, l.values.values[offsets[i]:offsets[i+1]]...)
		case n > 1:
			return fmt.Errorf("value variables not supported for predicate with list type: %s", l.attr.Name)
		case n == 1:
			v.UIDs = append(v.UIDs, u)
			v.Values = append(v.Values, l.values.values[offsets[i]])
		}
	}
	return l.block.define(l.varName, l.parent, v, nil)
}

// moreThanOne walks over the ends of rows and says whether one has not exactly one value.
func moreThanOne(offsets []uint32) func(end uint32) bool {
	i := 0
	return func(end uint32) bool {
		n := end - offsets[i]
		i++
		return n != 1
	}
}

// facetVariables defines the facet variables of an edge: the facet of each target, summed up where several
// edges lead to it (dql.md fact 64).
func (r *run) facetVariables(l *level) error {
	for _, k := range l.facetVars {
		values := make([]types.Value, len(l.rows.uids))
		has := make([]bool, len(l.rows.uids))
		for i, at := range l.rows.index {
			if r.gone() {
				return r.quit()
			}
			x, ok := facetOf(l.rows.facets, i, k.Key)
			if !ok {
				continue
			}
			if !has[at] {
				values[at], has[at] = x, true
				continue
			}
			sum, err := addFacets(values[at], x)
			if err != nil {
				return fmt.Errorf("facet variable %s: %w", k.Var, err)
			}
			values[at] = sum
		}
		if err := l.block.define(k.Var, l, pack(l.rows.uids, values, has), addFacets); err != nil {
			return err
		}
	}
	return nil
}

func addFacets(a, b types.Value) (types.Value, error) {
	sum, err := arith.Binary("+", a, b)
	if err != nil {
		return sum, fmt.Errorf("the facets of several edges to one node can only be added as int or float: %w", err)
	}
	return sum, nil
}

func facetOf(facets [][]graph.Facet, i int, key string) (types.Value, bool) {
	if facets == nil {
		return types.Value{}, false
	}
	for _, f := range facets[i] {
		if f.Key == key {
			return f.Value, true
		}
	}
	return types.Value{}, false
}

// pack makes a variable of the uids that have a value.
func pack(uids []graph.UID, values []types.Value, has []bool) *Var {
	v := &Var{Values: []types.Value{}}
	for i, u := range uids {
		if has[i] {
			v.UIDs = append(v.UIDs, u)
			v.Values = append(v.Values, values[i])
		}
	}
	return v
}

// column is a variable laid out along a frontier.
type column struct {
	values []types.Value
	has    []bool // nil where all have a value
	// constant says that values[0] stands for every node.
	constant bool
}

// align lays a variable out along uids, which ascend.
func (v *Var) align(uids []graph.UID) column {
	if v.IsConstant {
		return column{values: []types.Value{v.Constant}, constant: true}
	}
	if v.Values != nil && len(v.UIDs) == len(uids) && (len(uids) == 0 || &v.UIDs[0] == &uids[0]) {
		return column{values: v.Values}
	}
	c := column{values: make([]types.Value, len(uids)), has: make([]bool, len(uids))}
	if v.Values == nil {
		return c
	}
	j := 0
	for i, u := range uids {
		for j < len(v.UIDs) && v.UIDs[j] < u {
			j++
		}
		if j < len(v.UIDs) && v.UIDs[j] == u {
			c.values[i], c.has[i] = v.Values[j], true
		}
	}
	return c
}

// at returns the value of row i.
func (c *column) at(i int) (types.Value, bool) {
	switch {
	case c.constant:
		return c.values[0], true
	case c.has != nil && !c.has[i]:
		return types.Value{}, false
	}
	return c.values[i], true
}
