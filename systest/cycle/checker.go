package cycle

import (
	"fmt"

	"dragg/systest/history"
)

// CheckAppend checks a history of reads and appends. The error says what makes it no such history.
func CheckAppend(txns []*Txn) (*Report, error) {
	c, err := newChecker(txns, Append)
	if err != nil {
		return nil, err
	}
	for i := range c.keys {
		c.appended(&c.keys[i])
	}
	return c.finish(), nil
}

// CheckRegister checks a history of reads and writes of registers. The error says what makes it no such history.
func CheckRegister(txns []*Txn) (*Report, error) {
	c, err := newChecker(txns, Write)
	if err != nil {
		return nil, err
	}
	for i := range c.keys {
		c.registered(&c.keys[i])
	}
	return c.finish(), nil
}

// nobody stands for the writer of what was there at first, or of what has no place in the order.
const nobody = -1

// use is what one committed transaction did with one key.
type use struct {
	txn int32
	// read is the first step that reads what others wrote; -1 for none.
	read int32
	// seen is what that step saw, without what the transaction had put there itself.
	seen []int64
	// wrote are the values it wrote or appended, in order.
	wrote []int64
}

// value returns what was seen last, 0 for nothing.
func (u *use) value() int64 {
	if len(u.seen) == 0 {
		return 0
	}
	return u.seen[len(u.seen)-1]
}

// write says whose a value is.
type write struct {
	txn   int32
	final bool // it is the last that the transaction wrote there
}

// key is everything about one list or register.
type key struct {
	name   string
	writes map[int64]write
	uses   []use
}

// checker is one run.
type checker struct {
	txns   []*Txn
	writes Act
	ids    map[string]int32
	keys   []key
	in     []bool // by transaction: it has a place in the order
	graph  *graph
	report Report
}

func newChecker(txns []*Txn, writes Act) (*checker, error) {
	c := &checker{txns: txns, writes: writes, ids: map[string]int32{}, in: make([]bool, len(txns)), graph: newGraph(len(txns))}
	for i, t := range txns {
		if err := c.index(i, t); err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
	}
	c.settle()
	for i, t := range txns {
		if c.in[i] {
			c.report.Committed++
			if t.Outcome == history.Unknown {
				c.report.Seen++
			}
			c.uses(int32(i), t)
		}
	}
	c.order()
	return c, nil
}

// index notes who wrote what.
func (c *checker) index(i int, t *Txn) error {
	last := map[string]int64{}
	for _, op := range t.Ops {
		id, ok := c.ids[op.Key]
		if !ok {
			id = int32(len(c.keys))
			c.ids[op.Key] = id
			c.keys = append(c.keys, key{name: op.Key, writes: map[int64]write{}})
		}
		switch op.Does {
		case Read:
		case c.writes:
			writes := c.keys[id].writes
			if by, twice := writes[op.Value]; twice || op.Value == 0 {
				return fmt.Errorf("%v: values must be unique and not 0, transaction %d wrote it too", op, by.txn)
			}
			if before, again := last[op.Key]; again {
				writes[before] = write{txn: int32(i)}
			}
			writes[op.Value] = write{txn: int32(i), final: true}
			last[op.Key] = op.Value
		default:
			return fmt.Errorf("%v: only %q and %q are checked together", op, Read, c.writes)
		}
	}
	return nil
}

// values returns what a read saw.
func (c *checker) values(op *Op) []int64 {
	switch {
	case c.writes == Append:
		return op.List
	case op.Value == 0:
		return nil
	}
	return []int64{op.Value}
}

// settle finds out who committed: those who were told, and those whose writes they saw.
func (c *checker) settle() {
	var todo []int32
	for i, t := range c.txns {
		if t.Outcome == history.OK {
			c.in[i] = true
			todo = append(todo, int32(i))
		}
	}
	for len(todo) > 0 {
		t := c.txns[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		for o := range t.Ops {
			op := &t.Ops[o]
			if op.Does != Read {
				continue
			}
			writes := c.keys[c.ids[op.Key]].writes
			for _, v := range c.values(op) {
				w, ok := writes[v]
				if ok && !c.in[w.txn] && c.txns[w.txn].Outcome == history.Unknown {
					c.in[w.txn] = true
					todo = append(todo, w.txn)
				}
			}
		}
	}
}

// writer returns who wrote a value, nobody if he has no place in the order.
func (c *checker) writer(k *key, value int64) int32 {
	if w, ok := k.writes[value]; ok && c.in[w.txn] {
		return w.txn
	}
	return nobody
}

// finish looks for cycles.
func (c *checker) finish() *Report {
	c.report.Edges = c.graph.dependencies()
	broken := c.violations()
	c.report.Skews = c.skews(broken)
	return &c.report
}
