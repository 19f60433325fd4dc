package raftgroup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"dragg/internal/fault"
	"dragg/raftgroup/raftlog"
)

// Goal: leaders fail under load and nothing that was acknowledged is lost, nothing applied twice, all members agree. Method:
// stop and restart or cut off whoever leads, over a network that loses, repeats, delays and reorders.
func TestFailover(t *testing.T) {
	c := newCluster(t, 3, Config{CheckpointBytes: 64 << 10})
	c.everyLink(link{drop: 0.02, repeat: 0.02, jitter: 2 * time.Millisecond})
	l := c.writeOn(8, 100)
	for round := range 8 {
		was := c.leader()
		before := l.progress()
		if round%2 == 0 {
			c.stop(was.id)
		} else {
			c.isolate(was.id)
		}
		c.leader(was.id)
		c.await("writes after the leader failed", func() bool { return l.progress() > before+20 })
		if round%2 == 0 {
			c.start(was.id)
		} else {
			c.heal()
			c.everyLink(link{drop: 0.02, repeat: 0.02, jitter: 2 * time.Millisecond})
		}
		before = l.progress()
		c.await("writes after it came back", func() bool { return l.progress() > before+20 })
	}
	l.end()
	c.heal()
	t.Logf("%d acknowledged, %d surely lost and repeated, %d unknown", l.count, l.lost, l.unsure)
	c.check(l, 1, 2, 3)
}

// Goal: the same for a group of five with two members failing at a time.
func TestTwoOfFiveFail(t *testing.T) {
	c := newCluster(t, 5, Config{CheckpointBytes: 64 << 10})
	l := c.writeOn(4, 50)
	for round := range uint64(4) {
		a, b := c.leader().id, 1+round
		if a == b {
			b = 5
		}
		c.stop(a)
		c.isolate(b)
		before := l.progress()
		c.await("writes with two members gone", func() bool { return l.progress() > before+20 })
		c.start(a)
		c.heal()
		before = l.progress()
		c.await("writes with all members", func() bool { return l.progress() > before+20 })
	}
	l.end()
	c.check(l, 1, 2, 3, 4, 5)
}

