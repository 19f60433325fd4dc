// Package oracle decides which transactions commit: the first of two that overlap in time and share a conflict key wins
// (first committer wins, snapshot isolation; Peng & Dabek 2010, the Dgraph paper section 3).
//
// It is a pure value inside Zero's replicated state: no clock, no goroutine, no lock. Its memory is bounded by forgetting
// the oldest conflict keys; transactions that started below what it forgot are refused, since a conflict could be missed.
package oracle

import (
	"dragg/graph"
)

// Reason says why a transaction was aborted.
type Reason uint8

// The reasons.
const (
	Committed Reason = iota
	Conflict         // another transaction that overlaps in time wrote the same
	TooOld           // it started before what the oracle remembers
)

// Limits bounds what the oracle remembers.
type Limits struct {
	Keys     int // conflict keys; about 25 bytes each, at most 2^24-2
	Outcomes int // verdicts of ended transactions; about 25 bytes each, at most 2^24-2
}

// DefaultLimits keeps some seconds of a full-speed load, within 80 MiB.
var DefaultLimits = Limits{Keys: 2 << 20, Outcomes: 1 << 20}

// Oracle remembers recent commits. It is not safe for concurrent use.
type Oracle struct {
	limits   Limits
	floor    graph.Timestamp // transactions that started below are refused
	writes   recent          // of conflict keys, ascending by commit
	outcomes recent          // start timestamps and their commits, in the order of the verdicts
}

// New returns an oracle that has seen nothing.
func New(l Limits) *Oracle {
	return &Oracle{limits: Limits{Keys: min(l.Keys, maxRecent), Outcomes: min(l.Outcomes, maxRecent)}}
}

// Outcome returns the commit timestamp of the transaction that started at start, 0 if it was aborted; false if its end is
// not known: not yet, or forgotten.
func (o *Oracle) Outcome(start graph.Timestamp) (graph.Timestamp, bool) {
	return o.outcomes.get(uint64(start))
}

// Decide gives the verdict for a transaction that read at start, wrote keys, and would commit at commit, which is above
// every earlier one. A commit is remembered at once.
func (o *Oracle) Decide(start, commit graph.Timestamp, keys []uint64) Reason {
	if start < o.floor {
		o.End(start, 0)
		return TooOld
	}
	for _, k := range keys {
		if last, ok := o.writes.get(k); ok && last > start {
			o.End(start, 0)
			return Conflict
		}
	}
	for _, k := range keys {
		o.remember(k, commit)
	}
	o.End(start, commit)
	return Committed
}

// End records the outcome of a transaction; commit 0 means aborted. The first outcome stays.
func (o *Oracle) End(start, commit graph.Timestamp) {
	if _, ok := o.Outcome(start); ok {
		return
	}
	o.outcomes.add(uint64(start), commit)
	for o.outcomes.len() > o.limits.Outcomes {
		o.outcomes.forget()
	}
}

// ForgetBelow forgets the commits below ts and refuses from now on what started below it.
func (o *Oracle) ForgetBelow(ts graph.Timestamp) {
	if ts <= o.floor {
		return
	}
	o.floor = ts
	for o.writes.len() > 0 && o.writes.oldest().ts < ts {
		o.writes.forget()
	}
}

// Floor returns the timestamp below which a start is refused.
func (o *Oracle) Floor() graph.Timestamp { return o.floor }

// Keys returns how many writes of conflict keys are remembered.
func (o *Oracle) Keys() int { return o.writes.len() }

func (o *Oracle) remember(key uint64, commit graph.Timestamp) {
	o.writes.add(key, commit)
	for o.writes.len() > o.limits.Keys {
		// A start at or above the forgotten commit cannot conflict with it.
		o.floor = max(o.floor, o.writes.oldest().ts)
		o.writes.forget()
	}
}

// Dump visits everything remembered, oldest first, so that Load on an empty oracle gives the same oracle.
func (o *Oracle) Dump(key func(graph.ConflictKey, graph.Timestamp), outcome func(start, commit graph.Timestamp)) {
	for a := range o.writes.all() {
		key(graph.ConflictKey(a.key), a.ts)
	}
	for a := range o.outcomes.all() {
		outcome(graph.Timestamp(a.key), a.ts)
	}
}

// Load rebuilds an oracle from what Dump visited.
func Load(l Limits, floor graph.Timestamp, keys, commits, starts, outcomes []uint64) *Oracle {
	o := New(l)
	for i, k := range keys {
		o.remember(k, graph.Timestamp(commits[i]))
	}
	for i, s := range starts {
		o.End(graph.Timestamp(s), graph.Timestamp(outcomes[i]))
	}
	o.floor = max(o.floor, floor)
	return o
}
