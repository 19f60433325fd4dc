// Package oracle checks the engine against a second, naive reading of the language. It makes random graphs and random queries over
// them, and a small evaluator answers these from sets of triples: no indexes, no columns, no plan, every question asked anew for
// each node. What the server says must be the same, byte for byte.
//
// A seed is one graph and many queries. A query is made as a tree, printed for the server, and evaluated from the tree, so that
// the parser is under test too, and some are spelled in other ways that mean the same. Where the answers differ the tree is cut down
// to the least that still differs. Graphs are loaded in many ways, also into transactions that stay open, and upserts change them.
//
// The evaluator knows root functions, filters, traversal, paging, order, variables and their propagation, math, aggregation,
// @groupby, @cascade, @recurse, @normalize, @ignorereflex, facets, languages, expand, shapes on the globe, and shortest paths. It
// follows the facts of the language's description, whose numbers the comments give, and must not follow the engine's code. What is
// the same in both is written twice on purpose (the order of values, the operators): shared code would be wrong on both sides
// alike. Where the description leaves something open the maker does not ask for it, or the evaluator says that it does as the
// engine does.
package oracle
