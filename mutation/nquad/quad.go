package nquad

import (
	"dragg/graph"
	"dragg/graph/types"
)

// NodeKind says how a node was written.
type NodeKind uint8

// The ways to write a node.
const (
	Absent   NodeKind = iota // no node: the object is a value, or a JSON object had no uid
	Named                    // <0x1>, or any other IRI: Name is the text between the brackets
	Blank                    // _:name: Name is what follows the colon
	Variable                 // uid(v): Name is the variable
	Star                     // *
)

// Node is a subject or an object that is a node.
type Node struct {
	Kind NodeKind
	Name string
}

// Origin says where a quad came from, for what is inferred of a predicate on first sight (dql.md fact 107).
type Origin uint8

// The origins.
const (
	FromRDF    Origin = iota // an N-Quad
	FromObject               // a JSON value, or object, on its own
	FromArray                // an element of a JSON array
)

// Quad is one statement of a mutation.
type Quad struct {
	Subject Node
	// Predicate is the name; "*" with StarPredicate.
	Predicate     string
	StarPredicate bool
	// Object is the target of an edge, or Star for every value. Absent when the object is a value.
	Object Node
	// Value is the literal, of the type it was written with; Default when it had none. Unused where Object or ValueOf is set.
	Value types.Value
	// ValueOf is the variable of val(v), "" for none.
	ValueOf string
	// Lang is the language tag, "" for untagged.
	Lang   string
	Facets []graph.Facet
	Origin Origin
}

// HasValue reports whether the object is a literal.
func (q *Quad) HasValue() bool { return q.Object.Kind == Absent && q.ValueOf == "" }

// IsStar reports whether the object is a star.
func (q *Quad) IsStar() bool { return q.Object.Kind == Star }
