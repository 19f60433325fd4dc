package tok

import (
	"slices"
	"strings"
)

// QueryOp is the operator of a TrigramQuery.
type QueryOp uint8

// The operators of a trigram query.
const (
	QueryAll  QueryOp = iota // holds for every text
	QueryNone                // holds for no text
	QueryAnd                 // all of Trigrams and all of Subs
	QueryOr                  // one of Trigrams or one of Subs
)

// TrigramQuery is a condition on the set of a text's trigrams. Trigrams are sorted and without duplicates.
type TrigramQuery struct {
	Op       QueryOp
	Trigrams []string
	Subs     []*TrigramQuery
}

// maxQuery bounds the parts of one node; past it the node asks for less, which is still right but less
// selective.
const maxQuery = 200

func queryAll() *TrigramQuery  { return &TrigramQuery{Op: QueryAll} }
func queryNone() *TrigramQuery { return &TrigramQuery{Op: QueryNone} }

// String shows the query for tests and logs: ("abc" AND ("bcd" OR "xyz")).
func (q *TrigramQuery) String() string {
	switch q.Op {
	case QueryAll:
		return "all"
	case QueryNone:
		return "none"
	}
	var parts []string
	for _, t := range q.Trigrams {
		parts = append(parts, `"`+t+`"`)
	}
	for _, s := range q.Subs {
		parts = append(parts, s.String())
	}
	word := " AND "
	if q.Op == QueryOr {
		word = " OR "
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, word) + ")"
}

// Holds reports whether a text with these trigrams meets the condition. It defines what the query means.
func (q *TrigramQuery) Holds(has func(trigram string) bool) bool {
	switch q.Op {
	case QueryAll:
		return true
	case QueryNone:
		return false
	}
	any := q.Op == QueryOr
	for _, t := range q.Trigrams {
		if has(t) == any {
			return any
		}
	}
	for _, s := range q.Subs {
		if s.Holds(has) == any {
			return any
		}
	}
	return !any
}

func and(x, y *TrigramQuery) *TrigramQuery {
	switch {
	case x.Op == QueryAll || y.Op == QueryNone:
		return y
	case y.Op == QueryAll || x.Op == QueryNone:
		return x
	}
	out := &TrigramQuery{Op: QueryAnd}
	for _, q := range []*TrigramQuery{x, y} {
		if q.Op == QueryAnd || q.isOne() {
			out.Trigrams = append(out.Trigrams, q.Trigrams...)
			out.Subs = append(out.Subs, q.Subs...)
			continue
		}
		if !slices.ContainsFunc(out.Subs, q.equal) {
			out.Subs = append(out.Subs, q)
		}
	}
	slices.Sort(out.Trigrams)
	out.Trigrams = slices.Compact(out.Trigrams)
	out.Trigrams = out.Trigrams[:min(len(out.Trigrams), maxQuery)]
	out.Subs = out.Subs[:min(len(out.Subs), maxQuery)]
	return out
}

func or(x, y *TrigramQuery) *TrigramQuery {
	switch {
	case x.Op == QueryNone || y.Op == QueryAll:
		return y
	case y.Op == QueryNone || x.Op == QueryAll:
		return x
	case x.equal(y):
		return x
	}
	out := &TrigramQuery{Op: QueryOr}
	for _, q := range []*TrigramQuery{x, y} {
		if q.Op == QueryOr || q.isOne() {
			out.Trigrams = append(out.Trigrams, q.Trigrams...)
			out.Subs = append(out.Subs, q.Subs...)
			continue
		}
		out.Subs = append(out.Subs, q)
	}
	slices.Sort(out.Trigrams)
	out.Trigrams = slices.Compact(out.Trigrams)
	if len(out.Trigrams) > maxQuery || len(out.Subs) > maxQuery {
		return queryAll()
	}
	return out
}

func (q *TrigramQuery) isOne() bool { return len(q.Trigrams) == 1 && len(q.Subs) == 0 }

func (q *TrigramQuery) equal(r *TrigramQuery) bool {
	return q.Op == r.Op && slices.Equal(q.Trigrams, r.Trigrams) &&
		slices.EqualFunc(q.Subs, r.Subs, func(a, b *TrigramQuery) bool { return a.equal(b) })
}

// trigramsOf returns the condition that a text contains one of the strings, as far as trigrams can tell.
func trigramsOf(set stringSet) *TrigramQuery {
	if len(set) == 0 || set.minLen() < 3 {
		return queryAll()
	}
	q := queryNone()
	for _, s := range set {
		trigrams := appendTrigrams(nil, s)
		slices.Sort(trigrams)
		trigrams = slices.Compact(trigrams)
		q = or(q, &TrigramQuery{Op: QueryAnd, Trigrams: trigrams[:min(len(trigrams), maxQuery)]})
	}
	return q
}
