//go:build systest

package systest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

// maxHostileMemory is how much memory of its own the server may take, with a limit of 1 GiB: what is mapped from files and the
// slack of the collector aside.
const maxHostileMemory = 1200 << 20

// maxHostileTime is how long one hostile request may take.
const maxHostileTime = 20 * time.Second

// victim is a server under attack.
type victim struct {
	*Dragg
	t   *testing.T
	c   *Client
	pid int
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	d := &Dragg{Bin: bin, Data: filepath.Join(t.TempDir(), "data"), Args: []string{"--memory-limit", "1GiB", "--log-level", "warn"}}
	startThis(t, d)
	v := &victim{Dragg: d, t: t, c: connect(t, d), pid: d.PID()}
	v.seed()
	return v
}

// seed makes what unharmed looks for.
func (v *victim) seed() {
	v.t.Helper()
	ctx := context.Background()
	err := v.c.Alter(ctx, &api.Operation{Schema: "name: string @index(exact, term, trigram) @lang .\nage: int @index(int) .\n" +
		"friend: [uid] @reverse @count .\nborn: datetime .\nloc: geo .\nok: bool .\nscore: float .\nsecret: password ."})
	if err == nil {
		_, err = v.c.NewTxn().Mutate(ctx, &api.Mutation{SetNquads: []byte(`_:a <name> "alive" .`), CommitNow: true})
	}
	if err != nil {
		v.t.Fatal(err)
	}
}

// unharmed checks that the server lives, answers over both doors, has not been restarted, and has not grown.
func (v *victim) unharmed(after string) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), maxHostileTime)
	defer cancel()
	resp, err := v.c.NewReadOnlyTxn().Query(ctx, `{ q(func: eq(name, "alive")) { name } }`)
	if err != nil || string(resp.Json) != `{"q":[{"name":"alive"}]}` {
		v.t.Fatalf("after %s: %s %v\n%s", after, resp.GetJson(), err, v.Log())
	}
	if !v.Healthy(ctx) {
		v.t.Fatalf("after %s: /health does not answer", after)
	}
	if n := v.memory(); n > maxHostileMemory {
		v.t.Errorf("after %s: the server holds %d MiB", after, n>>20)
	}
	if strings.Contains(v.Log(), "panic") {
		v.t.Fatalf("after %s the log says:\n%s", after, v.Log())
	}
}

// memory returns the process's anonymous memory in bytes.
func (v *victim) memory() int64 {
	v.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.pid))
	if err != nil {
		v.t.Fatalf("the server is gone: %v\n%s", err, v.Log())
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				v.t.Fatal(err)
			}
			return n << 10
		}
	}
	v.t.Fatal("no RssAnon")
	return 0
}

// refused checks an error: it must have a text, and blame the request, not the server. ok says that an answer will do as well.
func (v *victim) refused(what string, err error, ok bool) {
	v.t.Helper()
	switch s, _ := status.FromError(err); {
	case err == nil && !ok:
		v.t.Errorf("%s was accepted", what)
	case err != nil && strings.TrimSpace(s.Message()) == "":
		v.t.Errorf("%s: an error without a text: %v", what, err)
	case err != nil && s.Code() != codes.InvalidArgument && s.Code() != codes.ResourceExhausted:
		v.t.Errorf("%s: %v", what, short(err.Error()))
	case err != nil && len(err.Error()) > 64<<10:
		v.t.Errorf("%s: the error has %d bytes", what, len(err.Error()))
	}
}

func short(s string) string { return s[:min(len(s), 300)] }

// post sends a body over HTTP and returns the answer's error texts; none if it was accepted.
func (v *victim) post(path, contentType string, body io.Reader, header ...string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.HTTP()+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	var out struct{ Errors []struct{ Message string } }
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("%s: the answer is no JSON: %q", resp.Status, short(string(b)))
	}
	var texts []string
	for _, e := range out.Errors {
		texts = append(texts, e.Message)
	}
	return texts, nil
}

