package oracle

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// facet is one of an edge or a value.
type facet struct {
	key string
	v   value
}

// facetKinds are the kinds of the facets, by key.
var facetKinds = map[string]string{"close": "bool", "note": "string", "part": "float", "since": "time", "w": "int"}

// facetKeys are the keys, in their order.
func facetKeys() []string { return []string{"close", "note", "part", "since", "w"} }

func randomFacets(rnd *rand.Rand) (list []facet) {
	for _, key := range facetKeys() {
		if rnd.IntN(2) == 0 {
			list = append(list, facet{key, randomValue(rnd, facetKinds[key])})
		}
	}
	return list
}

// facetsText returns facets as they stand behind the object of an N-Quad. Their types show in how they are written (fact 106).
func facetsText(facets []facet) string {
	var parts []string
	for _, f := range facets {
		text := plain(f.v)
		switch v := f.v.(type) {
		case float64:
			text = strconv.FormatFloat(v, 'f', 2, 64)
		case string:
			text = strconv.Quote(v)
		case time.Time:
			text = v.Format(time.RFC3339)
		}
		parts = append(parts, f.key+"="+text)
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// onEdge returns the facets of an edge, which are those of the edge that it reverses.
func (g *triples) onEdge(pred string, from, to uid) []facet {
	if forward, ok := strings.CutPrefix(pred, "~"); ok {
		return g.facets[element{forward, to, from.String()}]
	}
	return g.facets[element{pred, from, to.String()}]
}

// onValue returns the facets of a value.
func (g *triples) onValue(attr string, u uid, v value) []facet {
	return g.facets[element{attr, u, plain(v)}]
}

func facetOf(list []facet, key string) (value, bool) {
	i := slices.IndexFunc(list, func(f facet) bool { return f.key == key })
	if i < 0 {
		return nil, false
	}
	return list[i].v, true
}

// facets is what a field says of facets: what it shows, in which order the edges come, and which of them it leaves out.
type facets struct {
	all    bool
	keys   []facetKey
	filter *cond // pred is the key
}

// facetKey is a facet that is shown, and perhaps ordered by or bound to a variable.
type facetKey struct {
	key, alias string
	v          *node // the variable, which is keyed by the targets of the edge
	order      string
}

func (f *facets) text() string {
	if f == nil {
		return ""
	}
	var b strings.Builder
	if f.all {
		b.WriteString(" @facets")
	}
	var parts []string
	for _, k := range f.keys {
		part := k.key
		switch {
		case k.v != nil:
			part = k.v.v + " as " + part
		case k.alias != "":
			part = k.alias + ": " + part
		case k.order != "":
			part = k.order + ": " + part
		}
		parts = append(parts, part)
	}
	if parts != nil {
		fmt.Fprintf(&b, " @facets(%s)", strings.Join(parts, ", "))
	}
	if f.filter != nil {
		b.WriteString(" @facets(" + f.filter.text() + ")")
	}
	return b.String()
}

// keeps reports whether an edge or a value with these facets stays. A facet that is missing meets no function.
func (f *facets) keeps(list []facet) bool {
	return f == nil || f.filter == nil || meets(f.filter, list)
}

func meets(c *cond, list []facet) bool {
	switch c.op {
	case "and":
		return !slices.ContainsFunc(c.kids, func(k *cond) bool { return !meets(k, list) })
	case "or":
		return slices.ContainsFunc(c.kids, func(k *cond) bool { return meets(k, list) })
	case "not":
		return !meets(c.kids[0], list)
	}
	v, ok := facetOf(list, c.pred)
	return ok && test(c.op, v, c.args)
}

// sort orders the targets of a node by the facets of the edges to them: the missing ones last both ways, ties by uid.
func (f *facets) sort(targets []uid, of func(to uid) []facet) {
	if f == nil || !slices.ContainsFunc(f.keys, func(k facetKey) bool { return k.order != "" }) {
		return
	}
	slices.SortFunc(targets, func(a, b uid) int {
		for _, k := range f.keys {
			if k.order == "" {
				continue
			}
			x, hasX := facetOf(of(a), k.key)
			y, hasY := facetOf(of(b), k.key)
			if c := compareSome(x, y, hasX, hasY, k.order == "orderdesc"); c != 0 {
				return c
			}
		}
		return cmp.Compare(a, b)
	})
}

// show returns the facets of an edge or a value that are asked for, by key, under the name of the field (fact 24).
func (f *facets) show(name string, list []facet) (o object) {
	if f == nil {
		return nil
	}
	for _, x := range list {
		if i := slices.IndexFunc(f.keys, func(k facetKey) bool { return k.key == x.key }); i >= 0 || f.all {
			o = append(o, member{key: f.name(name, x.key), json: json(x.v)})
		}
	}
	return o
}

// name is the key of a facet in the answer: an alias replaces all of it.
func (f *facets) name(field, key string) string {
	for _, k := range f.keys {
		if k.key == key && k.alias != "" {
			return k.alias
		}
	}
	return field + "|" + key
}

// showList returns the facets of a list of values: an object by index for each key, in the order in which the values bring them.
func (f *facets) showList(name string, each [][]facet) (o object) {
	for i, list := range each {
		for _, m := range f.show(name, list) {
			at := slices.IndexFunc(o, func(have member) bool { return have.key == m.key })
			if at < 0 {
				at = len(o)
				o = append(o, member{key: m.key})
			}
			o[at].json += "," + strconv.Quote(strconv.Itoa(i)) + ":" + m.json
		}
	}
	for i := range o {
		o[i].json = "{" + o[i].json[1:] + "}"
	}
	return o
}

// facetVariable is the sum of a facet over the edges that lead to a node (fact 64).
func (e *evaluator) facetVariable(n *node, m map[uid]value) {
	at := e.parent[n]
	for _, u := range e.level(e.parent[at]) {
		for _, to := range e.candidates(at, u) {
			v, ok := facetOf(e.g.onEdge(at.pred, u, to), n.pred)
			if old, summed := m[to]; ok && summed {
				m[to], _ = fold("sum", []value{old, v})
			} else if ok {
				m[to] = v
			}
		}
	}
}

func (f *facets) clone() *facets {
	if f == nil {
		return nil
	}
	out := &facets{all: f.all, filter: f.filter.clone()}
	for _, k := range f.keys {
		if k.v != nil {
			k.v = k.v.clone()
		}
		out.keys = append(out.keys, k)
	}
	return out
}
