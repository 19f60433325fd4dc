package schema

import (
	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema/tok"
)

// Predicate is the definition of one predicate. It is immutable once published.
type Predicate struct {
	Name graph.Predicate
	Type types.ID
	// List says that a node may have many values or edges of this predicate: [string], [uid].
	List bool
	// Index holds the tokenizers in the order of the schema text; empty when there is no index.
	Index []tok.Tokenizer
	// Building names tokenizers of Index (and "reverse", "count") whose keys are written but not yet complete for
	// older data: writes maintain them, queries may not use them.
	Building   []string
	Reverse    bool
	Count      bool
	Lang       bool
	Upsert     bool
	Unique     bool
	NoConflict bool
}

// Type is a type definition: a name and the fields that expand and delete-all go by.
type Type struct {
	Name string
	// Fields are predicate names in the order of the text; a reverse field starts with ~.
	Fields []string
}
