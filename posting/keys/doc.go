// Package keys is the layout of keys on disk: which posting list is stored where.
//
// Every key starts with the incarnation of the tablet copy it belongs to, so that dropping or moving a
// predicate leaves nothing behind that could be mistaken for live data, and one prefix delete cleans up.
// Numbers are big-endian and tokens are raw bytes, so that keys sort as uids, counts and sortable tokens do.
// docs/format/keys.md draws every byte.
//
//	incarnation (8) | kind (1) | data, reverse:  uid (8)
//	                           | index:          tokenizer (1) | language | 0x00 | token
//	                           | count, reverse count: n (4)
//	                           | part:           kind and rest of the parent's key | first element (8)
//
// Incarnation 0 is not a tablet: under it a replica keeps its own records ([Meta]).
//
// Each constructor has an Append form that writes into the caller's buffer and does not allocate. The package
// is pure and safe for concurrent use.
package keys
