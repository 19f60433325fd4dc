package zero

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"dragg/cluster"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/raftgroup"
	"dragg/raftgroup/raftlog"
	"dragg/raftgroup/transport"
)

// identity returns what the log says of this node or, where there is none, the name of the cluster that is about to begin.
func (s *Server) identity(ctx context.Context) (raftlog.Identity, error) {
	id, exists, err := raftlog.ReadIdentity(s.walDir())
	if err != nil {
		return id, err
	}
	if exists {
		return id, s.isMine(ctx, id)
	}
	id = raftlog.Identity{Node: s.cfg.ID}
	if len(s.cfg.Peers) > 0 {
		id.Cluster, err = s.joinOthers(ctx)
		return id, err
	}
	if len(s.cfg.Zeros) < 2 {
		id.Cluster = newClusterID()
		return id, nil
	}
	if _, ok := s.cfg.Zeros[s.cfg.ID]; !ok {
		return id, fault.New(fault.Invalid, "Zero %d is not among the Zeros that the cluster starts with", s.cfg.ID)
	}
	if s.cfg.ID == slices.Min(slices.Collect(maps.Keys(s.cfg.Zeros))) {
		if name := s.nameOfOthers(ctx); name != "" {
			return id, fault.New(fault.Invalid, "the other Zeros are of cluster %s already, but Zero %d has no log in %s: if its data is lost "+
				"remove it from the cluster, and let it join anew under another number", name, s.cfg.ID, s.walDir())
		}
		id.Cluster = newClusterID()
		return id, nil
	}
	p := cluster.Patience{Peer: "the first Zero, which names the cluster", Logger: s.lg}
	err = p.Do(ctx, func(ctx context.Context) error {
		known := s.hear(ctx)
		if id.Cluster = nameIn(known); id.Cluster == "" {
			return fault.New(fault.Unavailable, "no other Zero knows the cluster's name yet")
		}
		return s.neverStarted(known)
	})
	return id, err
}

// isMine returns nil if a log is of this Zero, and of the cluster that the others are of.
func (s *Server) isMine(ctx context.Context, id raftlog.Identity) error {
	switch {
	case id.Group != 0:
		return fault.New(fault.Invalid, "%s holds the log of Alpha %d of group %d, not of a Zero", s.cfg.Dir, id.Node, id.Group)
	case id.Node != s.cfg.ID:
		return fault.New(fault.Invalid, "%s holds the log of Zero %d, not of Zero %d: look at --idx and --data", s.cfg.Dir, id.Node, s.cfg.ID)
	}
	if name := nameIn(s.hear(ctx)); name != "" && name != id.Cluster {
		return fault.New(fault.Invalid, "%s holds the log of a Zero of cluster %s, the other Zeros are of %s", s.cfg.Dir, id.Cluster, name)
	}
	return nil
}

// neverStarted returns an error if another Zero knows that this one, which has no log, had one: it would give its vote a second time.
func (s *Server) neverStarted(known []*pb.IdentifyReply) error {
	for _, r := range known {
		for _, m := range r.Zeros {
			if m.Id == s.cfg.ID && m.Started {
				return fault.New(fault.Invalid, "Zero %d of cluster %s has no log in %s any more: remove it from the cluster, and start a new one "+
					"under another number (--idx) with --peer", s.cfg.ID, r.ClusterId, s.walDir())
			}
		}
	}
	return nil
}

// announce has the leading Zero know that this one has its log, and where it is reached now.
func (s *Server) announce(ctx context.Context) error {
	if s.cfg.My == "" {
		return nil
	}
	me := &pb.Member{Id: s.id.Node, Address: s.cfg.My, Started: true, ClusterId: s.id.Cluster}
	for range ticks(ctx, reconcileInterval) {
		_, err := s.leader().JoinZero(ctx, me)
		if err == nil {
			return nil
		}
		if fault.ClassOf(err) == fault.Invalid {
			return err
		}
	}
	return ctx.Err()
}

// joinOthers makes this new Zero a member of a running cluster, and returns the cluster's name. It waits as long as nobody there
// answers, and gives up where it is refused.
func (s *Server) joinOthers(ctx context.Context) (name string, err error) {
	z := cluster.NewClient(cluster.ClientConfig{Addresses: s.cfg.Peers, Pool: s.cfg.Pool, Logger: s.lg})
	p := cluster.Patience{Peer: "the Zeros at " + strings.Join(s.cfg.Peers, ", "), Logger: s.lg}
	err = p.Do(ctx, func(ctx context.Context) error {
		st, err := z.JoinZero(ctx, &pb.Member{Id: s.cfg.ID, Address: s.cfg.My})
		if err != nil {
			return err
		}
		name, s.seeds = st.ClusterId, st.Members
		return nil
	})
	return name, err
}