// Goal: a minority acknowledges nothing and serves no reads; what was under way on the leader in it ends unknown, or is proved
// lost when it hears of the others again. Method: cut the leader off with proposals in flight, and read on both sides.
func TestMinority(t *testing.T) {
	c := newCluster(t, 3, Config{})
	writer := c.writer()
	c.write(writer, 1, 5, 0)
	old := c.leader()
	c.isolate(old.id)
	type result struct {
		err error
		n   uint64
	}
	results := make(chan result, 8)
	for n := range uint64(8) {
		go func() {
			_, err := old.Propose(c.ctx, command(100+n, 1, 0))
			results <- result{err, n}
		}()
	}
	ctx, cancel := context.WithTimeout(c.ctx, 20*tickInterval)
	defer cancel()
	if _, err := old.ReadIndex(ctx); err == nil {
		t.Error("a leader that is cut off served a read")
	}
	for range 8 {
		switch r := <-results; {
		case r.err == nil:
			t.Errorf("proposal %d was acknowledged by a minority", r.n)
		case fault.ClassOf(r.err) != fault.Unknown && !errors.Is(r.err, ErrNotLeader):
			t.Errorf("proposal %d: %v", r.n, r.err)
		}
	}
	c.await("the leader steps down", func() bool { return !old.Status().Leading })
	if _, err := old.Propose(c.ctx, command(200, 1, 0)); !errors.Is(err, ErrNotLeader) {
		t.Errorf("a proposal in a minority got %v", err)
	}
	fresh := c.leader(old.id)
	if _, err := fresh.Propose(c.ctx, command(writer, 6, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := old.ReadIndex(c.ctx); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("a read in a minority got %v", err)
	}
	c.heal()
	c.check(nil, 1, 2, 3)
}

// What the log says of proposals whose leader was deposed: an entry of a later term proves that those of earlier terms which
// are not settled were lost.
func TestLostProposalIsProvedLost(t *testing.T) {
	p := newProposals(1)
	a, err := p.add([]byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := p.add([]byte("b"))
	fresh, _ := p.add([]byte("not taken yet"))
	p.admitted([]proposal{a}, 3)
	p.admitted([]proposal{b}, 5)
	p.overtaken(4)
	if o := <-a.state.done; !errors.Is(o.err, ErrNotLeader) {
		t.Errorf("an entry of term 4 is applied: the proposal of term 3 got %v", o.err)
	}
	p.overtaken(5)
	select {
	case o := <-b.state.done:
		t.Errorf("an entry of term 5 is applied: the proposal of term 5 got %v", o)
	default:
	}
	p.unknown(5, errDeposed)
	if o := <-b.state.done; fault.ClassOf(o.err) != fault.Unknown {
		t.Errorf("got %v", o.err)
	}
	p.stop()
	if o := <-fresh.state.done; !errors.Is(o.err, ErrNotLeader) {
		t.Errorf("what Raft never took got %v", o.err)
	}
}

// Goal: reads see every write acknowledged before, on whatever member, also while leaders change. Method: a writer notes what
// was acknowledged; readers on all members ask for an index, then look into the machine.
func TestReadIndexIsLinearizable(t *testing.T) {
	c := newCluster(t, 3, Config{})
	c.everyLink(link{drop: 0.02, repeat: 0.05, jitter: time.Millisecond})
	writer := c.writer()
	c.write(writer, 1, 1, 0)
	var acked atomic.Uint64
	acked.Store(1)
	ctx, cancel := context.WithCancel(c.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := uint64(2); ctx.Err() == nil; n++ {
			for _, id := range c.up() {
				m := c.node(id)
				if m == nil || !m.Status().Leading {
					continue
				}
				one, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				if _, err := m.Propose(one, command(writer, n, 0)); err == nil {
					acked.Store(n)
				}
				cancel()
				n++ // whatever became of it
			}
		}
	}()
	var reads [4]atomic.Int64
	var readers sync.WaitGroup
	for id := range uint64(3) {
		for range 3 {
			readers.Go(func() {
				for ctx.Err() == nil {
					m := c.node(id + 1)
					if m == nil {
						continue
					}
					before := acked.Load()
					one, cancel := context.WithTimeout(ctx, time.Second)
					_, err := m.ReadIndex(one)
					cancel()
					if err != nil {
						continue
					}
					m.machine.mu.Lock()
					if got := m.machine.state.last[writer]; got < before {
						t.Errorf("a read on member %d saw %d, but %d was acknowledged before", m.id, got, before)
					}
					m.machine.mu.Unlock()
					reads[m.id].Add(1)
				}
			})
		}
	}
	for range 6 {
		var before [4]int64
		for i := range before {
			before[i] = reads[i].Load()
		}
		was := c.leader()
		c.isolate(was.id)
		c.leader(was.id)
		c.await("reads without the old leader", func() bool {
			for i := 1; i <= 3; i++ {
				if uint64(i) != was.id && reads[i].Load() < before[i]+3 {
					return false
				}
			}
			return true
		})
		c.heal()
		c.everyLink(link{drop: 0.02, repeat: 0.05, jitter: time.Millisecond})
	}
	cancel()
	<-done
	readers.Wait()
	t.Logf("reads on members: %d, %d, %d", reads[1].Load(), reads[2].Load(), reads[3].Load())
}

// Goal: a member that was away for long is sent the state while writes go on, also when the first attempts fail, are slow or
// get lost, and the log stays short all the while. Method: stop a follower, write many checkpoints' worth, start it.
func TestFollowerIsSentSnapshot(t *testing.T) {
	c := newCluster(t, 3, Config{CheckpointBytes: 32 << 10, KeepBytes: 4 << 10})
	l := c.writeOn(4, 200)
	lead := c.leader()
	away := lead.id%3 + 1
	c.stop(away)
	before := l.progress()
	c.await("many writes", func() bool { return l.progress() > before+1500 })
	lead.machine.mu.Lock()
	lead.machine.failing, lead.machine.slow = 2, time.Millisecond
	lead.machine.mu.Unlock()
	c.mu.Lock()
	for from := range uint64(3) { // another one may lead meanwhile
		c.links[[2]uint64{from + 1, away}] = link{dropSnapshots: true}
	}
	c.mu.Unlock()
	n := c.start(away)
	c.await("a snapshot is under way", func() bool {
		return slices.ContainsFunc(c.leader().Status().Progress, func(p Progress) bool { return p.ID == away && p.Snapshotting })
	})
	c.heal()
	c.await("the snapshot is restored", func() bool { return n.machine.restores() > 0 })
	c.await("the member has caught up", func() bool {
		return slices.ContainsFunc(c.leader().Status().Progress, func(p Progress) bool {
			return p.ID == away && !p.Snapshotting && p.Active && p.Match+50 > c.leader().Status().Commit
		})
	})
	l.end()
	c.check(l, 1, 2, 3)
	for _, id := range c.up() {
		first, err := c.node(id).step.tail.FirstIndex()
		if err != nil {
			t.Fatal(err)
		}
		if kept := c.node(id).Applied() - first; kept > 1500 {
			t.Errorf("member %d holds %d entries in memory", id, kept)
		}
	}
	c.stop(away)
	n = c.start(away)
	c.check(l, 1, 2, 3)
	if n.machine.restores() > 0 {
		t.Error("a member that was away for a moment was sent the whole state")
	}
}

// A source that stops in the middle does not hold a member for ever, and the member answers heartbeats meanwhile.
func TestStalledSnapshot(t *testing.T) {
	c := newCluster(t, 3, Config{TickInterval: slowTick, CheckpointBytes: 16 << 10, KeepBytes: 1 << 10})
	lead := c.leader()
	away := lead.id%3 + 1
	c.stop(away)
	c.write(c.writer(), 1, 300, 200)
	lead.machine.mu.Lock()
	lead.machine.slow = time.Hour
	lead.machine.mu.Unlock()
	n := c.start(away)
	term := lead.Status().Term
	stalled := time.Now()
	for time.Since(stalled) < 60*slowTick {
		c.await("the member is seen", func() bool {
			return slices.ContainsFunc(lead.Status().Progress, func(p Progress) bool { return p.ID == away && p.Active })
		})
		time.Sleep(slowTick)
	}
	if got := n.Status(); got.Leader != lead.id || got.Term != term {
		t.Errorf("while the data is being fetched the member sees leader %d in term %d, it was %d in term %d", got.Leader, got.Term, lead.id, term)
	}
	lead.machine.mu.Lock()
	lead.machine.slow = 0
	lead.machine.mu.Unlock()
	c.check(nil, 1, 2, 3)
	if n.machine.restores() == 0 {
		t.Error("the member was not sent the state")
	}
}

// Goal: a new member catches up as a learner by a snapshot, under load, and becomes a voter only then; another is swapped for
// it in one step; the one that is gone stops and says why; ids are not used again.
func TestReplaceVoter(t *testing.T) {
	c := newCluster(t, 3, Config{CheckpointBytes: 32 << 10, KeepBytes: 8 << 10})
	l := c.writeOn(4, 100)
	c.await("writes", func() bool { return l.progress() > 500 })
	ctx := c.ctx
	if err := c.leader().ChangeMembers(ctx, &raftpb.ConfChangeV2{Changes: []*raftpb.ConfChangeSingle{addVoter(4)}}); fault.ClassOf(err) != fault.NotFound {
		t.Errorf("a voter out of nowhere: %v", err)
	}
	if err := c.leader().ChangeMembers(ctx, &raftpb.ConfChangeV2{Changes: []*raftpb.ConfChangeSingle{remove(9)}}); fault.ClassOf(err) != fault.NotFound {
		t.Errorf("removing nobody: %v", err)
	}
	c.change(addLearner(4))
	if err := c.leader().ChangeMembers(ctx, &raftpb.ConfChangeV2{Changes: []*raftpb.ConfChangeSingle{addVoter(4)}}); !errors.Is(err, ErrNotCaughtUp) {
		t.Errorf("a learner that is not there became a voter: %v", err)
	}
	n := c.start(4)
	lead := c.leader()
	victim := lead.id%3 + 1
	gone := c.node(victim)
	c.change(addVoter(4), remove(victim)) // once it has caught up
	if n.machine.restores() == 0 {
		t.Error("the new member was not sent the state")
	}
	want := slices.DeleteFunc([]uint64{1, 2, 3, 4}, func(id uint64) bool { return id == victim })
	if got := lead.Status().Members; !slices.Equal(got.Voters, want) || len(got.VotersOutgoing)+len(got.Learners) > 0 {
		t.Errorf("members %v, want the voters %v", got, want)
	}
	select {
	case <-gone.done:
		if !errors.Is(gone.err, ErrRemoved) {
			t.Errorf("the member that was removed ended with %v", gone.err)
		}
	case <-time.After(patience):
		t.Error("the member that was removed goes on")
	}
	if err := c.leader().ChangeMembers(ctx, &raftpb.ConfChangeV2{Changes: []*raftpb.ConfChangeSingle{addLearner(victim)}}); fault.ClassOf(err) != fault.Invalid {
		t.Errorf("an id that was used: %v", err)
	}
	l.end()
	c.check(l, want...)

	for _, id := range want { // the configuration survives
		c.stop(id)
	}
	for _, id := range want {
		c.start(id)
	}
	c.check(l, want...)
	for _, id := range want {
		if got := c.node(id).Status().Members; !slices.Equal(got.Voters, want) {
			t.Errorf("after a restart member %d knows the voters %v, want %v", id, got.Voters, want)
		}
	}
}

// Goal: what a change of the members needs is checked before it is in the log.
func TestChangesThatAreRefused(t *testing.T) {
	c := newCluster(t, 3, Config{})
	c.write(c.writer(), 1, 1, 0)
	lead := c.leader()
	follower := c.node(lead.id%3 + 1)
	change := func(n *node, transition raftpb.ConfChangeTransition, changes ...*raftpb.ConfChangeSingle) error {
		return n.ChangeMembers(c.ctx, &raftpb.ConfChangeV2{Transition: transition.Enum(), Changes: changes})
	}
	if err := change(follower, 0, addLearner(4)); !errors.Is(err, ErrNotLeader) {
		t.Errorf("on a follower: %v", err)
	}
	for name, err := range map[string]error{
		"nothing":            change(lead, 0),
		"id 0":               change(lead, 0, addLearner(0)),
		"a voter again":      change(lead, 0, addVoter(2)),
		"everybody leaves":   change(lead, 0, remove(1), remove(2), remove(3)),
		"an update":          change(lead, 0, &raftpb.ConfChangeSingle{Type: raftpb.ConfChangeUpdateNode.Enum(), NodeId: new(uint64(2))}),
		"a joint state kept": change(lead, raftpb.ConfChangeTransitionJointExplicit, addLearner(4), addLearner(5)),
	} {
		if fault.ClassOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	before, err := lead.step.tail.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	c.isolate(lead.id) // what is proposed now stays in flight
	first := make(chan error, 1)
	go func() { first <- change(lead, 0, addLearner(4)) }()
	c.await("a change is in flight", func() bool {
		last, err := lead.step.tail.LastIndex()
		return err == nil && last > before
	})
	if err := change(lead, 0, addLearner(5)); !errors.Is(err, ErrChanging) && !errors.Is(err, ErrNotLeader) {
		t.Errorf("with one in flight: %v", err)
	}
	c.heal()
	if err := <-first; err != nil && fault.ClassOf(err) != fault.Unknown && !errors.Is(err, ErrNotLeader) {
		t.Errorf("the one in flight: %v", err)
	}
	c.check(nil, 1, 2, 3)
}

// Goal: a group grows from one member to three and shrinks to one again, the leader itself leaving; an idle group too.
func TestGrowAndShrink(t *testing.T) {
	c := newCluster(t, 1, Config{})
	for id := uint64(2); id <= 3; id++ {
		c.start(id)
		c.change(addLearner(id))
		c.change(addVoter(id))
	}
	c.write(c.writer(), 1, 20, 0)
	c.agree(1, 2, 3)
	for range 2 {
		lead := c.leader()
		c.change(remove(lead.id))
		c.ended(lead)
		if !errors.Is(lead.err, ErrRemoved) {
			t.Errorf("the leader that was removed ended with %v", lead.err)
		}
	}
	c.write(c.writer(), 1, 20, 0)
	last := c.up()[0]
	c.stop(last)
	c.start(last)
	c.write(c.writer(), 1, 20, 0)
}

// A learner that is removed learns of it although it never stands for election, and one that was away too.
func TestRemovedMembersStop(t *testing.T) {
	c := newCluster(t, 3, Config{})
	learner := c.start(4)
	c.write(c.writer(), 1, 10, 0)
	c.change(addLearner(4))
	c.check(nil, 1, 2, 3, 4)
	c.change(remove(4))
	c.ended(learner)
	time.Sleep(2 * electionTicks * tickInterval) // the leader has stopped telling it
	if n := c.tryStart(4); n != nil {            // it may know, else it asks
		learner = n
		c.ended(n)
	}
	lead := c.leader()
	away := c.node(lead.id%3 + 1)
	c.isolate(away.id)
	c.change(remove(away.id))
	c.write(c.writer(), 1, 10, 0)
	time.Sleep(3 * electionTicks * tickInterval) // the leader has stopped telling it
	c.heal()
	c.ended(away)
	for _, n := range []*node{learner, away} {
		if !errors.Is(n.err, ErrRemoved) {
			t.Errorf("member %d ended with %v", n.id, n.err)
		}
	}
}

// Goal: a member that waits to be added goes on waiting after a restart, also where it is not told again that it joins, and a
// sole voter with a learner leads at once.
func TestJoinerWaits(t *testing.T) {
	c := newCluster(t, 1, Config{})
	c.start(2)
	time.Sleep(3 * electionTicks * tickInterval)
	c.stop(2)
	c.cfg.Members = []uint64{1, 2} // what it would start a group with
	n := c.start(2)
	time.Sleep(3 * electionTicks * tickInterval)
	if s := n.Status(); s.Term > 0 || s.Leading || len(s.Members.Voters) > 0 {
		t.Errorf("a member that nobody added: %+v", s)
	}
	c.change(addLearner(2))
	c.agree(1, 2)
	c.stop(1)
	c.cfg.TickInterval = time.Hour
	c.start(1)
	c.leader()
	c.stop(1)
	c.cfg.TickInterval = tickInterval
	c.start(1)
	c.check(nil, 1, 2)
}

// Goal: leadership goes where it is sent, without an election's wait, and no proposal's outcome is unknown for it.
func TestTransferLeadership(t *testing.T) {
	c := newCluster(t, 3, Config{})
	l := c.writeOn(4, 0)
	c.await("writes", func() bool { return l.progress() > 100 })
	for range 6 {
		lead := c.leader()
		to := lead.id%3 + 1
		c.await("the transfer", func() bool { return c.leader().TransferLeadership(c.ctx, to) == nil })
		if got := c.leader(); got.id != to {
			t.Errorf("member %d leads, want %d", got.id, to)
		}
		before := l.progress()
		c.await("writes", func() bool { return l.progress() > before+50 })
	}
	lead := c.leader()
	if err := lead.TransferLeadership(c.ctx, 0); err != nil {
		t.Errorf("to the best: %v", err)
	}
	c.await("another leader", func() bool { return c.leader().id != lead.id })
	if err := lead.TransferLeadership(c.ctx, 0); !errors.Is(err, ErrNotLeader) {
		t.Errorf("on a follower: %v", err)
	}
	lead = c.leader()
	if err := lead.TransferLeadership(c.ctx, 77); fault.ClassOf(err) != fault.NotFound {
		t.Errorf("to nobody: %v", err)
	}
	if err := lead.TransferLeadership(c.ctx, lead.id); err != nil {
		t.Errorf("to itself: %v", err)
	}
	away := lead.id%3 + 1
	c.isolate(away)
	if err := lead.TransferLeadership(c.ctx, away); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("to one that is away: %v", err)
	}
	c.heal()
	l.end()
	t.Logf("%d acknowledged, %d surely lost and repeated, %d unknown", l.count, l.lost, l.unsure)
	c.check(l, 1, 2, 3)
}

// All members stop, lose what they did not make durable, and come back with everything that was acknowledged.
func TestWholeGroupRestarts(t *testing.T) {
	c := newCluster(t, 3, Config{CheckpointBytes: 8 << 10})
	l := c.writeOn(4, 100)
	for range 4 {
		before := l.progress()
		c.await("writes", func() bool { return l.progress() > before+100 })
		for _, id := range c.up() {
			c.stop(id)
		}
		for id := range uint64(3) {
			c.start(id + 1)
		}
	}
	before := l.progress()
	c.await("writes", func() bool { return l.progress() > before+100 })
	l.end()
	c.check(l, 1, 2, 3)
}

// A group that cannot be is refused when it is opened.
func TestGroupsThatCannotBe(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no id":                 {},
		"somebody else's group": {Identity: raftlog.Identity{Node: 4}, Members: []uint64{1, 2, 3}},
		"a member twice":        {Identity: raftlog.Identity{Node: 1}, Members: []uint64{1, 2, 2}},
		"member 0":              {Identity: raftlog.Identity{Node: 1}, Members: []uint64{0, 1}},
		"join and start":        {Identity: raftlog.Identity{Node: 1}, Members: []uint64{1, 2}, Join: true},
	} {
		cfg.Dir = filepath.Join(t.TempDir(), "wal")
		if _, err := Open(cfg, openCounters(&counterState{})); err == nil {
			t.Errorf("%s: opened", name)
		}
		if _, exists, err := raftlog.ReadIdentity(cfg.Dir); exists || err != nil {
			t.Errorf("%s: left a log behind: %v %v", name, exists, err)
		}
	}
}

// Messages that cannot be meant for this member are refused.
func TestStepRefusesStrayMessages(t *testing.T) {
	c := newCluster(t, 1, Config{})
	for _, m := range []*raftpb.Message{
		{Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(2)), To: new(uint64(3))},
		{Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(1)), To: new(uint64(1))},
		{Type: raftpb.MsgHup.Enum(), From: new(uint64(2)), To: new(uint64(1))},
		{Type: raftpb.MsgProp.Enum(), From: new(uint64(2)), To: new(uint64(1))},
		{},
	} {
		if err := c.node(1).Step(c.ctx, m); fault.ClassOf(err) != fault.Invalid {
			t.Errorf("%v: %v", m, err)
		}
	}
}

