package alpha

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"dragg/alpha/shard"
	"dragg/cluster/wire"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/internal/sleep"
	"dragg/protos/pb"
	"dragg/raftgroup/transport"
)

// peerService is what this member does for other Alphas.
type peerService struct {
	pb.UnimplementedPeerServer
	n *Node
}

// RegisterPeer adds what other nodes ask of this one to a gRPC server.
func (n *Node) RegisterPeer(r grpc.ServiceRegistrar) {
	pb.RegisterPeerServer(r, &peerService{n: n})
	transport.NewServer(n.member).Register(r)
}

// member lets other members of the group speak to this one.
func (n *Node) member(group uint32) (name string, self uint64, m transport.Member, ok bool) {
	return n.id.Cluster, n.id.Node, n.raft, group == uint32(n.group) && n.links != nil
}

// asked refuses what is not for the leader of this group.
func (n *Node) asked(group uint32) error {
	if group != uint32(n.group) || !n.Leading() {
		return errNotLeading
	}
	return nil
}

// passOn has the group's leader do what another group asked this member for, which does not lead. Whoever asks may have no way to
// the leader. false: there is no leader to be asked, or it was passed on before.
func (n *Node) passOn(
	ctx context.Context, group uint32, before bool, call func(ctx context.Context, p pb.PeerClient) (*pb.WriteReply, error),
) (reply *pb.WriteReply, passed bool, err error) {
	if before || group != uint32(n.group) || n.Leading() || n.links == nil {
		return nil, false, nil
	}
	leader := n.raft.Status().Leader
	address, ok := n.address(leader)
	if leader == n.id.Node || !ok {
		return nil, false, nil
	}
	reply, err = callPeer(ctx, n, address, call)
	return reply, true, err
}

// Prewrite implements the service.
func (s *peerService) Prewrite(ctx context.Context, r *pb.WriteRequest) (*pb.WriteReply, error) {
	reply, passed, err := s.n.passOn(ctx, r.Group, r.PassedOn, func(ctx context.Context, p pb.PeerClient) (*pb.WriteReply, error) {
		r.PassedOn = true
		return p.Prewrite(ctx, r)
	})
	if passed {
		return reply, fault.ToPeer(err)
	}
	if err := s.n.asked(r.Group); err != nil {
		return nil, fault.ToPeer(err)
	}
	steps, err := wire.ToSteps(r.Steps)
	if err != nil {
		return nil, fault.ToPeer(err)
	}
	w, err := s.n.shard.Prewrite(ctx, shard.Writing{
		Start: graph.Timestamp(r.StartTs), After: graph.Timestamp(r.After), Steps: steps, Last: r.Last,
		Known: graph.Timestamp(r.Known),
	})
	if err != nil {
		return nil, fault.ToPeer(err)
	}
	return &pb.WriteReply{Epochs: w.Epochs, Keys: w.Keys}, nil
}

// Close implements the service.
func (s *peerService) Close(ctx context.Context, r *pb.CloseRequest) (*pb.WriteReply, error) {
	reply, passed, err := s.n.passOn(ctx, r.Group, r.PassedOn, func(ctx context.Context, p pb.PeerClient) (*pb.WriteReply, error) {
		r.PassedOn = true
		return p.Close(ctx, r)
	})
	if passed {
		return reply, fault.ToPeer(err)
	}
	if err := s.n.asked(r.Group); err != nil {
		return nil, fault.ToPeer(err)
	}
	w, ok, err := s.n.shard.Close(ctx, graph.Timestamp(r.StartTs))
	if err != nil {
		return nil, fault.ToPeer(err)
	}
	return &pb.WriteReply{Nothing: !ok, Epochs: w.Epochs, Keys: w.Keys}, nil
}

