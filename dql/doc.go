// Package dql reads the query language: text to tokens, tokens to a syntax tree, and the tree back to
// canonical text.
//
// It knows no schema and no data. What the text alone decides is checked here: the grammar, names, arities,
// that every variable is defined once and used, that fragments resolve. What needs a schema is checked by
// package query.
//
// Query variables ($x) are substituted while parsing: a value becomes a value in the tree and is never
// pasted into text. The tree therefore holds no $ any more, and the printer writes the values as literals.
//
// Invariants:
//   - Print(Parse(text)) parses to an equal tree.
//   - No input makes the parser panic, recurse deeper than Options.Depth or build a tree larger than
//     Options.Nodes.
//
// The functions of this package are pure and may be called concurrently. A tree is not changed after Parse
// returned it and may be shared.
package dql
