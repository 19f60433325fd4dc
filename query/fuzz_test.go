package query

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragg/dql"
	"dragg/query/answer"
)

// oneGraph is a small graph with every kind of predicate, for requests of any kind.
func oneGraph(tb testing.TB) *fake {
	f := newFake()
	for _, st := range []step{
		{cmd: "schema", body: `name: string @index(exact, term, trigram) @lang .
			age: int @index(int) .
			fee: float .
			ok: bool .
			born: datetime @index(year) .
			big: bigfloat .
			vec: float32vector .
			pin: password .
			tags: [string] @index(exact) .
			friend: [uid] @reverse @count .
			best: uid @reverse .
			type Person {
			 name
			 age
			 friend
			 <~best>
			}`},
		{cmd: "set", body: `<0x1> <name> "Al" .
			<0x1> <name> "Albert"@en .
			<0x1> <age> "30" .
			<0x1> <fee> "1.5" .
			<0x1> <ok> "true" .
			<0x1> <born> "2001-02-03" .
			<0x1> <big> "10.5" .
			<0x1> <vec> "[1, 2]" .
			<0x1> <tags> "x" .
			<0x1> <tags> "y" .
			<0x1> <dgraph.type> "Person" .
			<0x1> <friend> <0x2> (w=1, note="n") .
			<0x1> <friend> <0x3> (w=2.5) .
			<0x2> <friend> <0x1> (w=3) .
			<0x3> <friend> <0x4> (w=1) .
			<0x4> <friend> <0x4> .
			<0x1> <best> <0x2> (k=true) .
			<0x2> <best> <0x3> .
			<0x2> <name> "Bo" .
			<0x2> <age> "40" .
			<0x3> <name> "Cy"@de .
			<0x3> <age> "9223372036854775807" .
			<0x4> <age> "-5" .
			<0x4> <fee> "1e300" .
			<0x2> <dgraph.type> "Person" .`},
	} {
		if got, _ := f.step(st); got != "" {
			tb.Fatal(got)
		}
	}
	return f
}

// FuzzExecute runs any request that parses: it must end without a panic, within its bounds, and with JSON that is valid.
func FuzzExecute(f *testing.F) {
	for _, text := range []string{
		`{ q(func: has(age), orderasc: age, first: 3) @filter(not uid(0x4)) { uid name@en:. friend @facets (orderdesc: age) { expand(_all_) } } }`,
		`{ q(func: has(age)) @cascade @normalize { n: name f: friend (first: 1) { a: age count(friend) } } }`,
		`{ var(func: has(age)) { a as age friend @facets(w as w) { m as math(a + w) } s as sum(val(m)) } q(func: uid(s), orderasc: val(s)) { val(s) checkpwd(pin, "x") } }`,
		`{ q(func: uid(1)) @recurse(depth: 4, loop: true) { name friend best } r(func: uid(1)) @recurse @cascade { uid friend expand(_all_) } }`,
		`{ p as shortest(from: 1, to: 4, numpaths: 3, minweight: 1) { friend @facets(w) best ~best } q(func: uid(p)) @ignorereflex { uid friend { friend { uid } } } }`,
		`{ q(func: has(friend)) @groupby(age, n: name@en) { count(uid) max(fee) } var(func: has(age)) @groupby(best) { c as count(uid) } d(func: uid(c)) { val(c) friend @groupby(friend) { count(uid) } } }`,
		`{ var(func: has(age)) { a as age n as count(uid) } q() { x as min(val(a)) y: math(x / n) avg(val(a)) } r(func: ge(val(a), 3)) @filter(eq(val(a), [30, 40]) or between(count(friend), 0, 2)) { k: math(a * n % 7) ~friend (after: 1) { uid } } }`,
		`schema(pred: [name, friend]) { type index } `,
	} {
		f.Add(text)
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, st := range steps(string(text)) {
			if strings.HasPrefix(st.cmd, "query") {
				f.Add(st.body)
			}
		}
	}
	g := oneGraph(f)
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := dql.ParseWith(text, nil, nil, dql.Options{Nodes: 200, Args: 200})
		if err != nil {
			return
		}
		plan, err := Build(doc, g.schema)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		opts := Options{TraversedEdges: 2000, RecurseDepth: 30, PathFrontier: 2000, MemoryBytes: 1 << 22}
		res, err := Execute(ctx, plan, g, 1, opts)
		if err != nil {
			return
		}
		out, err := res.Answer.AppendJSON(nil, answer.Options{MaxBytes: 1 << 20, Debug: len(text)%2 == 0})
		if err == nil && !json.Valid(out) {
			t.Fatalf("%s\n%s", text, out)
		}
		if _, err := res.Answer.AppendRDF(nil, answer.Options{MaxBytes: 1 << 20}); err != nil {
			return
		}
	})
}
