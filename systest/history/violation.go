package history

import (
	"fmt"
	"strings"
)

// Kind names what a history violates.
type Kind string

// The kinds.
const (
	// StaleRead: an older version was read than the newest in the snapshot.
	StaleRead Kind = "stale read"
	// FutureRead: a version was read that was committed after the snapshot.
	FutureRead Kind = "future read"
	// DirtyRead: what an aborted transaction wrote was read (G1a).
	DirtyRead Kind = "dirty read"
	// IntermediateRead: a value was read that its writer replaced before it committed (G1b).
	IntermediateRead Kind = "intermediate read"
	// UnwrittenRead: a value was read that nobody wrote.
	UnwrittenRead Kind = "unwritten read"
	// OwnWriteMissed: a transaction did not see what it had written itself.
	OwnWriteMissed Kind = "own write missed"
	// WrongMatch: an answer over several registers fits no single snapshot that could be named.
	WrongMatch Kind = "wrong match"
	// FracturedRead: a transaction with an unknown outcome was seen, and in a later snapshot it was not.
	FracturedRead Kind = "fractured read"
	// LostUpdate: two transactions that overlap wrote the same and both committed.
	LostUpdate Kind = "lost update"
	// StaleStart: a snapshot lacks a commit that was acknowledged before the transaction began.
	StaleStart Kind = "stale start"
	// DuplicateTimestamp: one timestamp was given out twice.
	DuplicateTimestamp Kind = "duplicate timestamp"
	// BackwardCommit: a commit timestamp at or below the start.
	BackwardCommit Kind = "backward commit"
)

// Violation is one finding.
type Violation struct {
	Kind Kind
	// Txns are the transactions involved, the one that suffers first: their ids, or where the checker says so their places in the
	// history.
	Txns   []int
	Detail string
}

// String renders the finding on one line.
func (v Violation) String() string { return fmt.Sprintf("%s: %v: %s", v.Kind, v.Txns, v.Detail) }

// Findings are what a checker found.
type Findings struct {
	// Violations are the findings, at most MaxViolations of them.
	Violations []Violation
	// More is how many findings were left out.
	More int
}

// MaxViolations is how many findings a report holds.
const MaxViolations = 50

// Add notes a finding, or counts it where there are enough of them.
func (f *Findings) Add(kind Kind, txns []int, format string, args ...any) {
	if len(f.Violations) == MaxViolations {
		f.More++
		return
	}
	f.Violations = append(f.Violations, Violation{Kind: kind, Txns: txns, Detail: fmt.Sprintf(format, args...)})
}

// Kinds returns how often each kind was found, those left out not counted.
func (f *Findings) Kinds() map[Kind]int {
	m := map[Kind]int{}
	for _, v := range f.Violations {
		m[v.Kind]++
	}
	return m
}

// String renders the findings: how many, then one a line.
func (f *Findings) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d violations", len(f.Violations)+f.More)
	for _, v := range f.Violations {
		b.WriteString("\n  " + v.String())
	}
	if f.More > 0 {
		fmt.Fprintf(&b, "\n  and %d more", f.More)
	}
	return b.String()
}

// Report is the result of a check.
type Report struct {
	Findings
	// Committed, Failed, Unknown and Readers count the transactions; Readers wrote nothing and were answered. Reads counts the
	// reads that were checked, Own those of them that a write of the same transaction decided.
	Committed, Failed, Unknown, Readers, Reads, Own int
}

// String renders the report.
func (r *Report) String() string {
	return fmt.Sprintf("%d committed, %d failed, %d unknown, %d readers, %d reads (%d of own writes): %s",
		r.Committed, r.Failed, r.Unknown, r.Readers, r.Reads, r.Own, &r.Findings)
}
