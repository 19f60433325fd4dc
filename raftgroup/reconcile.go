package raftgroup

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
)

// Next returns the next step from the members that are to those that shall be, for the leader to take; nil if they are the same.
// shall says of each id whether it is to be a learner only. New members become learners first, and voters when they have caught up;
// who shall not be a member goes. The leader itself is left for the next leader to remove.
func (s Status) Next(self uint64, shall map[uint64]bool) (change *raftpb.ConfChangeV2, what string) {
	voters, learners := s.Members.GetVoters(), s.Members.GetLearners()
	for _, id := range slices.Concat(voters, learners) {
		if _, ok := shall[id]; !ok && id != self {
			return one(raftpb.ConfChangeRemoveNode, id, "remove")
		}
	}
	for _, p := range s.Progress {
		if learner, ok := shall[p.ID]; ok && !learner && p.CaughtUp && slices.Contains(learners, p.ID) {
			return one(raftpb.ConfChangeAddNode, p.ID, "let vote")
		}
	}
	for id := range shall {
		if !slices.Contains(voters, id) && !slices.Contains(learners, id) {
			return one(raftpb.ConfChangeAddLearnerNode, id, "add")
		}
	}
	return nil, ""
}

func one(kind raftpb.ConfChangeType, id uint64, what string) (*raftpb.ConfChangeV2, string) {
	return &raftpb.ConfChangeV2{Changes: []*raftpb.ConfChangeSingle{{Type: &kind, NodeId: &id}}}, fmt.Sprintf("%s node %d", what, id)
}
