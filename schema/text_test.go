package schema

import (
	"errors"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
)

// A definition whose texts are not UTF-8 is refused when it is read: applied, it could not be stored with the state any more.
func TestTextsAreUTF8(t *testing.T) {
	for name, p := range map[string]*Predicate{
		"name":     {Name: graph.Pred("a\xff"), Type: types.Int},
		"building": {Name: graph.Pred("a"), Type: types.Int, Building: []string{"\xc0"}},
	} {
		if _, err := DecodePredicate(p.AppendBinary(nil)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a bad %s: %v", name, err)
		}
	}
	if _, err := DecodeType((&Type{Name: "T", Fields: []string{"\xff"}}).AppendBinary(nil)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a bad field: %v", err)
	}
}