// JoinZero implements cluster.Catalog.
func (s *Server) JoinZero(ctx context.Context, m *pb.Member) (*pb.ZeroState, error) {
	if !s.Leading() {
		return nil, errNoLeader
	}
	if s.links == nil {
		return nil, fault.New(fault.Disabled, "this Zero runs in one process with an Alpha: no other can join it")
	}
	res, err := s.propose(ctx, &pb.ZeroEntry{JoinZero: m})
	if err != nil {
		return nil, err
	}
	if refused, ok := res.(error); ok {
		return nil, refused
	}
	if m.Started {
		s.lg.Info("a Zero has started", "zero", m.Id, "address", m.Address)
	} else {
		s.lg.Info("a further Zero joins", "zero", m.Id, "address", m.Address)
	}
	return s.describe(), nil
}

// reconcileInterval is how often the leader compares which Zeros are members of the group with those that shall be.
const reconcileInterval = 200 * time.Millisecond

// reconcile makes the members of the Zeros' group those that the state says, one change at a time.
func (s *Server) reconcile(ctx context.Context) error {
	for range ticks(ctx, reconcileInterval) {
		shall := map[uint64]bool{}
		for _, m := range s.machine.Members() {
			if m.Group != 0 {
				continue
			}
			shall[m.Id] = m.Learner
			if m.Id != s.id.Node {
				s.others.Learn(m.Address)
			}
		}
		if s.Leading() && len(shall) > 0 {
			s.takeStep(ctx, shall)
		}
	}
	return ctx.Err()
}

// takeStep takes the next step towards the members that shall be.
func (s *Server) takeStep(ctx context.Context, shall map[uint64]bool) {
	st := s.group.Status()
	if _, stays := shall[s.id.Node]; !stays && len(st.Members.GetVoters()) > 1 {
		if err := s.group.TransferLeadership(ctx, 0); err != nil && ctx.Err() == nil {
			s.lg.Warn("this Zero was removed, but could not hand over leadership; will try again", "err", err)
		}
		return
	}
	change, what := st.Next(s.id.Node, shall)
	if change == nil {
		return
	}
	err := s.group.ChangeMembers(ctx, change)
	switch {
	case err == nil:
		s.lg.Info("changed which Zeros there are", "change", what)
	case ctx.Err() == nil && fault.ClassOf(err) != fault.Unavailable:
		s.lg.Warn("could not change which Zeros there are; will try again", "change", what, "err", err)
	}
}

// alone reports whether this Zero is the only one.
func (s *Server) alone() bool {
	if s.links == nil {
		return true
	}
	m := s.group.Status().Members
	return len(m.GetVoters()) == 1 && len(m.GetVotersOutgoing()) == 0
}

// identifyTimeout bounds the question for the cluster's name.
const identifyTimeout = time.Second

// nameOfOthers returns the name of the cluster that another Zero is of, "" when none of them knows one.
func (s *Server) nameOfOthers(ctx context.Context) string { return nameIn(s.hear(ctx)) }

func nameIn(known []*pb.IdentifyReply) string {
	for _, r := range known {
		if r.ClusterId != "" {
			return r.ClusterId
		}
	}
	return ""
}

// hear returns what the other Zeros say of the cluster, those that answer.
func (s *Server) hear(ctx context.Context) []*pb.IdentifyReply {
	others := slices.Clone(s.cfg.Peers)
	for _, id := range slices.Sorted(maps.Keys(s.cfg.Zeros)) {
		if id != s.cfg.ID {
			others = append(others, s.cfg.Zeros[id])
		}
	}
	replies := make([]*pb.IdentifyReply, len(others))
	var asked sync.WaitGroup
	for i, address := range others {
		asked.Go(func() {
			if r, err := s.identify(ctx, address); err == nil {
				replies[i] = r
			}
		})
	}
	asked.Wait()
	return slices.DeleteFunc(replies, func(r *pb.IdentifyReply) bool { return r == nil })
}

func (s *Server) identify(ctx context.Context, address string) (*pb.IdentifyReply, error) {
	conn, err := s.cfg.Pool.Conn(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	return pb.NewZeroClient(conn).Identify(ctx, &pb.IdentifyRequest{})
}

// newClusterID returns a name that no other cluster has.
func newClusterID() string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // documented never to happen
	}
	return hex.EncodeToString(b[:])
}

