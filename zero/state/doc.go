// Package state is Zero's replicated state machine: members, tablets, leases, commit verdicts, and the ordered stream of
// events that each group of Alphas follows.
//
// Every decision is made in Apply, from the log entry and the state alone: a fail-over of Zero loses no conflict state and
// aborts nobody. What the leader adds from outside (timestamps it draws, how far it leases) is in the entry.
//
// # The stream
//
// Verdicts, tablet changes and type changes reach a group in one gap-free numbered stream, in log order. So a group cannot
// know a verdict without knowing every ownership and schema change before it. Events are kept until the group acknowledges
// them. Together with the events travels a watermark: every commit timestamp up to it is decided.
//
// # Threading
//
// Apply and Restore are called by one goroutine; everything else is safe at any time. Durability: a snapshot file beside the
// log, written to a temporary name, synced and renamed. Another Zero is sent what that file holds.
package state
