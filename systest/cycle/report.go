package cycle

import (
	"fmt"
	"strings"
)

// Kind names what a history violates. A cycle that needs the order within a session or of real time is named with the suffix
// "-process" or "-realtime".
type Kind string

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

// MaxViolations is how many findings a report holds.
const MaxViolations = 50

// Violation is one finding.
type Violation struct {
	Kind Kind
	// Txns are the places in the history of the transactions involved.
	Txns   []int
	Detail string
}

// String renders the finding on one line.
func (v Violation) String() string { return fmt.Sprintf("%s: %v: %s", v.Kind, v.Txns, v.Detail) }

// Report is the result of a check.
type Report struct {
	// Violations are the findings, at most MaxViolations of them.
	Violations []Violation
	// More is how many findings were left out.
	More int
	// Committed counts the transactions that have a place in the order, Seen those of them whose client never learned it.
	Committed, Seen int
	// Edges counts the dependencies that were inferred.
	Edges int
	// Skews counts the groups of transactions that are serializable in no order, though snapshot isolation allows them. None in a
	// long history says that the workload asks for too little.
	Skews int
}

// Kinds returns how often each kind was found, those left out not counted.
func (r *Report) Kinds() map[Kind]int {
	m := map[Kind]int{}
	for _, v := range r.Violations {
		m[v.Kind]++
	}
	return m
}

// String renders the report.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d committed (%d of them seen by others only), %d edges, %d write skews: %d violations",
		r.Committed, r.Seen, r.Edges, r.Skews, len(r.Violations)+r.More)
	for _, v := range r.Violations {
		b.WriteString("\n  " + v.String())
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "\n  and %d more", r.More)
	}
	return b.String()
}

func (r *Report) add(kind Kind, txns []int, format string, args ...any) {
	if len(r.Violations) == MaxViolations {
		r.More++
		return
	}
	r.Violations = append(r.Violations, Violation{Kind: kind, Txns: txns, Detail: fmt.Sprintf(format, args...)})
}
