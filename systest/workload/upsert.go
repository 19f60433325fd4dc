package workload

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// Upsert makes a node for a name unless there is one; all clients try the same name at once. There is one node for a name.
type Upsert struct{ log }

// Name implements Workload.
func (u *Upsert) Name() string { return "upsert" }

// Schema implements Workload.
func (u *Upsert) Schema() []string { return []string{"upsert_email: string @index(exact) @upsert ."} }

// upsertTime is how long a name is tried.
const upsertTime = 400 * time.Millisecond

// make is an upsert: whose value is 1 if it made the node.
const makeNode cycle.Act = "upsert"

// Step implements Workload.
func (u *Upsert) Step(ctx context.Context, c *Client) history.Outcome {
	now := int(u.rec.Now() / upsertTime)
	switch c.RNG.IntN(3) {
	case 0:
		return u.record(c, func(t *cycle.Txn) error { return u.inBlock(ctx, c, t, now) })
	case 1:
		return u.record(c, func(t *cycle.Txn) error { return u.byHand(ctx, c, t, now) })
	}
	name := max(0, now-c.RNG.IntN(4))
	return u.record(c, func(t *cycle.Txn) error { return u.read(ctx, c, t, name) })
}

func email(n int) string { return fmt.Sprintf("u%d@example.com", n) }

func (u *Upsert) find(n int) string {
	return fmt.Sprintf(`{ q(func: eq(upsert_email, "%s")) { uid } }`, email(n))
}

// inBlock asks and writes in one request.
func (u *Upsert) inBlock(ctx context.Context, c *Client, t *cycle.Txn, n int) error {
	t.Ops = append(t.Ops, cycle.Op{Does: makeNode, Key: email(n), Value: 1})
	x := c.alpha().NewTxn()
	defer discard(ctx, x)
	resp, err := x.Do(ctx, &api.Request{
		Query: fmt.Sprintf(`{ u as var(func: eq(upsert_email, "%s")) }`, email(n)),
		Mutations: []*api.Mutation{{
			Cond:      "@if(eq(len(u), 0))",
			SetNquads: fmt.Appendf(nil, "_:n <upsert_email> \"%s\" .", email(n)),
		}},
		CommitNow: true,
	})
	if err != nil {
		return err
	}
	if len(resp.Uids) == 0 {
		t.Ops[0].Value = 0
	}
	return nil
}

// byHand asks first, then writes.
func (u *Upsert) byHand(ctx context.Context, c *Client, t *cycle.Txn, n int) error {
	x := c.alpha().NewTxn()
	defer discard(ctx, x)
	var r rows
	if err := query(ctx, x, u.find(n), &r); err != nil {
		return err
	}
	u.see(t, n, r)
	if len(r.Q) > 0 {
		return nil
	}
	t.Ops = append(t.Ops, cycle.Op{Does: makeNode, Key: email(n), Value: 1})
	return setNow(ctx, x, "_:n <upsert_email> \"%s\" .", email(n))
}

func (u *Upsert) see(t *cycle.Txn, n int, r rows) {
	op := cycle.Op{Does: cycle.Read, Key: email(n), List: []int64{}}
	for _, row := range r.Q {
		uid, err := strconv.ParseInt(row.UID, 0, 64)
		if err != nil {
			uid = -1
		}
		op.List = append(op.List, uid)
	}
	t.Ops = append(t.Ops, op)
}

func (u *Upsert) read(ctx context.Context, c *Client, t *cycle.Txn, n int) error {
	var r rows
	if err := query(ctx, c.alpha().NewReadOnlyTxn(), u.find(n), &r); err != nil {
		return err
	}
	u.see(t, n, r)
	return nil
}

// Final reads the last few names once more.
func (u *Upsert) Final(ctx context.Context, c *Client) error {
	now := int(u.rec.Now() / upsertTime)
	for n := max(0, now-200); n <= now; n += 10 {
		var err error
		u.record(c, func(t *cycle.Txn) error { err = u.read(ctx, c, t, n); return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// Check implements Workload.
func (u *Upsert) Check() (wrong []string, summary string) {
	type fate struct {
		made, maybe int
		at          time.Duration // when the first making was acknowledged
		uid         int64
	}
	names := map[string]*fate{}
	of := func(name string) *fate {
		if names[name] == nil {
			names[name] = &fate{}
		}
		return names[name]
	}
	made, reads := 0, 0
	for _, t := range u.Txns() {
		for _, op := range t.Ops {
			if f := of(op.Key); op.Does == makeNode && op.Value == 1 && t.Outcome == history.OK {
				made++
				if f.made++; f.made == 1 || t.Return < f.at {
					f.at = t.Return
				}
			} else if op.Does == makeNode && t.Outcome == history.Unknown {
				f.maybe++
			}
		}
	}
	for _, t := range u.Txns() {
		for _, op := range t.Ops {
			if op.Does != cycle.Read {
				continue
			}
			reads++
			f := of(op.Key)
			switch {
			case len(op.List) > 1:
				wrong = append(wrong, fmt.Sprintf("at %v %s was %d nodes: %x", t.Return, op.Key, len(op.List), op.List))
			case len(op.List) == 1 && f.uid != 0 && f.uid != op.List[0]:
				wrong = append(wrong, fmt.Sprintf("at %v %s was %x, before it was %x", t.Return, op.Key, op.List[0], f.uid))
			case len(op.List) == 1:
				f.uid = op.List[0]
				if f.made+f.maybe == 0 {
					wrong = append(wrong, fmt.Sprintf("at %v %s was there, though nobody made it", t.Return, op.Key))
				}
			case f.made > 0 && f.at < t.Invoke:
				wrong = append(wrong, fmt.Sprintf("at %v %s was not there, though it was made by %v", t.Invoke, op.Key, f.at))
			}
		}
	}
	for name, f := range names {
		if f.made > 1 {
			wrong = append(wrong, fmt.Sprintf("%s was made %d times", name, f.made))
		}
	}
	return wrong, fmt.Sprintf("%d names, %d made, %d reads", len(names), made, reads)
}
