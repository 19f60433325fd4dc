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
func learnSchema(ctx context.Context, client Client) (*sightings, error) {
	resp, err := client.Query(ctx, &api.Request{Query: "schema {}", ReadOnly: true})
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
func (s *sightings) ensure(ctx context.Context, client Client, q *nquad.Quad) error {
	if s.known[q.Predicate] {
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
	if err := client.Alter(ctx, &api.Operation{Schema: string(def.AppendText(nil))}); err != nil {
		return fmt.Errorf("making predicate %s on first sight: %w", q.Predicate, err)
	}
	s.known[q.Predicate] = true
	return nil
}
