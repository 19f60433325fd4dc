package alpha

import (
	"context"

	"dragg/internal/fault"
	"dragg/protos/pb"
)

// Promote implements the service: this member, which leads, hands leadership over to another one.
func (s *peerService) Promote(ctx context.Context, r *pb.PromoteRequest) (*pb.PromoteReply, error) {
	if err := s.n.asked(r.Group); err != nil {
		return nil, fault.ToPeer(err)
	}
	if err := s.n.raft.TransferLeadership(ctx, r.Id); err != nil {
		return nil, fault.ToPeer(err)
	}
	s.n.lg.Info("leadership was handed over, as an operator asked", "leader", r.Id)
	return &pb.PromoteReply{}, nil
}
