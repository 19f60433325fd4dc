// Package zero is the coordinator process: one Raft group over zero/state, the leader's duties around it, and its two
// surfaces, gRPC for other nodes and HTTP for people.
//
// The leader draws timestamps from memory within a replicated bound, and collects commit requests into batches, one log entry
// each. It decides nothing: verdicts are computed when the entry is applied.
//
// Several Zeros are one group, of which one leads; the others answer that they do not, and callers turn to the next
// (cluster.Client). A start timestamp is given out only after a majority has confirmed that the leader still leads.
//
// Server implements cluster.Zero, so that an Alpha in the same process calls it directly.
package zero
