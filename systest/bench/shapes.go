package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Shape is one kind of query, with what it shall reach.
type Shape struct {
	Name string
	// Aim is the least throughput, as a part of that of an empty call in the same run.
	Aim float64
	// Text returns the i-th query of the kind.
	Text func(w World, i int) string
}

// World is what the queries have to know of the data.
type World struct {
	People []string    // uids, some of all
	Paths  [][2]string // two people three steps apart
	Hub    string      // uid of the one whom most know
}

// Person returns the i-th of the people that queries begin at.
func (w World) Person(i int) string { return w.People[i*7919%len(w.People)] }

// Survey finds out what the queries have to know. ask returns the uids of block q of a query.
func Survey(people int, ask func(text string) []string, rnd *rand.Rand) (w World) {
	const sample, step = 5000, 1000
	for from := 0; from < min(people, sample); from += step {
		var handles []string
		for i := from; i < from+step; i++ {
			handles = append(handles, strconv.Quote("user"+strconv.Itoa(i)))
		}
		w.People = append(w.People, ask(`{ q(func: eq(handle, [`+strings.Join(handles, ",")+`])) { uid } }`)...)
	}
	for range 200 {
		from := w.Person(rnd.IntN(1 << 20))
		end := from
		for range 3 {
			if next := ask(`{ p(func: uid(` + end + `)) { x as knows } q(func: uid(x)) { uid } }`); len(next) > 0 {
				end = next[rnd.IntN(len(next))]
			}
		}
		w.Paths = append(w.Paths, [2]string{from, end})
	}
	w.Hub = ask(`{ var(func: ge(count(~knows), 20)) { n as count(~knows) } q(func: uid(n), orderdesc: val(n), first: 1) { uid } }`)[0]
	return w
}

// Shapes returns all kinds of queries.
func Shapes() []Shape {
	return append(append(points(), sets()...), analytics()...)
}

// points begin at one node.
func points() []Shape {
	return []Shape{
		{"one node by uid, three values", 0.60, func(w World, i int) string {
			return fmt.Sprintf(`{ q(func: uid(%s)) { handle name age } }`, w.Person(i))
		}},
		{"eq on exact index, four values", 0.60, func(w World, i int) string {
			return fmt.Sprintf(`{ q(func: eq(handle, "user%d")) { handle name age born } }`, i*7919%len(w.People))
		}},
		{"1 hop (8 edges), two values each", 0.50, func(w World, i int) string {
			return fmt.Sprintf(`{ q(func: uid(%s)) { knows { name age } } }`, w.Person(i))
		}},
		{"2 hops (70 nodes), two values each", 0.25, func(w World, i int) string {
			return fmt.Sprintf(`{ q(func: uid(%s)) { knows { name age knows { name age } } } }`, w.Person(i))
		}},
		{"3 hops, count of distinct nodes", 0.30, func(w World, i int) string {
			return fmt.Sprintf(`{ var(func: uid(%s)) { knows { knows { x as knows } } } q(func: uid(x)) { count(uid) } }`, w.Person(i))
		}},
		{"recurse depth 3", 0.12, func(w World, i int) string {
			return fmt.Sprintf(`{ q(func: uid(%s)) @recurse(depth: 3) { name knows } }`, w.Person(i))
		}},
		{"shortest path between two people", 0.10, func(w World, i int) string {
			p := w.Paths[i%len(w.Paths)]
			return fmt.Sprintf(`{ p as shortest(from: %s, to: %s) { knows } q(func: uid(p)) { name } }`, p[0], p[1])
		}},
		{"edges filtered by facet", 0.50, func(w World, i int) string {
			return fmt.Sprintf(`{ q(func: uid(%s)) { knows @facets(ge(weight, 0.5)) { name } } }`, w.Person(i))
		}},
	}
}

// sets begin at an index.
func sets() []Shape {
	return []Shape{
		{"eq on a 2,000-node name, filter by eq and ge(count)", 0.08, func(_ World, i int) string {
			return fmt.Sprintf(`{ q(func: eq(first, %q)) @filter(eq(age, %d) and ge(count(knows), 8)) { name } }`, FirstName(i), i%100)
		}},
		{"a hub's reverse edges ordered by an int, first 5", 0.12, func(w World, _ int) string {
			return fmt.Sprintf(`{ q(func: uid(%s)) { ~knows (orderdesc: karma, first: 5) { name karma } } }`, w.Hub)
		}},
		{"ge on an indexed int, ordered desc, first 20, one hop", 0.25, func(_ World, i int) string {
			return fmt.Sprintf(`{ q(func: ge(age, %d), orderdesc: age, first: 20) { name age knows { name } } }`, 60+i%20)
		}},
		{"alloftext of two words, first 10", 0.30, func(_ World, i int) string {
			return fmt.Sprintf(`{ q(func: alloftext(text, "%s %s"), first: 10) { text } }`, Word(i%10), Word(10+i%40))
		}},
		{"anyofterms of two words with ge filter, first 20", 0.12, func(_ World, i int) string {
			return fmt.Sprintf(`{ q(func: anyofterms(name, "%s %s"), first: 20) @filter(ge(age, 50)) { name age } }`, FirstName(i), LastName(i))
		}},
		{"a date range of 80 nodes by year index, one hop", 0.06, func(_ World, i int) string {
			from := time.Date(1930+i%60, 3, 1, 0, 0, 0, 0, time.UTC)
			return fmt.Sprintf(`{ q(func: between(born, %q, %q)) { name knows { name } } }`,
				from.Format(time.DateOnly), from.AddDate(0, 0, 47).Format(time.DateOnly))
		}},
	}
}

// analytics compute more than they show.
func analytics() []Shape {
	return []Shape{
		{"groupby over 2,000 nodes", 0.05, func(_ World, i int) string {
			return fmt.Sprintf(`{ q(func: eq(first, %q)) @groupby(city) { count(uid) avg(age) } }`, FirstName(i))
		}},
		{"200 nodes: two counts, math, order by val, avg and max", 0.06, func(_ World, i int) string {
			return fmt.Sprintf(`{
				var(func: eq(last, %q)) { a as count(knows) b as count(~knows) m as math(a + b * 2) }
				q(func: uid(m), orderdesc: val(m), first: 10) { name val(a) val(m) }
				s() { avg(val(m)) max(val(m)) }
			}`, LastName(i))
		}},
	}
}