// Goal: what lags is served from memory within bounds.
func TestCutAt(t *testing.T) {
	var entries []*raftpb.Entry
	for i := uint64(11); i <= 110; i++ {
		entries = append(entries, &raftpb.Entry{Index: new(i), Data: make([]byte, 1000-entryOverhead)})
	}
	for _, c := range []struct {
		keepBytes   int
		floor, want uint64
	}{
		{1 << 20, 0, 0},        // everything fits
		{10_000, 0, 100},       // ten entries fit
		{10_000, 105, 100},     // nobody needs more
		{10_000, 90, 89},       // somebody needs a little more
		{10_000, 20, 70},       // somebody needs too much
		{500, 0, 110},          // nothing fits
		{0, 1, 110},            // nothing is kept
		{10_000, 1 << 40, 100}, // somebody is ahead of the mark
	} {
		if got := cutAt(entries, c.keepBytes, c.floor); got != c.want {
			t.Errorf("keep %d bytes, needed from %d: cut at %d, want %d", c.keepBytes, c.floor, got, c.want)
		}
	}
}

// Whoever waits for an index is woken when it is reached, whenever he comes.
func TestWatermark(t *testing.T) {
	var w watermark
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range uint64(200) {
		wg.Go(func() {
			if err := w.wait(ctx, i, nil); err != nil {
				t.Error(err)
			}
			if got := w.Load(); got < i {
				t.Errorf("waited for %d, woken at %d", i, got)
			}
		})
	}
	for i := range uint64(200) {
		w.advance(i)
	}
	wg.Wait()
	cancel()
	if err := w.wait(ctx, 1000, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting in vain ended with %v", err)
	}
	stopped := make(chan struct{})
	close(stopped)
	if err := w.wait(t.Context(), 1000, stopped); !errors.Is(err, errEnded) {
		t.Errorf("waiting for a group that has stopped ended with %v", err)
	}
	if len(w.waiting) != 1 { // the last one need not be forgotten: the group is over
		t.Errorf("%d still wait", len(w.waiting))
	}
}