// refusedHTTP is refused for what post returned.
func (v *victim) refusedHTTP(what string, texts []string, err error, ok bool) {
	v.t.Helper()
	if err != nil {
		v.t.Errorf("%s over HTTP: %v", what, err)
	}
	if len(texts) == 0 && err == nil && !ok {
		v.t.Errorf("%s over HTTP was accepted", what)
	}
	for _, text := range texts {
		if strings.TrimSpace(text) == "" || len(text) > 64<<10 {
			v.t.Errorf("%s over HTTP: an error of %d bytes", what, len(text))
		}
	}
}

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

// zeros is an endless stream of one character.
type zeros byte

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(z)
	}
	return len(p), nil
}

// Requests above the limit are refused without being kept in memory.
func TestHostileSizes(t *testing.T) {
	v := newVictim(t)
	const huge = 1<<30 + 1<<20
	for _, path := range []string{"/query", "/mutate", "/alter", "/commit?startTs=1"} {
		// A body without a length, as a stream in chunks.
		texts, err := v.post(path, "application/rdf", io.LimitReader(zeros(' '), huge))
		v.refusedHTTP("a stream of 1 GiB to "+path, texts, reset(err), true)
		v.unharmed("a stream of 1 GiB to " + path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := v.c.Stub.Query(ctx, &api.Request{Query: strings.Repeat(" ", huge)})
	if status.Code(err) != codes.ResourceExhausted || err.Error() == "" {
		t.Errorf("a message of 1 GiB: %v", err)
	}
	v.unharmed("a message of 1 GiB")
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := io.Copy(z, io.LimitReader(zeros('{'), huge)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		texts, err := v.post("/mutate", "application/json", bytes.NewReader(bomb.Bytes()), "Content-Encoding", "gzip")
		v.refusedHTTP("a gzip bomb", texts, err, false)
		v.unharmed("a gzip bomb")
	}
	var together sync.WaitGroup
	for range 12 {
		together.Go(func() {
			texts, err := v.post("/mutate", "application/json", bytes.NewReader(bomb.Bytes()), "Content-Encoding", "gzip")
			v.refusedHTTP("many gzip bombs", texts, err, false)
		})
	}
	most := int64(0)
	done := make(chan struct{})
	go func() { together.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(50 * time.Millisecond):
			most = max(most, v.memory())
		}
	}
	if most > maxHostileMemory {
		t.Errorf("with many gzip bombs at once the server held %d MiB", most>>20)
	}
	v.unharmed("many gzip bombs")
	texts, err := v.post("/query", "application/dql", strings.NewReader("this is no gzip"), "Content-Encoding", "gzip")
	v.refusedHTTP("what is no gzip", texts, err, false)
	for name, header := range map[string][]string{
		"a huge header": {"X-Huge", strings.Repeat("x", 2<<20)}, "an odd content type": {"Content-Type", "\"" + strings.Repeat(";", 1000)},
	} {
		if _, err := v.post("/query", "application/dql", strings.NewReader("{}"), header...); err != nil {
			t.Logf("%s: %v", name, short(err.Error()))
		}
		v.unharmed(name)
	}
	big := metadata.AppendToOutgoingContext(ctx, "x-huge", strings.Repeat("x", 20<<20))
	if _, err := v.c.Stub.CheckVersion(big, &api.Check{}); err == nil || status.Convert(err).Message() == "" {
		t.Errorf("huge metadata: %v", err)
	}
	v.unharmed("huge metadata")
}

// reset passes over what a client sees when a server does not read all it sends: the answer may be lost with the connection.
func reset(err error) error {
	if err != nil && (strings.Contains(err.Error(), "reset by peer") || strings.Contains(err.Error(), "broken pipe")) {
		return nil
	}
	return err
}

// raw is a codec that sends bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (raw) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(b)
	return nil
}

func (raw) Name() string { return "proto" }

