package workload

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/dgraph-io/dgo/v250"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// ListAppend is transactions of reads and appends of lists. A list is a text that is read, made longer and written back: what the
// database calls a list is a set, and would not show an order. One of the lists is hot.
type ListAppend struct {
	log
	pool
	base uint64
}

// listPredicates is over how many predicates, and so over all groups, the lists are spread.
const listPredicates = 6

func newListAppend(l log, base uint64) *ListAppend {
	return &ListAppend{log: l, pool: pool{alive: 11, writes: 64}, base: base}
}

// Name implements Workload.
func (l *ListAppend) Name() string { return "list-append" }

// Schema implements Workload.
func (l *ListAppend) Schema() (out []string) {
	for i := range listPredicates {
		out = append(out, fmt.Sprintf("list_%d: string .", i))
	}
	return out
}

func (l *ListAppend) uid(key int) string { return fmt.Sprintf("%#x", l.base+uint64(key)) }

// Step implements Workload.
func (l *ListAppend) Step(ctx context.Context, c *Client) history.Outcome {
	if c.RNG.IntN(4) == 0 {
		return l.record(c, func(t *cycle.Txn) error { return l.together(ctx, c, t) })
	}
	return l.record(c, func(t *cycle.Txn) error {
		x := c.alpha().NewTxn()
		defer discard(ctx, x)
		wrote := false
		for range 1 + c.RNG.IntN(4) {
			key := l.pick(c, 10)
			list, err := l.read(ctx, x, key)
			if err != nil {
				return err
			}
			if c.RNG.IntN(2) == 0 {
				t.Ops = append(t.Ops, cycle.Op{Does: cycle.Read, Key: fmt.Sprint(key), List: list})
				continue
			}
			wrote = true
			if err := l.append(ctx, x, t, key, list); err != nil {
				return err
			}
		}
		if !wrote {
			return nil
		}
		return x.Commit(ctx)
	})
}

// append writes a list back with one more value. That it was read is not noted: the next read shows it.
func (l *ListAppend) append(ctx context.Context, x *dgo.Txn, t *cycle.Txn, key int, list []int64) error {
	value := l.write(key)
	t.Ops = append(t.Ops, cycle.Op{Does: cycle.Append, Key: fmt.Sprint(key), Value: value})
	return set(ctx, x, "<%s> <list_%d> %q .", l.uid(key), key%listPredicates, encodeList(append(list, value)))
}

func (l *ListAppend) read(ctx context.Context, x *dgo.Txn, key int) ([]int64, error) {
	var r struct{ Q []struct{ V string } }
	if err := query(ctx, x, fmt.Sprintf(`{ q(func: uid(%s)) { v: list_%d } }`, l.uid(key), key%listPredicates), &r); err != nil {
		return nil, err
	}
	if len(r.Q) == 0 {
		return []int64{}, nil
	}
	list, err := decodeList(r.Q[0].V)
	return list, surely(err)
}

// together reads some lists in one request.
func (l *ListAppend) together(ctx context.Context, c *Client, t *cycle.Txn) error {
	keys := map[int]bool{}
	for range 4 {
		keys[l.pick(c, 20)] = true
	}
	var text strings.Builder
	text.WriteString("{")
	for key := range keys {
		fmt.Fprintf(&text, " k%d(func: uid(%s)) { v: list_%d }", key, l.uid(key), key%listPredicates)
	}
	var r map[string][]struct{ V string }
	if err := query(ctx, c.alpha().NewReadOnlyTxn(), text.String()+" }", &r); err != nil {
		return err
	}
	for key := range keys {
		list := []int64{}
		if at := r[fmt.Sprintf("k%d", key)]; len(at) > 0 {
			var err error
			if list, err = decodeList(at[0].V); err != nil {
				return surely(err)
			}
		}
		t.Ops = append(t.Ops, cycle.Op{Does: cycle.Read, Key: fmt.Sprint(key), List: list})
	}
	return nil
}

func encodeList(list []int64) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.FormatInt(v, 10))
	}
	return b.String()
}

func decodeList(text string) ([]int64, error) {
	list := []int64{}
	for _, f := range strings.Fields(text) {
		v, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("a list that nobody wrote: %q", text)
		}
		list = append(list, v)
	}
	return list, nil
}

// Final implements Workload.
func (l *ListAppend) Final(ctx context.Context, c *Client) (err error) {
	l.record(c, func(t *cycle.Txn) error {
		x := c.alpha().NewReadOnlyTxn()
		for _, key := range l.living() {
			var list []int64
			if list, err = l.read(ctx, x, key); err != nil {
				return err
			}
			t.Ops = append(t.Ops, cycle.Op{Does: cycle.Read, Key: fmt.Sprint(key), List: list})
		}
		return nil
	})
	return err
}

// Check implements Workload.
func (l *ListAppend) Check() (wrong []string, summary string) {
	return cycles(cycle.CheckAppend(l.Txns()))
}
