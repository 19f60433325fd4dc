package schema

import (
	"fmt"

	"dragg/graph"
	"dragg/graph/types"
)

// FirstSight is what a mutation shows of a predicate that has no definition yet.
type FirstSight struct {
	// Type is the type of the value, types.UID for an edge.
	Type types.ID
	// Many says that one request gave one node several values or edges, or that JSON gave an array. An N-Quad
	// edge counts as many as well; a JSON object as one.
	Many bool
	// Tagged says that a value has a language tag.
	Tagged bool
}

// Infer returns the definition of a predicate on first sight (dql.md fact 107). It refuses reserved names,
// language tags, and lists of a type that has none.
func Infer(name graph.Predicate, f FirstSight) (*Predicate, error) {
	switch {
	case IsReserved(name.Name):
		return nil, fmt.Errorf("can't store predicate `%s` as it is prefixed with `%s` which is reserved as the "+
			"namespace for the system's internal types/predicates", name.Name, graph.Reserved)
	case f.Tagged:
		return nil, fmt.Errorf(
			"attr: [%s] should have @lang directive in schema to store values with a language tag",
			name.Name,
		)
	case f.Many && !listable(f.Type):
		return nil, fmt.Errorf("unsupported type for list: [%s]", f.Type)
	}
	return &Predicate{Name: name, Type: f.Type, List: f.Many}, nil
}

// listable reports whether [id] is a type (dql.md 1.7).
func listable(id types.ID) bool { return id != types.Bool && id != types.Password }
