package workload

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dgraph-io/dgo/v250"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// Register reads, writes and compares-and-sets registers found by an indexed key: each is linearizable.
type Register struct{ log }

// Name implements Workload.
func (r *Register) Name() string { return "linearizable-register" }

// Schema implements Workload.
func (r *Register) Schema() []string {
	return []string{"lin_key: int @index(int) @upsert .", "lin_value: int ."}
}

// compareAndSet is a step that replaces the first of its List by the second.
const compareAndSet cycle.Act = "cas"

// registerTime is how long one register is worked on: long enough for faults to begin and end, short enough for what is unknown to
// stay little. registerValues is how many values there are.
const (
	registerTime   = 3 * time.Second
	registerValues = 5
)

// choose picks an operation on a register.
func choose(c *Client, key int) cycle.Op {
	op := cycle.Op{Does: cycle.Read, Key: fmt.Sprint(key)}
	switch c.RNG.IntN(4) {
	case 0:
		op.Does, op.Value = cycle.Write, 1+c.RNG.Int64N(registerValues)
	case 1:
		op.Does, op.List = compareAndSet, []int64{1 + c.RNG.Int64N(registerValues), 1 + c.RNG.Int64N(registerValues)}
	}
	return op
}

// Step implements Workload.
func (r *Register) Step(ctx context.Context, c *Client) history.Outcome {
	op := choose(c, int(r.rec.Now()/registerTime))
	return r.record(c, func(t *cycle.Txn) error {
		t.Ops = []cycle.Op{op}
		return r.act(ctx, c, &t.Ops[0])
	})
}

func (r *Register) act(ctx context.Context, c *Client, op *cycle.Op) error {
	x := c.alpha().NewTxn()
	if op.Does == cycle.Read {
		x = c.alpha().NewReadOnlyTxn()
	}
	defer discard(ctx, x)
	var found rows
	if err := query(ctx, x, fmt.Sprintf(`{ q(func: eq(lin_key, %s)) { uid v: lin_value } }`, op.Key), &found); err != nil {
		return err
	}
	var value int64
	if n := len(found.Q); n > 1 || n == 1 && found.Q[0].Val == nil {
		value = -1 // two registers of one name, or one without a value: no order explains it
	} else if n == 1 {
		value = *found.Q[0].Val
	}
	next, err := follow(op, value)
	switch {
	case err != nil || next == 0:
		return err
	case len(found.Q) == 0:
		return setNow(ctx, x, "_:n <lin_key> \"%s\" .\n_:n <lin_value> \"%d\" .", op.Key, next)
	}
	return setNow(ctx, x, "<%s> <lin_value> \"%d\" .", found.Q[0].UID, next)
}

// follow returns what an operation writes to a register that holds value, 0 for nothing. Of a read it notes the value.
func follow(op *cycle.Op, value int64) (int64, error) {
	switch op.Does {
	case cycle.Read:
		op.Value = value
		return 0, nil
	case cycle.Write:
		return op.Value, nil
	}
	if op.List[0] != value {
		return 0, errDeclined
	}
	return op.List[1], nil
}

// Final implements Workload. The registers of old have been read when they were new.
func (r *Register) Final(ctx context.Context, c *Client) error {
	var err error
	r.record(c, func(t *cycle.Txn) error {
		t.Ops = []cycle.Op{{Does: cycle.Read, Key: fmt.Sprint(max(0, int(r.rec.Now()/registerTime)-1))}}
		err = r.act(ctx, c, &t.Ops[0])
		return err
	})
	return err
}

// Check implements Workload.
func (r *Register) Check() (wrong []string, summary string) { return checkRegisters(r.Txns()) }

// UIDRegister is Register with nodes that clients know by their uids, without an index.
type UIDRegister struct {
	log

	mu   sync.Mutex
	uids map[int]string // guarded by mu: by key
}

// Name implements Workload.
func (r *UIDRegister) Name() string { return "uid-linearizable-register" }

// Schema implements Workload.
func (r *UIDRegister) Schema() []string { return []string{"ulin_value: int ."} }

// Step implements Workload.
func (r *UIDRegister) Step(ctx context.Context, c *Client) history.Outcome {
	key := int(r.rec.Now() / registerTime)
	op := choose(c, key)
	return r.record(c, func(t *cycle.Txn) error {
		t.Ops = []cycle.Op{op}
		uid := r.uid(key, "")
		if uid == "" {
			return r.create(ctx, c, &t.Ops[0], key)
		}
		return r.act(ctx, c, &t.Ops[0], uid)
	})
}

// uid returns the node of a key, which is the one given if there was none.
func (r *UIDRegister) uid(key int, mine string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.uids[key] == "" && mine != "" {
		r.uids[key] = mine
	}
	return r.uids[key]
}

// create does an operation on a register that nobody knows. Only a write makes a node; it has happened only if its node is the one.
func (r *UIDRegister) create(ctx context.Context, c *Client, op *cycle.Op, key int) error {
	if op.Does != cycle.Write {
		return errDeclined
	}
	x := c.alpha().NewTxn()
	defer discard(ctx, x)
	resp, err := x.Mutate(ctx, mutation(true, "_:n <ulin_value> \"%d\" .", op.Value))
	if err != nil {
		return surely(err) // whatever it made, nobody will ever look there
	}
	if uid := resp.Uids["n"]; r.uid(key, uid) != uid {
		return errDeclined
	}
	return nil
}

func (r *UIDRegister) act(ctx context.Context, c *Client, op *cycle.Op, uid string) error {
	x := c.alpha().NewTxn()
	defer discard(ctx, x)
	if op.Does != cycle.Write {
		value, err := r.read(ctx, x, uid)
		if err != nil {
			return err
		}
		if next, err := follow(op, value); err != nil || next == 0 {
			return err
		}
	}
	next := op.Value
	if op.Does == compareAndSet {
		next = op.List[1]
	}
	return setNow(ctx, x, "<%s> <ulin_value> \"%d\" .", uid, next)
}

func (r *UIDRegister) read(ctx context.Context, x *dgo.Txn, uid string) (int64, error) {
	var found rows
	if err := query(ctx, x, fmt.Sprintf(`{ q(func: uid(%s)) { v: ulin_value } }`, uid), &found); err != nil {
		return 0, err
	}
	if len(found.Q) != 1 || found.Q[0].Val == nil {
		return 0, nil
	}
	return *found.Q[0].Val, nil
}

// Final implements Workload.
func (r *UIDRegister) Final(ctx context.Context, c *Client) error {
	key := max(0, int(r.rec.Now()/registerTime)-1)
	uid := r.uid(key, "")
	if uid == "" {
		return nil
	}
	var err error
	r.record(c, func(t *cycle.Txn) error {
		t.Ops = []cycle.Op{{Does: cycle.Read, Key: fmt.Sprint(key)}}
		err = r.act(ctx, c, &t.Ops[0], uid)
		return err
	})
	return err
}

// Check implements Workload.
func (r *UIDRegister) Check() (wrong []string, summary string) { return checkRegisters(r.Txns()) }
