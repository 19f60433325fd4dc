package answer

import (
	"slices"
	"strconv"
	"strings"

	"dragg/graph"
	"dragg/graph/types"
)

// member is one key of a flat object with its value as JSON.
type member struct {
	key   string
	value []byte
}

// flat is an object of @normalize under construction.
type flat []member

// normalized appends the flat objects of one row of an edge (dql.md fact 44): only aliased fields and uid,
// the branches multiplied out, keys sorted.
func (e *encoder) normalized(n *Node, row int) {
	budget := e.opts.NormalizeNodes
	for _, f := range e.flatRow(n, row, &budget) {
		if len(f) == 0 {
			continue
		}
		e.sep()
		e.flatObject(f)
		if e.check(); e.err != nil {
			return
		}
	}
}

// flatObject appends one flat object. What has the same key becomes an array.
func (e *encoder) flatObject(f flat) {
	f = slices.Clone(f)
	slices.SortStableFunc(f, func(a, b member) int { return strings.Compare(a.key, b.key) })
	e.byte('{')
	for i := 0; i < len(f); {
		j := i + 1
		for j < len(f) && f[j].key == f[i].key {
			j++
		}
		e.key(f[i].key)
		if j-i > 1 {
			e.byte('[')
		}
		for k := i; k < j; k++ {
			e.sepIf(k > i)
			e.buf = append(e.buf, f[k].value...)
		}
		if j-i > 1 {
			e.byte(']')
		}
		i = j
	}
	e.byte('}')
}

func (e *encoder) sepIf(due bool) {
	if due {
		e.byte(',')
	}
}

// flatRow returns the flat objects of all targets of a row.
func (e *encoder) flatRow(n *Node, row int, budget *int) []flat {
	var list []flat
	from, to := n.row(row)
	for i := from; i < to && e.err == nil; i++ {
		e.check()
		u := n.Targets[i]
		if e.reflex {
			if slices.Contains(e.trail, u) {
				continue
			}
			e.trail = append(e.trail, u)
		}
		subs := e.flatten(n.Children, int(n.Index[i]), u, budget)
		if e.reflex {
			e.trail = e.trail[:len(e.trail)-1]
		}
		if n.Facets == nil {
			list = append(list, subs...)
			continue
		}
		var extra flat
		n.FacetKeys.each(n.Facets[i], func(f graph.Facet, alias string) {
			if v, shown := types.AppendJSON(nil, f.Value); shown && alias != "" {
				extra = append(extra, member{key: alias, value: v})
			}
		})
		for _, s := range subs {
			list = append(list, slices.Concat(s, extra))
		}
	}
	return list
}

// flatCounts returns the objects of count(uid) below an edge: like other fields they need an alias, and they stand last as they do
// without @normalize (dql.md facts 18 and 44).
func (n *Node) flatCounts(row int) []flat {
	from, to := n.row(row)
	if from == to {
		return nil
	}
	var list []flat
	for i := range n.Children {
		c := &n.Children[i]
		if c.Kind == CountUID && c.Aliased {
			list = append(list, flat{{key: c.Key, value: strconv.AppendInt(nil, int64(to-from), 10)}})
		}
	}
	return list
}

// flatten returns the flat objects of one node; one empty object where it has no aliased field.
func (e *encoder) flatten(children []Node, row int, u graph.UID, budget *int) []flat {
	own := flat{}
	var branches [][]flat
	for i := range children {
		c := &children[i]
		switch {
		case c.Kind == UID:
			own = append(own, member{key: c.Key, value: append(u.AppendText([]byte{'"'}), '"')})
		case c.Kind == Edge:
			var subs []flat
			for _, s := range append(e.flatRow(c, row, budget), c.flatCounts(row)...) {
				if len(s) > 0 {
					subs = append(subs, s)
				}
			}
			if len(subs) > 0 {
				branches = append(branches, subs)
			}
		case c.Kind == Count && c.Aliased:
			own = append(own, member{key: c.Key, value: strconv.AppendInt(nil, c.Counts[row], 10)})
		case c.Kind == Scalar:
			own = e.flatScalar(own, c, row)
		}
	}
	return e.multiply(own, branches, budget)
}

// multiply returns own joined with every combination of the branches.
func (e *encoder) multiply(own flat, branches [][]flat, budget *int) []flat {
	list := []flat{own}
	for _, b := range branches {
		*budget -= len(list) * len(b)
		if *budget < 0 {
			e.err = &TooManyError{Limit: e.opts.NormalizeNodes}
			return nil
		}
		next := make([]flat, 0, len(list)*len(b))
		for _, l := range list {
			for _, s := range b {
				next = append(next, slices.Concat(l, s))
			}
		}
		list = next
	}
	if len(branches) == 0 {
		*budget--
		if *budget < 0 {
			e.err = &TooManyError{Limit: e.opts.NormalizeNodes}
			return nil
		}
	}
	return list
}

// flatScalar adds an aliased value field, and aliased facets of any value field.
func (e *encoder) flatScalar(own flat, c *Node, row int) flat {
	from, to := c.row(row)
	if from == to {
		return own
	}
	sub := &encoder{buf: []byte{'['}, opts: e.opts, limit: e.limit}
	for i := from; i < to && c.Aliased; i++ {
		at, shown := len(sub.buf), false
		sub.sep()
		if sub.buf, shown = types.AppendJSON(sub.buf, c.Values[i]); !shown {
			sub.buf = sub.buf[:at]
			continue
		}
		if c.Langs != nil {
			key := c.Key
			if c.Langs[i] != "" {
				key += "@" + c.Langs[i]
			}
			own = append(own, member{key: key, value: slices.Clone(sub.buf[1:])})
			sub.buf = sub.buf[:1]
		}
	}
	switch {
	case len(sub.buf) == 1:
	case c.List:
		own = append(own, member{key: c.Key, value: append(sub.buf, ']')})
	default:
		own = append(own, member{key: c.Key, value: sub.buf[1:]})
	}
	for i := from; i < to && c.Facets != nil && !c.List; i++ {
		c.FacetKeys.each(c.Facets[i], func(f graph.Facet, alias string) {
			if v, shown := types.AppendJSON(nil, f.Value); shown && alias != "" {
				own = append(own, member{key: alias, value: v})
			}
		})
	}
	return own
}
