package alpha

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"dragg/graph"
)

// web is a node's HTTP surface.
type web struct {
	n *inProcess
	h http.Handler
}

func newWeb(t *testing.T, cfg Config) *web {
	t.Helper()
	n := plan{disk: true, cfg: cfg}.start(t)
	n.alter(t, "name: string @index(exact) .\nknows: [uid] .")
	n.leaseUIDs(t, 100)
	return &web{n: n, h: n.Handler()}
}

// send sends a request; header lines are "Name: value".
func (w *web) send(method, url, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	out := httptest.NewRecorder()
	w.h.ServeHTTP(out, r)
	return out
}

const (
	asDQL  = "Content-Type: application/dql"
	asJSON = "Content-Type: application/json; charset=utf-8"
	asRDF  = "Content-Type: application/rdf"
)

// envelope is what every answer may hold.
type envelope struct {
	Data   json.RawMessage
	Errors []struct {
		Message    string
		Extensions struct{ Code string }
	}
	Extensions struct {
		ServerLatency map[string]uint64 `json:"server_latency"`
		Txn           struct {
			StartTs  uint64 `json:"start_ts"`
			CommitTs uint64 `json:"commit_ts"`
			Aborted  bool
			Keys     []string
			Preds    []string
		}
		Metrics struct {
			NumUids map[string]uint64 `json:"num_uids"`
		}
	}
}

func read(t *testing.T, out *httptest.ResponseRecorder) envelope {
	t.Helper()
	var a envelope
	unmarshal(t, out.Body.Bytes(), &a)
	if out.Code != http.StatusOK || !strings.HasPrefix(out.Header().Get("Content-Type"), "application/json") {
		t.Errorf("status %d, %s", out.Code, out.Header().Get("Content-Type"))
	}
	return a
}

// A transaction over HTTP: mutations, reads in it, its commit; as the clients of this API do it (dql.md facts 29, 125, 137).
func TestHTTPTransaction(t *testing.T) {
	w := newWeb(t, Config{})
	m := read(t, w.send("POST", "/mutate", "{ set { _:a <name> \"ann\" .\n<0x5> <knows> _:a . } }", asRDF))
	txn := m.Extensions.Txn
	var done struct {
		Code, Message string
		Queries       any
		Uids          map[string]string
	}
	unmarshal(t, m.Data, &done)
	if done.Code != "Success" || done.Message != "Done" || done.Queries != nil || len(done.Uids) != 1 || txn.StartTs == 0 ||
		len(txn.Keys) != 2 || len(txn.Preds) != 2 || txn.CommitTs != 0 {
		t.Fatalf("%s %+v", m.Data, m)
	}
	query := `{q(func: eq(name, "ann")) {name}}`
	in := fmt.Sprintf("/query?startTs=%d", txn.StartTs)
	if a := read(t, w.send("POST", in, query, asDQL)); string(a.Data) != `{"q":[{"name":"ann"}]}` || a.Extensions.Txn.StartTs != txn.StartTs {
		t.Errorf("in the transaction: %s", a.Data)
	}
	if a := read(t, w.send("POST", "/query", query, asDQL)); string(a.Data) != `{"q":[]}` {
		t.Errorf("outside of it: %s", a.Data)
	}
	keys, err := json.Marshal(map[string]any{"keys": txn.Keys, "preds": txn.Preds})
	if err != nil {
		t.Fatal(err)
	}
	c := read(t, w.send("POST", fmt.Sprintf("/commit?startTs=%d", txn.StartTs), string(keys), asJSON))
	if got := c.Extensions.Txn; got.StartTs != txn.StartTs || got.CommitTs <= txn.StartTs || string(c.Data) != `{"code":"Success","message":"Done"}` {
		t.Errorf("commit: %s %+v", c.Data, got)
	}
	a := read(t, w.send("POST", "/query?debug=true", query, asDQL))
	if !strings.Contains(string(a.Data), `"uid":"`+done.Uids["a"]+`"`) || a.Extensions.ServerLatency["total_ns"] == 0 {
		t.Errorf("afterwards: %s %+v", a.Data, a.Extensions)
	}
	// The older form of the commit, and a discard.
	for _, abort := range []bool{false, true} {
		m := read(t, w.send("POST", "/mutate", `{"set": [{"uid":"0x7","name":"bob"}]}`, asJSON))
		list, err := json.Marshal(m.Extensions.Txn.Keys)
		if err != nil {
			t.Fatal(err)
		}
		c := read(t, w.send("POST", fmt.Sprintf("/commit?startTs=%d&abort=%v", m.Extensions.Txn.StartTs, abort), string(list), asJSON))
		if c.Extensions.Txn.Aborted != abort || (c.Extensions.Txn.CommitTs == 0) != abort {
			t.Errorf("abort %v: %+v", abort, c.Extensions.Txn)
		}
	}
}

