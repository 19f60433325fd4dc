package cluster

import (
	"context"

	"google.golang.org/grpc"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// Client is a Zero reached over gRPC.
type Client struct{ zero pb.ZeroClient }

var _ Zero = (*Client)(nil)

// NewClient returns the Zero behind conn, which stays the caller's to close.
func NewClient(conn grpc.ClientConnInterface) *Client { return &Client{zero: pb.NewZeroClient(conn)} }

// Timestamps implements Clock.
func (c *Client) Timestamps(ctx context.Context, n uint32) (first, after graph.Timestamp, err error) {
	r, err := c.zero.Timestamps(ctx, &pb.TimestampsRequest{Count: n})
	if err != nil {
		return 0, 0, fault.FromGRPC(err)
	}
	return graph.Timestamp(r.First), graph.Timestamp(r.After), nil
}

// LeaseUIDs implements Clock.
func (c *Client) LeaseUIDs(ctx context.Context, n uint64) (graph.UID, error) {
	r, err := c.zero.LeaseUids(ctx, &pb.LeaseRequest{Count: n})
	if err != nil {
		return 0, fault.FromGRPC(err)
	}
	return graph.UID(r.First), nil
}

// Commit implements Arbiter. A connection that broke in mid-call leaves the outcome unknown.
func (c *Client) Commit(ctx context.Context, req *pb.CommitRequest) (*pb.CommitReply, error) {
	r, err := c.zero.Commit(ctx, req)
	if err != nil {
		err = fault.FromGRPC(err)
		if fault.ClassOf(err) == fault.Unavailable {
			return nil, fault.New(fault.Unknown, "the outcome of transaction %d is unknown: %w", req.StartTs, err)
		}
		return nil, err
	}
	return r, nil
}

// Outcome implements Arbiter.
func (c *Client) Outcome(ctx context.Context, start graph.Timestamp) (graph.Timestamp, bool, error) {
	r, err := c.zero.Outcome(ctx, &pb.OutcomeRequest{StartTs: uint64(start)})
	if err != nil {
		return 0, false, fault.FromGRPC(err)
	}
	return graph.Timestamp(r.CommitTs), r.Known, nil
}

// Connect implements Catalog.
func (c *Client) Connect(ctx context.Context, j *pb.Join) (*pb.JoinReply, error) {
	r, err := c.zero.Connect(ctx, j)
	return r, fault.FromGRPC(err)
}

// ChangeSchema implements Catalog.
func (c *Client) ChangeSchema(ctx context.Context, a *pb.Alter) (*pb.AlterReply, error) {
	r, err := c.zero.ChangeSchema(ctx, a)
	return r, fault.FromGRPC(err)
}

// State implements Catalog.
func (c *Client) State(ctx context.Context) (*pb.ZeroState, error) {
	r, err := c.zero.State(ctx, &pb.StateRequest{})
	return r, fault.FromGRPC(err)
}

// Stream implements Feed.
func (c *Client) Stream(ctx context.Context, g graph.GroupID, seq uint64, deliver func(*pb.StreamBatch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, err := c.zero.Stream(ctx, &pb.StreamRequest{Group: uint32(g), AfterSeq: seq})
	if err != nil {
		return fault.FromGRPC(err)
	}
	for {
		b, err := in.Recv()
		if err != nil {
			return fault.FromGRPC(err)
		}
		if err := deliver(b); err != nil {
			return err
		}
	}
}

// Acknowledge implements Feed.
func (c *Client) Acknowledge(ctx context.Context, g graph.GroupID, seq uint64) error {
	_, err := c.zero.Acknowledge(ctx, &pb.Ack{Group: uint32(g), Seq: seq})
	return fault.FromGRPC(err)
}
