package raftgroup

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/confchange"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"dragg/internal/fault"
)

// Refusals of a change of the membership.
var (
	// ErrChanging says that another change of the membership is under way, or may be.
	ErrChanging = fault.New(fault.Unavailable, "another change of the group's members is under way; try again")
	// ErrNotCaughtUp says that a learner cannot become a voter yet.
	ErrNotCaughtUp = fault.New(fault.Unavailable, "the learner has not caught up with the leader yet; try again")
	// ErrRemoved says that this member was removed from its group.
	ErrRemoved = fault.New(fault.Unavailable, "this node was removed from its group")
)

// change proposes a change of the membership. The entry is its proposal. An error means that it was surely not made.
func (s *stepper) change(entry *raftpb.Entry, cc *raftpb.ConfChangeV2) error {
	if !s.view.leading {
		return ErrNotLeader
	}
	if len(s.conf.VotersOutgoing) > 0 {
		return ErrChanging
	}
	if err := s.checkChange(cc); err != nil {
		return err
	}
	entries := []*raftpb.Entry{entry}
	if err := s.propose(entries); err != nil {
		return err
	}
	if !isChange(entries[0]) { // Raft put an empty entry in its place: one before it may not be applied yet
		return ErrChanging
	}
	return nil
}

// checkChange refuses what would be wrong, and what Raft would panic at when it is applied.
func (s *stepper) checkChange(cc *raftpb.ConfChangeV2) error {
	if len(cc.GetChanges()) == 0 {
		return fault.New(fault.Invalid, "a change of the group's members that changes nothing")
	}
	if cc.GetTransition() == raftpb.ConfChangeTransitionJointExplicit {
		return fault.New(fault.Invalid, "a change that takes two steps must end by itself")
	}
	for _, c := range cc.GetChanges() {
		if err := s.checkOne(c); err != nil {
			return err
		}
	}
	changer := confchange.Changer{Tracker: tracker.MakeProgressTracker(1, 0)}
	cfg, progress, err := confchange.Restore(changer, s.conf)
	if err != nil {
		return err
	}
	changer.Tracker.Config, changer.Tracker.Progress = cfg, progress
	if autoLeave, joint := cc.EnterJoint(); joint {
		_, _, err = changer.EnterJoint(autoLeave, cc.Changes...)
	} else {
		_, _, err = changer.Simple(cc.Changes...)
	}
	return fault.As(fault.Invalid, err)
}

func (s *stepper) checkOne(c *raftpb.ConfChangeSingle) error {
	id := c.GetNodeId()
	voter, learner := slices.Contains(s.conf.Voters, id), slices.Contains(s.conf.Learners, id)
	switch {
	case id == raft.None || raft.IsLocalMsgTarget(id):
		return fault.New(fault.Invalid, "no member can have the id %d", id)
	case s.wasRemoved(id):
		return fault.New(fault.Invalid, "node %d was removed from the group: ids are not used again", id)
	}
	switch c.GetType() {
	case raftpb.ConfChangeAddLearnerNode:
		if learner {
			return fault.New(fault.Invalid, "node %d is a learner already", id)
		}
	case raftpb.ConfChangeAddNode:
		p := s.peers[id]
		switch {
		case voter:
			return fault.New(fault.Invalid, "node %d is a voter already", id)
		case !learner:
			return fault.New(fault.NotFound, "node %d is not a member of the group: add it as a learner first", id)
		case p == nil || !p.progress.CaughtUp:
			return fmt.Errorf("node %d: %w", id, ErrNotCaughtUp)
		}
	case raftpb.ConfChangeRemoveNode:
		if !voter && !learner {
			return fault.New(fault.NotFound, "node %d is not a member of the group", id)
		}
	default:
		return fault.New(fault.Invalid, "a change of type %s", c.GetType())
	}
	return nil
}

// handing is a transfer of leadership that is under way.
type handing struct {
	to   uint64 // 0: whoever is best
	age  int    // in ticks
	done func(error)
}

// handOver has another member become the leader. done is called once; at once where it cannot be tried.
func (s *stepper) handOver(to uint64, done func(error)) {
	target := to
	if to == raft.None {
		target = s.best()
	}
	switch {
	case !s.view.leading:
		done(ErrNotLeader)
	case s.handing != nil:
		done(fault.New(fault.Unavailable, "leadership is being handed over already"))
	case target == raft.None:
		done(fault.New(fault.Unavailable, "no other voter was heard of lately"))
	case target == s.id:
		done(nil)
	case !slices.Contains(s.conf.Voters, target):
		done(fault.New(fault.NotFound, "node %d is not a voter of the group; a new member is once it has caught up", target))
	default:
		s.handing = &handing{to: to, done: done}
		s.node.TransferLeader(target)
	}
}

// best returns the voter that can take over soonest.
func (s *stepper) best() (id uint64) {
	var match uint64
	for _, p := range s.progress() {
		if p.Active && !p.Snapshotting && slices.Contains(s.conf.Voters, p.ID) && (id == raft.None || p.Match > match) {
			id, match = p.ID, p.Match
		}
	}
	return id
}

// lookHanding ends a transfer whose outcome is known.
func (s *stepper) lookHanding() {
	h := s.handing
	if h == nil || s.view.leading || s.view.lead == raft.None {
		return
	}
	s.handing = nil
	if h.to != raft.None && h.to != s.view.lead {
		h.done(fault.New(fault.Unavailable, "node %d became the leader instead of node %d", s.view.lead, h.to))
		return
	}
	h.done(nil)
}

// tickHanding ends a transfer that takes too long. Raft gives up after an election timeout; then there may be an election.
func (s *stepper) tickHanding() {
	h := s.handing
	if h == nil {
		return
	}
	h.age++
	kept := s.view.leading && s.node.BasicStatus().LeadTransferee == raft.None
	if kept || h.age > 3*electionTicks {
		s.handing = nil
		h.done(fault.New(fault.Unavailable, "the other node did not take over in time"))
	}
}
