package sim

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/query/task"
	"dragg/systest/history"
)

const (
	bankSchema = `
		amount0: int @index(int) .
		amount1: int .
		amount2: int @index(int) .
		amount3: int .`
	predicates = 4
	accounts   = 8
	balance    = 100 // at first
	clients    = 4
)

// bank is accounts between which money is moved, spread over predicates that move as well. What everybody saw is recorded.
type bank struct {
	txns  []*history.Txn
	acked int
}

func predicate(account int) graph.Predicate {
	return graph.Pred(fmt.Sprintf("amount%d", account%predicates))
}
func register(account int) string { return fmt.Sprintf("%s/%d", predicate(account).Name, account) }
func uid(account int) graph.UID   { return graph.UID(account + 1) }

// end records how a transaction ended.
func (b *bank) end(c *cluster, t *history.Txn, err error, commit graph.Timestamp) {
	t.Return, t.Commit, t.ID = c.w.now, commit, len(b.txns)+1
	switch class := fault.ClassOf(err); {
	case err == nil:
		t.Outcome = history.OK
		b.acked++
		c.counts["ok"]++
	case class == fault.Aborted:
		t.Outcome = history.Fail
		c.counts["aborted"]++
	case class == fault.Internal || class == fault.Invalid:
		c.w.fail("transaction %d of client %d: %w", t.ID, t.Process, err)
	default:
		t.Outcome = history.Unknown
		c.counts["unknown"]++
	}
	b.txns = append(b.txns, t)
}

// deposit fills the accounts.
func (b *bank) deposit(c *cluster, t *fiber) {
	for n := c.anyOf(1); ; n = c.anyOf(1) {
		x := &txn{c: c, t: t, n: n, rec: &history.Txn{Invoke: c.w.now}}
		err := x.begin()
		for a := range accounts {
			x.set(a, balance)
		}
		if err == nil {
			err = x.commit()
		}
		b.end(c, x.rec, err, x.committed)
		if err == nil {
			return
		}
	}
}

// client works until the run is over.
func (b *bank) client(c *cluster, t *fiber, process int) {
	for !c.closed {
		t.sleep(c.w.between(0, 2*longDelay))
		g := graph.GroupID(1 + c.w.rng.IntN(len(c.groups)))
		x := &txn{c: c, t: t, n: c.anyOf(g), rec: &history.Txn{Process: process, Invoke: c.w.now}}
		if !x.n.up {
			continue
		}
		var err error
		if c.w.chance(3) {
			err = b.audit(c, x)
		} else {
			err = x.transfer()
		}
		if x.n.life != x.life { // nobody answers any more
			err = errNoAnswer
		}
		b.end(c, x.rec, err, x.committed)
		if err != nil {
			t.sleep(c.w.between(0, silence))
		}
	}
}

// audit reads all balances in one snapshot; sometimes after a while, when tablets have moved.
func (b *bank) audit(c *cluster, x *txn) error {
	if err := x.begin(); err != nil {
		return err
	}
	if c.w.chance(4) {
		x.t.sleep(c.w.between(0, snapshotsKept))
	}
	sum := 0
	all := make([]int, accounts)
	for a := range all {
		all[a] = a
	}
	got, err := x.read(all)
	if err != nil {
		return err
	}
	for _, n := range got {
		sum += n
	}
	if len(got) != accounts || sum != accounts*balance {
		c.w.fail("at %d the accounts hold %v, %d in all", x.start, got, sum)
	}
	c.counts["audits"]++
	return x.match()
}

// txn is one transaction at one Alpha.
type txn struct {
	c            *cluster
	t            *fiber
	n            *node
	life         int
	rec          *history.Txn
	start, after graph.Timestamp
	edges        []graph.Edge
	committed    graph.Timestamp
}

func (x *txn) begin() error {
	x.life = x.n.life
	err := x.c.zeroCall(x.t, x.n, false, func(t *fiber, z *node) (err error) {
		x.start, x.after, err = x.c.startTimestamp(t, z)
		return err
	})
	if err != nil {
		return fault.New(fault.Unavailable, "%w", err) // nothing has happened
	}
	x.rec.Start = x.start
	if !x.t.wait(time.Second, func() bool { return x.n.alpha.Watermark() >= x.after || !x.n.up }) || !x.n.up {
		return errUnreachable
	}
	return nil
}

