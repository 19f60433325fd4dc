package zero

import (
	"context"
	"slices"
	"time"

	"dragg/graph"
	"dragg/protos/pb"
	"dragg/zero/placement"
)

// rebalanceInterval is how often the leader looks whether a move is due.
const rebalanceInterval = time.Second

// rebalance empties groups that are to be emptied, and evens out the others, one tablet at a time.
func (s *Server) rebalance(ctx context.Context) error {
	b := newBalancer(time.Now())
	for now := range ticks(ctx, rebalanceInterval) {
		if !s.Leading() {
			b = newBalancer(now)
			continue
		}
		m, ok := b.next(now, s.describe())
		if !ok {
			continue
		}
		if err := s.beginMove(ctx, m); err != nil && ctx.Err() == nil {
			s.lg.Warn("a tablet could not be moved", "predicate", m.Predicate.String(), "to", m.To, "err", err)
		}
	}
	return ctx.Err()
}

// balancer knows what was moved of late.
type balancer struct {
	last time.Time            // of the last move that evened out
	seen map[uint64]time.Time // since when a copy is served, by incarnation
}

func newBalancer(now time.Time) *balancer { return &balancer{last: now, seen: map[uint64]time.Time{}} }

const (
	// restFor is for how many intervals a tablet that was moved, or could not be, stays where it is, however the load changes.
	restFor = 3
	// retryEmptying is how long a tablet that could not leave a group that is emptied waits for the next try.
	retryEmptying = time.Minute
)

// next returns the move that is due. Groups that are to be emptied come first, whatever the policy.
func (b *balancer) next(now time.Time, st *pb.ZeroState) (placement.Move, bool) {
	interval := time.Duration(st.Policy.GetIntervalMs()) * time.Millisecond
	b.look(now, st)
	groups, worth := placement.GroupsOf(st), placement.PolicyOf(st.Policy)
	if len(st.Silent) > 0 || slices.ContainsFunc(st.Tablets, func(t *pb.Tablet) bool { return t.Move != nil }) {
		return placement.Move{}, false
	}
	if len(groups.Emptying) > 0 {
		m, ok := placement.Next(groups, b.tablets(now, st, 0, retryEmptying), worth)
		if ok && slices.Contains(groups.Emptying, m.From) {
			return m, true
		}
	}
	if st.Policy.GetOff() || now.Sub(b.last) < interval || len(placement.Obstacles(st)) > 0 {
		return placement.Move{}, false
	}
	groups.Emptying = nil
	m, ok := placement.Next(groups, b.tablets(now, st, restFor*interval, restFor*interval), worth)
	if ok {
		b.last = now
	}
	return m, ok
}

// look notes which copies are served.
func (b *balancer) look(now time.Time, st *pb.ZeroState) {
	seen := make(map[uint64]time.Time, len(st.Tablets))
	for _, t := range st.Tablets {
		seen[t.Incarnation] = earlier(b.seen, t.Incarnation, now)
	}
	b.seen = seen
}

// tablets returns the tablets. One that was moved less than rest ago stays where it is, and so does one whose move was given up less
// than retry ago: it would be copied again and again.
func (b *balancer) tablets(now time.Time, st *pb.ZeroState, rest, retry time.Duration) []placement.Tablet {
	out, failed := placement.TabletsOf(st), map[graph.Predicate]bool{}
	for _, e := range st.Ended {
		late := now.Sub(time.UnixMilli(e.EndedMs)) < retry
		given := e.Outcome != pb.MoveOutcome_ENDED_DONE && e.Outcome != pb.MoveOutcome_ENDED_CHANGED
		failed[graph.Predicate{Namespace: graph.Namespace(e.Namespace), Name: e.Predicate}] = late && given
	}
	for i, t := range st.Tablets {
		moved := len(t.Former) > 0 && now.Sub(b.seen[t.Incarnation]) < rest
		out[i].Fixed = out[i].Fixed || moved || failed[out[i].Predicate]
	}
	return out
}

func (s *Server) beginMove(ctx context.Context, m placement.Move) error {
	s.lg.Info("moving a tablet", "predicate", m.Predicate.String(), "from", m.From, "to", m.To, "why", m.Why)
	_, err := s.Move(ctx, &pb.MoveStep{
		Namespace: uint64(m.Predicate.Namespace), Predicate: m.Predicate.Name, Kind: pb.MoveKind_MOVE_BEGIN, To: uint32(m.To),
	})
	return err
}

// place chooses groups for new predicates by what the groups weigh. Where nothing is known of that, the state machine goes by number.
func (s *Server) place(a *pb.Alter) {
	var groups placement.Groups
	var tablets []placement.Tablet
	for _, ch := range a.Predicates {
		p := graph.Predicate{Namespace: graph.Namespace(ch.Namespace), Name: ch.Predicate}
		if ch.Group != 0 || len(ch.Schema) == 0 || s.machine.Tablet(p) != nil {
			continue
		}
		if tablets == nil {
			st := s.describe()
			groups, tablets = answering(placement.GroupsOf(st), st), placement.TabletsOf(st)
		}
		if g, ok := placement.For(groups, tablets); ok {
			ch.Group = uint32(g)
			tablets = append(tablets, placement.Tablet{Predicate: p, Group: g})
		}
	}
}

// answering leaves out groups of which no voter answers: a predicate that is made there could not be used. Where none does, which may be
// for want of news, all stay.
func answering(groups placement.Groups, st *pb.ZeroState) placement.Groups {
	heard := map[graph.GroupID]bool{}
	for _, m := range st.Members {
		silent := slices.ContainsFunc(st.Silent, func(o *pb.Member) bool { return o.Id == m.Id && o.Group == m.Group })
		heard[graph.GroupID(m.Group)] = heard[graph.GroupID(m.Group)] || !silent && !m.Learner
	}
	serving := slices.DeleteFunc(slices.Clone(groups.Serving), func(g graph.GroupID) bool { return !heard[g] })
	if len(serving) > 0 {
		groups.Serving = serving
	}
	return groups
}
