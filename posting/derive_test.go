package posting_test

// Derive: which keys conflict, what a transaction sees of itself, and the traps of architecture section 6.

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/schema"
	"dragg/schema/tok"
	"dragg/storage/memkv"
)

// bench is a store with a schema, on which tests commit mutations written as text.
type world struct {
	t     testing.TB
	store *posting.Store
	ps    []*schema.Predicate
	now   graph.Timestamp
}

func newWorld(t testing.TB, text string) *world {
	t.Helper()
	u, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: posting.NewStore(memkv.New(memkv.Config{}), posting.Config{})}
	w.ps = slices.Clone(schema.Snapshot{}.With(u).Predicates())
	return w
}

func (w *world) pred(name string) (*schema.Predicate, graph.Incarnation) {
	w.t.Helper()
	i := slices.IndexFunc(w.ps, func(p *schema.Predicate) bool { return p.Name.Name == name })
	if i < 0 {
		w.t.Fatalf("no predicate %q", name)
	}
	return w.ps[i], graph.Incarnation(i + 1)
}

// edges parses "set 1 red@en; del 1 \"a b\"; star 2".
func (w *world) edges(p *schema.Predicate, text string) (out []graph.Edge) {
	w.t.Helper()
	for _, line := range strings.Split(text, ";") {
		op, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		node, object, _ := strings.Cut(rest, " ")
		subject, err := strconv.ParseUint(node, 0, 64)
		if err != nil {
			w.t.Fatalf("mutation %q: %v", line, err)
		}
		e := graph.Edge{Subject: graph.UID(subject), Predicate: p.Name}
		object, facet, _ := strings.Cut(object, " w=")
		if facet != "" {
			e.Facets = []graph.Facet{{Key: "w", Value: types.OfString(facet)}}
		}
		object, e.Lang, _ = strings.Cut(object, "@")
		object = strings.Trim(object, `"`)
		switch op {
		case "del":
			e.Op = graph.Delete
		case "star":
			e.Op = graph.DeleteAll
		}
		switch {
		case op == "star":
		case p.IsUID():
			n, err := strconv.ParseUint(object, 0, 64)
			if err != nil {
				w.t.Fatalf("mutation %q: %v", line, err)
			}
			e.Object = graph.UID(n)
		default:
			if e.Value, err = types.Parse(object, p.Type); err != nil {
				w.t.Fatalf("mutation %q: %v", line, err)
			}
		}
		out = append(out, e)
	}
	return out
}

// derive derives a mutation at ts, on top of own.
func (w *world) derive(ts graph.Timestamp, own *posting.Pending, name, text string) posting.Derived {
	w.t.Helper()
	p, inc := w.pred(name)
	v := w.store.View(ts, own)
	defer v.Close()
	d, err := posting.Derive(v, p, inc, w.edges(p, text))
	if err != nil {
		w.t.Fatalf("%s: %s: %v", name, text, err)
	}
	return d
}

