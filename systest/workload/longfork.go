package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// LongFork inserts keys that nobody has written and reads them in groups: of two reads of a group one has seen all that the other has.
type LongFork struct {
	log
	next atomic.Int64

	mu     sync.Mutex
	groups map[int]int // guarded by mu: the group each client works on
}

// forkGroup is how many keys are read together; they lie in as many predicates as there are, in turn.
const (
	forkGroup      = 3
	forkPredicates = 5
)

// Name implements Workload.
func (l *LongFork) Name() string { return "long-fork" }

// Schema implements Workload.
func (l *LongFork) Schema() []string { return keyed("fork") }

// keyed returns five pairs of an indexed key and a value. Predicates are given to the groups in turn, so keys and values trade places.
func keyed(prefix string) (out []string) {
	for i := range forkPredicates {
		pair := []string{
			fmt.Sprintf("%s_key%d: int @index(int) @upsert .", prefix, i),
			fmt.Sprintf("%s_value%d: int .", prefix, i),
		}
		if i%2 == 1 {
			slices.Reverse(pair)
		}
		out = append(out, pair...)
	}
	return out
}

// Step implements Workload: a client writes a key and then reads its group, or reads a group that others write.
func (l *LongFork) Step(ctx context.Context, c *Client) history.Outcome {
	l.mu.Lock()
	group, mine := l.groups[c.Process]
	delete(l.groups, c.Process)
	l.mu.Unlock()
	if !mine && c.RNG.IntN(2) == 0 {
		key := int(l.next.Add(1)) - 1
		l.mu.Lock()
		l.groups[c.Process] = key / forkGroup
		l.mu.Unlock()
		return l.record(c, func(t *cycle.Txn) error { return l.insert(ctx, c, t, key) })
	}
	if !mine {
		group = max(0, int(l.next.Load())/forkGroup-c.RNG.IntN(2))
	}
	return l.record(c, func(t *cycle.Txn) error { return l.read(ctx, c, t, group) })
}

func (l *LongFork) insert(ctx context.Context, c *Client, t *cycle.Txn, key int) error {
	t.Ops = append(t.Ops, cycle.Op{Does: cycle.Write, Key: fmt.Sprint(key), Value: 1})
	x := c.alpha().NewTxn()
	defer discard(ctx, x)
	i := key % forkPredicates
	return setNow(ctx, x, "_:n <fork_key%d> \"%d\" .\n_:n <fork_value%d> \"1\" .", i, key, i)
}

// read reads a group in one request.
func (l *LongFork) read(ctx context.Context, c *Client, t *cycle.Txn, group int) error {
	var text strings.Builder
	text.WriteString("{")
	for n := range forkGroup {
		key := group*forkGroup + n
		i := key % forkPredicates
		fmt.Fprintf(&text, " k%d(func: eq(fork_key%d, %d)) { v: fork_value%d }", key, i, key, i)
	}
	var found map[string][]row
	if err := query(ctx, c.alpha().NewReadOnlyTxn(), text.String()+" }", &found); err != nil {
		return err
	}
	for n := range forkGroup {
		key := group*forkGroup + n
		op := cycle.Op{Does: cycle.Read, Key: fmt.Sprint(key)}
		if at := found[fmt.Sprintf("k%d", key)]; len(at) == 1 && at[0].Val != nil {
			op.Value = *at[0].Val
		} else if len(at) > 0 {
			op.Value = -1 // the key without its value, or twice
		}
		t.Ops = append(t.Ops, op)
	}
	return nil
}

// Final implements Workload.
func (l *LongFork) Final(ctx context.Context, c *Client) error {
	newest := int(l.next.Load()) / forkGroup
	for group := max(0, newest-20); group <= newest; group++ {
		var err error
		l.record(c, func(t *cycle.Txn) error { err = l.read(ctx, c, t, group); return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// Check implements Workload.
func (l *LongFork) Check() (wrong []string, summary string) {
	groups, reads := map[string][]*cycle.Txn{}, 0
	for _, t := range l.Txns() {
		if t.Outcome != history.OK || t.Ops[0].Does != cycle.Read {
			continue
		}
		reads++
		for _, op := range t.Ops {
			if op.Value < 0 {
				wrong = append(wrong, fmt.Sprintf("at %v key %s had no value, or was there twice", t.Return, op.Key))
			}
		}
		groups[t.Ops[0].Key] = append(groups[t.Ops[0].Key], t)
	}
	for _, group := range groups {
		for i, a := range group {
			for _, b := range group[:i] {
				if forked(a, b) {
					wrong = append(wrong, fmt.Sprintf("a fork: %v at %v, %v at %v", a.Ops, a.Return, b.Ops, b.Return))
				}
			}
		}
	}
	fresh, summary := cycles(cycle.CheckRegister(l.Txns()))
	return append(wrong, fresh...), fmt.Sprintf("%d reads of %d groups; %s", reads, len(groups), summary)
}

// forked reports whether each of two reads saw a key that the other did not.
func forked(a, b *cycle.Txn) bool {
	ahead, behind := false, false
	for i := range a.Ops {
		ahead = ahead || a.Ops[i].Value != 0 && b.Ops[i].Value == 0
		behind = behind || a.Ops[i].Value == 0 && b.Ops[i].Value != 0
	}
	return ahead && behind
}

// cycles turns what package cycle found into findings.
func cycles(r *cycle.Report, err error) (wrong []string, summary string) {
	if err != nil {
		return []string{err.Error()}, "no history"
	}
	for _, v := range r.Violations {
		wrong = append(wrong, v.String())
	}
	if r.More > 0 {
		wrong = append(wrong, fmt.Sprintf("and %d more", r.More))
	}
	return wrong, fmt.Sprintf("%d committed, %d edges, %d write skews", r.Committed, r.Edges, r.Skews)
}
