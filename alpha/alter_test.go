package alpha

import (
	"context"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema"
)

// A write that met a predicate on first sight must not undo a definition that came in between: this node may know of it already when
// the write asks for the predicate to be made.
func TestFirstSightOverwritesNothing(t *testing.T) {
	p := plan{}.start(t)
	p.alter(t, "seen: int @index(int) @upsert .")
	guess := &schema.Predicate{Name: graph.Pred("seen"), Type: types.Default}
	if err := p.createPredicates(context.Background(), []*schema.Predicate{guess}); err != nil {
		t.Fatal(err)
	}
	if def, _ := p.Schema().Predicate(guess.Name); def == nil || def.Type != types.Int || len(def.Index) != 1 {
		t.Errorf("the predicate became %+v", def)
	}
}
