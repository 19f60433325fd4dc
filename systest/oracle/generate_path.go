package oracle

import "slices"

// route draws a shortest block: mostly for one path, by hops or by a facet.
func (m *maker) route() *route {
	r := &route{from: pick(m, m.g.nodes), to: pick(m, m.g.nodes), byVar: m.chance(20)}
	if m.chance(5) {
		r.to = uid(len(m.g.nodes) + 3) // without data
	}
	if m.chance(40) {
		r.paths = 1 + m.rnd.IntN(6)
	}
	if m.chance(30) {
		r.depth = 1 + m.rnd.IntN(5)
	}
	if m.chance(25) {
		r.max = float64(1+m.rnd.IntN(24)) / 2
	}
	if m.chance(20) && r.from != r.to { // whether a path of no weight is below a limit is open
		r.min = float64(1+m.rnd.IntN(16)) / 2
	}
	preds := []string{"friend", "~friend", "likes", "boss", "~boss"}
	m.rnd.Shuffle(len(preds), func(i, j int) { preds[i], preds[j] = preds[j], preds[i] })
	weighed := m.chance(70)
	for _, pred := range preds[:1+m.rnd.IntN(3)] {
		w := via{pred: pred}
		if weighed && m.chance(85) {
			w.weight = pick(m, []string{"w", "w", "w", "part", "part", "part", "note"})
		}
		if m.chance(20) {
			w.filter = m.condition(1)
		}
		if m.chance(15) {
			w.only = &facets{filter: m.facetCondition(1)}
		}
		r.vias = append(r.vias, w)
	}
	return r
}

// cuts returns what is left of a route when one part of it goes.
func (r *route) cuts() (list []*route) {
	cut := func(there bool, do func(*route)) {
		if there {
			smaller := *r
			smaller.vias = slices.Clone(r.vias)
			do(&smaller)
			list = append(list, &smaller)
		}
	}
	cut(r.byVar, func(r *route) { r.byVar = false })
	cut(r.depth > 0, func(r *route) { r.depth = 0 })
	cut(r.paths > 0, func(r *route) { r.paths-- })
	cut(r.min > 0, func(r *route) { r.min = 0 })
	cut(r.max > 0, func(r *route) { r.max = 0 })
	for i, w := range r.vias {
		cut(len(r.vias) > 1, func(r *route) { r.vias = slices.Delete(r.vias, i, i+1) })
		cut(w.filter != nil, func(r *route) { r.vias[i].filter = nil })
		cut(w.only != nil, func(r *route) { r.vias[i].only = nil })
		cut(w.weight != "", func(r *route) { r.vias[i].weight = "" })
	}
	return list
}

// shrink drops parts of a route as long as it still fails.
func (r *route) shrink(fails func(*route) bool) *route {
	for i := 0; i < len(r.cuts()); i++ {
		if smaller := r.cuts()[i]; fails(smaller) {
			r, i = smaller, -1
		}
	}
	return r
}
