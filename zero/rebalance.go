package zero

import (
	"context"
	"slices"
	"time"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/zero/placement"
)

// rebalanceInterval is how often the leader looks whether a move is due.
const rebalanceInterval = time.Second

// rebalance empties groups that are to be emptied, and evens out the others, one tablet at a time.
func (s *Server) rebalance(ctx context.Context) error {
	ticker := time.NewTicker(rebalanceInterval)
	defer ticker.Stop()
	b := newBalancer(time.Now())
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now = <-ticker.C:
		}
		if !s.Leading() {
			b = newBalancer(now)
			continue
		}
		st := s.describe()
		m, ok := b.next(now, st, s.policyOf(st), s.weighed(st))
		if !ok {
			continue
		}
		if err := s.beginMove(ctx, m); err != nil && ctx.Err() == nil {
			s.lg.Warn("a tablet could not be moved", "predicate", m.Predicate.String(), "to", m.To, "err", err)
		}
	}
}

// balancer knows what was moved of late.
type balancer struct {
	last time.Time            // of the last move
	seen map[uint64]time.Time // since when a copy is served, by incarnation
}

func newBalancer(now time.Time) *balancer { return &balancer{last: now, seen: map[uint64]time.Time{}} }

// restFor is for how many intervals a tablet that was moved stays where it is, however the load changes.
const restFor = 3

// next returns the move that is due. There is none while a tablet moves or a node does not answer: what is lost must be restored first.
func (b *balancer) next(
	now time.Time, st *pb.ZeroState, policy *pb.RebalancePolicy, tablets []placement.Tablet,
) (placement.Move, bool) {
	interval := time.Duration(policy.IntervalMs) * time.Millisecond
	seen, moving := map[uint64]time.Time{}, false
	for i, t := range st.Tablets {
		seen[t.Incarnation] = earlier(b.seen, t.Incarnation, now)
		moving = moving || t.Move != nil
		tablets[i].Fixed = tablets[i].Fixed || len(t.Former) > 0 && now.Sub(seen[t.Incarnation]) < restFor*interval
	}
	b.seen = seen
	groups := groupsOf(st)
	if moving || len(st.Silent) > 0 {
		return placement.Move{}, false
	}
	if len(groups.Emptying) > 0 {
		for i := range tablets {
			tablets[i].Fixed = false
		}
		if m, ok := placement.Next(groups, tablets, placementPolicy(policy)); ok && slices.Contains(groups.Emptying, m.From) {
			return m, true
		}
		return placement.Move{}, false
	}
	if policy.Off || now.Sub(b.last) < interval {
		return placement.Move{}, false
	}
	m, ok := placement.Next(groups, tablets, placementPolicy(policy))
	if ok {
		b.last = now
	}
	return m, ok
}

func (s *Server) beginMove(ctx context.Context, m placement.Move) error {
	s.lg.Info("moving a tablet", "predicate", m.Predicate.String(), "from", m.From, "to", m.To, "why", m.Why)
	_, err := s.Move(ctx, &pb.MoveStep{
		Namespace: uint64(m.Predicate.Namespace), Predicate: m.Predicate.Name, Kind: pb.MoveKind_MOVE_BEGIN, To: uint32(m.To),
	})
	return err
}

// policyOf returns the policy that was set, or that of the flags.
func (s *Server) policyOf(st *pb.ZeroState) *pb.RebalancePolicy {
	if st.Policy != nil {
		return st.Policy
	}
	return &pb.RebalancePolicy{
		Off: s.cfg.RebalanceInterval < 0, IntervalMs: uint64(max(s.cfg.RebalanceInterval, 0) / time.Millisecond),
		LeastGain: uint32(placement.DefaultPolicy.LeastGain), LeastBytes: placement.DefaultPolicy.LeastBytes,
	}
}

func placementPolicy(p *pb.RebalancePolicy) placement.Policy {
	return placement.Policy{LeastGain: int(p.LeastGain), LeastBytes: p.LeastBytes}
}

