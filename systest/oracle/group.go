package oracle

import (
	"cmp"
	"slices"
)

// group is the members of one combination of keys.
type group struct {
	keys    []value // uid for an edge
	members []uid
}

// grouped groups nodes by the keys of n. Nodes that miss a key are left out; a node with several edges joins several groups
// (fact 70). Small groups come first, then by the keys (fact 69).
func (e *evaluator) grouped(n *node, nodes []uid) []*group {
	var groups []*group
	for _, u := range nodes {
		for _, keys := range e.combinations(n.groups, u) {
			i := slices.IndexFunc(groups, func(g *group) bool { return compareKeys(g.keys, keys) == 0 })
			if i < 0 {
				i = len(groups)
				groups = append(groups, &group{keys: keys})
			}
			groups[i].members = append(groups[i].members, u)
		}
	}
	slices.SortFunc(groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(len(a.members), len(b.members)), compareKeys(a.keys, b.keys))
	})
	return groups
}

// combinations are the keys under which a node is filed.
func (e *evaluator) combinations(keys []groupKey, u uid) [][]value {
	out := [][]value{nil}
	for _, k := range keys {
		var options []value
		for _, to := range e.g.edges[k.pred][u] {
			options = append(options, to)
		}
		if v, ok := first(e.g.of(k.pred, u)); ok {
			options = append(options, v) // of a list the first value only
		}
		var next [][]value
		for _, head := range out {
			for _, o := range options {
				next = append(next, append(slices.Clone(head), o))
			}
		}
		out = next
	}
	return out
}

func compareKeys(a, b []value) int {
	return slices.CompareFunc(a, b, func(x, y value) int {
		switch x := x.(type) {
		case uid:
			return cmp.Compare(x, y.(uid))
		case bool:
			return map[bool]int{false: 0, true: 1}[x] - map[bool]int{false: 0, true: 1}[y.(bool)]
		}
		return compare(x, y)
	})
}

// inGroup is count(uid) or an aggregate over a predicate, of one group.
func (e *evaluator) inGroup(k *node, g *group) (value, bool) {
	if k.kind == countUID {
		return int64(len(g.members)), true
	}
	var list []value
	for _, u := range g.members {
		if v, ok := first(e.g.of(k.pred, u)); ok {
			list = append(list, v)
		}
	}
	return fold(k.op, list)
}

// groupVariable fills a variable of a @groupby body, which has a single key that is an edge (fact 71).
func (e *evaluator) groupVariable(n *node, m map[uid]value) {
	at := e.parent[n]
	for _, g := range e.grouped(at, e.rows(at, 0)) {
		if v, ok := e.inGroup(n, g); ok {
			m[g.keys[0].(uid)] = v
		}
	}
}
