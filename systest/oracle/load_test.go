package oracle

import (
	"context"
	encoding "encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha"
)

// load replaces all data by a graph. Where s.way is not 0, it draws how: as N-Quads or JSON, over another graph that is deleted at
// the same time or before, in as many ways as there are to delete, committed or not. What is not committed is asked for within its
// transaction.
func (s *server) load(g *triples) {
	s.t.Helper()
	s.forget()
	ctx := context.Background()
	if err := s.d.Alter(ctx, &api.Operation{DropOp: api.Operation_DATA}); err != nil {
		s.t.Fatal(err)
	}
	if s.way == 0 {
		s.change(true, &api.Mutation{SetNquads: []byte(g.quads())})
	} else {
		s.loadOver(rand.New(rand.NewPCG(s.way, 2)), g)
	}
	// A strong read waits until the commit is applied; from then on the replica's own watermark is good enough.
	if _, err := s.d.Do(ctx, &api.Request{Query: "{ q(func: uid(1)) { uid } }", ReadOnly: true}, alpha.Options{}); err != nil {
		s.t.Fatal(err)
	}
}

// forget ends the transaction of a graph that is not committed.
func (s *server) forget() {
	s.t.Helper()
	if s.startTs == 0 {
		return
	}
	if _, err := s.d.CommitOrAbort(context.Background(), &api.TxnContext{StartTs: s.startTs, Aborted: true}); err != nil {
		s.t.Fatal(err)
	}
	s.startTs = 0
}

// change carries out a request with mutations, commits it or leaves its transaction open.
func (s *server) change(commit bool, list ...*api.Mutation) {
	s.t.Helper()
	resp, err := s.d.Do(context.Background(), &api.Request{StartTs: s.startTs, CommitNow: commit, Mutations: list}, alpha.Options{})
	if err != nil {
		s.t.Fatalf("way %d: %v", s.way, err)
	}
	if s.startTs = resp.Txn.StartTs; commit {
		s.startTs = 0
	}
}

// loadOver loads a graph in the place of another one.
func (s *server) loadOver(rnd *rand.Rand, g *triples) {
	s.t.Helper()
	other := randomGraph(rnd)
	commit := rnd.IntN(2) == 0
	s.change(commit || rnd.IntN(3) > 0, other.setting(rnd))
	deletion, set := other.deletion(rnd), g.setting(rnd)
	switch rnd.IntN(3) {
	case 0:
		deletion.SetNquads, deletion.SetJson = set.SetNquads, set.SetJson // all deletions come first (fact 99)
		s.change(commit, deletion)
	case 1:
		s.change(commit, deletion, set)
	default:
		s.change(commit && rnd.IntN(2) == 0, deletion)
		s.change(commit, set)
	}
}

// setting is a mutation that sets the graph.
func (g *triples) setting(rnd *rand.Rand) *api.Mutation {
	if rnd.IntN(2) == 0 {
		return &api.Mutation{SetNquads: []byte(g.quads())}
	}
	return &api.Mutation{SetJson: marshal(slices.Collect(maps.Values(g.objects())))}
}

func marshal(v any) []byte {
	b, err := encoding.Marshal(v)
	if err != nil {
		panic(err) // what the graph is made of
	}
	return b
}

// objects returns the nodes of the graph as JSON objects, with their edges and facets.
func (g *triples) objects() map[uid]map[string]any {
	all := map[uid]map[string]any{}
	of := func(u uid) map[string]any {
		if all[u] == nil {
			all[u] = map[string]any{"uid": u.String()}
		}
		return all[u]
	}
	for attr, nodes := range g.values {
		for u, list := range nodes {
			g.putValues(of(u), attr, u, list)
		}
	}
	for pred, nodes := range g.edges {
		for u, list := range nodes {
			if pred[0] == '~' {
				continue
			}
			var targets []any
			for _, to := range list {
				target := map[string]any{"uid": to.String()}
				for _, f := range g.onEdge(pred, u, to) {
					target[pred+"|"+f.key] = asJSON(f.v)
				}
				targets = append(targets, target)
			}
			if of(u)[pred] = any(targets); single(pred) {
				of(u)[pred] = targets[len(targets)-1]
			}
		}
	}
	return all
}

// putValues adds the values of one attribute to an object.
func (g *triples) putValues(o map[string]any, attr string, u uid, list []value) {
	if isList(attr) {
		var values []any
		for i, v := range list {
			values = append(values, asJSON(v))
			for _, f := range g.onValue(attr, u, v) {
				key := attr + "|" + f.key
				if o[key] == nil {
					o[key] = map[string]any{}
				}
				o[key].(map[string]any)[plain(int64(i))] = asJSON(f.v)
			}
		}
		o[attr] = values
		return
	}
	v := list[len(list)-1]
	o[attr] = asJSON(v)
	for _, f := range g.onValue(attr, u, v) {
		o[attr+"|"+f.key] = asJSON(f.v)
	}
}

// asJSON is a value in a JSON mutation: what has a point is a float (fact 103).
func asJSON(v value) any {
	switch v := v.(type) {
	case float64:
		text := plain(v)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return encoding.Number(text)
	case shape:
		return encoding.RawMessage(v)
	case int64, bool:
		return v
	}
	return plain(v)
}

// deletion is a mutation that deletes all of the graph.
func (g *triples) deletion(rnd *rand.Rand) *api.Mutation {
	if rnd.IntN(3) == 0 {
		return &api.Mutation{DeleteJson: marshal(g.deletedObjects(rnd))}
	}
	var b strings.Builder
	g.each(func(line string, _ func(*triples)) {
		f := strings.SplitN(strings.TrimSuffix(line, " ."), " ", 3)
		object, _, _ := strings.Cut(f[2], " (") // no value has this in it
		switch tag := strings.LastIndex(object, `"@`); {
		case rnd.IntN(3) == 0:
			b.WriteString(f[0] + " " + f[1] + " " + object + " .\n")
		case tag >= 0 && rnd.IntN(2) == 0:
			b.WriteString(f[0] + " " + strings.TrimSuffix(f[1], ">") + object[tag+1:] + "> * .\n")
		default:
			b.WriteString(f[0] + " " + f[1] + " * .\n")
		}
		if rnd.IntN(4) == 0 {
			b.WriteString(f[0] + " * * .\n") // what the node's types list, and the types (fact 100)
		}
	})
	return &api.Mutation{DelNquads: []byte(b.String())}
}

// deletedObjects are objects that delete the graph.
func (g *triples) deletedObjects(rnd *rand.Rand) (list []map[string]any) {
	for _, o := range g.objects() {
		for key := range o {
			switch {
			case strings.Contains(key, "|"):
				delete(o, key)
			case key != "uid" && rnd.IntN(2) == 0:
				o[key] = nil
			}
		}
		list = append(list, o)
	}
	return list
}