// groupsOf returns the groups that serve, and those of which every voter is to be emptied.
func groupsOf(st *pb.ZeroState) (g placement.Groups) {
	empty := map[graph.GroupID]bool{}
	for _, m := range st.Members {
		if m.Group == 0 || m.Learner {
			continue
		}
		group := graph.GroupID(m.Group)
		before, known := empty[group]
		empty[group] = m.Draining && (before || !known)
	}
	for group, draining := range empty {
		if draining {
			g.Emptying = append(g.Emptying, group)
		} else {
			g.Serving = append(g.Serving, group)
		}
	}
	slices.Sort(g.Emptying)
	slices.Sort(g.Serving)
	return g
}

// weighed returns the tablets with what is known of their size and load.
func (s *Server) weighed(st *pb.ZeroState) []placement.Tablet {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]placement.Tablet, len(st.Tablets))
	for i, t := range st.Tablets {
		out[i] = placement.Tablet{
			Predicate: graph.Predicate{Namespace: graph.Namespace(t.Namespace), Name: t.Predicate}, Group: graph.GroupID(t.Group),
			Bytes: s.reports.bytes(t.Incarnation), Load: s.reports.recent(t.Incarnation), Fixed: t.Move != nil,
		}
	}
	return out
}

// place chooses groups for new predicates by what the groups weigh. Where nothing is known of that, the state machine goes by number.
func (s *Server) place(a *pb.Alter) {
	var st *pb.ZeroState
	var tablets []placement.Tablet
	for _, ch := range a.Predicates {
		p := graph.Predicate{Namespace: graph.Namespace(ch.Namespace), Name: ch.Predicate}
		if ch.Group != 0 || len(ch.Schema) == 0 || s.machine.Tablet(p) != nil {
			continue
		}
		if st == nil {
			st = s.describe()
			tablets = s.weighed(st)
		}
		if g, ok := placement.For(groupsOf(st), tablets); ok {
			ch.Group = uint32(g)
			tablets = append(tablets, placement.Tablet{Predicate: p, Group: g})
		}
	}
}

// planLimit bounds a plan that is shown.
const planLimit = 100

// Plan returns the moves that would even out the groups now, and whether something keeps them from being made.
func (s *Server) Plan(ctx context.Context) (moves []placement.Move, blocked string, err error) {
	st, err := s.leader().State(ctx)
	if err != nil {
		return nil, "", err
	}
	if len(st.Silent) > 0 {
		blocked = "a node does not answer"
	}
	return placement.Plan(groupsOf(st), s.weighedOf(st), placementPolicy(s.policyOf(st)), planLimit), blocked, nil
}

// weighedOf is weighed for a state that another Zero told.
func (s *Server) weighedOf(st *pb.ZeroState) []placement.Tablet {
	if s.Leading() {
		return s.weighed(st)
	}
	bytes := map[uint64]int64{}
	for _, l := range st.Loads {
		bytes[l.Incarnation] = l.Bytes
	}
	out := make([]placement.Tablet, len(st.Tablets))
	for i, t := range st.Tablets {
		out[i] = placement.Tablet{
			Predicate: graph.Predicate{Namespace: graph.Namespace(t.Namespace), Name: t.Predicate}, Group: graph.GroupID(t.Group),
			Bytes: bytes[t.Incarnation], Fixed: t.Move != nil,
		}
	}
	return out
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
	s.lg.Info("draining of a node changed", "id", d.Id, "group", d.Group, "draining", d.Draining)
	return res.(*pb.RemoveReply), nil
}

// SetPolicy implements cluster.Catalog.
func (s *Server) SetPolicy(ctx context.Context, p *pb.RebalancePolicy) error {
	if p.LeastGain > 1000 || p.LeastBytes < 0 {
		return fault.New(fault.Invalid, "the least gain is in thousandths, 0 to 1000, not %d; the least bytes not below 0, not %d",
			p.LeastGain, p.LeastBytes)
	}
	_, err := s.propose(ctx, &pb.ZeroEntry{Policy: p})
	return err
}
