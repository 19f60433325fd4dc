// Package sim runs a whole cluster in one goroutine, from one seed: Zeros, groups of Alphas, clients that transfer money, and tablets
// that move, while nodes crash, forget what was not synced, fall behind, are cut off and change leaders. A seed that fails runs the
// same again.
//
// What is real: Zero's state machine, the shards, their engine's crash semantics (storage/memkv), posting lists, and the driver of
// moves. What stands in for the rest: a log per group that a majority agrees on (package raftgroup has a simulation of its own), a
// network that delays, loses, repeats and cuts, and a clock that runs as fast as there is something to do.
//
// Everything that waits is a coroutine: it gives way to the scheduler until its condition holds. So what is written to block, as the
// driver of moves, runs unchanged.
//
// At the end everything heals, and then: the history is snapshot isolation, no acknowledged commit is lost, every snapshot held the
// same money, every replica of a group holds the same, and fsck finds nothing.
//
// Source: the deterministic simulation of FoundationDB (Zhou et al., SIGMOD 2021).
package sim
