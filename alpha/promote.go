package alpha

import (
	"context"

	"dragg/internal/fault"
	"dragg/protos/pb"
)

// Promote implements the service: this member, which leads, hands leadership over to another one.
func (s *peerService) Promote(ctx context.Context, r *pb.PromoteRequest) (*pb.PromoteReply, error) {
	// One that Raft took for the leader, and that has not begun to lead, as for want of room on its disk, must be able to give it up.
	if r.Group != uint32(s.n.group) || !s.n.raft.Status().Leading {
		return nil, fault.ToPeer(errNotLeading)
	}
	if err := s.n.raft.TransferLeadership(ctx, r.Id); err != nil {
		return nil, fault.ToPeer(err)
	}
	s.n.lg.Info("leadership was handed over, as an operator asked", "leader", r.Id)
	return &pb.PromoteReply{}, nil
}
