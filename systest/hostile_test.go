//go:build systest

package systest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
)

// attack is one hostile text. It may be fine: then it must be answered.
type attack struct {
	name, text string
	fine       bool
}

const million = 1_000_000

func times(s string) string { return strings.Repeat(s, million) }

func hostileQueries() []attack {
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, "a%d: name ", i)
	}
	return []attack{
		{name: "nothing but a brace", text: "{"},
		{name: "a million braces", text: times("{")},
		{name: "a million closed braces", text: times("{") + times("}")},
		{name: "a million nested blocks", text: "{ q(func: has(name)) " + times("{ friend ") + times("}") + "}"},
		{name: "a million nested filters", text: "{ q(func: has(name)) @filter(" + times("(") + "has(age)" + times(")") + ") { uid } }"},
		{name: "a million nots", text: "{ q(func: has(name)) @filter(" + times("not ") + "has(age)) { uid } }"},
		{name: "a million ands", text: "{ q(func: has(name)) @filter(has(age)" + times(" and has(age)") + ") { uid } }", fine: true},
		{name: "a million brackets in a formula", text: "{ q(func: has(name)) { a as age x: math(" + times("(") + "a" + times(")") + ") } }"},
		{name: "a million minus signs", text: "{ q(func: has(name)) { a as age x: math(" + times("-") + "a) } }"},
		{name: "a million list brackets", text: "{ q(func: eq(name, " + times("[") + times("]") + ")) { uid } }"},
		{name: "a million arguments", text: "{ q(func: eq(age, [1" + times(",1") + "])) { uid } }", fine: true},
		{name: "many aliases", text: "{ q(func: has(name)) { " + many.String() + "} }", fine: true},
		{name: "a fragment of itself", text: "query { q(func: has(name)) { ...f } } fragment f { ...f }"},
		{name: "fragments that double", text: doublingFragments(40)},
		{name: "an endless name", text: "{ q(func: has(" + times("x") + ")) { uid } }", fine: true},
		{name: "an unfinished text", text: `{ q(func: eq(name, "` + times("x")},
		{name: "an unfinished regular expression", text: `{ q(func: regexp(name, /` + times("x")},
		{name: "a greedy regular expression", text: `{ q(func: regexp(name, /(((a+)+)+)+$/)) { uid } }`, fine: true},
		{name: "a huge regular expression", text: `{ q(func: regexp(name, /(((x{1000}){1000}){1000})/)) { uid } }`},
		{name: "a regular expression out of brackets", text: `{ q(func: regexp(name, /` + times("(") + times(")") + `/)) { uid } }`},
		{name: "an unknown directive", text: "{ q(func: has(name)) @nonsense { uid } }"},
		{name: "an unknown function", text: "{ q(func: frobnicate(name)) { uid } }"},
		{name: "a wrong type", text: `{ q(func: eq(age, "not a number")) { uid } }`},
		{name: "a missing variable", text: "{ q(func: uid(nothing)) { uid } }"},
		{name: "a circle of variables", text: "{ a as var(func: uid(b)) { uid } b as var(func: uid(a)) { uid } }"},
		{name: "a huge number", text: "{ q(func: eq(age, " + times("9") + ")) { uid } }"},
		{name: "a huge page", text: "{ q(func: has(name), first: 99999999999999999999) { uid } }"},
		{name: "endless recursion", text: "{ q(func: has(name)) @recurse(depth: 999999999) { friend } }", fine: true},
		{name: "a million shortest paths", text: "{ p as shortest(from: 0x1, to: 0x2, numpaths: 1000000000, depth: 1000000000) { friend } q(func: uid(p)) { uid } }", fine: true},
		{name: "a zero uid", text: "{ q(func: uid(0x0)) { uid } }", fine: true},
		{name: "a uid beyond all", text: "{ q(func: uid(0xFFFFFFFFFFFFFFFFFF)) { uid } }"},
		{name: "zero bytes", text: strings.Repeat("\x00", 1000)},
		{name: "control characters", text: "{ q(func: eq(name, \"\x01\x02\x1b[31m\")) { uid } }", fine: true},
		{name: "odd white space", text: "\ufeff{ q(func:\u00a0has(name)) { uid } }"},
		{name: "odd declarations", text: "query q($a: int = \"x\", $a: string, $: [[[int) { q(func: has(name)) { uid } }"},
		{name: "a mutation in a query", text: "{ set { _:a <name> \"x\" . } }", fine: true},
		{name: "an upsert without an end", text: "upsert { query { q(func: has(name)) { v as uid } } mutation @if(" + times("(") + " { set { uid(v) <age> \"1\" . } } }"},
		{name: "only comments", text: strings.Repeat("# nothing\n", 100_000)},
		{name: "nothing", text: "   "},
		{name: "not a language", text: "SELECT * FROM users; DROP TABLE users; --"},
	}
}

