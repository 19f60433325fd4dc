// Package uidset holds sorted sets of uids: what a posting list, an index entry and a query frontier are made of.
//
// A [Set] is immutable, so it may be shared by any number of goroutines and kept in a cache. A small or a
// sparse set is a sorted slice; a large dense one is a Roaring bitmap (Lemire et al., "Roaring Bitmaps:
// Implementation of an Optimized Software Library", 2018). Which of the two it is cannot be seen from
// outside. The slice functions ([Intersect], [Union], [Difference], [MergeK]) work on frontiers, which
// queries keep as plain sorted slices.
//
// The stored form (AppendBinary, FromBinary) depends on the members alone, not on how the set was made, and
// is described in docs/format/posting.md. Decoding is safe on any bytes.
//
// It is not a map: facets and values of the members live beside the set, in package posting.
package uidset
