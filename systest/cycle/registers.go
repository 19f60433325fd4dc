package cycle

import (
	"cmp"
	"slices"
	"time"

	"dragg/systest/history"
)

// registered infers the edges of one register. Whoever read a version and wrote put his behind it; whoever began after another
// had ended has, or leaves, none that is older.
func (c *checker) registered(k *key) {
	c.lostUpdates(k)
	o := newOrder()
	for i := range k.uses {
		u := &k.uses[i]
		if n := len(u.wrote); n > 0 {
			o.after(0, u.wrote[n-1])
			if u.read != nobody {
				o.after(u.value(), u.wrote[n-1])
			}
		}
	}
	if !o.acyclic() {
		c.report.Add(CyclicVersions, c.touching(k), "%s: who wrote what after reading what goes round in a circle", k.name)
		return
	}
	timed := o.clone()
	c.timed(k, timed)
	if timed.acyclic() {
		o = timed
	} else {
		c.report.Add(CyclicVersions, c.touching(k), "%s: the order of its versions contradicts real time", k.name)
	}
	c.versions(k, o)
}

// touching returns the first few who used a key.
func (c *checker) touching(k *key) (txns []int) {
	for i := range k.uses[:min(len(k.uses), 10)] {
		txns = append(txns, int(k.uses[i].txn))
	}
	return txns
}

// versions turns the order of the versions into edges.
func (c *checker) versions(k *key, o *order) {
	next := map[int64]int32{}
	for _, v := range o.values {
		next[v] = c.graph.overwriters()
		by := c.writer(k, v)
		for _, later := range o.later[v] {
			if w := c.writer(k, later); w != nobody {
				c.graph.overwrites(next[v], w)
				c.graph.depend(ww, by, w)
			}
		}
	}
	for i := range k.uses {
		u := &k.uses[i]
		if u.read == nobody {
			continue
		}
		c.graph.depend(wr, c.writer(k, u.value()), u.txn)
		if s, ok := next[u.value()]; ok {
			c.graph.antidepend(u.txn, s)
		}
	}
}

// timed adds to an order what real time says: from the last version that a transaction saw or left to those that one after it saw
// and left. The frontier is kept as for transactions.
func (c *checker) timed(k *key, o *order) {
	uses := make([]*use, 0, len(k.uses))
	for i := range k.uses {
		uses = append(uses, &k.uses[i])
	}
	begun := slices.Clone(uses)
	slices.SortFunc(begun, func(a, b *use) int { return cmp.Compare(c.txns[a.txn].Invoke, c.txns[b.txn].Invoke) })
	ended := slices.DeleteFunc(uses, func(u *use) bool { return c.txns[u.txn].Outcome != history.OK })
	slices.SortFunc(ended, func(a, b *use) int { return cmp.Compare(c.txns[a.txn].Return, c.txns[b.txn].Return) })
	var front []*use
	for _, u := range begun {
		t := c.txns[u.txn]
		for len(ended) > 0 && c.txns[ended[0].txn].Return < t.Invoke {
			front = c.push(front, ended[0])
			ended = ended[1:]
		}
		for _, f := range front {
			was := f.value()
			if n := len(f.wrote); n > 0 {
				was = f.wrote[n-1]
			}
			if u.read != nobody && u.value() != was {
				o.after(was, u.value())
			}
			if n := len(u.wrote); n > 0 {
				o.after(was, u.wrote[n-1])
			}
		}
	}
}

// push puts one that ended behind the others, and drops those that ended before it began. One that neither read from others nor
// wrote says nothing.
func (c *checker) push(front []*use, u *use) []*use {
	if u.read == nobody && len(u.wrote) == 0 {
		return front
	}
	began := c.txns[u.txn].Invoke
	front = slices.DeleteFunc(front, func(f *use) bool { return c.txns[f.txn].Return < began })
	return append(front, u)
}

// order is what is known of the order of a register's versions; 0 is that before all.
type order struct {
	values []int64 // in the order in which they were met
	later  map[int64][]int64
}

func newOrder() *order {
	o := &order{later: map[int64][]int64{}}
	o.meet(0)
	return o
}

func (o *order) clone() *order {
	c := &order{values: slices.Clone(o.values), later: make(map[int64][]int64, len(o.later))}
	for v, l := range o.later {
		c.later[v] = slices.Clone(l)
	}
	return c
}

func (o *order) meet(v int64) {
	if _, ok := o.later[v]; !ok {
		o.later[v] = nil
		o.values = append(o.values, v)
	}
}

// after notes that b comes after a.
func (o *order) after(a, b int64) {
	o.meet(a)
	o.meet(b)
	if l := o.later[a]; len(l) == 0 || l[len(l)-1] != b {
		o.later[a] = append(l, b)
	}
}

// acyclic reports whether the versions can be put in an order.
func (o *order) acyclic() bool {
	before := make(map[int64]int, len(o.values))
	for _, later := range o.later {
		for _, v := range later {
			before[v]++
		}
	}
	var free []int64
	for _, v := range o.values {
		if before[v] == 0 {
			free = append(free, v)
		}
	}
	placed := 0
	for ; len(free) > 0; placed++ {
		v := free[len(free)-1]
		free = free[:len(free)-1]
		for _, w := range o.later[v] {
			if before[w]--; before[w] == 0 {
				free = append(free, w)
			}
		}
	}
	return placed == len(o.values)
}

// order adds the edges of sessions and of real time between transactions.
func (c *checker) order() {
	var begun, ended []int32
	latest := map[int]int32{} // by process
	for i, t := range c.txns {
		if !c.in[i] {
			continue
		}
		begun = append(begun, int32(i))
		if t.Outcome == history.OK {
			ended = append(ended, int32(i))
		}
	}
	invoked := func(i int32) time.Duration { return c.txns[i].Invoke }
	returned := func(i int32) time.Duration { return c.txns[i].Return }
	slices.SortFunc(begun, func(a, b int32) int { return cmp.Compare(invoked(a), invoked(b)) })
	slices.SortFunc(ended, func(a, b int32) int { return cmp.Compare(returned(a), returned(b)) })
	var front []int32
	for _, i := range begun {
		for len(ended) > 0 && returned(ended[0]) < invoked(i) {
			began := invoked(ended[0])
			front = slices.DeleteFunc(front, func(f int32) bool { return returned(f) < began })
			front = append(front, ended[0])
			ended = ended[1:]
		}
		process := c.txns[i].Process
		before, ok := latest[process]
		if ok && returned(before) <= invoked(i) {
			c.graph.depend(session, before, i)
		}
		for _, f := range front {
			if !ok || f != before {
				c.graph.depend(realtime, f, i)
			}
		}
		if c.txns[i].Outcome == history.OK {
			latest[process] = i
		} else {
			delete(latest, process)
		}
	}
}
