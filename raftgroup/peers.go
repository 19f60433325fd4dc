package raftgroup

import (
	"cmp"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// Bounds of a leader's patience, in ticks.
const (
	// snapshotPatience is how long a member may be silent about a snapshot that it was sent. It speaks at every tick while it
	// fetches the data; silence means that the message, its failure or its success was lost.
	snapshotPatience = 2 * electionTicks
	// caughtUpTicks is how long a learner must have kept up with the leader before it may vote.
	caughtUpTicks = 10
	// caughtUpLag is how many entries a learner may lag behind while it counts as keeping up.
	caughtUpLag = 1000
)

// peers is what this member saw of the others since the leader changed.
type peers map[uint64]*peer

type peer struct {
	silent   int // ticks since it was heard of
	snapshot int // ticks since it was heard of while a snapshot is on its way to it
	caughtUp int // ticks for which it has kept up with the leader
	progress Progress
}

func (p peers) get(id uint64) *peer {
	if p[id] == nil {
		p[id] = &peer{}
	}
	return p[id]
}

// heard notes a message of a member.
func (p peers) heard(id uint64) {
	if p[id] != nil {
		p[id].silent = 0
	}
}

// Progress is how far another member is, as its leader knows it.
type Progress struct {
	ID    uint64
	Match uint64 // the log is the leader's up to this index
	// Learner members do not vote.
	Learner bool
	// Active members were heard of lately.
	Active bool
	// Snapshotting members are sent the whole state, since the leader's log does not reach back to where they are.
	Snapshotting bool
	// CaughtUp learners have kept up with the leader for some time and may be made voters.
	CaughtUp bool
}

// tickPeers lets the leader see who lags, who is silent, and which snapshot got lost.
func (s *stepper) tickPeers() {
	s.tickRemoved()
	if !s.view.leading {
		return
	}
	var last uint64
	type seen struct {
		id uint64
		pr tracker.Progress
	}
	var others []seen
	s.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
		if id == s.id {
			last = pr.Match
		} else {
			others = append(others, seen{id, pr})
		}
	})
	floor := uint64(0)
	for _, o := range others {
		p := s.peers.get(o.id)
		p.silent++
		s.tickPeer(o.id, p, &o.pr, last)
		if needs := needsFrom(&o.pr); p.progress.Active && (floor == 0 || needs < floor) {
			floor = needs
		}
	}
	for id := range s.peers {
		if !s.member(id) {
			delete(s.peers, id)
		}
	}
	s.tail.setFloor(floor)
}

func (s *stepper) tickPeer(id uint64, p *peer, pr *tracker.Progress, last uint64) {
	active := p.silent <= electionTicks
	if p.silent == electionTicks+1 {
		s.node.ReportUnreachable(id) // what was sent optimistically is probably lost
	}
	snapshotting := pr.State == tracker.StateSnapshot
	if !snapshotting {
		p.snapshot = 0
	} else if p.snapshot++; p.snapshot > snapshotPatience {
		p.snapshot = 0
		s.node.ReportSnapshot(id, raft.SnapshotFailure)
	}
	if active && pr.State == tracker.StateReplicate && pr.Match >= last/10*9 && last-min(last, pr.Match) < caughtUpLag {
		p.caughtUp++
	} else {
		p.caughtUp = 0
	}
	p.progress = Progress{
		ID: id, Match: pr.Match, Learner: pr.IsLearner, Active: active, Snapshotting: snapshotting, CaughtUp: p.caughtUp >= caughtUpTicks,
	}
}

// needsFrom returns the first entry that a member will be sent.
func needsFrom(pr *tracker.Progress) uint64 { return max(pr.Match, pr.PendingSnapshot) + 1 }

// progress returns how far the other members are, by id; nothing where this member does not lead.
func (s *stepper) progress() []Progress {
	if !s.view.leading {
		return nil
	}
	out := make([]Progress, 0, len(s.peers))
	for _, p := range s.peers {
		out = append(out, p.progress)
	}
	slices.SortFunc(out, func(a, b Progress) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// snapshotStatus takes what a member says of the snapshot that this leader sent it.
func (s *stepper) snapshotStatus(from uint64, failed bool) {
	if p := s.peers[from]; s.view.leading && p != nil {
		p.silent, p.snapshot = 0, 0
		if failed {
			s.node.ReportSnapshot(from, raft.SnapshotFailure)
		}
	}
}

// removedMember is one that was removed from the group. It may not know: the leader stops talking to it as soon as its removal
// is applied.
type removedMember struct {
	id    uint64
	ticks int // for how long it is told unasked
}

// maxRemoved bounds how many removed members are remembered.
const maxRemoved = 128

func (s *stepper) remove(id uint64) {
	if id == s.id || s.wasRemoved(id) {
		return
	}
	if len(s.removed) == maxRemoved {
		s.removed = slices.Delete(s.removed, 0, 1)
	}
	s.removed = append(s.removed, removedMember{id, electionTicks})
}

func (s *stepper) wasRemoved(id uint64) bool {
	return slices.ContainsFunc(s.removed, func(r removedMember) bool { return r.id == id })
}

// tickRemoved lets the leader tell members that they are none any more.
func (s *stepper) tickRemoved() {
	for i := range s.removed {
		if r := &s.removed[i]; r.ticks > 0 {
			r.ticks--
			if s.view.leading {
				s.sayRemoved(r.id)
			}
		}
	}
}

// answerRemoved tells a removed member that still speaks. Ids are never given out twice, so what was removed stays so.
func (s *stepper) answerRemoved(id uint64) {
	if len(s.removed) > 0 && !s.member(id) && s.wasRemoved(id) {
		s.sayRemoved(id)
	}
}

// ask lets a learner speak that hears of nobody: it may have been removed while it was away. A voter stands for election then,
// and is answered; a learner would wait for ever.
func (s *stepper) ask() {
	if !slices.Contains(s.conf.Learners, s.id) {
		return
	}
	for _, id := range s.conf.Voters {
		s.say(&raftpb.Message{Type: raftpb.MsgHeartbeatResp.Enum(), To: &id, Term: new(s.view.term)})
	}
}

func (s *stepper) sayRemoved(id uint64) {
	s.say(&raftpb.Message{Type: raftpb.MsgUnreachable.Enum(), To: &id})
}
