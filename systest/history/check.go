package history

import (
	"cmp"
	"maps"
	"slices"
	"sort"

	"dragg/graph"
)

// Check returns what the history violates. It costs O(n log n) in the operations of the history.
func Check(txns []*Txn) *Report {
	c := &checker{txns: txns, versions: map[string][]version{}, maybe: map[string][]*suspect{}}
	c.gather()
	c.timestamps()
	c.starts()
	c.updates()
	for _, t := range txns {
		c.reads(t)
	}
	c.suspects()
	return &c.report
}

// version is one committed value of a register.
type version struct {
	ts    graph.Timestamp
	value string
	by    *Txn
}

// suspect is a transaction whose outcome nobody learned. seen is the lowest snapshot in which it was seen, unseen the highest in
// which it was not.
type suspect struct {
	t            *Txn
	final        map[string]string
	seen, unseen *Txn
}

// checker is one run of Check.
type checker struct {
	txns     []*Txn
	report   Report
	versions map[string][]version  // ascending
	maybe    map[string][]*suspect // by register
	all      []*suspect
	authors  map[string]map[string][]*Txn // by register and value; made when something is wrong
}

// gather sorts the committed versions of every register.
func (c *checker) gather() {
	for _, t := range c.txns {
		switch {
		case t.committed():
			c.report.Committed++
			for key, value := range t.final() {
				c.versions[key] = append(c.versions[key], version{t.Commit, value, t})
			}
		case t.Outcome == Fail:
			c.report.Failed++
		case t.Outcome == Unknown:
			c.report.Unknown++
			s := &suspect{t: t, final: t.final()}
			c.all = append(c.all, s)
			for key := range s.final {
				c.maybe[key] = append(c.maybe[key], s)
			}
		default:
			c.report.Readers++
		}
	}
	for _, vs := range c.versions {
		slices.SortFunc(vs, func(a, b version) int { return cmp.Compare(a.ts, b.ts) })
	}
}

// timestamps checks that each timestamp has one use, and that a commit comes after its start.
func (c *checker) timestamps() {
	used := make(map[graph.Timestamp]*Txn, 2*len(c.txns))
	take := func(ts graph.Timestamp, t *Txn) {
		if ts == 0 {
			return
		}
		if other := used[ts]; other != nil {
			c.report.Add(DuplicateTimestamp, []int{t.ID, other.ID}, "timestamp %d", ts)
		}
		used[ts] = t
	}
	for _, t := range c.txns {
		if !t.Stale {
			take(t.Start, t)
		}
		if !t.committed() {
			continue
		}
		take(t.Commit, t)
		if t.Commit <= t.Start {
			c.report.Add(BackwardCommit, []int{t.ID}, "started at %d, committed at %d", t.Start, t.Commit)
		}
	}
}

// starts checks that every snapshot reaches up to the commits that were acknowledged before it was asked for.
func (c *checker) starts() {
	acked := make([]*Txn, 0, len(c.txns))
	for _, t := range c.txns {
		if t.committed() && t.Outcome == OK {
			acked = append(acked, t)
		}
	}
	slices.SortFunc(acked, func(a, b *Txn) int { return cmp.Compare(a.Return, b.Return) })
	begun := slices.Clone(c.txns)
	slices.SortFunc(begun, func(a, b *Txn) int { return cmp.Compare(a.Invoke, b.Invoke) })
	var newest *Txn
	for _, t := range begun {
		for len(acked) > 0 && acked[0].Return < t.Invoke {
			if newest == nil || acked[0].Commit > newest.Commit {
				newest = acked[0]
			}
			acked = acked[1:]
		}
		if newest != nil && t.Start != 0 && !t.Stale && t.Start < newest.Commit {
			c.report.Add(StaleStart, []int{t.ID, newest.ID}, "begun at %v with snapshot %d, though commit %d was acknowledged at %v",
				t.Invoke, t.Start, newest.Commit, newest.Return)
		}
	}
}

