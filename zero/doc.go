// Package zero is the coordinator process: one Raft group over zero/state, the leader's duties around it, and its two
// surfaces, gRPC for other nodes and HTTP for people.
//
// The leader draws timestamps from memory within a replicated bound, and collects commit requests into batches, one log entry
// each. It decides nothing: verdicts are computed when the entry is applied.
//
// Server implements cluster.Zero, so that an Alpha in the same process calls it directly.
package zero
