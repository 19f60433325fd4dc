package cluster

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"dragg/cluster/rpc"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// ClientConfig says how the Zeros are reached. Zero values take the defaults.
type ClientConfig struct {
	// Addresses are of some Zeros, at least one.
	Addresses []string
	Pool      *rpc.Pool
	// Patience is how long a call looks for a Zero that leads, while they elect one or are away. Default 5 s.
	Patience time.Duration
	Logger   *slog.Logger
}

// Client is the leading Zero reached over gRPC. It turns from one Zero to the next until it finds it. It is safe for
// concurrent use.
type Client struct {
	cfg   ClientConfig
	turns Turns

	mu        sync.Mutex
	addresses []string // guarded by mu
}

var _ Zero = (*Client)(nil)

// NewClient returns a client. The pool stays the caller's to close.
func NewClient(cfg ClientConfig) *Client {
	if cfg.Patience == 0 {
		cfg.Patience = 5 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{cfg: cfg, addresses: slices.Clone(cfg.Addresses)}
}

// Learn tells the client of another Zero.
func (c *Client) Learn(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if address != "" && !slices.Contains(c.addresses, address) {
		c.addresses = append(c.addresses, address)
	}
}

// known returns the addresses of the Zeros that it has heard of.
func (c *Client) known() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.addresses)
}

// The pauses after every Zero was asked in vain.
const (
	shortestTurn = 10 * time.Millisecond
	longestTurn  = 300 * time.Millisecond
)

// manner says how a call is made.
type manner struct {
	patience time.Duration // how long it looks for the leader; each Zero is asked once in any case
	decisive bool          // the caller must learn when the outcome is unknown
}

func (c *Client) patient() manner { return manner{patience: c.cfg.Patience} }

// ask calls the leading Zero. Every call may be repeated: what Zero decides it decides once.
func ask[T any](ctx context.Context, c *Client, m manner, call func(ctx context.Context, z pb.ZeroClient) (T, error)) (T, error) {
	how := Manner{Patience: m.patience, First: shortestTurn, Most: longestTurn}
	r, err := InTurn(ctx, &c.turns, how, c.known, func(ctx context.Context, address string) (T, error) {
		return askAt(ctx, c, address, call)
	})
	if u, ok := errors.AsType[*Unanswered](err); ok {
		c.lookAround(ctx)
		err = gaveUp(ctx, u.Maybe && m.decisive, u.Err)
	}
	return r, err
}

// lookTimeout bounds how long one Zero is asked for the others.
const lookTimeout = 500 * time.Millisecond

// lookAround asks the Zeros for each other: the one that leads may have come after the list was written that this client was given.
func (c *Client) lookAround(ctx context.Context) {
	for _, address := range c.known() {
		r, err := askAt(ctx, c, address, func(ctx context.Context, z pb.ZeroClient) (*pb.IdentifyReply, error) {
			ctx, cancel := context.WithTimeout(ctx, lookTimeout)
			defer cancel()
			return z.Identify(ctx, &pb.IdentifyRequest{})
		})
		if err != nil {
			continue // it is away
		}
		for _, m := range r.Zeros {
			c.Learn(m.Address)
		}
	}
}

func askAt[T any](ctx context.Context, c *Client, address string, call func(ctx context.Context, z pb.ZeroClient) (T, error)) (T, error) {
	conn, err := c.cfg.Pool.Conn(address)
	if err != nil {
		var none T
		return none, fault.As(fault.Unavailable, err)
	}
	r, err := call(ctx, pb.NewZeroClient(conn))
	return r, fault.FromPeer(err)
}

// gaveUp returns the error of a call that found no leading Zero in time.
func gaveUp(ctx context.Context, unknown bool, err error) error {
	switch {
	case unknown:
		return fault.New(fault.Unknown, "no answer from the leading Zero: %w", err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fault.New(fault.Unavailable, "no Zero that leads was found: %w", err)
}

// Timestamps implements Clock.
func (c *Client) Timestamps(ctx context.Context, n uint32) (first, after graph.Timestamp, err error) {
	r, err := ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.TimestampsReply, error) {
		return z.Timestamps(ctx, &pb.TimestampsRequest{Count: n})
	})
	return graph.Timestamp(r.GetFirst()), graph.Timestamp(r.GetAfter()), err
}

// LeaseUIDs implements Clock.
func (c *Client) LeaseUIDs(ctx context.Context, n uint64) (graph.UID, error) {
	r, err := ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.LeaseReply, error) {
		return z.LeaseUids(ctx, &pb.LeaseRequest{Count: n})
	})
	return graph.UID(r.GetFirst()), err
}

