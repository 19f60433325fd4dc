//go:build race

package raftgroup

// underRace says that the race detector runs, which a simulation in one goroutine has no use for.
const underRace = true