// doublingFragments is a query whose expansion has 2^n fields.
func doublingFragments(n int) string {
	var b strings.Builder
	b.WriteString("query { q(func: has(name)) { ...f0 } }\n")
	for i := range n {
		fmt.Fprintf(&b, "fragment f%d { ...f%d ...f%d }\n", i, i+1, i+1)
	}
	fmt.Fprintf(&b, "fragment f%d { name }\n", n)
	return b.String()
}

func TestHostileQueries(t *testing.T) {
	v := newVictim(t)
	for _, a := range hostileQueries() {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), maxHostileTime)
		_, err := v.c.NewReadOnlyTxn().Query(ctx, a.text)
		cancel()
		v.refused(a.name, err, a.fine)
		texts, err := v.post("/query", "application/dql", strings.NewReader(a.text))
		v.refusedHTTP(a.name, texts, err, a.fine)
		body, err := json.Marshal(map[string]any{"query": a.text, "variables": map[string]string{"$a": a.text[:min(len(a.text), 1<<16)]}})
		if err != nil {
			t.Fatal(err)
		}
		texts, err = v.post("/query", "application/json", bytes.NewReader(body))
		v.refusedHTTP(a.name, texts, err, a.fine)
		if took := time.Since(began); took > maxHostileTime && !starved() {
			t.Errorf("%s took %v", a.name, took)
		}
		v.unharmed(a.name)
	}
}

func hostileRDF() []attack {
	return []attack{
		{name: "no dot", text: `_:a <name> "x"`},
		{name: "two statements", text: `_:a <name> "x" . _:b <name> "y" .`},
		{name: "half a statement", text: `_:a <name>`},
		{name: "no subject", text: `"x" <name> _:a .`},
		{name: "an unfinished text", text: `_:a <name> "` + times("x")},
		{name: "an unfinished name", text: `_:a <` + times("x")},
		{name: "a wrong type", text: `_:a <age> "forty" .`},
		{name: "a wrong tag", text: `_:a <name> "x"^^<http://nonsense/type> .`},
		{name: "a number out of range", text: `_:a <age> "99999999999999999999999"^^<xs:int> .`},
		{name: "no date", text: `_:a <born> "yesterday" .`},
		{name: "no shape", text: `_:a <loc> "{'type':'Point','coordinates':[` + times("[") + `]}"^^<geo:geojson> .`},
		{name: "a value for an edge", text: `_:a <friend> "x" .`},
		{name: "an edge for a value", text: `_:a <name> _:b .`},
		{name: "a zero uid", text: `<0x0> <name> "x" .`},
		{name: "a uid beyond all", text: `<0xFFFFFFFFFFFFFFFFFF> <name> "x" .`},
		{name: "a uid that nobody leased", text: `<0xFFFFFFFFFFFFFFF> <name> "x" .`},
		{name: "a token that no index holds", text: `_:a <name> "` + strings.Repeat("x", 70_000) + `" .`},
		{name: "a million open facets", text: `_:a <friend> _:b ` + times("(") + ` .`},
		{name: "many facets", text: `_:a <friend> _:b (` + strings.Repeat("a=1,", 100_000) + `b=1) .`, fine: true},
		{name: "a long predicate", text: `_:a <` + strings.Repeat("p", 1<<20) + `> "x" .`},
		{name: "a reserved predicate", text: `_:a <dgraph.nonsense> "x" .`},
		{name: "a zero byte in a predicate", text: "_:a <p\x00q> \"x\" ."},
		{name: "a long language", text: `_:a <name> "x"@` + strings.Repeat("e", 1<<16) + ` .`},
		{name: "a star too many", text: `* * * .`},
		{name: "a star to set", text: `_:a * * .`},
		{name: "escapes", text: `_:a <name> "\u12" .`},
		{name: "a lone surrogate", text: `_:a <name> "\ud800" .`, fine: true},
		{name: "a million lines of nothing", text: times("\n"), fine: true},
		{name: "a million comments", text: times("#\n"), fine: true},
		{name: "too many statements", text: times("_:a <age> \"1\" .\n") + "_:a <age> \"2\" .\n"},
		{name: "JSON instead", text: `{"name": "x"}`},
	}
}