// What queries may ask for, in body and URL.
func TestHTTPQuery(t *testing.T) {
	w := newWeb(t, Config{})
	late := read(t, w.send("POST", "/query?timeout=1ns", `{q(func: has(name)) {name}}`, asDQL))
	if len(late.Errors) != 1 || strings.Count(late.Errors[0].Message, "deadline exceeded") != 1 || late.Errors[0].Extensions.Code != codeInvalidRequest {
		t.Errorf("a query without time: %+v", late)
	}
	w.n.set(t, `<0x1> <name> "ann" . `+"\n"+`<0x2> <name> "bob" .`)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := io.WriteString(z, `{q(func: uid(1)) {name}}`); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		url, body string
		header    []string
		want      string // of data, or "!code fragment" of an error
	}{
		"dql":            {"/query", `{q(func: uid(1)) {name}}`, []string{asDQL}, `{"q":[{"name":"ann"}]}`},
		"the old name":   {"/query", `{q(func: uid(1)) {name}}`, []string{"Content-Type: application/graphql+-"}, `{"q":[{"name":"ann"}]}`},
		"json":           {"/query", `{"query":"query t($n: string) {q(func: eq(name, $n)) {name}}","variables":{"$n":"bob"}}`, []string{asJSON}, `{"q":[{"name":"bob"}]}`},
		"packed":         {"/query", packed.String(), []string{asDQL, "Content-Encoding: gzip"}, `{"q":[{"name":"ann"}]}`},
		"best effort":    {"/query?be=true", `{q(func: uid(9)) {name}}`, []string{asDQL}, `{"q":[]}`},
		"read only":      {"/query?ro=true&timeout=5s", `{q(func: uid(1)) {name}}`, []string{asDQL}, `{"q":[{"name":"ann"}]}`},
		"rdf":            {"/query?respFormat=rdf", `{q(func: uid(1)) {name}}`, []string{asDQL}, `"\u003c0x1\u003e \u003cname\u003e \"ann\" .\n"`},
		"debug":          {"/query?debug=true", `{q(func: uid(1)) {name}}`, []string{asDQL}, `{"q":[{"name":"ann","uid":"0x1"}]}`},
		"put":            {"PUT /query", `{q(func: uid(1)) {name}}`, []string{asDQL}, `{"q":[{"name":"ann"}]}`},
		"no type":        {"/query", `{q(func: uid(1)) {name}}`, nil, "!ErrorInvalidRequest Unsupported Content-Type"},
		"another type":   {"/query", `x`, []string{"Content-Type: text/plain"}, "!ErrorInvalidRequest Unsupported Content-Type"},
		"no json":        {"/query", "{\n \"query\" 7}", []string{asJSON}, "!ErrorInvalidRequest line 2"},
		"variables":      {"/query", `{"query":"{q(func: uid(1)) {name}}","variables":{"$n":7}}`, []string{asJSON}, "!ErrorInvalidRequest line 1"},
		"wrong dql":      {"/query", `{q(func: `, []string{asDQL}, "!ErrorInvalidRequest "},
		"no index":       {"/query", `{q(func: eq(knows, "x")) {name}}`, []string{asDQL}, "!ErrorInvalidRequest "},
		"bad flag":       {"/query?ro=perhaps", `{}`, []string{asDQL}, "!ErrorInvalidRequest ro"},
		"bad timestamp":  {"/query?startTs=now", `{}`, []string{asDQL}, "!ErrorInvalidRequest startTs"},
		"bad timeout":    {"/query?timeout=soon", `{}`, []string{asDQL}, "!ErrorInvalidRequest timeout"},
		"bad format":     {"/query?respFormat=xml", `{}`, []string{asDQL}, "!ErrorInvalidRequest respFormat"},
		"not packed":     {"/query", `{}`, []string{asDQL, "Content-Encoding: gzip"}, "!ErrorInvalidRequest "},
		"read it":        {"GET /query", ``, nil, "!ErrorInvalidMethod Invalid method"},
		"a path below":   {"/query/x", `{}`, []string{asDQL}, "!ErrorInvalidMethod Invalid method"},
		"of the future":  {"/query?startTs=99999999", `{q(func: uid(1)) {name}}`, []string{asDQL}, "!ErrorInvalidRequest never drawn"},
		"an empty query": {"/query", ` `, []string{asDQL}, "!ErrorInvalidRequest empty"},
	} {
		t.Run(name, func(t *testing.T) {
			method, url, ok := strings.Cut(c.url, " ")
			if !ok {
				method, url = "POST", c.url
			}
			out := w.send(method, url, c.body, c.header...)
			check(t, out, c.want)
			if out.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Error("pages of other origins are refused")
			}
			if !strings.HasPrefix(c.want, "!") && out.Header().Get("Dgraph-TouchedUids") == "" {
				t.Error("the header of touched uids is missing")
			}
		})
	}
}