// updates checks that the first committer wins. Neighbours in the order of commits are enough: whoever overlaps with an
// earlier one overlaps with all in between.
func (c *checker) updates() {
	claims := map[string][]*Txn{}
	for _, t := range c.txns {
		if !t.committed() {
			continue
		}
		for name := range t.claimed() {
			claims[name] = append(claims[name], t)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		by := claims[name]
		slices.SortFunc(by, func(a, b *Txn) int { return cmp.Compare(a.Commit, b.Commit) })
		for i := 1; i < len(by); i++ {
			if first, second := by[i-1], by[i]; second.Start < first.Commit {
				c.report.Add(LostUpdate, []int{second.ID, first.ID}, "%s: [%d, %d] overlaps [%d, %d]", name,
					second.Start, second.Commit, first.Start, first.Commit)
			}
		}
	}
}

// claimed returns everything that no concurrent transaction may write too.
func (t *Txn) claimed() map[string]bool {
	out := make(map[string]bool, len(t.Ops)+len(t.Claims))
	for i := range t.Ops {
		if w := t.Ops[i].Write; w != nil && !w.Shared {
			out["register "+w.Key] = true
		}
	}
	for _, name := range t.Claims {
		out["claim "+name] = true
	}
	return out
}

// at returns the newest committed version of a register at or below ts; a zero version for none.
func (c *checker) at(key string, ts graph.Timestamp) version {
	vs := c.versions[key]
	n := sort.Search(len(vs), func(i int) bool { return vs[i].ts > ts })
	if n == 0 {
		return version{}
	}
	return vs[n-1]
}

// reads checks every read of a transaction against its snapshot and what it had written before.
func (c *checker) reads(t *Txn) {
	var own map[string]string
	for i := range t.Ops {
		if w := t.Ops[i].Write; w != nil {
			if own == nil {
				own = map[string]string{}
			}
			own[w.Key] = w.Value
			continue
		}
		c.read(t, t.Ops[i].Read, own)
	}
}

func (c *checker) read(t *Txn, r *Read, own map[string]string) {
	c.report.Reads++
	count, committed, more, less, mine := 0, 0, 0, 0, false
	for _, key := range r.Keys {
		value := c.at(key, t.Start).value
		if r.counts(value) {
			committed++
		}
		written, ok := own[key]
		if ok {
			value, mine = written, true
		}
		counted := r.counts(value)
		if counted {
			count++
		}
		if !ok && c.suspected(key, t.Start, r, !counted) {
			if counted {
				less++
			} else {
				more++
			}
		}
	}
	if mine {
		c.report.Own++
	}
	switch {
	case count-less <= r.Count && r.Count <= count+more:
	case mine && committed == r.Count:
		c.report.Add(OwnWriteMissed, []int{t.ID}, "%s: its own write would change the answer", describe(r))
		return
	default:
		kind, who, why := c.classify(t, r, own)
		c.report.Add(kind, append([]int{t.ID}, who...), "%s at snapshot %d: %s", describe(r), t.Start, why)
		return
	}
	if len(r.Keys) == 1 && less+more > 0 {
		c.witness(t, r)
	}
}

// suspected reports whether a transaction with an unknown outcome may have put a value into the register below ts which the
// read counts, or does not.
func (c *checker) suspected(key string, ts graph.Timestamp, r *Read, counts bool) bool {
	return slices.ContainsFunc(c.maybe[key], func(s *suspect) bool { return s.t.Start < ts && r.counts(s.final[key]) == counts })
}

// witness notes whether the one suspect of a register was seen. Where it is hidden by a later commit nothing is learned.
func (c *checker) witness(t *Txn, r *Read) {
	key := r.Keys[0]
	if len(c.maybe[key]) != 1 {
		return
	}
	s, known := c.maybe[key][0], c.at(key, t.Start)
	asKnown, asSuspect := r.counts(known.value) == (r.Count == 1), r.counts(s.final[key]) == (r.Count == 1)
	switch {
	case asKnown == asSuspect || known.ts > s.t.Start && !asSuspect:
	case asSuspect && (s.seen == nil || t.Start < s.seen.Start):
		s.seen = t
	case asKnown && (s.unseen == nil || t.Start > s.unseen.Start):
		s.unseen = t
	}
}

// suspects checks that whoever was seen stays seen.
func (c *checker) suspects() {
	for _, s := range c.all {
		if s.seen != nil && s.unseen != nil && s.unseen.Start >= s.seen.Start {
			c.report.Add(FracturedRead, []int{s.unseen.ID, s.t.ID, s.seen.ID},
				"transaction %d with an unknown outcome was seen at snapshot %d, but not at %d", s.t.ID, s.seen.Start, s.unseen.Start)
		}
	}
}
