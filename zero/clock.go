package zero

import (
	"context"
	"sync"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// leaseTimestamps is how many timestamps the leader leases at once. What is left of it is skipped by a restart.
const leaseTimestamps = 100_000

// errNoLeader is what a Zero answers that does not lead, or not yet.
var errNoLeader = fault.New(fault.Unavailable, "this Zero does not lead its group; try again")

// clock draws timestamps on the leader. Between terms it draws none.
type clock struct {
	mu    sync.Mutex
	term  uint64 // guarded by mu
	next  uint64 // guarded by mu; 0 while this node does not lead
	bound uint64 // guarded by mu: exclusive
	drawn uint64 // guarded by mu: the highest commit timestamp drawn

	extend sync.Mutex // held while the bound is being moved, so that only one asks
}

// begin starts a term: timestamps in [next, bound) are leased, every commit below next is decided.
func (c *clock) begin(term, next, bound uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.term, c.next, c.bound, c.drawn = term, next, bound, next-1
}

// leading returns the term that timestamps are drawn in.
func (c *clock) leading() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.term
}

// stop ends a term.
func (c *clock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next, c.bound = 0, 0
}

// draw takes n timestamps, or says that the bound must be moved first.
func (c *clock) draw(n uint64, commits bool) (first, after uint64, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == 0 {
		return 0, 0, false, errNoLeader
	}
	if c.next+n > c.bound {
		return 0, 0, false, nil
	}
	first, after = c.next, c.drawn
	c.next += n
	if commits {
		c.drawn = c.next - 1
	}
	return first, after, true, nil
}

// raise moves the bound after it was replicated.
func (c *clock) raise(bound uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != 0 {
		c.bound = max(c.bound, bound)
	}
}

// low returns the bound to lease up to, 0 when there is room for n more.
func (c *clock) low(n uint64) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == 0 || c.next+n <= c.bound {
		return 0
	}
	return c.bound + n + leaseTimestamps
}

// drawTimestamps takes n timestamps and moves the leased bound as needed.
func (s *Server) drawTimestamps(ctx context.Context, n uint64, commits bool) (first, after graph.Timestamp, err error) {
	for {
		f, a, ok, err := s.clock.draw(n, commits)
		if ok || err != nil {
			return graph.Timestamp(f), graph.Timestamp(a), err
		}
		if err := s.leaseMore(ctx, n); err != nil {
			return 0, 0, err
		}
	}
}

func (s *Server) leaseMore(ctx context.Context, n uint64) error {
	s.clock.extend.Lock()
	defer s.clock.extend.Unlock()
	bound := s.clock.low(n)
	if bound == 0 {
		return nil // somebody else did it meanwhile, or the term is over
	}
	if _, err := s.propose(ctx, &pb.ZeroEntry{Lease: &pb.Lease{TsBound: bound}}); err != nil {
		return err
	}
	s.clock.raise(bound)
	return nil
}

func (s *Server) propose(ctx context.Context, e *pb.ZeroEntry) (any, error) {
	b, err := proto.Marshal(e)
	if err != nil {
		return nil, err
	}
	return s.group.Propose(ctx, b)
}
