package alpha

import (
	"context"
	"maps"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/codes"

	"dragg/cluster"
	"dragg/protos/pb"
)

// Facts of the language's description that golden cases cannot hold; systest/testdata/facts/elsewhere.list names them.

// Fact 26: an answer that is longer than it may be is an error, not a part of it, as JSON and as RDF; one that just fits is whole.
// The bound is far below 4 GiB whatever the memory.
func TestFact026AnswersAreBounded(t *testing.T) {
	n := newCrowd(t, Config{})
	for _, format := range []api.Request_RespFormat{api.Request_JSON, api.Request_RDF} {
		req := &api.Request{Query: `{ q(func: has(name)) { uid name } }`, ReadOnly: true, RespFormat: format}
		whole, err := n.Do(context.Background(), req, Options{})
		if err != nil {
			t.Fatal(err)
		}
		length := len(whole.Json) + len(whole.Rdf)
		for _, bytes := range []int{length, length / 2} {
			resp, err := n.Do(context.Background(), req, Options{Limits: QueryLimits{AnswerBytes: bytes}})
			if bytes == length && (err != nil || len(resp.Json)+len(resp.Rdf) != length) {
				t.Errorf("%v of %d bytes, which fits: %v", format, length, err)
			}
			if bytes < length {
				wantCode(t, "half the room", err, codes.ResourceExhausted, "the answer is larger than the limit of")
			}
		}
	}
	var l QueryLimits
	if l.setDefaults(1 << 50); l.AnswerBytes >= 4<<30 {
		t.Errorf("%d bytes are allowed where there is much memory", l.AnswerBytes)
	}
}

// Facts 27 and 28: the metrics count for each predicate the nodes that were asked for it, filters included, the root under an empty
// name, and all together; the header says the same.
func TestFact027TouchedUIDs(t *testing.T) {
	w := newWeb(t, Config{})
	w.n.set(t, `
		<0x1> <name> "ann" .
		<0x2> <name> "bob" .
		<0x3> <name> "cyd" .
		<0x1> <knows> <0x2> .
		<0x1> <knows> <0x3> .
		<0x2> <knows> <0x3> .`)
	for query, want := range map[string]map[string]uint64{
		`{ q(func: uid(0x1, 0x2)) { name } }`:                                     {"": 2, "name": 2, "_total": 4},
		`{ q(func: uid(0x1, 0x2)) { knows { name } } }`:                           {"": 2, "knows": 2, "name": 2, "_total": 6},
		`{ q(func: uid(0x1, 0x2, 0x3)) @filter(eq(name, "bob")) { name } }`:       {"": 3, "name": 4, "_total": 7},
		`{ q(func: eq(name, "ann")) { knows @filter(eq(name, "cyd")) { uid } } }`: {"": 1, "knows": 1, "name": 2, "_total": 4},
	} {
		out := w.send("POST", "/query", query, asDQL)
		if got := read(t, out).Extensions.Metrics.NumUids; !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
		if got := out.Header().Get("Dgraph-TouchedUids"); got != strconv.FormatUint(want["_total"], 10) {
			t.Errorf("%s: the header says %s", query, got)
		}
	}
}

// held holds back changes of the schema that match until they are let go, or whoever asks goes away.
type held struct {
	cluster.Zero
	which func(*pb.Alter) bool
	begun chan struct{} // is sent to when one has come
	free  chan struct{} // is closed to let them go
}

func (z held) ChangeSchema(ctx context.Context, a *pb.Alter) (*pb.AlterReply, error) {
	if z.which(a) {
		if err := z.wait(ctx); err != nil {
			return nil, err
		}
	}
	return z.Zero.ChangeSchema(ctx, a)
}

