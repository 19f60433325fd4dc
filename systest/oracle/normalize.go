package oracle

import "slices"

// normalizeLimit is how many objects @normalize may make of a block (fact 44).
const normalizeLimit = 10_000

// tooMany says whether a block of a query makes more objects than @normalize may.
func tooMany(g *triples, q *query) bool {
	e := newEvaluator(g, q)
	for _, b := range q.blocks {
		if !b.normalize || b.alias == "var" {
			continue
		}
		if _, made := e.made(b, e.rows(b, 0), nil); made > normalizeLimit {
			return true
		}
	}
	return false
}

// made counts what @normalize makes of the nodes of a list: the rows that it returns, and the objects on the way to them. A node
// without edges is one; where there are edges, each adds all combinations of what the edges up to it have.
func (e *evaluator) made(n *node, nodes, path []uid) (rows, made int) {
	for _, u := range nodes {
		if e.reflexive(n) && slices.Contains(path, u) {
			continue // fact 55
		}
		below := append(path[:len(path):len(path)], u)
		list, branches, own := 1, false, false
		for _, k := range e.fieldsOf(n) {
			if k.kind != edge {
				own = own || aliased(e.field(k, u, below))
				continue
			}
			r, m := e.made(k, e.rows(k, u), below)
			made += m
			if r > 0 {
				list *= r
				made += list
				branches = true
			}
			if made > normalizeLimit {
				return rows, made
			}
		}
		if !branches {
			made++
		}
		if branches || own {
			rows += list
		}
	}
	return rows, made
}

// aliased says whether @normalize keeps anything of an object.
func aliased(o object) bool {
	return slices.ContainsFunc(o, func(m member) bool { return m.alias })
}
