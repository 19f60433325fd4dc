// Package schema holds the definitions of predicates and types: the schema language (Parse, AppendText),
// immutable snapshots of everything defined, what may change while data exists, and what a change asks to be
// rebuilt.
//
// It does not store anything, it holds no data, and it knows no groups: a predicate's placement is the
// cluster's business.
//
// A Snapshot is immutable, so readers need no lock; With makes a new one. A *Predicate or *Type that is in a
// Snapshot must not be changed by anybody.
package schema