// check compares an answer's data, or its error.
func check(t *testing.T, out *httptest.ResponseRecorder, want string) {
	t.Helper()
	body := out.Body.String()
	a := read(t, out)
	refused, isError := strings.CutPrefix(want, "!")
	if !isError {
		if string(a.Data) != want || len(a.Errors) > 0 {
			t.Errorf("%s, want %s", body, want)
		}
		return
	}
	code, fragment, _ := strings.Cut(refused, " ")
	if len(a.Errors) != 1 || !strings.Contains(body, `"code":"`+code+`"`) ||
		!strings.Contains(strings.ToLower(a.Errors[0].Message), strings.ToLower(fragment)) {
		t.Errorf("%s, want %s", body, want)
	}
}

// Mutations, alters and commits that are wrong in each way.
func TestHTTPRefusals(t *testing.T) {
	w := newWeb(t, Config{})
	for name, c := range map[string]struct {
		url, body, as, want string
	}{
		"no type":             {"/mutate", `{set {}}`, "X: y", "!ErrorInvalidRequest Unsupported Content-Type"},
		"nothing":             {"/mutate", ``, asRDF, "!ErrorInvalidRequest empty"},
		"nothing in json":     {"/mutate", `{}`, asJSON, "!ErrorInvalidRequest empty"},
		"wrong rdf":           {"/mutate", `{ set { nonsense } }`, asRDF, "!ErrorInvalidRequest "},
		"wrong json":          {"/mutate", `{"set": [}`, asJSON, "!ErrorInvalidRequest line 1"},
		"wrong type":          {"/mutate?commitNow=true", `{ set { <1> <knows> "x" . } }`, asRDF, "!ErrorInvalidRequest scalar"},
		"a uid not leased":    {"/mutate", `{ set { <0xffffffff> <name> "x" . } }`, asRDF, "!ErrorInvalidRequest cannot be greater than lease"},
		"commit of nothing":   {"/commit", ``, asJSON, "!ErrorInvalidRequest startTs parameter is mandatory"},
		"commit with no json": {"/commit?startTs=5", `{`, asJSON, "!ErrorInvalidRequest line 1"},
		"commit with no keys": {"/commit?startTs=5", `["?"]`, asJSON, "!ErrorInvalidRequest conflict key"},
		"alter of nothing":    {"/alter", ``, asDQL, "!Error at least one field"},
		"a wrong schema":      {"/alter", `name: nothing .`, asDQL, "!Error "},
		"a wrong operation":   {"/alter", `{"drop_nothing": true}`, asJSON, "!Error cannot be read"},
		"a reserved name":     {"/alter", `{"drop_attr": "dgraph.type"}`, asJSON, "!Error not allowed to be dropped"},
	} {
		t.Run(name, func(t *testing.T) { check(t, w.send("POST", c.url, c.body, c.as), c.want) })
	}
	check(t, w.send("POST", "/alter", `{"schema": "age: int ."}`, asJSON), `{"code":"Success","message":"Done"}`)
	check(t, w.send("POST", "/alter?runInBackground=true", "nick: [string] .", asDQL), `{"code":"Success","message":"Done"}`)
	check(t, w.send("POST", "/alter", `{"drop_attr": "nick"}`, asJSON), `{"code":"Success","message":"Done"}`)
	if _, ok := w.n.shard.Schema().Predicate(graph.Pred("nick")); ok {
		t.Error("the predicate is still there")
	}
}

// An upsert over HTTP shows its query.
func TestHTTPUpsert(t *testing.T) {
	w := newWeb(t, Config{})
	body := `{"query":"{q(func: eq(name, \"ann\")) {v as uid}}","cond":"@if(eq(len(v), 0))","set":{"uid":"uid(v)","name":"ann"}}`
	for round, want := range []string{`"queries":{"q":[]}`, `"queries":{"q":[{"uid":"0x`} {
		a := read(t, w.send("POST", "/mutate?commitNow=true", body, asJSON))
		if !strings.Contains(string(a.Data), want) || a.Extensions.Txn.CommitTs == 0 {
			t.Errorf("round %d: %s", round, a.Data)
		}
		if has := strings.Contains(string(a.Data), `"uid(v)"`); has != (round == 0) {
			t.Errorf("round %d: %s", round, a.Data)
		}
	}
}

