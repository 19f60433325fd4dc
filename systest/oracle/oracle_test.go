package oracle

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha"
	"dragg/systest/embedded"
)

var (
	graphs   = flag.Int("graphs", 60, "graphs to draw")
	queries  = flag.Int("queries", 50, "queries on each graph")
	writeDir = flag.String("write", "", "folder for golden cases")
	seed     = flag.Uint64("seed", 1, "seed of the first graph")
)

// What TestWriteCases writes.
const (
	writtenFiles = 30
	writtenCases = 60
	writtenSeed  = 1_000_000
)

// maxFailures is how many differences are shown, one for a graph.
const maxFailures = 5

// Goal: answers are right, whatever the query. Method: random queries over random graphs, against the naive evaluator; see the
// package comment. -graphs 2000 is the long run.
func TestEngineAgreesWithTheOracle(t *testing.T) {
	s := newServer(t)
	began, total, failures := time.Now(), 0, 0
	for i := range uint64(*graphs) {
		rnd := rand.New(rand.NewPCG(*seed+i, 0))
		g := randomGraph(rnd)
		s.way = rnd.Uint64N(2) * (*seed + i)
		s.load(g)
		for j := range *queries {
			q := randomQuery(rnd, g)
			total++
			if s.agrees(g, q) {
				continue
			}
			s.tryPlainly(g, func() bool { return !s.agrees(g, q) })
			q = shrink(q, func(q *query) bool { return !s.agrees(g, q) })
			g = shrinkGraph(g, func(g *triples) bool { s.load(g); return !s.agrees(g, q) })
			s.load(g)
			text, vars := q.request()
			t.Errorf("seed %d, query %d, way %d, on\n%s%s\n%v\nwant %s\ngot  %s", *seed+i, j, s.way, g.quads(), text, vars, answer(g, q), s.ask(q))
			if failures++; failures == maxFailures {
				return
			}
			break
		}
	}
	t.Logf("%d queries in %v", total, time.Since(began))
}

// Goal: shortest paths are paths, as many as there are, and none is shorter. Method: random shortest blocks over random graphs,
// judged by what the naive search finds.
func TestPathsAgreeWithTheOracle(t *testing.T) {
	s := newServer(t)
	began, total, found, failures := time.Now(), 0, 0, 0
	for i := range uint64(*graphs) {
		rnd := rand.New(rand.NewPCG(*seed+i, 1))
		g := randomGraph(rnd)
		s.way = rnd.Uint64N(2) * (*seed + i)
		s.load(g)
		for j := range *queries {
			r := (&maker{rnd: rnd, g: g}).route()
			want, ok := r.weights(g)
			if !ok {
				continue
			}
			total, found = total+1, found+len(want)
			if s.finds(g, r) == nil {
				continue
			}
			s.tryPlainly(g, func() bool { return s.finds(g, r) != nil })
			r = r.shrink(func(r *route) bool { return s.finds(g, r) != nil })
			g = shrinkGraph(g, func(g *triples) bool { s.load(g); return s.finds(g, r) != nil })
			s.load(g)
			t.Errorf("seed %d, query %d, way %d, on\n%s%s\n%v\ngot  %s", *seed+i, j, s.way, g.quads(), r.text(), s.finds(g, r), s.answer(r.text(), nil))
			if failures++; failures == maxFailures {
				return
			}
			break
		}
	}
	t.Logf("%d queries, %d paths in %v", total, found, time.Since(began))
}

// server is the engine under test.
type server struct {
	t   *testing.T
	d   *embedded.Database
	way uint64 // how graphs are loaded
	// startTs is the transaction that the graph is in; 0 where it is committed.
	startTs uint64
}

func newServer(t *testing.T) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	d := embedded.ForTest(t)
	if _, err := d.Lease(ctx, 1000); err != nil {
		t.Fatal(err)
	}
	if err := d.Alter(ctx, &api.Operation{Schema: schema()}); err != nil {
		t.Fatal(err)
	}
	return &server{t: t, d: d}
}

// ask asks a query as it is spelled.
func (s *server) ask(q *query) string { return s.answer(q.request()) }

func (s *server) answer(text string, vars map[string]string) string {
	req := &api.Request{Query: text, Vars: vars, ReadOnly: true, BestEffort: true}
	if s.startTs > 0 {
		req = &api.Request{Query: text, Vars: vars, StartTs: s.startTs}
	}
	resp, err := s.d.Do(context.Background(), req, alpha.Options{})
	if err != nil {
		return "error: " + err.Error()
	}
	return string(resp.Json)
}

// tryPlainly loads the graph plainly if it fails then too.
func (s *server) tryPlainly(g *triples, fails func() bool) {
	s.t.Helper()
	way := s.way
	if s.way = 0; way == 0 {
		return
	}
	if s.load(g); !fails() {
		s.way = way
		s.load(g)
	}
}

func (s *server) agrees(g *triples, q *query) bool {
	got := s.ask(q)
	if tooMany(g, q) {
		return strings.HasPrefix(got, "error: @normalize makes too many results")
	}
	return got == answer(g, q)
}

// finds returns what is wrong with the paths that the engine finds.
func (s *server) finds(g *triples, r *route) error {
	want, ok := r.weights(g)
	if !ok {
		return nil
	}
	return r.judge(g, want, s.answer(r.text(), nil))
}

// TestWriteCases keeps random queries with the evaluator's answers as golden cases, which also run on Badger and on three groups.
// It is not a test but a tool: -write DIR.
func TestWriteCases(t *testing.T) {
	if *writeDir == "" {
		return
	}
	for file := range uint64(writtenFiles) {
		rnd := rand.New(rand.NewPCG(writtenSeed+file, 0))
		g := randomGraph(rnd)
		for len(g.lines()) > 150 {
			g = randomGraph(rnd)
		}
		var b strings.Builder
		fmt.Fprintf(&b, "# Random queries on a random graph. The answers are those of the evaluator of systest/oracle.\n\nschema\n%s----\nok\n\nset\n%s----\nok\n",
			schema(), g.quads())
		for kept := 0; kept < writtenCases; {
			q := randomQuery(rnd, g)
			want := answer(g, q)
			if len(want) > 1500 || !strings.ContainsAny(strings.NewReplacer("[]", "", "{}", "").Replace(want), "[{") || strings.Count(want, "{") < 3 {
				continue
			}
			kept++
			fmt.Fprintf(&b, "\nquery\n%s\n----\n%s\n", q.text(), want)
		}
		if err := os.WriteFile(filepath.Join(*writeDir, fmt.Sprintf("graph%02d.txt", file+1)), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
