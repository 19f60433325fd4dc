package workload

import (
	"context"
	"fmt"
	"sync/atomic"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// Set inserts numbers as nodes of their own, which an index finds: in the end all that were acknowledged are there, once.
type Set struct {
	log
	next atomic.Int64
}

// Name implements Workload.
func (s *Set) Name() string { return "set" }

// Schema implements Workload.
func (s *Set) Schema() []string {
	return []string{"set_type: string @index(exact) .", "set_value: int ."}
}

// Step implements Workload.
func (s *Set) Step(ctx context.Context, c *Client) history.Outcome {
	return s.record(c, func(t *cycle.Txn) error {
		n := s.next.Add(1)
		t.Ops = append(t.Ops, cycle.Op{Does: cycle.Append, Key: "set", Value: n})
		x := c.alpha().NewTxn()
		defer discard(ctx, x)
		return setNow(ctx, x, "_:n <set_type> \"element\" .\n_:n <set_value> \"%d\" .", n)
	})
}

// Final implements Workload.
func (s *Set) Final(ctx context.Context, c *Client) error {
	var r rows
	return s.all(ctx, c, `{ q(func: eq(set_type, "element")) { v: set_value } }`, &r, func() []int64 {
		out := []int64{}
		for _, row := range r.Q {
			if row.Val == nil {
				out = append(out, 0) // a node without its number
			} else {
				out = append(out, *row.Val)
			}
		}
		return out
	})
}

// all reads the set.
func (l *log) all(ctx context.Context, c *Client, text string, answer any, values func() []int64) (err error) {
	l.record(c, func(t *cycle.Txn) error {
		if err = query(ctx, c.alpha().NewReadOnlyTxn(), text, answer); err != nil {
			return err
		}
		t.Ops = append(t.Ops, cycle.Op{Does: cycle.Read, Key: "set", List: values()})
		return nil
	})
	return err
}

// Check implements Workload.
func (s *Set) Check() (wrong []string, summary string) { return checkSet(s.Txns()) }

// UIDSet adds numbers to one predicate of one node, which holds a set of them.
type UIDSet struct {
	log
	uid  uint64
	next atomic.Int64
}

// Name implements Workload.
func (s *UIDSet) Name() string { return "uid-set" }

// Schema implements Workload.
func (s *UIDSet) Schema() []string { return []string{"uidset_value: [int] ."} }

// Step implements Workload.
func (s *UIDSet) Step(ctx context.Context, c *Client) history.Outcome {
	return s.record(c, func(t *cycle.Txn) error {
		n := s.next.Add(1)
		t.Ops = append(t.Ops, cycle.Op{Does: cycle.Append, Key: "set", Value: n})
		x := c.alpha().NewTxn()
		defer discard(ctx, x)
		return setNow(ctx, x, "<%#x> <uidset_value> \"%d\" .", s.uid, n)
	})
}

// Final implements Workload.
func (s *UIDSet) Final(ctx context.Context, c *Client) error {
	var r struct{ Q []struct{ V []int64 } }
	return s.all(ctx, c, fmt.Sprintf(`{ q(func: uid(%#x)) { v: uidset_value } }`, s.uid), &r, func() []int64 {
		out := []int64{}
		for _, row := range r.Q {
			out = append(out, row.V...)
		}
		return out
	})
}

// Check implements Workload.
func (s *UIDSet) Check() (wrong []string, summary string) { return checkSet(s.Txns()) }

// checkSet holds what was read against what was added before and acknowledged.
func checkSet(txns []*cycle.Txn) (wrong []string, summary string) {
	added := map[int64]*cycle.Txn{}
	for _, t := range txns {
		for _, op := range t.Ops {
			if op.Does == cycle.Append {
				added[op.Value] = t
			}
		}
	}
	reads := 0
	for _, t := range txns {
		for _, op := range t.Ops {
			if op.Does != cycle.Read {
				continue
			}
			reads++
			wrong = append(wrong, checkMembers(t, op.List, added)...)
		}
	}
	if reads == 0 {
		wrong = append(wrong, "it was never read")
	}
	return wrong, fmt.Sprintf("%d added, %d reads", len(added), reads)
}

// checkMembers checks one read of a set.
func checkMembers(t *cycle.Txn, members []int64, added map[int64]*cycle.Txn) (wrong []string) {
	there := map[int64]int{}
	for _, v := range members {
		there[v]++
		by := added[v]
		if by == nil || by.Outcome == history.Fail {
			wrong = append(wrong, fmt.Sprintf("at %v there was %d, which nobody added", t.Return, v))
		}
		if there[v] == 2 {
			wrong = append(wrong, fmt.Sprintf("at %v there was %d more than once", t.Return, v))
		}
	}
	var lost []int64
	acked := 0
	for v, by := range added {
		if by.Outcome == history.OK && by.Return < t.Invoke {
			acked++
			if there[v] == 0 {
				lost = append(lost, v)
			}
		}
	}
	if len(lost) > 0 {
		some := lost[:min(5, len(lost))]
		wrong = append(wrong, fmt.Sprintf("at %v %d of %d acknowledged were not there, as %v", t.Invoke, len(lost), acked, some))
	}
	return wrong
}
