package alpha

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// Goal: what one query may cost is bounded, by the server and, lower, by the request, and a bomb harms nobody else. Method: queries
// that multiply, on a small graph in which everybody knows everybody.

const people = 60

func newCrowd(t *testing.T, cfg Config) *inProcess {
	t.Helper()
	n := plan{cfg: cfg}.start(t)
	n.alter(t, "name: string @index(exact) .\nknows: [uid] @reverse .")
	n.leaseUIDs(t, 2*people)
	var b strings.Builder
	for u := 1; u <= people; u++ {
		fmt.Fprintf(&b, "<%d> <name> \"n%d\" .\n", u, u)
		for to := 1; to <= people; to++ {
			fmt.Fprintf(&b, "<%d> <knows> <%d> (weight=%d) .\n", u, to, 1+(u*to)%7)
		}
	}
	n.set(t, b.String())
	return n
}

func metadataOf(pairs ...string) context.Context {
	return metadata.NewIncomingContext(context.Background(), metadata.Pairs(pairs...))
}

func TestQueryLimits(t *testing.T) {
	n := newCrowd(t, Config{Limits: Limits{Query: QueryLimits{Edges: 5_000}}})
	s := &service{n: n.Node}
	hops := `{ q(func: has(name)) { knows { knows { uid } } } }`
	for _, c := range []struct {
		name, query string
		meta        []string
		code        codes.Code
		text        string
	}{
		{"the server's edges", hops, nil, codes.ResourceExhausted, "limit of 5000 edges"},
		{"more than the server's", hops, []string{"query-edges", "1000000"}, codes.ResourceExhausted, "limit of 5000 edges"},
		{"fewer edges", `{ q(func: has(name)) { knows { uid } } }`, []string{"query-edges", "3599"}, codes.ResourceExhausted, "limit of 3599 edges"},
		{"enough edges", `{ q(func: has(name)) { knows { uid } } }`, []string{"query-edges", "3600"}, codes.OK, ""},
		{"memory", `{ q(func: has(name)) { knows { uid } } }`, []string{"query-memory", "40000"}, codes.ResourceExhausted, "limit of 40000 bytes of memory"},
		{"the answer", `{ q(func: has(name)) { name } }`, []string{"query-answer", "200"}, codes.ResourceExhausted, "limit of 200 bytes"},
		{"recursion", `{ q(func: uid(1)) @recurse(depth: 5) { knows } }`, []string{"query-recurse", "1"}, codes.ResourceExhausted, "levels of @recurse"},
		{"nesting", `{ q(func: uid(1)) { knows { knows { uid } } } }`, []string{"query-depth", "2"}, codes.InvalidArgument, "2 levels of nesting"},
		{"no time", hops, []string{"query-timeout", "1ns"}, codes.DeadlineExceeded, "limit of 1ns"},
		{"no number", hops, []string{"query-edges", "many"}, codes.InvalidArgument, `query-edges="many" must be a number above zero`},
		{"below zero", hops, []string{"query-memory", "-1"}, codes.InvalidArgument, "must be a number above zero"},
		{"no duration", hops, []string{"query-timeout", "1"}, codes.InvalidArgument, "must be a duration"},
	} {
		req := &api.Request{Query: c.query, ReadOnly: true}
		_, err := s.Query(metadataOf(c.meta...), req)
		tapped, _ := keepHeaders(context.Background(), &tap.Info{FullMethodName: api.Dgraph_Query_FullMethodName, Header: metadata.Pairs(c.meta...)})
		if _, other := s.Query(tapped, req); status.Code(other) != c.code {
			t.Errorf("%s: %v without a copy of the metadata, %v with one", c.name, other, err)
		}
		if c.code == codes.OK {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		wantCode(t, c.name, err, c.code, c.text)
	}
}

func TestHTTPQueryLimits(t *testing.T) {
	w := &web{n: newCrowd(t, Config{})}
	w.h = w.n.Handler()
	for url, want := range map[string]string{
		"/query?query-edges=100":   "the query exceeds the limit of 100 edges",
		"/query?query-memory=2000": "the query exceeds the limit of 2000 bytes of memory",
		"/query?query-answer=100":  "the answer is larger than the limit of 100 bytes",
		"/query?query-depth=1":     "more than 1 levels of nesting",
		"/query?query-timeout=1ns": "the query exceeds the limit of 1ns",
		"/query?query-recurse=x":   `query-recurse=\"x\" must be a number above zero`,
	} {
		out := w.send("POST", url, `{ q(func: has(name)) { name knows { uid } } }`, asDQL)
		if body := out.Body.String(); !strings.Contains(body, want) || strings.Contains(body, `"data":{`) {
			t.Errorf("%s: %s", url, body)
		}
	}
}

// Bombs under the memory of a small server: each fails with an error that names the bound, and the next query is answered.
func TestBombs(t *testing.T) {
	n := newCrowd(t, Config{MemoryBytes: 16 << 20})
	for name, text := range map[string]string{
		"recurse":  `{ q(func: has(name)) @recurse(depth: 100, loop: true) { uid knows } }`,
		"shortest": `{ shortest(from: 1, to: 100, numpaths: 1000, minweight: 1000000) { knows @facets(weight) } }`,
		"groupby":  `{ q(func: has(name)) { knows @groupby(knows, a: ~knows, b: knows) { count(uid) } } }`,
		"levels":   `{ q(func: has(name)) { ` + strings.Repeat("knows { ", 20) + "uid" + strings.Repeat(" }", 20) + ` } }`,
	} {
		_, err := n.Do(context.Background(), &api.Request{Query: text, ReadOnly: true}, Options{})
		wantCode(t, name, err, codes.ResourceExhausted, "the limit of ")
		if strings.HasPrefix(fmt.Sprint(err), ":") {
			t.Errorf("%s: the place is missing: %v", name, err)
		}
		if used := n.queries.Used(); used != 0 {
			t.Errorf("%s: %d bytes were not given back", name, used)
		}
		if got := n.ask(t, `{q(func: uid(1)) {name}}`); got != `{"q":[{"name":"n1"}]}` {
			t.Errorf("after %s: %s", name, got)
		}
	}
}

// A client that leaves takes its query with it.
func TestCancelledQueryEnds(t *testing.T) {
	n := newCrowd(t, Config{})
	for name, text := range map[string]string{
		"shortest": `{ shortest(from: 1, to: 100, numpaths: 1000, minweight: 1000000) { knows @facets(weight) } }`,
		"groupby":  `{ q(func: has(name)) { knows @groupby(knows, a: ~knows, b: knows) { count(uid) } } }`,
	} {
		ctx, cancel := context.WithCancel(context.Background())
		var left time.Time
		timer := time.AfterFunc(30*time.Millisecond, func() { left = time.Now(); cancel() })
		_, err := n.Do(ctx, &api.Request{Query: text, ReadOnly: true}, Options{})
		if took := time.Since(left); !errors.Is(err, context.Canceled) || took > time.Second {
			t.Errorf("%s: ended %v after the cancel: %v", name, took, err)
		}
		timer.Stop()
		if used := n.queries.Used(); used != 0 {
			t.Errorf("%s: %d bytes were not given back", name, used)
		}
	}
}