func hostileJSON() []attack {
	return []attack{
		{name: "no JSON", text: `name: x`},
		{name: "half an object", text: `{"name": "x"`},
		{name: "a million objects inside each other", text: times(`{"friend":`) + "1" + times("}")},
		{name: "a million lists inside each other", text: `{"friend": ` + times("[") + times("]") + "}"},
		{name: "nine thousand objects inside each other", text: strings.Repeat(`{"friend":`, 9000) + `{"age": 1}` + strings.Repeat("}", 9000), fine: true},
		{name: "a number beyond all", text: `{"age": 1e999}`},
		{name: "a long number", text: `{"age": ` + times("9") + `}`},
		{name: "an odd uid", text: `{"uid": {"a": 1}, "name": "x"}`},
		{name: "a uid that is none", text: `{"uid": "0xZZ", "name": "x"}`, fine: true},
		{name: "an object for a value", text: `{"name": {"name": "x"}}`},
		{name: "a list for a value", text: `{"age": [1, 2]}`, fine: true},
		{name: "a mixed list", text: `{"friend": [1, "x", {"name": "y"}, null, true]}`},
		{name: "no shape", text: `{"loc": {"type": "Point", "coordinates": "here"}}`},
		{name: "an empty key", text: `{"": "x"}`},
		{name: "an odd facet", text: `{"name": "x", "name|": {"a": [1]}}`},
		{name: "only null", text: `null`, fine: true},
		{name: "only a text", text: `"x"`},
		{name: "zero bytes", text: "{\"name\": \"\x00\"}"},
	}
}

func TestHostileMutations(t *testing.T) {
	v := newVictim(t)
	mutate := func(m *api.Mutation) error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*maxHostileTime)
		defer cancel()
		txn := v.c.NewTxn()
		_, err := txn.Mutate(ctx, m)
		return errors.Join(err, txn.Discard(ctx))
	}
	for _, a := range hostileRDF() {
		v.refused(a.name, mutate(&api.Mutation{SetNquads: []byte(a.text)}), a.fine)
		v.refused("to delete: "+a.name, mutate(&api.Mutation{DelNquads: []byte(a.text)}), true)
		texts, err := v.post("/mutate", "application/rdf", strings.NewReader("{ set {\n"+a.text+"\n} }"))
		v.refusedHTTP(a.name, texts, err, true)
		v.unharmed(a.name)
	}
	for _, a := range hostileJSON() {
		v.refused(a.name, mutate(&api.Mutation{SetJson: []byte(a.text)}), a.fine)
		v.refused("to delete: "+a.name, mutate(&api.Mutation{DeleteJson: []byte(a.text)}), true)
		texts, err := v.post("/mutate", "application/json", strings.NewReader(`{"set": [`+a.text+`]}`))
		v.refusedHTTP(a.name, texts, err, true)
		texts, err = v.post("/mutate", "application/json", strings.NewReader(a.text))
		v.refusedHTTP(a.name, texts, err, true)
		v.unharmed(a.name)
	}
}

func TestHostileSchemas(t *testing.T) {
	v := newVictim(t)
	for _, a := range []attack{
		{name: "no schema", text: "this is no schema"},
		{name: "no dot", text: "x: string"},
		{name: "an unknown type", text: "x: frobnicator ."},
		{name: "an unknown index", text: "x: string @index(frobnicator) ."},
		{name: "the wrong index", text: "x: int @index(term) ."},
		{name: "an unknown directive", text: "x: string @frobnicate ."},
		{name: "an unfinished directive", text: "x: string @index(" + times("(")},
		{name: "a million brackets", text: "x: " + times("[") + "string" + times("]") + " ."},
		{name: "a million braces", text: "type X " + times("{") + times("}")},
		{name: "an unfinished type", text: "type X { a b c"},
		{name: "the same twice", text: "x: string .\nx: int .", fine: true},
		{name: "a million directives", text: "x: string " + times("@index(exact) ") + "."},
		{name: "a reserved name", text: "dgraph.nonsense: string ."},
		{name: "a long name", text: strings.Repeat("p", 1<<20) + ": string ."},
		{name: "an odd name", text: "<a\x00b>: string ."},
		{name: "a type of itself", text: "type X { X }", fine: true},
		{name: "zero bytes", text: strings.Repeat("\x00", 1000)},
		{name: "a vector without a metric", text: `x: float32vector @index(hnsw(metric: "nonsense")) .`},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), maxHostileTime)
		err := v.c.Alter(ctx, &api.Operation{Schema: a.text})
		cancel()
		v.refused(a.name, err, a.fine)
		texts, err := v.post("/alter", "text/plain", strings.NewReader(a.text))
		v.refusedHTTP(a.name, texts, err, a.fine)
		v.unharmed(a.name)
	}
	for _, op := range []string{
		`{"drop_attr": ""}`, `{"drop_op": "NONSENSE"}`, `{"drop_all": "maybe"}`, `{"drop_op": "ATTR"}`, `{"drop_op": "TYPE"}`,
		`{"schema": 5}`, `{"drop_op": "DATA", "drop_value": "x"}`, `{`, `[]`, times("{"), `{"drop_attr": "dgraph.type"}`,
	} {
		texts, err := v.post("/alter", "application/json", strings.NewReader(op))
		v.refusedHTTP(short(op), texts, err, false)
		v.unharmed(short(op))
	}
}
