package posting_test

// The naive twin of the store: whole graphs in maps, one for every commit, and what index, reverse and count
// keys must hold according to them. The metamorphic tests compare the store with it.

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/schema"
)

const testSchema = `
name: string @index(exact, term) @lang .
title: string @index(term) @upsert .
age: int @index(int) .
score: float @index(float) .
tags: [string] @index(term, exact) @count .
nums: [int] .
plain: string .
free: int @noconflict .
friend: [uid] @reverse @count .
boss: uid @reverse @count .
knows: [uid] .
`

// predicates returns the definitions of testSchema, ordered by name; predicate i has incarnation i+1.
func predicates(t testing.TB) []*schema.Predicate {
	t.Helper()
	u, err := schema.Parse(testSchema)
	if err != nil {
		t.Fatal(err)
	}
	ps := slices.Clone(schema.Snapshot{}.With(u).Predicates())
	slices.SortFunc(ps, func(a, b *schema.Predicate) int { return a.Name.Compare(b.Name) })
	return ps
}

func schemaOf(ps []*schema.Predicate) func(graph.Incarnation) *schema.Predicate {
	return func(inc graph.Incarnation) *schema.Predicate {
		if inc == 0 || int(inc) > len(ps) {
			return nil
		}
		return ps[inc-1]
	}
}

// elem is a value or an edge of a model node. Its id is the target, the language tag, or the text of a list
// value.
type elem struct {
	id     string
	lang   string
	value  types.Value
	target graph.UID
	facets string
}

// nodeKey names the elements of one node in one predicate.
type nodeKey struct {
	inc graph.Incarnation
	uid graph.UID
}

// model is one graph.
type model map[nodeKey]map[string]elem

func (m model) clone() model {
	out := make(model, len(m))
	for k, v := range m {
		out[k] = maps.Clone(v)
	}
	return out
}

// modelOp is a change of a model: clear everything of the node, or set or remove one element.
type modelOp struct {
	at    nodeKey
	clear bool
	id    string
	set   *elem
}

func (m model) apply(ops []modelOp) {
	for _, op := range ops {
		if op.clear {
			delete(m, op.at)
			continue
		}
		if op.set == nil {
			if delete(m[op.at], op.id); len(m[op.at]) == 0 {
				delete(m, op.at)
			}
			continue
		}
		if m[op.at] == nil {
			m[op.at] = make(map[string]elem)
		}
		m[op.at][op.id] = *op.set
	}
}

func facetText(facets []graph.Facet) string {
	s := make([]string, 0, len(facets))
	for _, f := range facets {
		s = append(s, f.Key+"="+f.Value.Text())
	}
	sort.Strings(s)
	return strings.Join(s, ",")
}

func elemOf(p *schema.Predicate, e *graph.Edge) elem {
	el := elem{lang: e.Lang, value: e.Value, target: e.Object, facets: facetText(e.Facets)}
	switch {
	case p.IsUID():
		el.id = e.Object.String()
	case p.List:
		el.id = e.Value.Text()
	default:
		el.id = e.Lang
	}
	return el
}

// mutate returns what the edges do to the snapshot m: deletions first, as the snapshot saw it, then the sets
// in order.
func (m model) mutate(p *schema.Predicate, inc graph.Incarnation, edges []graph.Edge) (ops []modelOp) {
	for _, e := range edges {
		at := nodeKey{inc, e.Subject}
		el := elemOf(p, &e)
		switch e.Op {
		case graph.Delete:
			old, there := m[at][el.id]
			if there && (p.List || p.IsUID() || types.Equal(old.value, e.Value)) {
				ops = append(ops, modelOp{at: at, id: el.id})
			}
		case graph.DeleteAll:
			for id, old := range m[at] {
				if e.Lang == "" || old.lang == e.Lang {
					ops = append(ops, modelOp{at: at, id: id})
				}
			}
		}
	}
	for _, e := range edges {
		if e.Op != graph.Set {
			continue
		}
		at := nodeKey{inc, e.Subject}
		el := elemOf(p, &e)
		if !p.List && !p.Lang {
			ops = append(ops, modelOp{at: at, clear: true})
		}
		ops = append(ops, modelOp{at: at, id: el.id, set: &el})
	}
	return ops
}

// lists returns every list of a predicate that is not empty, as text: "key description: elements".
func (m model) lists(p *schema.Predicate, inc graph.Incarnation) map[string]string {
	data := make(map[string][]string)
	derived := make(map[string]map[graph.UID]string)
	add := func(key []byte, uid graph.UID, facets string) {
		if derived[string(key)] == nil {
			derived[string(key)] = make(map[graph.UID]string)
		}
		derived[string(key)][uid] = facets
	}
	into := make(map[graph.UID]uint32)
	for at, elems := range m {
		if at.inc != inc {
			continue
		}
		if p.Count {
			add(keys.Count(inc, false, uint32(len(elems))), at.uid, "")
		}
		for _, e := range elems {
			key := string(keys.Data(inc, at.uid))
			if p.IsUID() {
				data[key] = append(data[key], fmt.Sprintf("%016x{%s}", uint64(e.target), e.facets))
				if p.Reverse {
					add(keys.Reverse(inc, e.target), at.uid, e.facets)
					into[e.target]++
				}
				continue
			}
			data[key] = append(data[key], fmt.Sprintf("%s@%s{%s}", e.value.Text(), e.lang, e.facets))
			for _, t := range p.Index {
				tokens, err := t.AppendTokens(nil, e.value, e.lang)
				if err != nil {
					panic(err)
				}
				for _, token := range tokens {
					add(keys.Index(inc, t.ID(), e.lang, token), at.uid, "")
				}
			}
		}
	}
	if p.Count && p.Reverse {
		for uid, n := range into {
			add(keys.Count(inc, true, n), uid, "")
		}
	}
	out := make(map[string]string)
	for key, elems := range data {
		sort.Strings(elems)
		out[key] = strings.Join(elems, " ")
	}
	for key, uids := range derived {
		var elems []string
		for uid, facets := range uids {
			elems = append(elems, fmt.Sprintf("%016x{%s}", uint64(uid), facets))
		}
		sort.Strings(elems)
		out[key] = strings.Join(elems, " ")
	}
	return out
}

