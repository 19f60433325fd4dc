package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// Types writes whole numbers around the limits of machine types and reads them back: what is read is what was written, to the last
// digit, or the write was refused.
type Types struct {
	log
	uid uint64
}

// Name implements Workload.
func (y *Types) Name() string { return "types" }

// Schema implements Workload. The first is left without a type on purpose.
func (y *Types) Schema() []string { return []string{"types_free: default .", "types_int: int ."} }

// near returns a number close to a limit.
func (y *Types) near(c *Client) *big.Int {
	limits := []*big.Int{big.NewInt(0), big.NewInt(1<<24 + 1), big.NewInt(1<<53 + 1)}
	for _, bits := range []uint{7, 15, 31, 63} {
		limits = append(limits, new(big.Int).Lsh(big.NewInt(1), bits))
	}
	limits = append(limits, new(big.Int).Lsh(big.NewInt(3), 63))
	n := new(big.Int).Set(limits[c.RNG.IntN(len(limits))])
	if c.RNG.IntN(2) == 0 {
		n.Neg(n)
	}
	return n.Add(n, big.NewInt(int64(c.RNG.IntN(17)-8)))
}

// Step implements Workload: the number, what became of it and what was read go into one record.
func (y *Types) Step(ctx context.Context, c *Client) history.Outcome {
	n, predicate, asJSON := y.near(c), []string{"types_free", "types_int"}[c.RNG.IntN(2)], c.RNG.IntN(2) == 0
	return y.record(c, func(t *cycle.Txn) error {
		t.Ops = []cycle.Op{{Does: cycle.Write, Key: n.String()}}
		x := c.alpha().NewTxn()
		defer discard(ctx, x)
		m := mutation(false, "_:n <%s> \"%s\" .", predicate, n)
		if asJSON {
			m = &api.Mutation{SetJson: fmt.Appendf(nil, `{"uid": "_:n", %q: %s}`, predicate, n)}
		}
		resp, err := x.Mutate(ctx, m)
		if refused(err) && !n.IsInt64() {
			return errDeclined
		}
		if err != nil {
			return surely(err)
		}
		uid := resp.Uids["n"]
		if err := x.Commit(ctx); err != nil {
			return err
		}
		got, err := y.read(ctx, c, uid, predicate)
		if err != nil {
			return err
		}
		t.Ops = append(t.Ops, cycle.Op{Does: cycle.Read, Key: got})
		return nil
	})
}

func (y *Types) read(ctx context.Context, c *Client, uid, predicate string) (string, error) {
	var r struct {
		Q []struct{ V json.RawMessage }
	}
	if err := query(ctx, c.alpha().NewReadOnlyTxn(), fmt.Sprintf(`{ q(func: uid(%s)) { v: %s } }`, uid, predicate), &r); err != nil {
		return "", err
	}
	if len(r.Q) != 1 {
		return fmt.Sprintf("%d values", len(r.Q)), nil
	}
	var text string
	if json.Unmarshal(r.Q[0].V, &text) != nil { // a number, not a text
		text = string(r.Q[0].V)
	}
	return text, nil
}

// Final implements Workload: everything was read when it was written.
func (y *Types) Final(context.Context, *Client) error { return nil }

// Check implements Workload.
func (y *Types) Check() (wrong []string, summary string) {
	same := 0
	for _, t := range y.Txns() {
		if len(t.Ops) < 2 || t.Outcome != history.OK {
			continue
		}
		if wrote, got := t.Ops[0].Key, t.Ops[1].Key; wrote != got {
			wrong = append(wrong, fmt.Sprintf("wrote %s, read %s", wrote, got))
		} else {
			same++
		}
	}
	return wrong, fmt.Sprintf("%d numbers came back the same", same)
}
