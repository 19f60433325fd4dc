package oracle

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha"
	"dragg/dql"
)

// Goal: an upsert changes what it says and nothing else. Method: random upserts one after the other on random graphs, in open
// transactions and without; after each all of the graph and some random queries are compared with what the evaluator makes of it.
func TestUpsertsAgreeWithTheOracle(t *testing.T) {
	s := newServer(t)
	for i := range uint64(*graphs) {
		rnd := rand.New(rand.NewPCG(*seed+i, 4))
		g := randomGraph(rnd)
		if len(g.nodes) > 40 {
			continue // each node of a variable may be linked with each
		}
		s.way = rnd.Uint64N(2) * (*seed + i)
		s.load(g)
		for j := range 8 {
			u := (&maker{rnd: rnd, g: g}).upsert()
			after := u.apply(g)
			s.upsert(u)
			for k := range 4 {
				q := everythingOf(after)
				if k > 0 {
					q = randomQuery(rnd, after)
				}
				if !s.agrees(after, q) {
					text, vars := q.request()
					t.Fatalf("seed %d, upsert %d, way %d, on\n%s%s\n%s\n%v\nwant %s\ngot  %s",
						*seed+i, j, s.way, g.quads(), u.text(), text, vars, answer(after, q), s.ask(q))
				}
			}
			g = after
		}
	}
}

// upsert carries out a document, in the transaction of the graph if it is in one.
func (s *server) upsert(u *upsert) {
	s.t.Helper()
	doc, err := dql.ParseMutationDoc(u.text())
	if err != nil {
		s.t.Fatal(err, u.text())
	}
	req := &api.Request{Query: doc.Query, StartTs: s.startTs, CommitNow: s.startTs == 0}
	for _, m := range doc.Mutations {
		req.Mutations = append(req.Mutations, &api.Mutation{Cond: m.Cond, SetNquads: m.Set, DelNquads: m.Del})
	}
	if _, err := s.d.Do(context.Background(), req, alpha.Options{}); err != nil {
		s.t.Fatal(err, u.text())
	}
	if s.startTs == 0 { // a strong read waits until the commit is applied
		if _, err := s.d.Do(context.Background(), &api.Request{Query: "{ q(func: uid(1)) { uid } }", ReadOnly: true}, alpha.Options{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// everythingOf asks for all that a graph holds, edges both ways.
func everythingOf(g *triples) *query {
	b := &node{kind: block, alias: "all", fn: &cond{op: "uid", uids: g.nodes}, kids: []*node{{kind: uidOf}}}
	for _, p := range predicates() {
		k := &node{kind: scalar, pred: p.name}
		if p.facets {
			k.facets = &facets{all: true}
		}
		if p.lang {
			k.pred += "@*"
		}
		if p.kind == "uid" {
			k.kind, k.kids = edge, []*node{{kind: uidOf}}
			b.kids = append(b.kids, &node{kind: edge, pred: "~" + p.name, kids: []*node{{kind: uidOf}}})
		}
		b.kids = append(b.kids, k)
	}
	return &query{blocks: []*node{b}}
}
