// Package lookup answers the tasks of a query (query/task) from the posting lists of this replica: edges,
// values and counts of a frontier, and the nodes for which a function holds.
//
// It is not a planner: what to ask, in which order, and what to make of several predicates is package query's
// business. It knows no groups and waits for nothing: the caller has made sure that the view is complete up
// to its timestamp.
//
// A function becomes a condition with two sides: a test of a node's values, and, where an index serves it, a
// search that returns who surely meets it and who may. At the root the search runs alone; in a filter it runs
// where the frontier is large enough for it to pay, and gives up where the index turns out to be larger than
// the frontier.
//
// Invariant: search and test agree, so that a filter's answer does not depend on how it was computed
// (lookup_test checks them against each other). Errors are worded for the client; none is swallowed (dql.md
// fact 93).
//
// Threading: Run uses the view it is given, so one view is for one Run at a time.
package lookup
