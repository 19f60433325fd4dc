package alpha

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"golang.org/x/sync/errgroup"

	"dragg/cluster"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/raftgroup"
)

// errNotLeading is what others are told who ask this member to lead.
var errNotLeading = fault.New(fault.Unavailable, "this Alpha does not lead its group")

// lead does the duties of the group's leader while this member is it.
func (n *Node) lead(ctx context.Context) error {
	for {
		if st := n.raft.Status(); st.Leading {
			if err := n.leadTerm(ctx, st.Term); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.status:
		}
	}
}

// leadTerm does the duties until the term is over.
func (n *Node) leadTerm(ctx context.Context, term uint64) error {
	duties, running := errgroup.WithContext(ctx)
	duties.Go(func() error { return n.watchTerm(running, term) })
	duties.Go(func() error {
		// What earlier terms left in the log must be applied first: transactions that wrote before are read from there.
		leader := cluster.Patience{Peer: "the leader of the group", Logger: n.lg}
		if err := leader.Do(running, n.shard.Barrier); err != nil {
			return err
		}
		n.leading.Store(term)
		n.lg.Info("leading the group", "term", term)
		duties.Go(func() error { return n.follow(running) })
		duties.Go(func() error { return n.acknowledge(running) })
		duties.Go(func() error { return n.reap(running) })
		duties.Go(func() error { return n.reconcile(running) })
		duties.Go(func() error { return n.receiveTablets(running) })
		duties.Go(func() error { return n.report(running) })
		duties.Go(func() error { return n.compareReplicas(running) })
		return nil
	})
	err := duties.Wait()
	n.leading.Store(0)
	if errors.Is(err, errTermOver) || ctx.Err() == nil && errors.Is(err, context.Canceled) {
		n.lg.Info("not leading the group any more", "term", term)
		return nil
	}
	return err
}

var errTermOver = errors.New("the term is over")

// watchTerm returns when this member does not lead the term any more.
func (n *Node) watchTerm(ctx context.Context, term uint64) error {
	ticker := time.NewTicker(termInterval)
	defer ticker.Stop()
	for {
		if st := n.raft.Status(); !st.Leading || st.Term != term {
			n.noteStatus(st) // for lead
			return errTermOver
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.status:
		case <-ticker.C:
		}
	}
}

// termInterval is how often a leader looks whether it leads, besides when it is told.
const termInterval = 50 * time.Millisecond

// noteStatus wakes whoever looks at the group's status.
func (n *Node) noteStatus(st raftgroup.Status) {
	n.term.Store(st.Term)
	select {
	case n.status <- struct{}{}:
	default:
	}
}

// Leading reports whether this member leads its group and does the leader's duties.
func (n *Node) Leading() bool { return n.leading.Load() != 0 }

// reconcileInterval is how often the leader compares who is a member with who shall be one.
const reconcileInterval = 100 * time.Millisecond

// reconcile makes the members of the Raft group those that Zero says: new ones become learners, learners that have caught up
// voters, and who was removed goes. One change at a time.
func (n *Node) reconcile(ctx context.Context) error {
	ticker := time.NewTicker(reconcileInterval)
	defer ticker.Stop()
	for told := false; ; {
		if why := n.unfit(); why != "" {
			if !told {
				n.lg.Info("another member shall lead the group", "why", why)
				told = true
			}
			if len(n.raft.Status().Members.GetVoters()) > 1 {
				if err := n.raft.TransferLeadership(ctx, n.successor()); err != nil && ctx.Err() == nil {
					n.lg.Warn("could not hand over leadership; will try again", "err", err)
				}
			}
		}
		if change, what := n.nextChange(); change != nil {
			err := n.raft.ChangeMembers(ctx, change)
			switch {
			case err == nil:
				n.lg.Info("changed the members of the group", "change", what)
			case ctx.Err() == nil && fault.ClassOf(err) != fault.Unavailable:
				n.lg.Warn("could not change the members of the group; will try again", "change", what, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// unfit says why this node should not lead its group, "" if it may.
func (n *Node) unfit() string {
	if n.wasRemoved() {
		return "this node was removed from the cluster, and the next leader removes it from the group"
	}
	voters := slices.DeleteFunc(n.membersOf(n.group), func(m *pb.Member) bool { return m.Learner })
	mine := slices.IndexFunc(voters, func(m *pb.Member) bool { return m.Id == n.id.Node })
	if mine < 0 || !voters[mine].Draining || !slices.ContainsFunc(voters, func(m *pb.Member) bool { return !m.Draining }) {
		return ""
	}
	return "this node is to be emptied"
}

// successor returns a member that may lead instead of this one, 0 for whoever has come farthest.
func (n *Node) successor() uint64 {
	progress := n.raft.Status().Progress
	for _, m := range n.membersOf(n.group) {
		ready := slices.ContainsFunc(progress, func(p raftgroup.Progress) bool { return p.ID == m.Id && p.Active && !p.Learner })
		if ready && !m.Draining && m.Id != n.id.Node {
			return m.Id
		}
	}
	return 0
}

// wasRemoved reports whether this node is no member of its group any more, as far as Zero says, but others are.
func (n *Node) wasRemoved() bool {
	in := n.membersOf(n.group)
	return len(in) > 0 && !n.alone() && !slices.ContainsFunc(in, func(m *pb.Member) bool { return m.Id == n.id.Node })
}

// nextChange returns the next step from the members that are to those that shall be, nil if they are the same.
func (n *Node) nextChange() (change *raftpb.ConfChangeV2, what string) {
	shall := map[uint64]bool{}
	for _, m := range n.membersOf(n.group) {
		shall[m.Id] = m.Learner
	}
	if len(shall) == 0 {
		return nil, "" // not heard of ourselves yet
	}
	return n.raft.Status().Next(n.id.Node, shall)
}
