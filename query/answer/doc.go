// Package answer holds what a query found and writes it as JSON or RDF.
//
// An Answer is columnar: a Node is one field for all objects of its level at once, with one row for each
// object. Package query fills it; nothing here reads data, a schema or a plan. Objects exist only while
// they are written, straight into the caller's buffer.
//
// An Answer is not changed once it is filled and may be written several times, also concurrently.
//
// The shapes are those of dql.md facts 1 to 30, 44, 55, 68 and 74.
package answer