// ask sends the tasks to whoever serves them to the snapshot.
func (x *txn) ask(batch []task.Task) ([]task.Result, error) {
	if x.n.life != x.life {
		return nil, errNoAnswer
	}
	results := make([]task.Result, len(batch))
	parts := make([][]int, len(x.c.groups))
	for i := range batch {
		if group, ok := x.n.alpha.Route(batch[i].Predicate, x.start); ok {
			parts[group-1] = append(parts[group-1], i)
		}
	}
	for g, places := range parts {
		if len(places) == 0 {
			continue
		}
		var tasks []task.Task
		for _, place := range places {
			tasks = append(tasks, batch[place])
		}
		to := x.n
		if x.n.g != x.c.groups[g] {
			to = x.c.anyOf(graph.GroupID(g + 1))
		}
		var answers []task.Result
		err := x.c.w.call(x.t, x.n, to, true, func(t *fiber) error {
			got, err := x.c.read(t, to, x.start, x.after, tasks)
			if err == nil { // the second of two arrivals may be refused when the first was answered
				answers = got
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			results[place] = answers[i]
		}
	}
	return results, nil
}

// read returns the balances of some accounts, and notes what was seen.
func (x *txn) read(of []int) (map[int]int, error) {
	var batch []task.Task
	for _, a := range of {
		batch = append(batch, task.Task{Kind: task.Values, Predicate: predicate(a), Src: []graph.UID{uid(a)}})
	}
	results, err := x.ask(batch)
	if err != nil {
		return nil, err
	}
	got := map[int]int{}
	for i, a := range of {
		text := ""
		if len(results[i].Values) == 1 {
			text = results[i].Values[0].Text()
			if got[a], err = strconv.Atoi(text); err != nil {
				return nil, err
			}
		}
		x.rec.Read(register(a), text)
	}
	return got, nil
}

// match asks an index who has the balance of one account.
func (x *txn) match() error {
	p := 2 * x.c.w.rng.IntN(predicates/2)
	text := strconv.Itoa(balance - 3 + x.c.w.rng.IntN(6))
	results, err := x.ask([]task.Task{{
		Kind: task.Match, AtRoot: true, Predicate: predicate(p), Func: task.Func{Name: task.Eq, Args: []string{text}},
	}})
	if err != nil {
		return err
	}
	var those []string
	for a := range accounts {
		if a%predicates == p {
			those = append(those, register(a))
		}
	}
	x.rec.Match(those, []string{text}, results[0].Set.Len())
	return nil
}

func (x *txn) set(account, amount int) {
	x.rec.Write(register(account), strconv.Itoa(amount))
	v, err := types.Parse(strconv.Itoa(amount), types.Int)
	if err != nil {
		x.c.w.fail("%w", err)
	}
	x.edges = append(x.edges, graph.Edge{Op: graph.Set, Subject: uid(account), Predicate: predicate(account), Value: v})
}

func (x *txn) transfer() error {
	if err := x.begin(); err != nil {
		return err
	}
	rng := x.c.w.rng
	from := rng.IntN(accounts)
	to := (from + 1 + rng.IntN(accounts-1)) % accounts
	got, err := x.read([]int{from, to})
	if err != nil {
		return err
	}
	n := 1 + rng.IntN(5)
	x.set(from, got[from]-n)
	x.set(to, got[to]+n)
	return x.commit()
}

// commit writes at the leaders of the groups and asks for the verdict.
func (x *txn) commit() error {
	if x.n.life != x.life {
		return errNoAnswer
	}
	r := &pb.CommitRequest{StartTs: uint64(x.start)}
	parts := make([][]graph.Edge, len(x.c.groups))
	var known graph.Timestamp
	for _, e := range x.edges {
		if g, ok := x.n.alpha.Route(e.Predicate, graph.MaxTimestamp); ok {
			parts[g-1] = append(parts[g-1], e)
			known = max(known, x.n.alpha.DefinedAt(e.Predicate))
		}
	}
	for g, part := range parts {
		if len(part) == 0 {
			continue
		}
		leader := x.c.groups[g].leader
		if leader == nil {
			return errUnreachable
		}
		err := x.c.w.call(x.t, x.n, leader, false, func(t *fiber) error { return x.prewrite(t, leader, part, known, r) })
		if err != nil {
			return notCommitted(err)
		}
		r.Groups = append(r.Groups, uint32(g+1))
	}
	var reply *pb.CommitReply
	err := x.c.zeroCall(x.t, x.n, true, func(_ *fiber, z *node) error {
		got, err := x.c.commit(z, r)
		if reply == nil { // the first answer counts
			reply = got
		}
		return err
	})
	switch {
	case err != nil && x.c.planted(bugRetry) && fault.ClassOf(err) == fault.Unknown && x.begin() == nil:
		return x.commit()
	case err != nil:
		return err
	case reply.CommitTs == 0:
		return fault.New(fault.Aborted, "%v", reply.Reason)
	}
	x.committed = graph.Timestamp(reply.CommitTs)
	return nil
}

// notCommitted gives an error from before the verdict was asked for a class that says so.
func notCommitted(err error) error {
	if class := fault.ClassOf(err); class == fault.Internal || class == fault.Invalid {
		return err
	}
	return fault.New(fault.Aborted, "%w", err)
}

func (x *txn) prewrite(t *fiber, n *node, part []graph.Edge, known graph.Timestamp, r *pb.CommitRequest) error {
	life, after := n.life, x.after
	if x.c.planted(bugUnapplied) {
		after = 0
	}
	open := func() bool {
		for _, e := range part {
			if tb, ok := n.alpha.Tablet(e.Predicate); ok && tb.Group == uint32(n.alpha.group) && tb.Move.GetFence() != 0 {
				return false
			}
		}
		return n.alpha.Watermark() >= max(known, after)
	}
	if !t.wait(2*time.Second, func() bool { return open() || n.life != life }) || n.life != life {
		return errUnreachable
	}
	w, err := n.alpha.Prewrite(x.c.ctx, shard.Writing{
		Start: x.start, After: after, Steps: [][]graph.Edge{part}, Known: known, Last: true,
	})
	r.Keys, r.Epochs = append(r.Keys, w.Keys...), append(r.Epochs, w.Epochs...)
	return err
}

var errImpossible = errors.New("a history that cannot be")

// check checks the history, now that everything is quiet.
func (b *bank) check(c *cluster) (*history.Report, error) {
	z := c.zeros.members[0].zero
	for _, t := range b.txns {
		if t.Outcome != history.Unknown || t.Start == 0 {
			continue
		}
		commit, known := z.Outcome(t.Start)
		switch {
		case known && commit == 0:
			t.Outcome = history.Fail
		case known:
			t.Commit = commit
		}
	}
	r := history.Check(b.txns)
	if len(r.Violations) > 0 {
		return r, fmt.Errorf("%w: %v", errImpossible, r)
	}
	return r, nil
}
