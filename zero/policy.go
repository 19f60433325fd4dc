package zero

import (
	"context"
	"time"

	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/zero/placement"
)

// defaultInterval is the pause between two moves that even out the groups, as long as nobody says otherwise.
const defaultInterval = 8 * time.Minute

// defaultPolicy is that of the flags, for a cluster that was not told another one.
func (s *Server) defaultPolicy() *pb.RebalancePolicy {
	interval := s.cfg.RebalanceInterval
	if interval < 0 {
		interval = defaultInterval // for whoever turns it on
	}
	return &pb.RebalancePolicy{
		Off: s.cfg.RebalanceInterval < 0, IntervalMs: uint64(interval / time.Millisecond),
		LeastGain: uint32(placement.DefaultPolicy.LeastGain), LeastBytes: placement.DefaultPolicy.LeastBytes,
	}
}

// The bounds of the pause between two moves.
const (
	leastInterval = time.Second
	mostInterval  = 1000 * time.Hour
)

// SetPolicy implements cluster.Catalog.
func (s *Server) SetPolicy(ctx context.Context, p *pb.RebalancePolicy) error {
	switch {
	case p.LeastGain > 1000:
		return fault.New(fault.Invalid, "least_gain: it is in thousandths of everything, 0 to 1000, not %d", p.LeastGain)
	case p.LeastBytes < 0:
		return fault.New(fault.Invalid, "least_bytes: it cannot be below 0, as %d is", p.LeastBytes)
	case p.IntervalMs < uint64(leastInterval/time.Millisecond), p.IntervalMs > uint64(mostInterval/time.Millisecond):
		return fault.New(fault.Invalid, "interval_ms: it must be between %d and %d, not %d",
			leastInterval/time.Millisecond, mostInterval/time.Millisecond, p.IntervalMs)
	}
	if _, err := s.propose(ctx, &pb.ZeroEntry{Policy: p}); err != nil {
		return err
	}
	s.lg.Info("the rebalancing policy changed",
		"off", p.Off, "interval_ms", p.IntervalMs, "least_gain", p.LeastGain, "least_bytes", p.LeastBytes)
	return nil
}

// SetDrain implements cluster.Catalog.
func (s *Server) SetDrain(ctx context.Context, d *pb.Drain) (*pb.RemoveReply, error) {
	res, err := s.propose(ctx, &pb.ZeroEntry{Drain: d})
	if err != nil {
		return nil, err
	}
	if refused, ok := res.(error); ok {
		return nil, refused
	}
	s.lg.Info("draining of a node changed", "drained", d.Id, "drained_group", d.Group, "draining", d.Draining)
	return res.(*pb.RemoveReply), nil
}
