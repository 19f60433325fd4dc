package workload

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/dgo/v250"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// Sequential counts up and reads counters found by an indexed key: nobody sees one go backwards, neither a client nor real time, and
// no count is taken twice.
type Sequential struct{ log }

// Name implements Workload.
func (s *Sequential) Name() string { return "sequential" }

// Schema implements Workload.
func (s *Sequential) Schema() []string {
	return []string{"seq_key: int @index(int) @upsert .", "seq_value: int @index(int) ."}
}

// sequentialKeys is how many counters there are.
const sequentialKeys = 8

// Step implements Workload.
func (s *Sequential) Step(ctx context.Context, c *Client) history.Outcome {
	key := c.RNG.IntN(sequentialKeys)
	if c.RNG.IntN(2) == 0 {
		return s.record(c, func(t *cycle.Txn) error {
			_, err := s.read(ctx, c.alpha().NewReadOnlyTxn(), t, key)
			return err
		})
	}
	return s.record(c, func(t *cycle.Txn) error { return s.increment(ctx, c, t, key) })
}

// read notes the value of a counter and returns its node; 0 before it is there.
func (s *Sequential) read(ctx context.Context, x *dgo.Txn, t *cycle.Txn, key int) (row, error) {
	var r rows
	if err := query(ctx, x, fmt.Sprintf(`{ q(func: eq(seq_key, %d)) { uid v: seq_value } }`, key), &r); err != nil {
		return row{}, err
	}
	op := cycle.Op{Does: cycle.Read, Key: fmt.Sprint(key)}
	var at row
	switch {
	case len(r.Q) > 1:
		op.Value = -1 // two counters of one name: never right
	case len(r.Q) == 1:
		at = r.Q[0]
		if at.Val == nil {
			op.Value = -1
		} else {
			op.Value = *at.Val
		}
	}
	t.Ops = append(t.Ops, op)
	return at, nil
}

func (s *Sequential) increment(ctx context.Context, c *Client, t *cycle.Txn, key int) error {
	x := c.alpha().NewTxn()
	defer discard(ctx, x)
	at, err := s.read(ctx, x, t, key)
	if err != nil {
		return err
	}
	n := t.Ops[0].Value + 1
	t.Ops = append(t.Ops, cycle.Op{Does: cycle.Write, Key: fmt.Sprint(key), Value: n})
	if at.UID == "" {
		return setNow(ctx, x, "_:n <seq_key> \"%d\" .\n_:n <seq_value> \"%d\" .", key, n)
	}
	return setNow(ctx, x, "<%s> <seq_value> \"%d\" .", at.UID, n)
}

// Final implements Workload.
func (s *Sequential) Final(ctx context.Context, c *Client) (err error) {
	for key := range sequentialKeys {
		s.record(c, func(t *cycle.Txn) error {
			_, err = s.read(ctx, c.alpha().NewReadOnlyTxn(), t, key)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Check implements Workload.
func (s *Sequential) Check() (wrong []string, summary string) {
	type count struct {
		key string
		n   int64
	}
	var seen []*cycle.Txn
	taken, counts := map[count]*cycle.Txn{}, 0
	for _, t := range s.Txns() {
		if t.Outcome != history.OK {
			continue
		}
		seen = append(seen, t)
		for _, op := range t.Ops {
			if op.Value < 0 {
				wrong = append(wrong, fmt.Sprintf("at %v the counter %s was two, or had no value", t.Return, op.Key))
			}
			if op.Does != cycle.Write {
				continue
			}
			counts++
			at := count{op.Key, op.Value}
			if by := taken[at]; by != nil {
				wrong = append(wrong, fmt.Sprintf("%s was counted up to %d twice, by %v and %v", op.Key, op.Value, by.Return, t.Return))
			}
			taken[at] = t
		}
	}
	wrong = append(wrong, backwards(seen)...)
	return wrong, fmt.Sprintf("%d transactions, %d counts", len(seen), counts)
}

// backwards returns who saw less of a counter than was seen before he began.
func backwards(txns []*cycle.Txn) (wrong []string) {
	ended := slices.Clone(txns)
	slices.SortStableFunc(ended, func(a, b *cycle.Txn) int { return cmp.Compare(a.Return, b.Return) })
	begun := slices.Clone(txns)
	slices.SortStableFunc(begun, func(a, b *cycle.Txn) int { return cmp.Compare(a.Invoke, b.Invoke) })
	highest, when := map[string]int64{}, map[string]time.Duration{}
	for _, t := range begun {
		for len(ended) > 0 && ended[0].Return < t.Invoke {
			for _, op := range ended[0].Ops {
				if op.Value > highest[op.Key] {
					highest[op.Key], when[op.Key] = op.Value, ended[0].Return
				}
			}
			ended = ended[1:]
		}
		for _, op := range t.Ops {
			if op.Value < highest[op.Key] {
				wrong = append(wrong, fmt.Sprintf("client %d saw %s at %d, begun at %v; it was %d at %v", t.Process, op.Key, op.Value,
					t.Invoke, highest[op.Key], when[op.Key]))
			}
		}
	}
	return wrong
}
