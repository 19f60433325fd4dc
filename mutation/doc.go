// Package mutation turns the quads of a request into validated edges: names become predicates, blank nodes and variables
// become uids, values get the type of the schema, stars become the predicates they stand for.
//
// It decides nothing about storage: index, reverse and count entries are derived later, by the group that holds the
// predicate. What it must read (the types of a node for S * *, other holders of a @unique value) it asks of a task.Runner at
// the transaction's start timestamp.
//
// Within a step all deletions come before all sets (dql.md fact 99); steps follow one another.
package mutation
