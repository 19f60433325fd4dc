package lookup

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/posting"
	"dragg/posting/uidset"
	"dragg/query/task"
)

// Searching an index and testing every node by its values give the same answer, over random data in several
// languages, with updates and deletions, in the store and in a transaction of its own.
func TestSearchAgreesWithTest(t *testing.T) {
	const nodes = 60
	rng := rand.New(rand.NewPCG(3, 4))
	w := newWorld(t, `
		s: string @index(exact, term, trigram, ngram) @lang .
		h: string @index(hash, fulltext) @lang .
		t: string @index(term) .
		l: [string] @index(exact, term, fulltext, trigram) .
		i: int @index(int) .
		li: [int] @index(int) .
		f: float @index(float) .
		d: datetime @index(month) .
		e: [uid] @reverse @count .
	`)
	for range 8 {
		w.set(randomQuads(rng, nodes, 80))
	}
	own := w.pending(nil, randomQuads(rng, nodes, 60))
	all, points := upTo(nodes), 0
	for n := range 1500 {
		fn := randomFunc(rng)
		a := w.ask(own, fn)
		passed := a.tested(all)
		if a.c.search == nil {
			t.Fatalf("%s: no search", fn)
		}
		everywhere, err := a.root()
		if err != nil {
			t.Fatalf("%s: %v", fn, err)
		}
		if !slices.Equal(everywhere.Slice(), passed) {
			t.Fatalf("%d: %s: searched %v, tested %v", n, fn, everywhere.Slice(), passed)
		}
		if known, ok := a.point(); ok {
			points++
			if !slices.Equal(known.Slice(), passed) {
				t.Fatalf("%d: %s: known to be %v, tested %v", n, fn, known.Slice(), passed)
			}
		}
		a.c.frontier = 0
		search := a.c.search
		a.c.search = func(ctx context.Context, _ int) (found, bool, error) { return search(ctx, unlimited) }
		within, err := a.filter(all[10:50])
		if err != nil || !uidset.Equal(within, uidset.And(everywhere, uidset.Of(slices.Clone(all[10:50])))) {
			t.Fatalf("%d: %s: filter %v, root %v, %v", n, fn, within.Slice(), everywhere.Slice(), err)
		}
		a.r.view.Close()
	}
	if points < 50 {
		t.Errorf("only %d functions were answered without a test", points)
	}
}

// asked is a function that can be answered in each of the ways there are, until its view is closed.
type asked struct {
	w    *world
	fn   string
	task task.Task
	r    runner
	p    Tablet
	tags tagSet
	c    condition
}

func (w *world) ask(own *posting.Pending, fn string) *asked {
	w.t.Helper()
	k := match(w.t, fn)
	def, _ := w.schema.Predicate(k.Predicate)
	a := &asked{
		w: w, fn: fn, task: k, r: runner{view: w.store.View(w.ts, own), mem: new(Memory)},
		p: Tablet{Predicate: def, Incarnation: w.incs[k.Predicate], Placed: true},
	}
	var err error
	if a.tags, err = functionTags(k.Langs); err != nil {
		w.t.Fatal(err)
	}
	if a.c, err = a.r.compile(&k, a.p, a.tags); err != nil {
		w.t.Fatalf("%s: %v", fn, err)
	}
	return a
}

// tested returns which of the nodes pass, asking the values of each.
func (a *asked) tested(nodes []graph.UID) []graph.UID {
	a.w.t.Helper()
	passed, err := a.r.test(context.Background(), nodes, a.p, a.tags, a.c.test)
	if err != nil {
		a.w.t.Fatalf("%s: %v", a.fn, err)
	}
	return passed
}

func (a *asked) root() (uidset.Set, error) {
	return a.r.root(context.Background(), a.p, a.tags, a.c)
}

func (a *asked) point() (uidset.Set, bool) {
	a.w.t.Helper()
	t := a.task
	t.AtRoot = true
	set, ok, err := a.r.point(&t, a.p)
	if err != nil {
		a.w.t.Fatalf("%s: %v", a.fn, err)
	}
	return set, ok
}

func (a *asked) filter(nodes []graph.UID) (uidset.Set, error) {
	return a.r.filter(context.Background(), nodes, a.p, a.tags, a.c)
}

var (
	dictionary = strings.Fields("fox foxes run running the quick brown café Haus Häuser maison 8 steel")
	languages  = []string{"", "", "", "@de", "@fr", "@en"}
)

func randomText(rng *rand.Rand) string {
	var words []string
	for range rng.IntN(4) {
		words = append(words, dictionary[rng.IntN(len(dictionary))])
	}
	return strings.Join(words, " ")
}

