package cycle

import (
	"slices"
	"time"

	"dragg/systest/history"
)

// appended infers the edges of one list. The longest read is the order of its versions: version i has the first i values. What
// was appended and is not in it comes after all that is.
func (c *checker) appended(k *key) {
	c.lostUpdates(k)
	order := c.longest(k)
	after := c.unobserved(k, order)
	c.lostAppends(k, after)
	next := make([]int32, len(order)+1) // by version: the node of those who overwrote it
	for i := range next {
		next[i] = c.graph.overwriters()
	}
	last := int32(nobody)
	for i, v := range order {
		by := c.writer(k, v)
		if by == nobody {
			c.graph.sameOverwriters(next[i], next[i+1])
			continue
		}
		c.graph.overwrites(next[i], by)
		c.graph.depend(ww, last, by)
		last = by
	}
	for _, by := range after {
		c.graph.overwrites(next[len(order)], by)
		c.graph.depend(ww, last, by)
	}
	for i := range k.uses {
		u := &k.uses[i]
		if u.read == nobody || len(u.seen) > len(order) || !slices.Equal(u.seen, order[:len(u.seen)]) {
			continue
		}
		for n := len(u.seen) - 1; n >= 0; n-- { // the last version that has a place
			if by := c.writer(k, u.seen[n]); by != nobody {
				c.graph.depend(wr, by, u.txn)
				break
			}
		}
		c.graph.antidepend(u.txn, next[len(u.seen)])
	}
}

// longest returns the longest read of a list, and reports those that do not fit it.
func (c *checker) longest(k *key) []int64 {
	var order []int64
	by := 0
	each := func(do func(u *use, values []int64)) {
		for i := range k.uses {
			u := &k.uses[i]
			if u.read != nobody {
				do(u, c.txns[u.txn].Ops[u.read].List)
			}
		}
	}
	each(func(u *use, values []int64) {
		if len(values) > len(order) {
			order, by = values, int(u.txn)
		}
	})
	each(func(u *use, values []int64) {
		if !slices.Equal(values, order[:len(values)]) {
			c.report.Add(IncompatibleOrder, []int{int(u.txn), by}, "%s: %v is not how %v begins", k.name, values, order)
		}
	})
	return order
}

// unobserved returns who appended what is not in the order.
func (c *checker) unobserved(k *key, order []int64) (by []int32) {
	there := make(map[int64]struct{}, len(order))
	for _, v := range order {
		there[v] = struct{}{}
	}
	for i := range k.uses {
		u := &k.uses[i]
		if slices.ContainsFunc(u.wrote, func(v int64) bool { _, ok := there[v]; return !ok }) {
			by = append(by, u.txn)
		}
	}
	return by
}

// lostAppends reports acknowledged appends that are in no read, though one of them began later.
func (c *checker) lostAppends(k *key, after []int32) {
	newest, reader := time.Duration(-1), 0
	for i := range k.uses {
		if u := &k.uses[i]; u.read != nobody && c.txns[u.txn].Invoke > newest {
			newest, reader = c.txns[u.txn].Invoke, int(u.txn)
		}
	}
	for _, by := range after {
		if t := c.txns[by]; t.Outcome == history.OK && t.Return < newest {
			c.report.Add(LostAppend, []int{reader, int(by)}, "%s: appended and acknowledged at %v, not there at %v", k.name, t.Return, newest)
		}
	}
}
