package raftgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"dragg/internal/fault"
	"dragg/raftgroup/raftlog"
)

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
