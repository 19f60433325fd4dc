package zero

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/raftgroup/transport"
)

// service is the gRPC face of a Server for other nodes.
type service struct {
	pb.UnimplementedZeroServer
	s *Server
}

// Register adds the service to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	pb.RegisterZeroServer(r, &service{s: s})
	transport.NewServer(s.member).Register(r)
}

func (v *service) Identify(context.Context, *pb.IdentifyRequest) (*pb.IdentifyReply, error) {
	zeros := slices.DeleteFunc(v.s.machine.Members(), func(m *pb.Member) bool { return m.Group != 0 })
	return &pb.IdentifyReply{ClusterId: v.s.id.Cluster, Zeros: zeros}, nil
}

func (v *service) RemoveMember(ctx context.Context, r *pb.RemoveNode) (*pb.RemoveReply, error) {
	reply, err := v.s.RemoveMember(ctx, r)
	return reply, fault.ToPeer(err)
}

func (v *service) Connect(ctx context.Context, j *pb.Join) (*pb.JoinReply, error) {
	r, err := v.s.Connect(ctx, j)
	return r, fault.ToPeer(err)
}

// maxTimestamps bounds one request for timestamps.
const maxTimestamps = 1 << 16

func (v *service) Timestamps(ctx context.Context, r *pb.TimestampsRequest) (*pb.TimestampsReply, error) {
	if r.Count == 0 || r.Count > maxTimestamps {
		return nil, fault.ToPeer(fault.New(fault.Invalid, "cannot draw %d timestamps at once: ask for 1 to %d", r.Count, maxTimestamps))
	}
	first, after, err := v.s.Timestamps(ctx, r.Count)
	if err != nil {
		return nil, fault.ToPeer(err)
	}
	return &pb.TimestampsReply{First: uint64(first), After: uint64(after)}, nil
}

func (v *service) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	reply, err := v.s.Commit(ctx, r)
	return reply, fault.ToPeer(err)
}

func (v *service) Outcome(ctx context.Context, r *pb.OutcomeRequest) (*pb.OutcomeReply, error) {
	commit, known, err := v.s.Outcome(ctx, graph.Timestamp(r.StartTs))
	if err != nil {
		return nil, fault.ToPeer(err)
	}
	return &pb.OutcomeReply{Known: known, CommitTs: uint64(commit)}, nil
}

func (v *service) LeaseUids(ctx context.Context, r *pb.LeaseRequest) (*pb.LeaseReply, error) {
	first, err := v.s.LeaseUIDs(ctx, r.Count)
	if err != nil {
		return nil, fault.ToPeer(err)
	}
	return &pb.LeaseReply{First: uint64(first), Count: r.Count}, nil
}

func (v *service) ChangeSchema(ctx context.Context, a *pb.Alter) (*pb.AlterReply, error) {
	r, err := v.s.ChangeSchema(ctx, a)
	return r, fault.ToPeer(err)
}

func (v *service) State(ctx context.Context, _ *pb.StateRequest) (*pb.ZeroState, error) {
	st, err := v.s.State(ctx)
	return st, fault.ToPeer(err)
}

func (v *service) Stream(r *pb.StreamRequest, out grpc.ServerStreamingServer[pb.StreamBatch]) error {
	return fault.ToPeer(v.s.Stream(out.Context(), graph.GroupID(r.Group), r.AfterSeq, out.Send))
}

func (v *service) Acknowledge(ctx context.Context, a *pb.Ack) (*pb.AckReply, error) {
	if err := v.s.Acknowledge(ctx, a); err != nil {
		return nil, fault.ToPeer(err)
	}
	return &pb.AckReply{}, nil
}

func (v *service) Promote(ctx context.Context, r *pb.PromoteRequest) (*pb.PromoteReply, error) {
	return &pb.PromoteReply{}, fault.ToPeer(v.s.Promote(ctx, r))
}

func (v *service) Move(ctx context.Context, m *pb.MoveStep) (*pb.MoveReply, error) {
	r, err := v.s.Move(ctx, m)
	return r, fault.ToPeer(err)
}

func (v *service) Report(ctx context.Context, r *pb.GroupReport) (*pb.AckReply, error) {
	if err := v.s.Report(ctx, r); err != nil {
		return nil, fault.ToPeer(err)
	}
	return &pb.AckReply{}, nil
}

func (v *service) SetDrain(ctx context.Context, d *pb.Drain) (*pb.RemoveReply, error) {
	r, err := v.s.SetDrain(ctx, d)
	return r, fault.ToPeer(err)
}

func (v *service) SetPolicy(ctx context.Context, p *pb.RebalancePolicy) (*pb.AckReply, error) {
	if err := v.s.SetPolicy(ctx, p); err != nil {
		return nil, fault.ToPeer(err)
	}
	return &pb.AckReply{}, nil
}

func (v *service) JoinZero(ctx context.Context, m *pb.Member) (*pb.ZeroState, error) {
	st, err := v.s.JoinZero(ctx, m)
	return st, fault.ToPeer(err)
}