// Messages that no client library would make: fields of text that are no text, and bytes that are no message.
func TestHostileMessages(t *testing.T) {
	v := newVictim(t)
	conn, err := grpc.NewClient(v.GRPC(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call := func(method string, msg []byte) error {
		ctx, cancel := context.WithTimeout(context.Background(), maxHostileTime)
		defer cancel()
		var reply []byte
		return conn.Invoke(ctx, "/api.Dgraph/"+method, &msg, &reply)
	}
	methods := []string{
		"Login", "Query", "Alter", "CommitOrAbort", "CheckVersion", "RunDQL", "AllocateIDs", "UpdateExtSnapshotStreamingState",
		"CreateNamespace", "DropNamespace", "ListNamespaces", "NoSuchMethod",
	}
	rng := rand.New(rand.NewPCG(4, 4))
	bad := "\xff\xfe\xc3("
	for _, method := range methods {
		for field := protowire.Number(1); field <= 20; field++ {
			for _, value := range []string{bad, strings.Repeat(bad, 1000), strings.Repeat("\x0a\x7f", 50)} {
				err := call(method, protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), value))
				if err != nil && status.Convert(err).Message() == "" {
					t.Errorf("%s field %d: an error without a text", method, field)
				}
			}
			_ = call(method, protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), rng.Uint64())) // any answer will do
		}
		for range 100 {
			msg := make([]byte, rng.IntN(200))
			for i := range msg {
				msg[i] = byte(rng.Uint32())
			}
			if err := call(method, msg); err != nil && status.Convert(err).Message() == "" {
				t.Errorf("%s: an error without a text", method)
			}
		}
		if method == "Alter" {
			v.seed() // some of that was an order to drop all
		}
		v.unharmed(method)
	}
	for _, body := range []string{bad, `{ q(func: eq(name, "` + bad + `")) { name } }`, `{ q(func: has(` + bad + `)) { ` + bad + ` } }`} {
		texts, err := v.post("/query", "application/dql", strings.NewReader(body))
		v.refusedHTTP("no text in a query", texts, err, true)
		texts, err = v.post("/mutate", "application/rdf", strings.NewReader("{ set { _:a <name> \""+body+"\" . } }"))
		v.refusedHTTP("no text in RDF", texts, err, true)
		texts, err = v.post("/mutate", "application/rdf", strings.NewReader("{ set { _:a <"+body+"> \"x\"@"+body+" . } }"))
		v.refusedHTTP("no text in names", texts, err, true)
		texts, err = v.post("/mutate", "application/json", strings.NewReader(`{"set": [{"name": "`+body+`"}]}`))
		v.refusedHTTP("no text in JSON", texts, err, true)
		texts, err = v.post("/alter", "text/plain", strings.NewReader(body+": string ."))
		v.refusedHTTP("no text in a schema", texts, err, true)
		texts, err = v.post("/query?startTs="+bad+"&timeout="+bad, "application/dql", strings.NewReader("{}"))
		v.refusedHTTP("no text in parameters", texts, err, true)
		v.unharmed("no text")
	}
}

// Bytes that are no protocol, and connections that never say anything, do not keep others out.
func TestHostileConnections(t *testing.T) {
	v := newVictim(t)
	rng := rand.New(rand.NewPCG(5, 5))
	http1 := strings.TrimPrefix(v.HTTP(), "http://")
	zero := strings.TrimPrefix(v.ZeroHTTP(), "http://")
	port := func(base int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(base+v.offset)) }
	for _, address := range []string{v.GRPC(), http1, zero, port(7080), port(5080)} {
		for i := range 20 {
			garbage := make([]byte, 64<<10)
			for j := range garbage {
				garbage[j] = byte(rng.Uint32())
			}
			prefix := []string{"", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST /query HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/9.9\r\n\r\n"}[i%4]
			shout(t, address, append([]byte(prefix), garbage...))
		}
		v.unharmed("garbage on " + address)
	}
	var idle []net.Conn
	for i := range 400 {
		c, err := net.Dial("tcp", []string{v.GRPC(), http1, zero, port(5080)}[i%4])
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
		if _, err := io.WriteString(c, []string{"", "POST /query HTTP/1.1\r\nHost: x\r\nX-Slow: ", "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"}[i%3]); err != nil {
			t.Fatal(err)
		}
	}
	v.unharmed("400 connections that say nothing more")
	// Who sends half a header is shown the door.
	half := idle[1]
	if err := half.SetReadDeadline(time.Now().Add(maxHostileTime)); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(half).ReadString(0); !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("half a header is waited for: %v", err)
	}
	for _, c := range idle {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	v.unharmed("the end")
}

// shout sends bytes to a port and waits a moment for the other end to hang up.
func shout(t *testing.T, address string, b []byte) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(b); err == nil {
		_, _ = io.Copy(io.Discard, c) // the other end may hang up or not
	}
}
