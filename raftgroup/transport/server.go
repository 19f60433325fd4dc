package transport

import (
	"context"
	"errors"
	"io"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"dragg/internal/fault"
	"dragg/protos/pb"
)

// Member is what takes in messages: a raftgroup.Group.
type Member interface {
	// Step takes a message from another member.
	Step(ctx context.Context, m *raftpb.Message) error
	// WriteSnapshot streams the state that a descriptor names, or what of it comes after what the receiver has.
	WriteSnapshot(ctx context.Context, descriptor, after []byte, w io.Writer) error
}

// Server takes in messages for the members of this process.
type Server struct {
	pb.UnimplementedRaftServer
	find func(group uint32) (cluster string, self uint64, m Member, ok bool)
}

// NewServer returns a server for the members that find knows.
func NewServer(find func(group uint32) (cluster string, self uint64, m Member, ok bool)) *Server {
	return &Server{find: find}
}

// Register adds the service to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) { pb.RegisterRaftServer(r, s) }

// member returns the member that a peer speaks to, if it is the one that the peer means.
func (s *Server) member(cluster string, group uint32, to uint64) (Member, error) {
	ours, self, m, ok := s.find(group)
	switch {
	case !ok:
		return nil, fault.New(fault.Unavailable, "this node is not, or not yet, a member of group %d", group)
	case cluster != ours:
		return nil, fault.New(fault.Invalid, "this is a node of cluster %s, the peer speaks to cluster %s", ours, cluster)
	case to != 0 && to != self:
		return nil, fault.New(fault.Invalid, "this is member %d of group %d, the peer speaks to member %d", self, group, to)
	}
	return m, nil
}

// Messages implements the service.
func (s *Server) Messages(in grpc.ClientStreamingServer[pb.RaftBatch, pb.RaftAck]) error {
	for {
		b, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return in.SendAndClose(&pb.RaftAck{})
		}
		if err != nil {
			return err
		}
		m, err := s.member(b.ClusterId, b.Group, b.To)
		if err != nil {
			return fault.ToPeer(err)
		}
		for _, data := range b.Messages {
			message := &raftpb.Message{}
			if err := proto.Unmarshal(data, message); err != nil {
				return fault.ToPeer(fault.New(fault.Invalid, "a Raft message cannot be decoded: %w", err))
			}
			if message.GetTo() != b.To {
				return fault.ToPeer(fault.New(fault.Invalid, "a message for member %d in a batch for member %d", message.GetTo(), b.To))
			}
			if err := m.Step(in.Context(), message); err != nil {
				return fault.ToPeer(err)
			}
		}
	}
}

// chunkBytes is how much of a snapshot one message carries.
const chunkBytes = 1 << 20

// Snapshot implements the service.
func (s *Server) Snapshot(r *pb.SnapshotRequest, out grpc.ServerStreamingServer[pb.SnapshotChunk]) error {
	m, err := s.member(r.ClusterId, r.Group, 0)
	if err != nil {
		return fault.ToPeer(err)
	}
	w := &chunkWriter{out: out}
	if err := m.WriteSnapshot(out.Context(), r.Desc, r.After, w); err != nil {
		return fault.ToPeer(err)
	}
	return w.flush()
}

// chunkWriter cuts what is written into chunks.
type chunkWriter struct {
	out  grpc.ServerStreamingServer[pb.SnapshotChunk]
	rest []byte
}

// Write implements io.Writer.
func (w *chunkWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), chunkBytes-len(w.rest))
		w.rest = append(w.rest, p[:k]...)
		p = p[k:]
		if len(w.rest) == chunkBytes {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (w *chunkWriter) flush() error {
	if len(w.rest) == 0 {
		return nil
	}
	err := w.out.Send(&pb.SnapshotChunk{Data: w.rest})
	w.rest = nil // gRPC may still hold it
	return err
}
