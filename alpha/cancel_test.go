package alpha

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// expensive are queries that keep the server busy in different ways.
var expensive = map[string]string{
	"sort":       `{ q(func: has(name), orderasc: text, orderdesc: part, first: 20000) { uid } }`,
	"collation":  `{ q(func: has(name), orderasc: title@de, first: 20000) { uid } }`,
	"regexp":     `{ q(func: has(name)) @filter(regexp(text, /(a|b|c)*lorem.*(x|y|z)+[0-9]*q/)) { uid } }`,
	"groups":     `{ q(func: has(name)) @groupby(knows, part) { count(uid) max(name) } }`,
	"few groups": `{ q(func: has(name)) { knows @groupby(num, part) { count(uid) } } }`,
	"cascade":    `{ q(func: has(name)) @cascade { name knows { text knows { num knows { part } } } } }`,
	"recursion":  `{ q(func: has(name), first: 1500) @recurse(depth: 7, loop: true) { uid knows } }`,
	"edges once": `{ q(func: uid(1)) @recurse { uid knows ~knows } }`,
	"path":       `{ shortest(from: 1, to: 39999) { hub @facets(w) knows @facets(w) } }`,
	"many paths": `{ shortest(from: 1, to: 77, numpaths: 1000) { hub @facets(w) knows @facets(w) } }`,
	"facets":     `{ q(func: uid(1)) { hub @facets(orderasc: w, orderdesc: note) { a: uid } } var(func: has(name)) { knows @facets(f as w) } r(func: uid(f), orderdesc: val(f)) { val(f) } }`,
	"variables":  `{ var(func: has(name)) { a as num p as part knows { knows { s as math(a * p + ln(p) / 3 - sqrt(a + p)) } } } q(func: uid(s), orderdesc: val(s)) { val(s) } }`,
	"answer":     `{ q(func: has(name)) { uid name text knows @facets { uid name text knows { name } } } }`,
	"flat":       `{ q(func: has(name), first: 1500) @normalize { a: name knows { b: text c: name } } }`,
}

func newCrowded(t *testing.T) *inProcess {
	t.Helper()
	n := plan{cfg: Config{MemoryBytes: 4 << 30}}.start(t)
	n.alter(t, "name: string .\ntext: string .\nnum: int .\npart: float .\ntitle: string @lang .\nknows: [uid] @reverse .\nhub: [uid] .")
	n.leaseUIDs(t, 2*crowded)
	rnd := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for u := 1; u <= crowded; u++ {
		fmt.Fprintf(&b, "<%d> <name> \"name %d\" .\n<%d> <text> \"%s%x\" .\n", u, u, u, strings.Repeat("lorem ipsum <&> ", 4), rnd.Uint32())
		fmt.Fprintf(&b, "<%d> <num> \"%d\" .\n<%d> <part> \"%d.5\" .\n", u, rnd.IntN(1000), u, rnd.IntN(100_000))
		fmt.Fprintf(&b, "<%d> <title> \"title %x\"@de .\n<1> <hub> <%d> (w=%d, note=\"%x\") .\n", u, rnd.Uint32(), u, rnd.IntN(100), rnd.Uint32())
		for range 5 {
			fmt.Fprintf(&b, "<%d> <knows> <%d> (w=%d) .\n", u, 1+rnd.IntN(crowded), rnd.IntN(100))
		}
	}
	n.set(t, b.String())
	return n
}

// doors are the ways in: each asks and returns when ctx ends, whatever the server does.
func (n *inProcess) doors(t *testing.T) map[string]func(ctx context.Context, query string) {
	t.Helper()
	server, wire := grpc.NewServer(), bufconn.Listen(1<<20)
	n.Register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(wire) }()
	conn, err := grpc.NewClient("passthrough:///n", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return wire.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(n.Handler())
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		<-served
		web.Close()
	})
	client := api.NewDgraphClient(conn)
	return map[string]func(ctx context.Context, query string){
		"gRPC": func(ctx context.Context, query string) {
			_, err := client.Query(ctx, &api.Request{Query: query, ReadOnly: true})
			if ctx.Err() == nil && err != nil {
				t.Logf("it failed by itself: %v", err)
			}
		},
		"HTTP": func(ctx context.Context, query string) {
			r, err := http.NewRequestWithContext(ctx, "POST", web.URL+"/query", strings.NewReader(query))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/dql")
			resp, err := http.DefaultClient.Do(r)
			if err == nil {
				err = resp.Body.Close()
			}
			if ctx.Err() == nil && err != nil {
				t.Error(err)
			}
		},
	}
}

// Goal: soon after a client goes away nobody works for it any more. Method: expensive queries are cancelled at several moments of
// their course, over both doors; then the request must be out of the count of those in flight. What a loop that does not look at its
// context takes it takes every time, and what other processes on the machine take it does not: so a moment may be tried again.
func TestCancelledQueriesLeaveSoon(t *testing.T) {
	const tries = 4
	n := newCrowded(t)
	doors := n.doors(t)
	for name, query := range expensive {
		began := time.Now()
		_, err := n.Do(context.Background(), &api.Request{Query: query, ReadOnly: true}, Options{})
		whole := time.Since(began)
		t.Logf("%s: %v %.60v", name, whole.Round(time.Millisecond), err)
		for i, part := range []float64{0.25, 0.5, 0.75} {
			door := []string{"gRPC", "HTTP"}[i%2]
			least := time.Hour
			for try := 0; try < tries && least > soon; try++ {
				ask := func(ctx context.Context) { doors[door](ctx, query) }
				least = min(least, n.cancelled(t, ask, time.Duration(part*float64(whole))))
			}
			if least > soon {
				t.Errorf("%s over %s, cancelled after %.0f %%: at work for %v more", name, door, 100*part, least)
			}
		}
		if used := n.queries.Used(); used != 0 {
			t.Errorf("%s: %d bytes were not given back", name, used)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// cancelled asks, cancels after a while, and returns how long the request was in flight after that.
func (n *inProcess) cancelled(t *testing.T, ask func(ctx context.Context), after time.Duration) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() { ask(ctx); close(done) }()
	select {
	case <-done: // it was quicker this time
		return 0
	case <-time.After(after):
	}
	left := time.Now()
	cancel()
	for deadline := left.Add(20 * time.Second); len(n.slots) > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("a request does not end")
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(left)
	<-done
	return took
}
