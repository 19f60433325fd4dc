// Package arith is the arithmetic of the query language: the operators and functions of math() and the
// aggregates min, max, sum and avg.
//
// It works on single values and on streams of them; it knows no nodes, variables or schema. An operation
// that is not defined for its operands (division by zero, overflow of an int, text in a sum) gives an
// error, and it is the caller who lets the field vanish (dql.md fact 61). All functions are pure, but for
// Since, which is handed the current time.
package arith
