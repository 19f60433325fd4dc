package cycle

import (
	"slices"

	"dragg/systest/history"
)

// uses sums up what a transaction did with each of its keys, and checks that it agrees with itself and saw what is there to see.
func (c *checker) uses(i int32, t *Txn) {
	place := map[int32]int{} // by key: which of its uses
	for o := range t.Ops {
		op := &t.Ops[o]
		id := c.ids[op.Key]
		k := &c.keys[id]
		at, ok := place[id]
		if !ok {
			at = len(k.uses)
			place[id] = at
			k.uses = append(k.uses, use{txn: i, read: nobody})
		}
		u := &k.uses[at]
		if op.Does != Read {
			u.wrote = append(u.wrote, op.Value)
			continue
		}
		c.see(k, u, t, int32(o))
	}
}

// see takes a read into account.
func (c *checker) see(k *key, u *use, t *Txn, o int32) {
	op := &t.Ops[o]
	values := c.values(op)
	c.seen(k, u, op, values)
	if c.writes == Write && len(u.wrote) > 0 {
		if own := u.wrote[len(u.wrote)-1]; op.Value != own {
			c.report.Add(Internal, []int{int(u.txn)}, "%v, though it had written %d", *op, own)
		}
		return
	}
	others := values
	if own := len(u.wrote); own > 0 {
		if len(values) < own || !slices.Equal(values[len(values)-own:], u.wrote) {
			c.report.Add(Internal, []int{int(u.txn)}, "%v, though it had appended %v", *op, u.wrote)
			return
		}
		others = values[:len(values)-own]
	}
	if u.read == nobody {
		u.read, u.seen = o, others
		return
	}
	if !slices.Equal(u.seen, others) {
		c.report.Add(Internal, []int{int(u.txn)}, "%v, though it had seen %v", *op, u.seen)
	}
}

// seen checks every value of a read: somebody wrote it, did not take it back, and it is there once.
func (c *checker) seen(k *key, u *use, op *Op, values []int64) {
	for n, v := range values {
		w, ok := k.writes[v]
		switch {
		case !ok:
			c.report.Add(UnwrittenRead, []int{int(u.txn)}, "%v: nobody wrote %d", *op, v)
		case c.txns[w.txn].Outcome == history.Fail:
			c.report.Add(G1a, []int{int(u.txn), int(w.txn)}, "%v: the writer of %d was aborted", *op, v)
		case w.txn == u.txn && !slices.Contains(u.wrote, v):
			c.report.Add(FutureRead, []int{int(u.txn)}, "%v: it wrote %d only later", *op, v)
		case w.txn != u.txn && !w.final && c.cutShort(k, w.txn, values[n+1:]):
			c.report.Add(G1b, []int{int(u.txn), int(w.txn)}, "%v: %d was not the last that its writer wrote", *op, v)
		}
	}
	if len(values) > 1 {
		if v, twice := duplicate(values); twice {
			c.report.Add(DuplicateElements, []int{int(u.txn)}, "%v: %d is there twice", *op, v)
		}
	}
}

// cutShort reports whether a read ends before what the writer of its last value wrote next.
func (c *checker) cutShort(k *key, writer int32, rest []int64) bool {
	return !slices.ContainsFunc(rest, func(v int64) bool { w := k.writes[v]; return w.txn == writer })
}

// duplicate finds a value that is there twice. Short lists are searched without a table.
func duplicate(values []int64) (int64, bool) {
	if len(values) <= 32 {
		for i, v := range values {
			if slices.Contains(values[:i], v) {
				return v, true
			}
		}
		return 0, false
	}
	there := make(map[int64]struct{}, len(values))
	for _, v := range values {
		if _, twice := there[v]; twice {
			return v, true
		}
		there[v] = struct{}{}
	}
	return 0, false
}

// lostUpdates reports pairs that read the same version of a key and both replaced it.
func (c *checker) lostUpdates(k *key) {
	first := map[int64]int32{}
	for i := range k.uses {
		u := &k.uses[i]
		if u.read == nobody || len(u.wrote) == 0 {
			continue
		}
		v := u.value()
		if by, twice := first[v]; twice {
			c.report.Add(LostUpdate, []int{int(u.txn), int(by)}, "%s: both read %d and wrote", k.name, v)
			continue
		}
		first[v] = u.txn
	}
}
