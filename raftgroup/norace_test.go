//go:build !race

package raftgroup

// underRace says that the race detector runs.
const underRace = false
