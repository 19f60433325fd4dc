package workload

import (
	"context"
	"fmt"
	"sync"

	"github.com/dgraph-io/dgo/v250"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// ReadWrite is transactions of two to four reads and writes of a few registers, which an indexed key finds; values are written once.
type ReadWrite struct {
	log
	pool
}

func newReadWrite(l log) *ReadWrite {
	return &ReadWrite{log: l, pool: pool{alive: 4, writes: 16}}
}

// pool hands out the keys that are alive: each is written so often, then a fresh one takes its place.
type pool struct {
	alive, writes int

	mu     sync.Mutex
	next   int         // guarded by mu: how many keys there have been
	keys   []int       // guarded by mu
	counts map[int]int // guarded by mu: of writes begun
	value  int64       // guarded by mu
}

// pick returns a key that is alive. hot is the share in percent of the first of them.
func (p *pool) pick(c *Client, hot int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.keys) < p.alive {
		p.keys = append(p.keys, p.next)
		p.next++
	}
	if c.RNG.IntN(100) < hot {
		return p.keys[0]
	}
	return p.keys[c.RNG.IntN(len(p.keys))]
}

// write returns a value that was never written, and retires the key when it has had its share.
func (p *pool) write(key int) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts == nil {
		p.counts = map[int]int{}
	}
	if p.counts[key]++; p.counts[key] == p.writes {
		for i, k := range p.keys {
			if k == key {
				p.keys[i] = p.next
				p.next++
			}
		}
	}
	p.value++
	return p.value
}

// living returns the keys that are alive.
func (p *pool) living() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int(nil), p.keys...)
}

// Name implements Workload.
func (r *ReadWrite) Name() string { return "wr" }

// Schema implements Workload.
func (r *ReadWrite) Schema() []string { return keyed("wr") }

// Step implements Workload.
func (r *ReadWrite) Step(ctx context.Context, c *Client) history.Outcome {
	return r.record(c, func(t *cycle.Txn) error {
		x := c.alpha().NewTxn()
		defer discard(ctx, x)
		wrote := false
		for range 2 + c.RNG.IntN(3) {
			key := r.pick(c, 0)
			if c.RNG.IntN(2) == 0 {
				if err := r.read(ctx, x, t, key); err != nil {
					return err
				}
				continue
			}
			wrote = true
			if err := r.put(ctx, x, t, key); err != nil {
				return err
			}
		}
		if !wrote {
			return nil
		}
		return x.Commit(ctx)
	})
}

// find returns the node of a key.
func (r *ReadWrite) find(ctx context.Context, x *dgo.Txn, key int) ([]row, error) {
	i := key % forkPredicates
	var found rows
	err := query(ctx, x, fmt.Sprintf(`{ q(func: eq(wr_key%d, %d)) { uid v: wr_value%d } }`, i, key, i), &found)
	return found.Q, err
}

func (r *ReadWrite) read(ctx context.Context, x *dgo.Txn, t *cycle.Txn, key int) error {
	found, err := r.find(ctx, x, key)
	if err != nil {
		return err
	}
	op := cycle.Op{Does: cycle.Read, Key: fmt.Sprint(key)}
	if len(found) == 1 && found[0].Val != nil {
		op.Value = *found[0].Val
	} else if len(found) > 0 {
		op.Value = -1 // nobody writes that: the checker says so
	}
	t.Ops = append(t.Ops, op)
	return nil
}

// put writes a register, having looked for its node only.
func (r *ReadWrite) put(ctx context.Context, x *dgo.Txn, t *cycle.Txn, key int) error {
	found, err := r.find(ctx, x, key)
	if err != nil {
		return err
	}
	value, i := r.write(key), key%forkPredicates
	t.Ops = append(t.Ops, cycle.Op{Does: cycle.Write, Key: fmt.Sprint(key), Value: value})
	if len(found) == 0 {
		return set(ctx, x, "_:n <wr_key%d> \"%d\" .\n_:n <wr_value%d> \"%d\" .", i, key, i, value)
	}
	return set(ctx, x, "<%s> <wr_value%d> \"%d\" .", found[0].UID, i, value)
}

// Final implements Workload.
func (r *ReadWrite) Final(ctx context.Context, c *Client) (err error) {
	r.record(c, func(t *cycle.Txn) error {
		x := c.alpha().NewReadOnlyTxn()
		for _, key := range r.living() {
			if err = r.read(ctx, x, t, key); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// Check implements Workload.
func (r *ReadWrite) Check() (wrong []string, summary string) {
	return cycles(cycle.CheckRegister(r.Txns()))
}