// prewrite has the group's leader write, wherever it is.
func (n *Node) prewrite(ctx context.Context, w shard.Writing) (shard.Written, error) {
	var steps []*pb.WriteStep // encoded once, if at all
	return byLeader(ctx, n, func(ctx context.Context) (shard.Written, error) {
		return n.shard.Prewrite(ctx, w)
	}, func(ctx context.Context, p pb.PeerClient) (shard.Written, error) {
		if steps == nil {
			steps = wire.FromSteps(w.Steps)
		}
		reply, err := p.Prewrite(ctx, &pb.WriteRequest{
			Group: uint32(n.group), StartTs: uint64(w.Start), After: uint64(w.After), Steps: steps, Last: w.Last,
			Known: uint64(w.Known), PassedOn: true,
		})
		return shard.Written{Epochs: reply.GetEpochs(), Keys: reply.GetKeys()}, err
	})
}

// closeTxn has the group's leader end the writing of a transaction. It returns what is pending, false if nothing is.
func (n *Node) closeTxn(ctx context.Context, start graph.Timestamp) (shard.Written, bool, error) {
	reply, err := byLeader(ctx, n, func(ctx context.Context) (*pb.WriteReply, error) {
		out, ok, err := n.shard.Close(ctx, start)
		return &pb.WriteReply{Nothing: !ok, Epochs: out.Epochs, Keys: out.Keys}, err
	}, func(ctx context.Context, p pb.PeerClient) (*pb.WriteReply, error) {
		return p.Close(ctx, &pb.CloseRequest{Group: uint32(n.group), StartTs: uint64(start), PassedOn: true})
	})
	if err != nil {
		return shard.Written{}, false, err
	}
	return shard.Written{Epochs: reply.Epochs, Keys: reply.Keys}, !reply.Nothing, nil
}

// How long a write looks for the group's leader, and how often: an election takes one to two seconds.
const (
	leaderPatience = 8 * time.Second
	leaderInterval = 20 * time.Millisecond
)

// byLeader has the group's leader do something: this member itself, or the one that it knows as the leader. What was surely not
// done is tried again until there is a leader.
func byLeader[T any](
	ctx context.Context, n *Node, here func(ctx context.Context) (T, error),
	there func(ctx context.Context, p pb.PeerClient) (T, error),
) (reply T, err error) {
	err = n.patiently(ctx, func(ctx context.Context) (err error) {
		reply, err = tryLeader(ctx, n, here, there)
		return err
	})
	return reply, err
}

// patiently tries again what was surely not done because nobody was there to do it, for as long as an election may take.
func (n *Node) patiently(ctx context.Context, try func(ctx context.Context) error) error {
	for until := time.Now().Add(leaderPatience); ; {
		err := try(ctx)
		if err == nil || fault.ClassOf(err) != fault.Unavailable || n.links == nil || time.Now().After(until) {
			return err
		}
		if err := sleep.For(ctx, leaderInterval); err != nil {
			return err
		}
	}
}

func tryLeader[T any](
	ctx context.Context, n *Node, here func(ctx context.Context) (T, error),
	there func(ctx context.Context, p pb.PeerClient) (T, error),
) (reply T, err error) {
	if n.Leading() || n.links == nil {
		return here(ctx)
	}
	leader := n.raft.Status().Leader
	address, ok := n.address(leader)
	if leader == n.id.Node || !ok {
		return reply, fault.New(fault.Unavailable, "the group has no leader at the moment")
	}
	return callPeer(ctx, n, address, there)
}

// caughtUp returns once this replica has applied everything that its group has acknowledged: a transaction that wrote through
// the leader reads its own writes here then.
func (n *Node) caughtUp(ctx context.Context) error {
	if n.links == nil || n.Leading() && n.alone() {
		return nil
	}
	_, err := n.raft.ReadIndex(ctx)
	return err
}

// alone reports whether this member is its whole group.
func (n *Node) alone() bool {
	m := n.raft.Status().Members
	return len(m.GetVoters()) == 1 && len(m.GetVotersOutgoing())+len(m.GetLearners()) == 0
}
