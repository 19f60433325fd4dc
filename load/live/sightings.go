package live

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/mutation/nquad"
	"dragg/schema"
)

// sightings knows which predicates exist. JSON says more of a predicate on first sight than the N-Quads that are sent: an
// array makes a list, an object a single edge. So such predicates are made before the first statement is sent.
type sightings struct{ known map[string]bool }

// learnSchema asks the server what exists.
func (l *loader) learnSchema(ctx context.Context) (*sightings, error) {
	var resp *api.Response
	err := l.opening(ctx, "the schema query", func(ctx context.Context) (err error) {
		resp, err = l.client.Query(ctx, &api.Request{Query: "schema {}", ReadOnly: true})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	var s struct{ Schema []struct{ Predicate string } }
	if err := json.Unmarshal(resp.Json, &s); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	known := map[string]bool{}
	for _, p := range s.Schema {
		known[p.Predicate] = true
	}
	return &sightings{known}, nil
}

// ensure makes the predicate of a JSON statement, if nobody knows it.
func (l *loader) ensure(ctx context.Context, q *nquad.Quad) error {
	if l.seen.known[q.Predicate] {
		return nil
	}
	first := schema.FirstSight{Type: q.Value.Type(), Many: q.Origin == nquad.FromArray, Tagged: q.Lang != ""}
	if q.Object.Kind != nquad.Absent {
		first.Type = types.UID
	}
	def, err := schema.Infer(graph.Pred(q.Predicate), first)
	if err != nil {
		return err
	}
	err = l.patiently(ctx, "a new predicate", func() error {
		return l.client.Alter(ctx, &api.Operation{Schema: string(def.AppendText(nil))})
	})
	if err != nil {
		return fmt.Errorf("making predicate %s on first sight: %w", q.Predicate, err)
	}
	l.seen.known[q.Predicate] = true
	return nil
}