// Commit implements Arbiter.
func (c *Client) Commit(ctx context.Context, req *pb.CommitRequest) (*pb.CommitReply, error) {
	return ask(ctx, c, manner{c.cfg.Patience, true}, func(ctx context.Context, z pb.ZeroClient) (*pb.CommitReply, error) {
		return z.Commit(ctx, req)
	})
}

// Outcome implements Arbiter.
func (c *Client) Outcome(ctx context.Context, start graph.Timestamp) (graph.Timestamp, bool, error) {
	r, err := ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.OutcomeReply, error) {
		return z.Outcome(ctx, &pb.OutcomeRequest{StartTs: uint64(start)})
	})
	return graph.Timestamp(r.GetCommitTs()), r.GetKnown(), err
}

// Connect implements Catalog. It does not wait: whoever joins waits for as long as it takes, and says so.
func (c *Client) Connect(ctx context.Context, j *pb.Join) (*pb.JoinReply, error) {
	return ask(ctx, c, manner{}, func(ctx context.Context, z pb.ZeroClient) (*pb.JoinReply, error) { return z.Connect(ctx, j) })
}

// ChangeSchema implements Catalog.
func (c *Client) ChangeSchema(ctx context.Context, a *pb.Alter) (*pb.AlterReply, error) {
	return ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.AlterReply, error) {
		return z.ChangeSchema(ctx, a)
	})
}

// State implements Catalog.
func (c *Client) State(ctx context.Context) (*pb.ZeroState, error) {
	return ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.ZeroState, error) {
		return z.State(ctx, &pb.StateRequest{})
	})
}

// Stream implements Feed. The leading Zero serves it; when it is lost, or does not lead any more, the next call turns to another.
func (c *Client) Stream(ctx context.Context, g graph.GroupID, seq uint64, deliver func(*pb.StreamBatch) error) error {
	address := c.turns.First(c.known())
	conn, err := c.cfg.Pool.Conn(address)
	if err != nil {
		return fault.As(fault.Unavailable, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, err := pb.NewZeroClient(conn).Stream(ctx, &pb.StreamRequest{Group: uint32(g), AfterSeq: seq})
	for err == nil {
		var b *pb.StreamBatch
		if b, err = in.Recv(); err != nil {
			break
		}
		if err := deliver(b); err != nil {
			return err
		}
	}
	c.turns.Leave(address, c.known())
	if err = fault.FromPeer(err); fault.ClassOf(err) == fault.Unknown {
		return fault.New(fault.Unavailable, "%w", err)
	}
	return err
}

// Acknowledge implements Feed.
func (c *Client) Acknowledge(ctx context.Context, a *pb.Ack) error {
	_, err := ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.AckReply, error) { return z.Acknowledge(ctx, a) })
	return err
}

// RemoveMember implements Catalog. Asked twice it finds the node gone.
func (c *Client) RemoveMember(ctx context.Context, r *pb.RemoveNode) (*pb.RemoveReply, error) {
	return ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.RemoveReply, error) { return z.RemoveMember(ctx, r) })
}

// Promote implements Catalog.
func (c *Client) Promote(ctx context.Context, r *pb.PromoteRequest) error {
	_, err := ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.PromoteReply, error) { return z.Promote(ctx, r) })
	return err
}

// Move implements Catalog.
func (c *Client) Move(ctx context.Context, m *pb.MoveStep) (*pb.MoveReply, error) {
	return ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.MoveReply, error) { return z.Move(ctx, m) })
}

// Report implements Feed.
func (c *Client) Report(ctx context.Context, r *pb.GroupReport) error {
	_, err := ask(ctx, c, manner{}, func(ctx context.Context, z pb.ZeroClient) (*pb.AckReply, error) { return z.Report(ctx, r) })
	return err
}

// SetDrain implements Catalog.
func (c *Client) SetDrain(ctx context.Context, d *pb.Drain) (*pb.RemoveReply, error) {
	return ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.RemoveReply, error) { return z.SetDrain(ctx, d) })
}

// SetPolicy implements Catalog.
func (c *Client) SetPolicy(ctx context.Context, p *pb.RebalancePolicy) error {
	_, err := ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.AckReply, error) { return z.SetPolicy(ctx, p) })
	return err
}

// JoinZero implements Catalog.
func (c *Client) JoinZero(ctx context.Context, m *pb.Member) (*pb.ZeroState, error) {
	return ask(ctx, c, c.patient(), func(ctx context.Context, z pb.ZeroClient) (*pb.ZeroState, error) { return z.JoinZero(ctx, m) })
}
