// Package cluster is a node's live view of the cluster: what an Alpha asks of Zero, over the network or, where both live in
// one process, by direct calls.
package cluster

import (
	"context"

	"dragg/graph"
	"dragg/protos/pb"
)

// Clock draws timestamps and uids. Both are unique and never given out twice, also across restarts.
type Clock interface {
	// Timestamps draws n consecutive timestamps. after is the highest commit timestamp drawn before them: a reader at one of
	// them needs every verdict up to after, and no other.
	Timestamps(ctx context.Context, n uint32) (first, after graph.Timestamp, err error)
	// LeaseUIDs leases n consecutive uids and returns the first.
	LeaseUIDs(ctx context.Context, n uint64) (first graph.UID, err error)
}

// Arbiter decides transactions.
type Arbiter interface {
	// Commit asks for the verdict. It may be asked again for the same start timestamp and answers the same.
	// An error of class fault.Unknown means that the verdict may or may not have been given: ask Outcome.
	Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error)
	// Outcome returns how a transaction ended; known is false when it has not, or the end is forgotten.
	Outcome(ctx context.Context, start graph.Timestamp) (commit graph.Timestamp, known bool, err error)
}

// Asker is an Arbiter that can be asked without waiting: one in the same process.
type Asker interface {
	// Ask asks for the verdict as Commit does, and has answer called with it, once, by a goroutine that answer must not hold up. It
	// returns false where nobody was asked: then Commit says why, or waits.
	Ask(r *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool
}

// Catalog holds what exists: members, predicates, types.
type Catalog interface {
	Connect(ctx context.Context, j *pb.Join) (*pb.JoinReply, error)
	ChangeSchema(ctx context.Context, a *pb.Alter) (*pb.AlterReply, error)
	State(ctx context.Context) (*pb.ZeroState, error)
	// RemoveMember takes a node out of the cluster for good.
	RemoveMember(ctx context.Context, r *pb.RemoveNode) (*pb.RemoveReply, error)
	// Promote has a member of a group lead it, and returns when it does.
	Promote(ctx context.Context, r *pb.PromoteRequest) error
	// Move takes a step of a tablet's move. It may be asked again and answers the same. An error of class fault.Aborted means
	// that the move is over.
	Move(ctx context.Context, m *pb.MoveStep) (*pb.MoveReply, error)
	// JoinZero makes a further Zero a member, and returns the state as it is then. Asked twice it changes nothing.
	JoinZero(ctx context.Context, m *pb.Member) (*pb.ZeroState, error)
	// SetDrain has a node emptied, or ends that: it leads nothing where others can, and a group of such nodes gives its tablets away.
	SetDrain(ctx context.Context, d *pb.Drain) (*pb.RemoveReply, error)
	// SetPolicy says when tablets are moved to even out the groups.
	SetPolicy(ctx context.Context, p *pb.RebalancePolicy) error
}

// Feed is the ordered stream of a group.
type Feed interface {
	// Stream delivers the events of the group after seq, in order and without a gap, until ctx ends, Zero is lost, or deliver
	// returns an error. A batch without events moves only the watermark.
	Stream(ctx context.Context, group graph.GroupID, seq uint64, deliver func(*pb.StreamBatch) error) error
	// Acknowledge says that the group will not ask for events up to a.Seq again, and which of its members leads it.
	Acknowledge(ctx context.Context, a *pb.Ack) error
	// Report tells the leading Zero about a group. It is not replicated.
	Report(ctx context.Context, r *pb.GroupReport) error
}

// Zero is the coordinator as an Alpha sees it. zero.Server is one, in the same process; Dial returns one over gRPC.
type Zero interface {
	Clock
	Arbiter
	Catalog
	Feed
}