func randomQuads(rng *rand.Rand, nodes, n int) string {
	var b strings.Builder
	for range n {
		node := 1 + rng.IntN(nodes)
		sign := ""
		if rng.IntN(6) == 0 {
			sign = "-"
		}
		switch rng.IntN(9) {
		case 0, 1:
			fmt.Fprintf(&b, "%s%d s \"%s\"%s\n", sign, node, randomText(rng), languages[rng.IntN(len(languages))])
		case 2:
			fmt.Fprintf(&b, "%s%d h \"%s\"%s\n", sign, node, randomText(rng), languages[rng.IntN(len(languages))])
		case 3:
			fmt.Fprintf(&b, "%s%d l \"%s\"\n", sign, node, randomText(rng))
		case 4:
			fmt.Fprintf(&b, "%s%d i \"%d\"\n", sign, node, rng.IntN(20)-10)
			fmt.Fprintf(&b, "%s%d t \"%s\"\n", sign, node, randomText(rng))
		case 5:
			fmt.Fprintf(&b, "%s%d li \"%d\"\n", sign, node, rng.IntN(20)-10)
		case 6:
			fmt.Fprintf(&b, "%s%d f \"%g\"\n", sign, node, float64(rng.IntN(40)-20)/4)
		case 7:
			fmt.Fprintf(&b, "%s%d d \"20%02d-%02d-15\"\n", sign, node, rng.IntN(5), 1+rng.IntN(12))
		case 8:
			fmt.Fprintf(&b, "%s%d e %d\n", sign, node, 1+rng.IntN(nodes))
		}
	}
	return b.String()
}

func randomFunc(rng *rand.Rand) string {
	lang := []string{"", "@de", "@.", "@fr:en"}[rng.IntN(4)]
	ineq := []string{"le", "lt", "ge", "gt"}[rng.IntN(4)]
	text := randomText(rng)
	switch rng.IntN(14) {
	case 13:
		return fmt.Sprintf(`eq(%s, %d)`, []string{"i", "li"}[rng.IntN(2)], rng.IntN(20)-10)
	case 0:
		return fmt.Sprintf(`eq(s%s, "%s", "%s")`, lang, text, randomText(rng))
	case 1:
		return fmt.Sprintf(`eq(h%s, "%s")`, lang, text)
	case 2:
		return fmt.Sprintf(`eq(t, "%s")`, text)
	case 3:
		return fmt.Sprintf(`%s(s%s, "%s")`, ineq, lang, text)
	case 4:
		return fmt.Sprintf(`%s(%s, %d)`, ineq, []string{"i", "li"}[rng.IntN(2)], rng.IntN(20)-10)
	case 5:
		return fmt.Sprintf(`%s(f, %g)`, ineq, float64(rng.IntN(40)-20)/4)
	case 6:
		return fmt.Sprintf(`between(d, 20%02d-%02d, 20%02d-%02d-20)`,
			rng.IntN(5), 1+rng.IntN(12), rng.IntN(5), 1+rng.IntN(12))
	case 7:
		return fmt.Sprintf(`%s(s%s, "%s")`, []string{"anyofterms", "allofterms"}[rng.IntN(2)], lang, text)
	case 8:
		return fmt.Sprintf(`%s(h%s, "%s")`, []string{"anyoftext", "alloftext"}[rng.IntN(2)], lang, text)
	case 9:
		return fmt.Sprintf(
			`%s(l, "%s")`,
			[]string{"anyoftext", "alloftext", "anyofterms", "allofterms"}[rng.IntN(4)],
			text,
		)
	case 10:
		return fmt.Sprintf(`ngram(s%s, "%s")`, lang, text)
	case 11:
		return fmt.Sprintf(
			`regexp(s%s, /%s/i)`,
			lang,
			[]string{"fox", "run*ing", "brown|steel", "quick.*fox", "^maison", "afé"}[rng.IntN(6)],
		)
	default:
		return fmt.Sprintf(`match(l, "%s", %d)`, text, rng.IntN(6))
	}
}

// The banded distance agrees with the whole table.
func TestDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	word := func() string {
		r := make([]rune, rng.IntN(9))
		for i := range r {
			r[i] = []rune("abé")[rng.IntN(3)]
		}
		return string(r)
	}
	for range 20_000 {
		a, b := word(), word()
		want := levenshtein([]rune(a), []rune(b))
		d := distance{want: []rune(a)}
		for limit := range 10 {
			if got := d.within(b, limit); got != (want <= limit) {
				t.Fatalf("%q and %q within %d: %v, distance %d", a, b, limit, got, want)
			}
		}
	}
}

func levenshtein(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		corner := row[0]
		row[0] = i + 1
		for j := range b {
			cost := corner
			if a[i] != b[j] {
				cost = 1 + min(corner, row[j], row[j+1])
			}
			corner, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