// Bodies are bounded, packed or not.
func TestHTTPBodiesAreBounded(t *testing.T) {
	w := newWeb(t, Config{Limits: Limits{RequestBytes: 10_000}})
	long := `{q(func: eq(name, "` + strings.Repeat("x", 20_000) + `")) {uid}}`
	check(t, w.send("POST", "/query", long, asDQL), "!ErrorInvalidRequest ")
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 1000 {
		if _, err := z.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if bomb.Len() > 5000 {
		t.Fatalf("the bomb has %d bytes", bomb.Len())
	}
	check(t, w.send("POST", "/query", bomb.String(), asDQL, "Content-Encoding: gzip"), "!ErrorInvalidRequest ")
	check(t, w.send("POST", "/query", `{q(func: uid(1)) {name}}`, asDQL), `{"q":[]}`)
}

// What is there besides: health, state, probes, preflights, and the GraphQL layer that is not.
func TestHTTPSurroundings(t *testing.T) {
	w := newWeb(t, Config{My: "here:7080", Version: "v7"})
	out := w.send("GET", "/health", "")
	if body := out.Body.String(); out.Code != 200 || !strings.Contains(body, `"status":"healthy"`) || !strings.Contains(body, `"address":"here:7080"`) ||
		!strings.Contains(body, `"version":"v7"`) {
		t.Errorf("health %d: %s", out.Code, body)
	}
	if out := w.send("GET", "/state", ""); !strings.Contains(out.Body.String(), "name") || !json.Valid(out.Body.Bytes()) {
		t.Errorf("state: %s", out.Body)
	}
	if out := w.send("OPTIONS", "/mutate", "", "Origin: http://elsewhere"); out.Code != 200 || out.Body.Len() > 0 ||
		!strings.Contains(out.Header().Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("a preflight: %d %v", out.Code, out.Header())
	}
	if out := w.send("GET", "/probe/graphql", ""); !strings.Contains(out.Body.String(), `"status":"up"`) {
		t.Errorf("probe: %s", out.Body)
	}
	if out := w.send("POST", "/graphql", `{"query":"{ allPeople { name } }"}`, asJSON); !strings.Contains(out.Body.String(), "Not resolving allPeople") {
		t.Errorf("graphql: %s", out.Body)
	}
	check(t, w.send("POST", "/state", ""), "!ErrorInvalidMethod ")
	check(t, w.send("POST", "/admin/schema", "x: int ."), "!ErrorInvalidMethod ")
	if out := w.send("GET", "/nothing", ""); out.Code != http.StatusNotFound {
		t.Errorf("an unknown path: %d", out.Code)
	}
	w.n.ready.Store(false)
	if out := w.send("GET", "/health", ""); out.Code != http.StatusServiceUnavailable {
		t.Errorf("health of a node that is not ready: %d %s", out.Code, out.Body)
	}
	check(t, w.send("POST", "/query", `{q(func: uid(1)) {name}}`, asDQL), "!ErrorInvalidRequest not ready")
	w.n.ready.Store(true)
}

// Goal: a console in the browser finds what it asks for beside queries. Method: the words that it completes, the login that it tries,
// the headers that it may send.
func TestHTTPConsole(t *testing.T) {
	w := newWeb(t, Config{})
	var words struct {
		Keywords []struct{ Type, Name string }
	}
	unmarshal(t, w.send("GET", "/ui/keywords", "").Body.Bytes(), &words)
	names := map[string]bool{}
	for _, k := range words.Keywords {
		names[k.Name] = true
	}
	if !names["@filter"] || !names["allofterms"] || !names["orderasc"] {
		t.Errorf("keywords: %+v", words)
	}
	login := read(t, w.send("POST", "/login", `{"userid":"ann","password":"secret"}`, asJSON))
	if len(login.Errors) != 1 || login.Errors[0].Message != "access control: not enabled on this server" {
		t.Errorf("login: %+v", login)
	}
	bare := read(t, w.send("POST", "/mutate", `[{"name":"ann"}]`, asJSON))
	if len(bare.Errors) != 1 || !strings.Contains(bare.Errors[0].Message, `{"set": […]}`) {
		t.Errorf("a list as the body: %+v", bare)
	}
	allowed := w.send("OPTIONS", "/query", "").Header().Get("Access-Control-Allow-Headers")
	for _, h := range []string{"Content-Type", "Authorization", "X-Dgraph-AccessToken", "X-Dgraph-AuthToken", "X-Auth-Token"} {
		if !strings.Contains(allowed, h) {
			t.Errorf("%s is not allowed: %s", h, allowed)
		}
	}
}
