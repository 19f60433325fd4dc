package answer

import (
	"dragg/graph/types"
)

// paths appends the array of paths: each hop an object inside the one before (dql.md fact 74).
func (e *encoder) paths(paths []Path) {
	e.byte('[')
	for _, p := range paths {
		e.sep()
		for i, hop := range p.Hops {
			if i == 0 {
				e.byte('{')
			}
			e.key(hop.Key)
			e.byte('{')
		}
		if len(p.Hops) == 0 {
			e.byte('{')
		}
		// The objects close from the innermost to the outermost.
		for i := len(p.Nodes) - 1; i >= 0; i-- {
			e.key("uid")
			e.uid(p.Nodes[i])
			if i > 0 {
				e.hopFacet(p.Hops[i-1])
				e.byte('}')
			}
		}
		e.key("_weight_")
		e.buf, _ = types.AppendJSON(e.buf, types.OfFloat(p.Weight)) // a weight is a finite sum
		e.byte('}')
		if len(e.buf) > e.limit {
			e.err = &TooLargeError{Limit: e.opts.MaxBytes}
			return
		}
	}
	e.byte(']')
}

func (e *encoder) hopFacet(h Hop) {
	if h.FacetKey == "" {
		return
	}
	at, shown := len(e.buf), false
	e.key(h.FacetKey)
	if e.buf, shown = types.AppendJSON(e.buf, h.Facet); !shown {
		e.buf = e.buf[:at]
	}
}
