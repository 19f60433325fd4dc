package cycle

import (
	"fmt"

	"dragg/systest/history"
)

// Kind names what a history violates. A cycle that needs the order within a session or of real time is named with the suffix
// "-process" or "-realtime".
type Kind = history.Kind

// The kinds.
const (
	// G0: a cycle of overwrites.
	G0 Kind = "G0"
	// G1a: what an aborted transaction wrote was read.
	G1a Kind = "G1a"
	// G1b: a value was read that its writer replaced before it committed.
	G1b Kind = "G1b"
	// G1c: a cycle of overwrites and reads.
	G1c Kind = "G1c"
	// GSingle: a cycle with one anti-dependency (read skew).
	GSingle Kind = "G-single"
	// GNonadjacent: a cycle with several anti-dependencies, no two of them next to each other (long fork).
	GNonadjacent Kind = "G-nonadjacent"
	// Internal: a transaction contradicts its own earlier reads and writes.
	Internal Kind = "internal"
	// LostUpdate: two transactions read the same version and both replaced it.
	LostUpdate Kind = "lost-update"
	// DuplicateElements: a value is in a list twice.
	DuplicateElements Kind = "duplicate-elements"
	// IncompatibleOrder: of two reads of a list neither is the beginning of the other.
	IncompatibleOrder Kind = "incompatible-order"
	// CyclicVersions: the versions of a register cannot be put in an order.
	CyclicVersions Kind = "cyclic-versions"
	// FutureRead: a transaction saw what it wrote only later itself.
	FutureRead Kind = "future-read"
	// LostAppend: an acknowledged append is in no read, though reads began after it was acknowledged.
	LostAppend Kind = "lost-append"
	// UnwrittenRead: a value was read that nobody wrote.
	UnwrittenRead Kind = "unwritten-read"
)

// The suffixes of cycles that need more than data.
const (
	inSession  Kind = "-process"
	inRealTime Kind = "-realtime"
)

// Violation is one finding. Its transactions are named by their places in the history.
type Violation = history.Violation

// Report is the result of a check.
type Report struct {
	history.Findings
	// Committed counts the transactions that have a place in the order, Seen those of them whose client never learned it.
	Committed, Seen int
	// Edges counts the dependencies that were inferred.
	Edges int
	// Skews counts the groups of transactions that are serializable in no order, though snapshot isolation allows them. None in a
	// long history says that the workload asks for too little.
	Skews int
}

// String renders the report.
func (r *Report) String() string {
	return fmt.Sprintf("%d committed (%d of them seen by others only), %d edges, %d write skews: %s",
		r.Committed, r.Seen, r.Edges, r.Skews, &r.Findings)
}