// listText returns a list of the store in the form of model.lists, after checking that its methods agree with
// each other.
func listText(t testing.TB, l posting.List, values bool) string {
	t.Helper()
	var out []string
	if values {
		for p, err := range l.Postings() {
			if err != nil {
				t.Fatal(err)
			}
			if got, ok, err := l.Get(p.Slot); !ok || err != nil || !types.Equal(got.Value, p.Value) {
				t.Errorf("Get(%d) is %v, %v, %v", p.Slot, got, ok, err)
			}
			out = append(out, fmt.Sprintf("%s@%s{%s}", p.Value.Text(), p.Lang, facetText(p.Facets)))
		}
	} else {
		uids := l.UIDs().Slice()
		if !slices.IsSorted(uids) {
			t.Errorf("uids do not ascend: %v", uids)
		}
		for _, u := range uids {
			facets, err := l.FacetsOf(u)
			if err != nil {
				t.Fatal(err)
			}
			if facets != nil && !l.HasFacets() || !l.Contains(u) || l.Contains(u+1000) {
				t.Errorf("uid %s: facets %v, contained %v", u, facets, l.Contains(u))
			}
			out = append(out, fmt.Sprintf("%016x{%s}", uint64(u), facetText(facets)))
		}
	}
	if l.Len() != len(out) || l.IsEmpty() != (len(out) == 0) {
		t.Errorf("Len is %d, with %d elements", l.Len(), len(out))
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

// check compares everything that a view sees of a predicate with the model.
func check(t testing.TB, v *posting.View, p *schema.Predicate, inc graph.Incarnation, m model) {
	t.Helper()
	want := m.lists(p, inc)
	got := make(map[string]string)
	prefix := keys.Prefix(inc)
	// Parts of split lists lie at the end, and are nobody's business.
	it := v.Scan(prefix, keys.KindPrefix(inc, keys.KindPart))
	last := ""
	for it.Next() {
		key := string(it.Key())
		if key <= last {
			t.Errorf("scan is not in order at %x", key)
		}
		last = key
		l, err := it.List()
		if err != nil {
			t.Fatal(err)
		}
		values := keys.KindOf([]byte(key)) == keys.KindData && !p.IsUID()
		got[key] = listText(t, l, values)
		point, err := v.List([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		if s := listText(t, point, values); s != got[key] {
			t.Errorf("%s, key %x: scanned %q, read %q", p.Name, key, got[key], s)
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	for key, w := range want {
		if got[key] != w {
			t.Errorf("%s at %d, key %s:\n got %q\nwant %q", p.Name, v.ReadTs(), describe(key), got[key], w)
		}
	}
	for key, g := range got {
		if want[key] == "" {
			t.Errorf("%s at %d, key %s: got %q, want none", p.Name, v.ReadTs(), describe(key), g)
		}
	}
	for uid := graph.UID(1); uid <= nodes; uid++ { // keys that may not exist
		l, err := v.List(keys.Data(inc, uid))
		if err != nil {
			t.Fatal(err)
		}
		if l.IsEmpty() != (want[string(keys.Data(inc, uid))] == "") {
			t.Errorf("%s of %s: empty %v", p.Name, uid, l.IsEmpty())
		}
	}
}

func describe(key string) string {
	k, err := keys.Parse([]byte(key))
	return fmt.Sprintf("%+v %v", k, err)
}

// nodes is how many nodes a random history has; few, so that everything collides.
const nodes = 6

// randomEdges returns a random mutation of a predicate.
func randomEdges(rng *rand.Rand, p *schema.Predicate) []graph.Edge {
	words := []string{"red", "green", "blue", "red green", "green blue", "Red blue red", ""}
	var out []graph.Edge
	for range 1 + rng.IntN(4) {
		e := graph.Edge{Subject: graph.UID(1 + rng.IntN(nodes)), Predicate: p.Name}
		switch n := rng.IntN(10); {
		case n == 0:
			e.Op = graph.DeleteAll
		case n < 4:
			e.Op = graph.Delete
		}
		if p.Lang {
			e.Lang = []string{"", "", "de", "en"}[rng.IntN(4)]
		}
		if e.Op != graph.DeleteAll {
			switch p.Type {
			case types.UID:
				e.Object = graph.UID(1 + rng.IntN(nodes))
			case types.Int:
				e.Value = types.OfInt(int64(rng.IntN(5) - 2))
			case types.Float:
				e.Value = types.OfFloat(float64(rng.IntN(7)) / 2)
			default:
				e.Value = types.OfString(words[rng.IntN(len(words))])
			}
		}
		if e.Op == graph.Set && rng.IntN(3) == 0 {
			e.Facets = []graph.Facet{{Key: "w", Value: types.OfInt(int64(rng.IntN(9)))}}
			if rng.IntN(2) == 0 {
				e.Facets = append(e.Facets, graph.Facet{Key: "k", Value: types.OfString("x")})
			}
		}
		out = append(out, e)
	}
	return out
}
