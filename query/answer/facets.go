package answer

import (
	"strconv"

	"dragg/graph"
	"dragg/graph/types"
)

// each calls fn for each facet that is shown, with the facet's own name or its alias.
func (k *FacetKeys) each(facets []graph.Facet, fn func(f graph.Facet, alias string)) {
	if k == nil {
		return
	}
	for _, f := range facets {
		named := false
		for _, sel := range k.Keys {
			if sel.Key == f.Key {
				fn(f, sel.Alias)
				named = true
			}
		}
		if k.All && !named {
			fn(f, "")
		}
	}
}

// facets appends the facets of one element of a field.
func (e *encoder) facets(n *Node, facets []graph.Facet) { e.facetsOf(n.Key, n.FacetKeys, facets) }

func (e *encoder) facetsOf(key string, keys *FacetKeys, facets []graph.Facet) {
	keys.each(facets, func(f graph.Facet, alias string) {
		at, shown := len(e.buf), false
		if alias != "" {
			e.key(alias)
		} else {
			e.suffixKey(key, '|', f.Key)
		}
		if e.buf, shown = types.AppendJSON(e.buf, f.Value); !shown {
			e.buf = e.buf[:at]
		}
	})
}

// listFacets appends the facets of a value list: an object by index for each facet (dql.md fact 24).
func (e *encoder) listFacets(n *Node, from, to int) {
	type column struct {
		key, alias string
	}
	var columns []column
	seen := map[column]bool{}
	for i := from; i < to; i++ {
		n.FacetKeys.each(n.Facets[i], func(f graph.Facet, alias string) {
			if c := (column{f.Key, alias}); !seen[c] {
				seen[c] = true
				columns = append(columns, c)
			}
		})
	}
	for _, c := range columns {
		if c.alias != "" {
			e.key(c.alias)
		} else {
			e.suffixKey(n.Key, '|', c.key)
		}
		e.byte('{')
		for i := from; i < to; i++ {
			for _, f := range n.Facets[i] {
				if f.Key != c.key {
					continue
				}
				at, shown := len(e.buf), false
				e.key(strconv.Itoa(i - from))
				if e.buf, shown = types.AppendJSON(e.buf, f.Value); !shown {
					e.buf = e.buf[:at]
				}
			}
		}
		e.byte('}')
	}
}
