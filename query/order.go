package query

import (
	"bytes"
	"cmp"
	"slices"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/query/arith"
	"dragg/query/task"
)

// orderLevel puts the rows of a level into order: by its sort keys, or by facets.
func (r *run) orderLevel(l *level, then func() error) error {
	switch {
	case len(l.order) == 0:
		if len(l.facetOrder) > 0 {
			l.orderByFacets()
		}
		return then()
	case l.order[0].varName != "":
		r.orderByVariable(l)
		return then()
	}
	var tasks []task.Task
	for _, k := range l.order {
		tasks = append(tasks, task.Task{Kind: task.Values, Predicate: k.pred, Langs: k.langs, Src: l.rows.uids})
	}
	return r.ask(l, tasks, func(res []task.Result) error {
		keys := make([]sortKey, len(l.order))
		for i, k := range l.order {
			keys[i] = newSortKey(k, &res[i])
		}
		l.rows.own()
		l.rows.order(rankOf(len(l.rows.uids), keys))
		return then()
	})
}

// sortKey is one sort key laid out along a frontier.
type sortKey struct {
	column
	desc bool
	// collated are the keys of texts in the order of a language, nil for bytewise order.
	collated [][]byte
}

func newSortKey(k orderKey, res *task.Result) sortKey {
	n := len(res.Offsets) - 1
	s := sortKey{desc: k.desc}
	s.values, s.has = make([]types.Value, n), make([]bool, n)
	for i := range n {
		if from := res.Offsets[i]; from < res.Offsets[i+1] {
			s.values[i], s.has[i] = res.Values[from], true
		}
	}
	if len(k.langs) == 1 && k.langs[0] != "." {
		s.collate(k.langs[0])
	}
	return s
}

// collate prepares the order of a language (dql.md fact 48). An unknown language falls back to the root collation.
func (s *sortKey) collate(lang string) {
	tag, err := language.Parse(lang)
	if err != nil {
		tag = language.Und
	}
	c := collate.New(tag)
	s.collated = make([][]byte, len(s.values))
	var buf collate.Buffer
	for i, v := range s.values {
		if s.has[i] && v.Type().Textual() {
			s.collated[i] = bytes.Clone(c.KeyFromString(&buf, v.Str()))
			buf.Reset()
		}
	}
}

// compare orders rows i and j; a missing value comes last in both directions (dql.md fact 45).
func (s *sortKey) compare(i, j int) int {
	x, hasX := s.at(i)
	y, hasY := s.at(j)
	if !hasX || !hasY {
		switch {
		case hasX:
			return -1
		case hasY:
			return 1
		}
		return 0
	}
	c := 0
	if s.collated != nil {
		c = bytes.Compare(s.collated[i], s.collated[j])
	}
	if c == 0 {
		c, _ = arith.Order(x, y) // values of one sortable predicate
	}
	if s.desc {
		return -c
	}
	return c
}

// rankOf returns the place of each of n rows in the order of the keys; ties are by uid, which is the order of the rows.
func rankOf(n int, keys []sortKey) []uint32 {
	perm := make([]uint32, n)
	for i := range perm {
		perm[i] = uint32(i)
	}
	slices.SortFunc(perm, func(i, j uint32) int {
		for k := range keys {
			if c := keys[k].compare(int(i), int(j)); c != 0 {
				return c
			}
		}
		return cmp.Compare(i, j)
	})
	rank := make([]uint32, n)
	for place, i := range perm {
		rank[i] = uint32(place)
	}
	return rank
}

// orderByVariable orders by val(x); what has no value goes away (dql.md fact 45).
func (r *run) orderByVariable(l *level) {
	k := l.order[0]
	v := r.variable(k.varName)
	s := sortKey{column: v.align(l.rows.uids), desc: k.desc}
	rank := rankOf(len(l.rows.uids), []sortKey{s})
	for i := range rank {
		if _, ok := s.at(i); !ok {
			rank[i] = dropped
		}
	}
	l.rows.own()
	l.rows.order(rank)
}

// orderByFacets orders every row by the facets of its edges, ties by uid.
func (l *level) orderByFacets() {
	l.rows.own()
	var buf []element
	for i := range l.rows.len() {
		from, to := l.rows.row(i)
		buf = buf[:0]
		for e := from; e < to; e++ {
			x := element{uid: l.rows.targets[e], index: l.rows.index[e]}
			if l.rows.facets != nil {
				x.facets = l.rows.facets[e]
			}
			buf = append(buf, x)
		}
		slices.SortStableFunc(buf, func(a, b element) int {
			for _, o := range l.facetOrder {
				if c := compareFacets(a.facets, b.facets, o.Key, o.Desc); c != 0 {
					return c
				}
			}
			return cmp.Compare(a.uid, b.uid)
		})
		l.rows.put(from, buf)
	}
}

func compareFacets(a, b []graph.Facet, key string, desc bool) int {
	x, hasX := facetOf([][]graph.Facet{a}, 0, key)
	y, hasY := facetOf([][]graph.Facet{b}, 0, key)
	switch {
	case hasX && !hasY:
		return -1
	case hasY && !hasX:
		return 1
	case !hasX:
		return 0
	}
	c, err := arith.Order(x, y)
	if err != nil {
		// Facets of different types have an order of their own, so that the result does not depend on luck.
		c = cmp.Compare(x.Type(), y.Type())
	}
	if desc {
		return -c
	}
	return c
}
