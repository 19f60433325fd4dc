package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// Delete makes, deletes and reads records by an indexed key: whatever the index leads to has that key, and is the only one.
type Delete struct{ log }

// Name implements Workload.
func (d *Delete) Name() string { return "delete" }

// Schema implements Workload.
func (d *Delete) Schema() []string { return []string{"delete_key: int @index(int) @upsert ."} }

// deleteKeyTime is how long one key is worked on.
const deleteKeyTime = 5 * time.Second

// Step implements Workload.
func (d *Delete) Step(ctx context.Context, c *Client) history.Outcome {
	key := 3*int(d.rec.Now()/deleteKeyTime) + c.RNG.IntN(3)
	switch c.RNG.IntN(3) {
	case 0:
		return d.record(c, func(t *cycle.Txn) error { return d.read(ctx, c, t, key) })
	case 1:
		return d.record(c, func(t *cycle.Txn) error { return d.upsert(ctx, c, t, key) })
	}
	return d.record(c, func(t *cycle.Txn) error { return d.remove(ctx, c, t, key) })
}

func (d *Delete) find(key int) string {
	return fmt.Sprintf(`{ q(func: eq(delete_key, %d)) { uid k: delete_key } }`, key)
}

// see notes which keys a read by index led to; they are counted from 1, and -1 is a record without one.
func (d *Delete) see(t *cycle.Txn, key int, r rows) {
	op := cycle.Op{Does: cycle.Read, Key: fmt.Sprint(key + 1), List: []int64{}}
	for _, row := range r.Q {
		if row.Key == nil {
			op.List = append(op.List, 0)
		} else {
			op.List = append(op.List, *row.Key+1)
		}
	}
	t.Ops = append(t.Ops, op)
}

func (d *Delete) read(ctx context.Context, c *Client, t *cycle.Txn, key int) error {
	var r rows
	if err := query(ctx, c.alpha().NewReadOnlyTxn(), d.find(key), &r); err != nil {
		return err
	}
	d.see(t, key, r)
	return nil
}

// upsert makes the record unless it is there.
func (d *Delete) upsert(ctx context.Context, c *Client, t *cycle.Txn, key int) error {
	x := c.alpha().NewTxn()
	defer discard(ctx, x)
	var r rows
	if err := query(ctx, x, d.find(key), &r); err != nil {
		return err
	}
	d.see(t, key, r)
	if len(r.Q) > 0 {
		return errDeclined
	}
	return setNow(ctx, x, "_:n <delete_key> \"%d\" .", key)
}

// remove deletes whatever the index leads to.
func (d *Delete) remove(ctx context.Context, c *Client, t *cycle.Txn, key int) error {
	x := c.alpha().NewTxn()
	defer discard(ctx, x)
	var r rows
	if err := query(ctx, x, d.find(key), &r); err != nil {
		return err
	}
	d.see(t, key, r)
	if len(r.Q) == 0 {
		return errDeclined
	}
	m := &api.Mutation{CommitNow: true}
	for _, row := range r.Q {
		m.DelNquads = fmt.Appendf(m.DelNquads, "<%s> <delete_key> * .\n", row.UID)
	}
	_, err := x.Mutate(ctx, m)
	return err
}

// Final reads every record that is left: each key is there once at most.
func (d *Delete) Final(ctx context.Context, c *Client) error {
	var err error
	d.record(c, func(t *cycle.Txn) error {
		var r rows
		if err = query(ctx, c.alpha().NewReadOnlyTxn(), `{ q(func: has(delete_key)) { uid k: delete_key } }`, &r); err != nil {
			return err
		}
		keys := map[int64]rows{}
		for _, row := range r.Q {
			k := int64(-1)
			if row.Key != nil {
				k = *row.Key
			}
			keys[k] = rows{append(keys[k].Q, row)}
		}
		for k, r := range keys {
			d.see(t, int(k), r)
		}
		return nil
	})
	return err
}

// Check implements Workload.
func (d *Delete) Check() (wrong []string, summary string) {
	reads, found := 0, 0
	for _, t := range d.Txns() {
		for _, op := range t.Ops {
			reads++
			found += len(op.List)
			if len(op.List) > 1 || len(op.List) == 1 && fmt.Sprint(op.List[0]) != op.Key {
				wrong = append(wrong, fmt.Sprintf("at %v the key %s led to records with %v", t.Return, op.Key, op.List))
			}
		}
	}
	return wrong, fmt.Sprintf("%d lookups, %d found", reads, found)
}
