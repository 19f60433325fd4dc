package zero

import (
	"context"

	"dragg/cluster/admin"
	"dragg/protos/pb"
)

// operator is what the REST surface asks of the Zeros, through this one.
type operator struct{ s *Server }

var _ admin.Operator = operator{}

// State implements admin.Operator.
func (o operator) State(ctx context.Context) (*pb.ZeroState, error) { return o.s.leader().State(ctx) }

// RemoveMember implements admin.Operator.
func (o operator) RemoveMember(ctx context.Context, r *pb.RemoveNode) (*pb.RemoveReply, error) {
	return o.s.leader().RemoveMember(ctx, r)
}

// Promote implements admin.Operator.
func (o operator) Promote(ctx context.Context, r *pb.PromoteRequest) error {
	return o.s.leader().Promote(ctx, r)
}

// SetDrain implements admin.Operator.
func (o operator) SetDrain(ctx context.Context, d *pb.Drain) (*pb.RemoveReply, error) {
	return o.s.leader().SetDrain(ctx, d)
}

// Move implements admin.Operator.
func (o operator) Move(ctx context.Context, m *pb.MoveStep) (*pb.MoveReply, error) {
	return o.s.leader().Move(ctx, m)
}

// SetPolicy implements admin.Operator.
func (o operator) SetPolicy(ctx context.Context, p *pb.RebalancePolicy) error {
	return o.s.leader().SetPolicy(ctx, p)
}
