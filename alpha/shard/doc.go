// Package shard is one group's replicated state on one replica: the tablets the group owns, their schema, the transactions
// that wait for a verdict, and the posting lists. It implements fsm.Machine for the group's Raft log and task.Runner for
// queries.
//
// # What the log holds
//
// Two kinds of entry: prewrites (a transaction's derived changes, kept pending under its start timestamp) and pieces of Zero's
// stream (verdicts, tablet and type changes, the watermark). A prewrite derived under an old epoch of a tablet is refused when
// it is applied. A verdict stores the pending changes at the commit timestamp; counts are derived at that moment, in log order.
//
// # Reading
//
// Published state (schema, tablets, watermark, pending transactions) is one immutable value behind an atomic pointer: readers
// take it once and need no lock. A reader at R first waits until the watermark has passed the commits drawn before R.
//
// # Durability
//
// The engine is written without sync. A checkpoint is: barrier → the replica's record (applied index, tablets, pending) →
// barrier → Durable moves. Until then the log is kept and replayed; replay writes the same bytes at the same timestamps.
//
// # Other replicas
//
// A snapshot is a capture between two batches: it names a horizon and a bound, and what lies between is streamed while Apply goes
// on. Restore fills a second store and switches (transfer.go). What came of a stream that broke stays in that store, up to a
// position between two lists, and only the rest is sent (position.go, load.go). Which index builds are complete is each replica's
// own knowledge (local.go).
//
// # Threading
//
// Apply and Restore run on one goroutine. Everything else may be called concurrently. Who reads the engine outside of Apply passes
// the gate, which Restore shuts for the moment of its switch. Lock order: a transaction's derivation lock, then Shard.recording,
// then Shard.batch, then Shard.mu. Readers never need batch, so that a full disk, which holds Apply up, does not hold them up.
package shard
