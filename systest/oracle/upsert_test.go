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
			s.upsert(u, rnd.IntN(2) == 0)
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

// upsert carries out a document, in the transaction of the graph if it is in one, perhaps with its statements as JSON.
func (s *server) upsert(u *upsert, inJSON bool) {
	s.t.Helper()
	doc, err := dql.ParseMutationDoc(u.text())
	if err != nil {
		s.t.Fatal(err, u.text())
	}
	req := &api.Request{Query: doc.Query, StartTs: s.startTs, CommitNow: s.startTs == 0}
	for i, m := range doc.Mutations {
		change := &api.Mutation{Cond: m.Cond, SetNquads: m.Set, DelNquads: m.Del}
		if inJSON {
			change = &api.Mutation{Cond: m.Cond, SetJson: marshal(stated(u.steps[i].set)), DeleteJson: marshal(stated(u.steps[i].del))}
		}
		req.Mutations = append(req.Mutations, change)
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

// stated returns statements as JSON objects.
func stated(list []statement) []map[string]any {
	out := []map[string]any{}
	for _, s := range list {
		o := map[string]any{"uid": "uid(" + s.subject + ")"}
		target := map[string]any{}
		var facets []facet // of a value
		switch v := s.fixed.(type) {
		case everything:
			o[s.pred] = nil
		case uid:
			target["uid"] = v.String()
		case nil:
			if target["uid"] = "uid(" + s.to + ")"; s.from != "" {
				delete(target, "uid")
				o[s.pred] = "val(" + s.from + ")"
			}
		default:
			o[s.pred], facets = asJSON(v), s.facets
		}
		for _, f := range facets {
			if o[s.pred+"|"+f.key] = asJSON(f.v); isList(s.pred) {
				o[s.pred+"|"+f.key] = map[string]any{"0": asJSON(f.v)}
			}
		}
		if facets != nil && isList(s.pred) {
			o[s.pred] = []any{o[s.pred]}
		}
		if len(target) > 0 {
			for _, f := range s.facets {
				target[s.pred+"|"+f.key] = asJSON(f.v)
			}
			o[s.pred] = target
		}
		out = append(out, o)
	}
	return out
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