func (z held) wait(ctx context.Context) error {
	select {
	case z.begun <- struct{}{}:
	default:
	}
	select {
	case <-z.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fact 122: whoever alters a predicate while its index is built is told to try again, and succeeds when it is complete. Others may
// be altered meanwhile, and the same definition again is no change. Method: the word that the index is complete is held back.
func TestFact122AlterWhileAnIndexIsBuilt(t *testing.T) {
	built := func(a *pb.Alter) bool {
		return slices.ContainsFunc(a.Predicates, func(p *pb.PredicateChange) bool { return p.KeepEpoch })
	}
	begun, free := make(chan struct{}, 1), make(chan struct{})
	n := plan{zero: func(z cluster.Zero) cluster.Zero { return held{z, built, begun, free} }}.start(t)
	n.alter(t, "name: string .\nother: string .")
	n.leaseUIDs(t, 10)
	n.set(t, `<1> <name> "x" .`)
	ctx := context.Background()
	in := func(text string) error { return n.Alter(ctx, &api.Operation{Schema: text, RunInBackground: true}) }
	if err := in("name: string @index(exact) ."); err != nil {
		t.Fatal(err)
	}
	<-begun
	wantCode(t, "another definition", in("name: string @index(term) ."), codes.Unavailable, "errIndexingInProgress")
	if err := in("name: string @index(exact) ."); err != nil {
		t.Errorf("the same definition: %v", err)
	}
	if err := in("other: string @index(exact) ."); err != nil {
		t.Errorf("another predicate: %v", err)
	}
	close(free)
	n.alter(t, "name: string @index(exact) .") // waits for the index
	n.alter(t, "name: string @index(term) .")
	if got := n.ask(t, `{q(func: anyofterms(name, "x")) {name}}`); got != `{"q":[{"name":"x"}]}` {
		t.Errorf("by the index of the second try: %s", got)
	}
}

// Fact 133: clients log in again on errors that hold "Token is expired". There is no access control here, so no request is judged by
// its token, none gets such an error, and logging in is refused as a thing that is not offered.
func TestFact133NoTokenIsJudged(t *testing.T) {
	n := plan{}.start(t)
	s := &service{n: n.Node}
	for _, token := range []string{"", "nonsense", "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln"} {
		_, err := s.Query(metadataOf("accessJwt", token), &api.Request{Query: `{ q(func: uid(1)) { uid } }`, ReadOnly: true})
		if err != nil {
			t.Errorf("with the token %q: %v", token, err)
		}
	}
	_, err := s.Login(context.Background(), &api.LoginRequest{Userid: "groot", Password: "password"})
	wantCode(t, "logging in", err, codes.Unimplemented, "not enabled")
	if strings.Contains(err.Error(), "Token is expired") {
		t.Errorf("a client would try for ever: %v", err)
	}
}

// heldCommits holds back commits.
type heldCommits struct{ held }

func (z heldCommits) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	if err := z.wait(ctx); err != nil {
		return nil, err
	}
	return z.Zero.Commit(ctx, r)
}

// Fact 135: a mutation or a schema change over HTTP is carried out although its client goes away meanwhile; a query is not, and its
// timeout parameter ends it. Method: the clients leave while Zero holds back the commit, or the change.
func TestFact135ClientsThatGoAway(t *testing.T) {
	begun, free := make(chan struct{}, 1), make(chan struct{})
	altering := func(a *pb.Alter) bool {
		return slices.ContainsFunc(a.Predicates, func(p *pb.PredicateChange) bool { return p.Predicate == "late" })
	}
	n := plan{zero: func(z cluster.Zero) cluster.Zero { return heldCommits{held{z, altering, begun, free}} }}.start(t)
	n.alter(t, "name: string .")
	n.leaseUIDs(t, 10)
	send := func(ctx context.Context, url, body, header string) string {
		r := httptest.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
		out := httptest.NewRecorder()
		n.Handler().ServeHTTP(out, r)
		return out.Body.String()
	}
	answers := make(chan string, 2)
	for _, c := range [][2]string{{"/mutate?commitNow=true", `{ set { <1> <name> "x" . } }`}, {"/alter", "late: int ."}} {
		ctx, leave := context.WithCancel(context.Background())
		go func() { answers <- send(ctx, c[0], c[1], asRDF) }()
		<-begun
		leave()
	}
	time.Sleep(50 * time.Millisecond) // for whoever would notice
	close(free)
	for range 2 {
		if got := <-answers; !strings.Contains(got, "Success") {
			t.Errorf("for a client that went away: %s", got)
		}
	}
	if got := n.ask(t, `{q(func: uid(1)) {name}}`); got != `{"q":[{"name":"x"}]}` {
		t.Errorf("what it wrote: %s", got)
	}
	gone, leave := context.WithCancel(context.Background())
	leave()
	query := `{ q(func: uid(1)) { name } }`
	if got := send(gone, "/query", query, asDQL); !strings.Contains(got, "context canceled") {
		t.Errorf("a query of a client that is gone: %s", got)
	}
	if got := send(context.Background(), "/query?timeout=1ns", query, asDQL); !strings.Contains(got, "deadline exceeded") {
		t.Errorf("a query without time: %s", got)
	}
}
