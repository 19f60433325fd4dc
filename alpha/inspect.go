package alpha

import (
	"context"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/schema"
)

// inspector looks at the data of predicates before their definitions change, wherever they are.
type inspector struct {
	n     *Node
	after graph.Timestamp // commits up to here are seen
}

// hasData reports whether any node has a value or an edge of p.
func (i inspector) hasData(ctx context.Context, p graph.Predicate) (bool, error) {
	if group, ok := i.n.shard.Route(p, graph.MaxTimestamp); ok && group != i.n.group {
		r, err := i.ask(ctx, group, &pb.InspectRequest{Namespace: uint64(p.Namespace), Predicate: p.Name})
		return r.GetHasData(), err
	}
	return i.n.shard.HasData(p)
}

// checkValues reports whether every stored value can be what the new definition asks.
func (i inspector) checkValues(ctx context.Context, def *schema.Predicate) error {
	if group, ok := i.n.shard.Route(def.Name, graph.MaxTimestamp); ok && group != i.n.group {
		_, err := i.ask(ctx, group, &pb.InspectRequest{
			Namespace: uint64(def.Name.Namespace), Predicate: def.Name.Name, ConvertTo: def.AppendBinary(nil),
		})
		return err
	}
	return i.n.shard.CheckValues(ctx, def)
}

func (i inspector) ask(ctx context.Context, group graph.GroupID, r *pb.InspectRequest) (*pb.InspectReply, error) {
	r.Group, r.After = uint32(group), uint64(i.after)
	return atGroup(ctx, i.n, group, false, func(ctx context.Context, p pb.PeerClient) (*pb.InspectReply, error) { return p.Inspect(ctx, r) })
}

// Inspect implements the service.
func (s *peerService) Inspect(ctx context.Context, r *pb.InspectRequest) (*pb.InspectReply, error) {
	reply, err := s.n.inspect(ctx, r)
	return reply, fault.ToPeer(err)
}

func (n *Node) inspect(ctx context.Context, r *pb.InspectRequest) (*pb.InspectReply, error) {
	if r.Group != uint32(n.group) || !n.Ready() {
		return nil, errNotReady
	}
	if err := n.shard.WaitTimestamp(ctx, graph.Timestamp(r.After)); err != nil {
		return nil, err
	}
	if len(r.ConvertTo) > 0 {
		def, err := schema.DecodePredicate(r.ConvertTo)
		if err != nil {
			return nil, fault.As(fault.Invalid, err)
		}
		return &pb.InspectReply{}, classify(n.shard.CheckValues(ctx, def))
	}
	has, err := n.shard.HasData(graph.Predicate{Namespace: graph.Namespace(r.Namespace), Name: r.Predicate})
	return &pb.InspectReply{HasData: has}, err
}