// commit commits pending changes at the next timestamp.
func (w *world) commit(ps ...*posting.Pending) {
	w.t.Helper()
	for _, p := range ps {
		w.now++
		c := w.store.Begin()
		if err := c.Commit(w.now, p, schemaOf(w.ps)); err != nil {
			w.t.Fatal(err)
		}
		if err := c.Flush(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// do derives and commits mutations of one predicate, one transaction each.
func (w *world) do(name string, texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		w.commit(w.derive(w.now, nil, name, text).Pending)
	}
}

// show returns every list of a predicate as "key: elements", in the order of keys.
func (w *world) show(name string, own *posting.Pending) (out []string) {
	w.t.Helper()
	p, inc := w.pred(name)
	v := w.store.View(w.now, own)
	defer v.Close()
	it := v.Scan(keys.Prefix(inc), keys.KindPrefix(inc, keys.KindPart))
	for it.Next() {
		l, err := it.List()
		if err != nil {
			w.t.Fatal(err)
		}
		k, err := keys.Parse(it.Key())
		if err != nil {
			w.t.Fatal(err)
		}
		var key string
		switch k.Kind {
		case keys.KindData:
			key = k.UID.String()
		case keys.KindReverse:
			key = "~" + k.UID.String()
		case keys.KindIndex:
			t, _ := tok.ByID(k.Tokenizer)
			key = t.Name() + "@" + k.Lang + " " + strings.TrimLeft(k.Token, "\x00")
		case keys.KindCount:
			key = "count " + strconv.Itoa(int(k.Count))
		case keys.KindReverseCount:
			key = "~count " + strconv.Itoa(int(k.Count))
		}
		var elems []string
		if k.Kind == keys.KindData && !p.IsUID() {
			for p, err := range l.Postings() {
				if err != nil {
					w.t.Fatal(err)
				}
				s := p.Value.Text()
				if p.Lang != "" {
					s += "@" + p.Lang
				}
				elems = append(elems, s+facetMark(p.Facets))
			}
			slices.Sort(elems)
		} else {
			for u := range l.UIDs().All() {
				f, err := l.FacetsOf(u)
				if err != nil {
					w.t.Fatal(err)
				}
				elems = append(elems, u.String()+facetMark(f))
			}
		}
		out = append(out, key+": "+strings.Join(elems, " "))
	}
	if err := it.Close(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func facetMark(f []graph.Facet) string {
	if len(f) == 0 {
		return ""
	}
	return "{" + facetText(f) + "}"
}

func (w *world) want(name string, own *posting.Pending, want ...string) {
	w.t.Helper()
	if got := w.show(name, own); !slices.Equal(got, want) {
		w.t.Errorf("%s:\n got %q\nwant %q", name, got, want)
	}
}

// TestConflicts runs testdata/conflicts.txt.
func TestConflicts(t *testing.T) {
	text, err := os.ReadFile("testdata/conflicts.txt")
	if err != nil {
		t.Fatal(err)
	}
	var defs, before []string
	var cases [][]string
	for _, line := range strings.Split(string(text), "\n") {
		def, isSchema := strings.CutPrefix(line, "schema ")
		old, isBefore := strings.CutPrefix(line, "before ")
		switch {
		case line == "" || line[0] == '#':
		case isSchema:
			defs = append(defs, def)
		case isBefore:
			before = append(before, old)
		default:
			cases = append(cases, strings.Split(line, "|"))
		}
	}
	w := newWorld(t, strings.Join(defs, "\n"))
	for _, line := range before {
		name, text, _ := strings.Cut(line, " | ")
		w.do(name, text)
	}
	for _, c := range cases {
		name := strings.TrimSpace(c[0])
		a, b := w.derive(w.now, nil, name, c[1]), w.derive(w.now, nil, name, c[2])
		meet := slices.ContainsFunc(a.Conflicts, func(k graph.ConflictKey) bool { return slices.Contains(b.Conflicts, k) })
		if want := strings.TrimSpace(c[3]) == "conflict"; meet != want {
			t.Errorf("%s: conflict %v", strings.Join(c, "|"), meet)
		}
	}
}

// TestConflictKeysOutliveMoves: they do not depend on the incarnation, and they do on namespace and name.
func TestConflictKeysOutliveMoves(t *testing.T) {
	w := newWorld(t, "tags: [string] @index(term) @upsert .")
	p, _ := w.pred("tags")
	v := w.store.View(0, nil)
	derive := func(p *schema.Predicate, inc graph.Incarnation) []graph.ConflictKey {
		d, err := posting.Derive(v, p, inc, w.edges(p, "set 1 red"))
		if err != nil {
			t.Fatal(err)
		}
		return d.Conflicts
	}
	if a, b := derive(p, 1), derive(p, 77); !slices.Equal(a, b) || len(a) != 3 {
		t.Errorf("conflict keys of two copies of a tablet: %v, %v", a, b)
	}
	other, tenant := *p, *p
	other.Name.Name, tenant.Name.Namespace = "tag", 3
	for _, q := range []*schema.Predicate{&other, &tenant} {
		for _, k := range derive(q, 1) {
			if slices.Contains(derive(p, 1), k) {
				t.Errorf("%s and %s share a conflict key", p.Name, q.Name)
			}
		}
	}
}

// TestSharedTokens: a token stays while any value of the node needs it.
func TestSharedTokens(t *testing.T) {
	w := newWorld(t, "tags: [string] @index(term) .")
	w.do("tags", `set 1 "red ship"; set 1 "red car"`, `del 1 "red ship"`)
	w.want("tags", nil, "0x1: red car", "term@ car: 0x1", "term@ red: 0x1")
	w.do("tags", `del 1 "red car"; set 1 "red bus"`)
	w.want("tags", nil, "0x1: red bus", "term@ bus: 0x1", "term@ red: 0x1")
	w.do("tags", "star 1")
	w.want("tags", nil)
}

// TestConcurrentStar: S P * removes what the snapshot saw, and leaves what is added at the same time, with
// its index.
func TestConcurrentStar(t *testing.T) {
	w := newWorld(t, "tags: [string] @index(exact) @count .\nfriend: [uid] @reverse @count .")
	w.do("tags", "set 1 a; set 1 b")
	w.do("friend", "set 1 2; set 1 3")
	star, add := w.derive(w.now, nil, "tags", "star 1"), w.derive(w.now, nil, "tags", "set 1 c")
	edges, more := w.derive(w.now, nil, "friend", "star 1"), w.derive(w.now, nil, "friend", "set 1 4")
	w.commit(star.Pending, add.Pending, more.Pending, edges.Pending)
	w.want("tags", nil, "0x1: c", "exact@ c: 0x1", "count 1: 0x1")
	w.want("friend", nil, "0x1: 0x4", "~0x4: 0x1", "count 1: 0x1", "~count 1: 0x4")
}

// TestWithinTransaction: setting and unsetting leaves nothing, in one transaction as in two mutations of it.
func TestWithinTransaction(t *testing.T) {
	w := newWorld(t, "name: string @index(exact) .\ntags: [string] @index(term) .\nboss: uid @reverse @count .")
	for _, c := range []struct {
		name  string
		steps []string
		want  []string
	}{
		{"name", []string{"set 1 a", "star 1"}, nil},
		{"name", []string{"set 1 a", "del 1 a"}, nil},
		{"name", []string{"set 1 a", "set 1 b"}, []string{"0x1: b", "exact@ b: 0x1"}},
		{"name", []string{"set 1 a", "star 1", "set 1 a"}, []string{"0x1: a", "exact@ a: 0x1"}},
		{"tags", []string{"set 1 a; set 1 b", "star 1"}, nil},
		{"tags", []string{"set 1 a", "del 1 a", "set 1 b"}, []string{"0x1: b", "term@ b: 0x1"}},
		{"boss", []string{"set 1 2", "set 1 3"}, []string{"0x1: 0x3", "~0x3: 0x1"}},
		{"boss", []string{"set 1 2", "star 1"}, nil},
	} {
		var own *posting.Pending
		for _, step := range c.steps {
			merged, err := own.Merge(w.derive(w.now, own, c.name, step).Pending)
			if err != nil {
				t.Fatal(err)
			}
			own = merged
		}
		w.want(c.name, own, c.want...)
	}
}

// TestDeleteAndSet is fact 99: in one request the set wins, whatever the order.
func TestDeleteAndSet(t *testing.T) {
	w := newWorld(t, `name: string @index(exact) .
t: string @lang @index(exact) .
tags: [string] @index(term) .
friend: [uid] @reverse .
port: uid @reverse @count .`)
	w.do("name", "set 1 A", "set 1 B; star 1", "set 1 C; del 1 B")
	w.want("name", nil, "0x1: C", "exact@ C: 0x1")
	w.do("name", "del 1 wrong")
	w.want("name", nil, "0x1: C", "exact@ C: 0x1")
	w.do("t", "set 1 A; set 1 A@de", "star 1; set 1 B@de")
	w.want("t", nil, "0x1: B@de", "exact@de B: 0x1")
	w.do("t", "set 1 C@it; set 1 D", "star 1 @de")
	w.want("t", nil, "0x1: C@it D", "exact@ D: 0x1", "exact@it C: 0x1")
	w.do("tags", "set 1 Eve; star 1", "set 1 Eve; del 1 Eve")
	w.want("tags", nil, "0x1: Eve", "term@ eve: 0x1")
	w.do("friend", "set 5 4", "set 5 6; star 5", "del 5 6; set 5 6")
	w.want("friend", nil, "0x5: 0x6", "~0x6: 0x5")
	w.do("port", "set 5 0x10", "star 5; set 5 0x11")
	w.want("port", nil, "0x5: 0x11", "~0x11: 0x5", "count 1: 0x5", "~count 1: 0x11")
	w.do("port", "del 5 0x10") // another than the stored one: nothing
	w.want("port", nil, "0x5: 0x11", "~0x11: 0x5", "count 1: 0x5", "~count 1: 0x11")
	w.do("port", "star 5")
	w.want("port", nil)
}

// TestFacetsOverwrite is fact 24: a value or edge that is written again has the new facets only, both ways.
func TestFacetsOverwrite(t *testing.T) {
	w := newWorld(t, "mark: [string] .\nroad: [uid] @reverse .\nhome: uid @reverse .\nname: string .")
	for _, c := range []struct{ name, set, with, without string }{
		{"mark", "set 1 old", "0x1: old{w=1}", "0x1: old"},
		{"name", "set 1 Jena", "0x1: Jena{w=1}", "0x1: Jena"},
	} {
		w.do(c.name, c.set+" w=1")
		w.want(c.name, nil, c.with)
		w.do(c.name, c.set)
		w.want(c.name, nil, c.without)
	}
	for _, name := range []string{"road", "home"} {
		w.do(name, "set 1 2 w=1")
		w.want(name, nil, "0x1: 0x2{w=1}", "~0x2: 0x1{w=1}")
		w.do(name, "set 1 2 w=2")
		w.want(name, nil, "0x1: 0x2{w=2}", "~0x2: 0x1{w=2}")
		w.do(name, "set 1 2")
		w.want(name, nil, "0x1: 0x2", "~0x2: 0x1")
		w.do(name, "star 1", "set 1 2")
		w.want(name, nil, "0x1: 0x2", "~0x2: 0x1")
	}
}

// TestCountsAreExact: writing an edge that is there, or removing one that is not, changes no count.
func TestCountsAreExact(t *testing.T) {
	w := newWorld(t, "peer: [uid] @reverse @count .")
	w.do("peer", "set 1 2; set 1 3; set 2 3")
	want := []string{"0x1: 0x2 0x3", "0x2: 0x3", "~0x2: 0x1", "~0x3: 0x1 0x2", "count 1: 0x2", "count 2: 0x1", "~count 1: 0x2", "~count 2: 0x3"}
	w.want("peer", nil, want...)
	w.do("peer", "set 1 2", "del 1 9", "set 1 3 w=1", "set 1 3")
	w.want("peer", nil, want...)
	// Two transactions that do not conflict, in one batch.
	a, b := w.derive(w.now, nil, "peer", "set 7 1"), w.derive(w.now, nil, "peer", "set 7 2")
	c := w.store.Begin()
	for i, d := range []posting.Derived{a, b} {
		if err := c.Commit(w.now+1+graph.Timestamp(i), d.Pending, schemaOf(w.ps)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.now += 2
	got := w.show("peer", nil)
	if !slices.Contains(got, "count 2: 0x1 0x7") || !slices.Contains(got, "~count 2: 0x2 0x3") {
		t.Errorf("after two adds in one batch: %q", got)
	}
}

func TestTooLargeForTheIndex(t *testing.T) {
	w := newWorld(t, "ex: string @index(exact) .")
	p, inc := w.pred("ex")
	v := w.store.View(0, nil)
	for _, c := range []struct {
		n  int
		ok bool
	}{{60_000, true}, {64_950, false}, {65_100, false}} {
		e := graph.Edge{Subject: 1, Predicate: p.Name, Value: types.OfString(strings.Repeat("k", c.n))}
		_, err := posting.Derive(v, p, inc, []graph.Edge{e})
		if c.ok != (err == nil) || err != nil && !errors.Is(err, tok.ErrTooLarge) {
			t.Errorf("%d bytes: %v", c.n, err)
		}
	}
}

func TestEdgesThatDoNotFit(t *testing.T) {
	w := newWorld(t, "friend: [uid] .\nname: string @lang .")
	friend, inc := w.pred("friend")
	name, _ := w.pred("name")
	v := w.store.View(0, nil)
	for _, c := range []struct {
		p *schema.Predicate
		e graph.Edge
	}{
		{friend, graph.Edge{Subject: 1, Value: types.OfString("x")}},
		{name, graph.Edge{Subject: 1, Object: 3}},
		{name, graph.Edge{Value: types.OfString("x")}},
		{name, graph.Edge{Subject: 1, Value: types.OfString("x"), Lang: "a\x00b"}},
		{name, graph.Edge{Subject: 1, Value: types.OfString("x"), Lang: strings.Repeat("x", 300)}},
	} {
		if _, err := posting.Derive(v, c.p, inc, []graph.Edge{c.e}); err == nil {
			t.Errorf("%+v is accepted", c.e)
		}
	}
}

// What several predicates are added to is what each of them gives alone, merged.
func TestPredicatesTogether(t *testing.T) {
	w := newWorld(t, "a: string @index(exact, term) .\nb: [uid] @reverse .\nc: int @upsert @index(int) .\nd: [string] .")
	w.do("a", "set 1 red; set 2 green fox")
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		v := w.store.View(w.now, nil)
		all := posting.NewDeriver(v, rng.IntN(10))
		var want posting.Derived
		for _, name := range []string{"a", "b", "c", "d"} {
			var lines []string
			for range 1 + rng.IntN(4) {
				lines = append(lines, fmt.Sprintf("%s %d %d", []string{"set", "set", "del"}[rng.IntN(3)], 1+rng.IntN(3), 1+rng.IntN(5)))
			}
			if rng.IntN(4) == 0 {
				continue
			}
			p, inc := w.pred(name)
			text := strings.Join(lines, "; ")
			if err := all.Add(p, inc, w.edges(p, text)); err != nil {
				t.Fatal(err)
			}
			alone := w.derive(w.now, nil, name, text)
			want.Conflicts = append(want.Conflicts, alone.Conflicts...)
			var err error
			if want.Pending, err = want.Pending.Merge(alone.Pending); err != nil {
				t.Fatal(err)
			}
		}
		v.Close()
		slices.Sort(want.Conflicts)
		got := all.Derived()
		if !bytes.Equal(got.Pending.AppendBinary(nil), want.Pending.AppendBinary(nil)) || got.Pending.Bytes() != want.Pending.Bytes() ||
			!slices.Equal(got.Conflicts, want.Conflicts) {
			t.Fatalf("together %x %d, one by one %x %d", got.Pending.AppendBinary(nil), got.Conflicts, want.Pending.AppendBinary(nil), want.Conflicts)
		}
	}
	d := posting.NewDeriver(w.store.View(w.now, nil), 2)
	for i, name := range []string{"b", "a"} {
		p, inc := w.pred(name)
		if err := d.Add(p, inc, w.edges(p, "set 1 1")); (err == nil) != (i == 0) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
