// Package fsck checks the data of a server that is down: whether everything that is derived agrees with what it was derived
// from, and nothing lies on disk that nobody answers for.
//
// Run opens a data folder the way a server does, Raft log included, since the newest state is in the log: what a killed
// server had accepted is applied as its next start would apply it. Then Check compares, tablet by tablet, at the watermark:
//
//   - index keys with the tokens of the stored values, in all tokenizers and languages;
//   - reverse keys with the edges, facets included;
//   - count keys with the lengths of lists, forward and reverse;
//   - every key with the layout (posting/keys) and its incarnation with the tablets that are there or wait for deletion;
//   - pending transactions with the verdicts that are known.
//
// # Method
//
// Both directions of a comparison are one sum: every derived entry that the data calls for is added to a bucket chosen by a
// hash of key and uid, every entry that is stored is subtracted. Buckets that end at zero agree. Only where some do not are
// the data read a second time, to name what differs in as many of these buckets as fit the memory. So a check reads
// everything once, in order, and its memory does not grow with the data.
//
// The tokens are computed from the schema and schema/tok alone, not by posting, whose work is under test.
//
// It is not a repair: it reports. It knows one replica and, where its folder is beside, Zero; it asks nobody over the network.
//
// Threading: one goroutine checks; Progress is called on it.
package fsck
