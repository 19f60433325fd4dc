package zero

import (
	"context"
	"slices"
	"time"

	"dragg/internal/fault"
	"dragg/protos/pb"
)

// promoteTimeout bounds how long one member may take to answer whether it hands leadership over.
const promoteTimeout = 5 * time.Second

// Promote implements cluster.Catalog. The leading Zero asks the members of the group, the one first that it takes for the leader:
// only the leader can hand leadership over.
func (s *Server) Promote(ctx context.Context, r *pb.PromoteRequest) error {
	if !s.Leading() {
		return errNoLeader
	}
	members := slices.DeleteFunc(s.machine.Members(), func(m *pb.Member) bool { return m.Group != r.Group })
	at := slices.IndexFunc(members, func(m *pb.Member) bool { return m.Id == r.Id })
	switch {
	case len(members) == 0:
		return fault.New(fault.NotFound, "there is no group %d", r.Group)
	case at < 0:
		return fault.New(fault.NotFound, "node %d is not a member of group %d", r.Id, r.Group)
	case members[at].Learner:
		return fault.New(fault.Invalid, "node %d is a learner: it has no vote, and cannot lead", r.Id)
	case r.Group == 0:
		return s.group.TransferLeadership(ctx, r.Id)
	}
	if err := s.promoteAlpha(ctx, r, s.leaderFirst(r.Group, members)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaders[r.Group] = r.Id
	return nil
}

// leaderFirst sorts the members of a group so that the leader, as far as is known, comes first.
func (s *Server) leaderFirst(group uint32, members []*pb.Member) []*pb.Member {
	s.mu.Lock()
	leader := s.leaders[group]
	s.mu.Unlock()
	slices.SortStableFunc(members, func(a, b *pb.Member) int {
		switch leader {
		case a.Id:
			return -1
		case b.Id:
			return 1
		}
		return 0
	})
	return members
}

func (s *Server) promoteAlpha(ctx context.Context, r *pb.PromoteRequest, members []*pb.Member) error {
	if s.cfg.Pool == nil {
		return fault.New(fault.Disabled, "this Zero has no way to other nodes")
	}
	var last error
	for _, m := range members {
		if m.Learner {
			continue
		}
		err := s.promoteBy(ctx, r, m.Address)
		// Another one may be asked also where the outcome is unknown: who leads already has nothing to do.
		if c := fault.ClassOf(err); err == nil || ctx.Err() != nil || c != fault.Unavailable && c != fault.Unknown {
			return err
		}
		last = err
	}
	return fault.New(fault.Unavailable,
		"no member of group %d could hand leadership over; try again when the group has a leader: %w", r.Group, last)
}

func (s *Server) promoteBy(ctx context.Context, r *pb.PromoteRequest, address string) error {
	conn, err := s.cfg.Pool.Conn(address)
	if err != nil {
		return fault.As(fault.Unavailable, err)
	}
	ctx, cancel := context.WithTimeout(ctx, promoteTimeout)
	defer cancel()
	_, err = pb.NewPeerClient(conn).Promote(ctx, r)
	return fault.FromPeer(err)
}
