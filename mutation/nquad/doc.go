// Package nquad reads mutations: N-Quads (W3C RDF 1.1 N-Quads, with facets, stars and upsert variables added) and JSON
// objects (dql.md 1.9). What comes out is quads as the client wrote them; the package knows no schema and resolves no name.
//
// Errors name the line and column (N-Quads) or the key (JSON). Readers hold no state between calls and are bounded: depth of
// JSON nesting, bytes of a line. No input makes them panic.
package nquad