// A full inbox holds up who sends, not the driver, and loses nothing.
func TestInboxIsBounded(t *testing.T) {
	b := newInbox()
	big := &raftpb.Message{Entries: []*raftpb.Entry{{Data: make([]byte, maxInboxBytes/4)}}}
	n := 0
	for b.tryPut(big) {
		n++
	}
	if n != 4 {
		t.Errorf("%d messages of a quarter each", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := b.put(ctx, big, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("putting into a full inbox: %v", err)
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := b.put(t.Context(), big, nil); err != nil {
				t.Error(err)
			}
		})
	}
	out := 0
	for out < n+6 {
		<-b.filled
		out += len(b.take())
	}
	wg.Wait()
}

// A member that is asked for its state by many serves some, and refuses the others.
func TestSendingIsBounded(t *testing.T) {
	c := newCluster(t, 1, Config{})
	n := c.node(1)
	c.write(c.writer(), 1, 1, 0)
	if err := n.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	n.machine.mu.Lock()
	n.machine.slow = time.Hour
	desc := binary.BigEndian.AppendUint64(nil, n.machine.disk.index)
	n.machine.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range maxSending {
		wg.Go(func() {
			if err := n.WriteSnapshot(ctx, desc, nil, io.Discard); !errors.Is(err, context.Canceled) {
				t.Errorf("a transfer that was given up ended with %v", err)
			}
		})
	}
	c.await("transfers are under way", func() bool { return len(n.sending) == maxSending })
	if err := n.WriteSnapshot(ctx, desc, nil, io.Discard); fault.ClassOf(err) != fault.Exhausted {
		t.Errorf("one more: %v", err)
	}
	cancel()
	wg.Wait()
}

// BenchmarkProposeMembers is a commit in a group of three over a network in memory, whose disks are one.
func BenchmarkProposeMembers(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			c := newCluster(b, 3, Config{TickInterval: 50 * time.Millisecond, KeepBytes: 8 << 20})
			c.write(c.writer(), 1, 1, 0)
			lead := c.leader()
			b.ReportAllocs()
			b.SetParallelism(max(1, writers/2))
			b.RunParallel(func(pb *testing.PB) {
				w := c.writer()
				for n := uint64(1); pb.Next(); n++ {
					if _, err := lead.Propose(c.ctx, command(w, n, 200)); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
