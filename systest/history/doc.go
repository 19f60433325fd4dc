// Package history records what concurrent transactions saw and did, and checks afterwards that it was snapshot isolation.
//
// A history is a list of transactions: when each was begun and answered in real time, the timestamps it got, what it wrote,
// what it read and how it ended. Data is a set of registers: a name and a text, "" for nothing. Everything else is said in
// registers: an edge is a register that holds "1" or nothing, an answer of an index is a match on the registers of all nodes it
// might have named, a count is a match with a number.
//
// [Check] trusts the timestamps that the system gave and holds it to them (a white box check, O(n log n)):
//
//   - a read shows the newest commit at or below the transaction's start, or the transaction's own write;
//   - nothing is read that was never committed;
//   - of two committed transactions that wrote the same, one began after the other had committed;
//   - a transaction that begins after another's commit was acknowledged has it in its snapshot (strong snapshot isolation);
//   - no timestamp is given out twice.
//
// It is not a serializability checker: write skew passes, as it must.
//
// An outcome may be unknown. With its commit timestamp, learned later, such a transaction is like any other; without, its
// writes may or may not be seen, but a reader that sees them must not be followed, in the order of snapshots, by one that
// does not.
//
// Threading: a Recorder may be shared; a Txn belongs to who began it until End; checked histories are read only.
//
// Sources: Berenson et al., "A Critique of ANSI SQL Isolation Levels" (first committer wins); Cerone and Gotsman, "Analysing
// Snapshot Isolation"; the anomalies are named after Adya.
package history
