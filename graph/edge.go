package graph

import "dragg/graph/types"

// Facet is a key and a value on an edge or on a value of a node. The value is a string, int, float, bool or datetime.
type Facet struct {
	Key   string
	Value types.Value
}

// EdgeOp says what an Edge does to the graph.
type EdgeOp uint8

// What a mutation can do with one subject and predicate.
const (
	Set       EdgeOp = iota // S P O: add the edge, or set the value
	Delete                  // S P O: remove that edge or value, if it is there
	DeleteAll               // S P *: remove every edge or value; with Lang, only the value of that language
)

// Edge is one validated change: a quad whose blank nodes are uids, whose value has the type of the schema, and whose
// predicate has a tablet.
type Edge struct {
	Subject   UID
	Predicate Predicate
	Op        EdgeOp
	// Object is the target of a uid edge, 0 otherwise.
	Object UID
	// Value is the value of a scalar edge, already converted to the predicate's type. It is unused where Object is set
	// and for DeleteAll.
	Value types.Value
	// Lang is the language tag of the value, "" for untagged. With DeleteAll, "" stands for all languages.
	Lang   string
	Facets []Facet
}
