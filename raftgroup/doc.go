// Package raftgroup runs one member of one Raft group: etcd's raft around a durable log (raftlog) and a state machine (fsm).
//
// It is two things, kept apart:
//
//   - stepper: the pure part. It owns the RawNode and its in-memory log tail; it has no clock, no goroutine and does no I/O.
//     Ticks, proposals and messages go in, a Ready comes out. A simulation drives it directly.
//   - Group: the thin driver around it. Three goroutines, all owned by Run: the driver (ticks, proposals, fsync), the applier
//     (hands committed entries to the machine in batches) and the checkpointer (asks the machine for a snapshot, records it in
//     the log, trims).
//
// # The order that carries durability
//
// An entry is written to the log and synced before it is acknowledged, before it is applied and before any message that
// depends on it leaves. A checkpoint is: machine.Snapshot (storage barrier; Durable moves) → mark in the log (synced) →
// delete segments below it. A crash between any two of these steps replays entries that are durable already; the machine's
// Apply is idempotent for them and the applier skips what Durable covers.
//
// # Proposals
//
// Propose returns the machine's own result for the entry. When the group stops or loses its leader with a proposal in flight
// the outcome is unknown, and the error says so (fault.Unknown): it is never proposed again.
//
// # Threading
//
// All methods of Group are safe for concurrent use. Errors of the log or the machine end Run: the process must stop, since a
// retried fsync proves nothing.
package raftgroup
