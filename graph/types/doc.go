// Package types holds scalar values: what kinds exist, how they convert into one another, compare, print, and
// how they are stored. It is pure: no schema, no storage, no clock.
//
// It is not the place for rules of one predicate (schema) or for index tokens (schema/tok).
//
// A value has four forms:
//   - the Value itself, immutable and safe to share between goroutines;
//   - client text (Parse, AppendText), what an RDF literal holds;
//   - JSON (AppendJSON), what an answer holds;
//   - stored bytes (AppendBinary, Decode), compact, stable and without order. The type is stored beside the bytes,
//     never within them. Order-preserving bytes are index tokens and live in schema/tok.
//
// Everything that reads foreign bytes is bounded and returns an error: a bigfloat's exponent, the depth of a
// GeoJSON document, the length of a vector.
package types
