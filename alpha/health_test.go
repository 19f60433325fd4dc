package alpha

import (
	"slices"
	"testing"

	"dragg/graph"
	"dragg/schema"
)

// Tools wait for indexes by what /health says is going on, under the names that the documentation of Dgraph gives.
func TestHealthNamesWhatIsBuilt(t *testing.T) {
	var h health
	h.builds([]*schema.Predicate{{Name: graph.Pred("age")}})
	if h.Ongoing != nil || h.Indexing != nil {
		t.Errorf("nothing is built, and it says %+v", h)
	}
	h.builds([]*schema.Predicate{
		{Name: graph.Pred("age")},
		{Name: graph.Pred("friend"), Building: []string{schema.BuildingReverse}},
		{Name: graph.Pred("name"), Building: []string{"term", "exact"}},
	})
	if !slices.Equal(h.Ongoing, []string{"opIndexing"}) || !slices.Equal(h.Indexing, []string{"friend", "name"}) {
		t.Errorf("got %+v", h)
	}
}