// connect gives the group its way to the other Zeros.
func (s *Server) connect(group *raftgroup.Config) {
	s.links = transport.NewLinks(transport.Config{
		Cluster: s.id.Cluster, Pool: s.cfg.Pool, Address: s.address, Unreachable: func(uint64) {}, Logger: s.lg,
	})
	group.Transport, group.Fetch = s.links, s.links.Fetch
	others := slices.Clone(s.cfg.Peers)
	for _, id := range slices.Sorted(maps.Keys(s.cfg.Zeros)) {
		if id != s.id.Node {
			others = append(others, s.cfg.Zeros[id])
		}
	}
	s.others = cluster.NewClient(cluster.ClientConfig{Addresses: others, Pool: s.cfg.Pool, Logger: s.lg})
}

// address returns where another Zero is reached: as it said when it led, else as the flags say.
func (s *Server) address(id uint64) (string, bool) {
	for _, m := range s.machine.Members() {
		if m.Group == 0 && m.Id == id && m.Address != "" {
			return m.Address, true
		}
	}
	for _, m := range s.seeds {
		if m.Group == 0 && m.Id == id {
			return m.Address, true
		}
	}
	address, ok := s.cfg.Zeros[id]
	return address, ok
}

// bootstrap is the first entry of this leader's term. Where the other Zeros are is theirs to say, when they lead.
func (s *Server) bootstrap() *pb.Bootstrap {
	b := &pb.Bootstrap{ClusterId: s.id.Cluster, Replicas: uint32(s.cfg.Replicas)}
	known := map[uint64]bool{}
	for _, m := range s.machine.Members() {
		known[m.Id] = known[m.Id] || m.Group == 0
	}
	for _, id := range slices.Sorted(maps.Keys(s.cfg.Zeros)) {
		if !known[id] && id != s.id.Node {
			b.Zeros = append(b.Zeros, &pb.Member{Id: id, Address: s.cfg.Zeros[id]})
		}
	}
	if s.cfg.My != "" {
		b.Zeros = append(b.Zeros, &pb.Member{Id: s.id.Node, Address: s.cfg.My})
	}
	return b
}

// member lets other Zeros speak to this one.
func (s *Server) member(group uint32) (name string, self uint64, m transport.Member, ok bool) {
	return s.id.Cluster, s.id.Node, s.group, group == 0 && s.links != nil
}

// leader returns the Zero that leads: this one, or the way to the others.
func (s *Server) leader() cluster.Zero {
	if s.others == nil || s.Leading() || s.alone() {
		return s
	}
	return s.others
}

// mayGo returns nil if the group of a node can do without it: one that answers stays where no majority of those that would be left does,
// and nobody goes from a group with data that has no leader. It could not be carried out, and who comes back with his data would be
// turned away.
func mayGo(st *pb.ZeroState, r *pb.RemoveNode) error {
	left, answer, goes, answers := 0, 0, false, false
	for _, m := range st.Members {
		if m.Group != r.Group || m.Learner {
			continue
		}
		heard := !slices.ContainsFunc(st.Silent, func(o *pb.Member) bool { return o.Id == m.Id && o.Group == m.Group })
		switch {
		case m.Id == r.Id:
			goes, answers = true, heard
		case heard:
			left, answer = left+1, answer+1
		default:
			left++
		}
	}
	holds := slices.ContainsFunc(st.Tablets, func(t *pb.Tablet) bool { return t.Group == r.Group })
	switch {
	case !goes || left == 0:
		return nil
	case answers && 2*answer <= left:
		return fault.New(fault.Conflict, "node %d answers, and of the %d voters of group %d that would be left %d do: no majority; start those "+
			"first, or remove them", r.Id, left, r.Group, answer)
	case holds && !answers && answer == 0:
		return fault.New(fault.Conflict,
			"group %d has no leader that Zero hears, so that nobody can be removed from it: bring a majority of its nodes up", r.Group)
	}
	return nil
}

// RemoveMember implements cluster.Catalog.
func (s *Server) RemoveMember(ctx context.Context, r *pb.RemoveNode) (*pb.RemoveReply, error) {
	if !s.Leading() {
		return nil, errNoLeader
	}
	if err := mayGo(s.describe(), r); err != nil {
		return nil, err
	}
	res, err := s.propose(ctx, &pb.ZeroEntry{Remove: r})
	if err != nil {
		return nil, err
	}
	if refused, ok := res.(error); ok {
		return nil, refused
	}
	s.lg.Info("a node was removed from the cluster", "removed", r.Id, "removed_from", r.Group)
	return res.(*pb.RemoveReply), nil
}
