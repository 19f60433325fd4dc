package raftgroup

import (
	"context"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"dragg/internal/fault"
)

// errEnded is what callers get whose member has stopped.
var errEnded = fault.New(fault.Unavailable, "the group has stopped on this node")

// Step takes a message that another member sent. It waits while too many are there already: a transport that waits with it
// slows its sender down; one that drops the message instead does no harm.
func (g *Group) Step(ctx context.Context, m *raftpb.Message) error {
	if m.GetTo() != g.cfg.Identity.Node || m.GetFrom() == 0 || m.GetFrom() == g.cfg.Identity.Node {
		return fault.New(fault.Invalid, "a message from member %d to member %d came to member %d", m.GetFrom(), m.GetTo(), g.cfg.Identity.Node)
	}
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp, raftpb.MsgSnap,
		raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgTimeoutNow, raftpb.MsgReadIndex, raftpb.MsgReadIndexResp,
		raftpb.MsgSnapStatus, raftpb.MsgUnreachable:
		return g.inbox.put(ctx, m, g.stopped)
	}
	return fault.New(fault.Invalid, "members do not send each other %s", m.GetType())
}

// call has the driver run f. It returns before f has run.
func (g *Group) call(ctx context.Context, f func()) error {
	select {
	case g.calls <- f:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-g.stopped:
		return errEnded
	}
}

// ReadIndex returns an index that covers every proposal that was acknowledged, by whatever member, before ReadIndex was called,
// and returns after this member has applied it: a read of its machine is linearizable then (Ongaro §6.4). Any member may be
// asked. An error of class fault.Unavailable says that no majority answered in time.
func (g *Group) ReadIndex(ctx context.Context) (uint64, error) {
	if g.hang.is() {
		return 0, errHangs
	}
	type answer struct {
		index uint64
		err   error
	}
	done := make(chan answer, 1)
	r := &read{done: func(index uint64, err error) { done <- answer{index, err} }}
	if err := g.call(ctx, func() { g.step.read(r) }); err != nil {
		return 0, fault.As(fault.Unavailable, err)
	}
	select {
	case a := <-done:
		if a.err != nil {
			return 0, a.err
		}
		return a.index, fault.As(fault.Unavailable, g.applied.wait(ctx, a.index, g.stopped))
	case <-g.hang.begun():
		return 0, errHangs
	case <-ctx.Done():
		return 0, fault.As(fault.Unavailable, ctx.Err())
	case <-g.stopped:
		return 0, errEnded
	}
}

// ChangeMembers changes who is a member, and returns when the change is complete and applied here: one that swaps voters goes
// through a joint configuration and leaves it by itself. New members are added as learners and made voters when they have caught
// up; ids are never used twice. The context of cc is not kept.
//
// Errors: ErrNotLeader, ErrChanging, ErrNotCaughtUp, fault.NotFound for a node that is not a member, and fault.Invalid: the
// change was surely not made. fault.Unknown: nobody here can tell.
func (g *Group) ChangeMembers(ctx context.Context, cc *raftpb.ConfChangeV2) error {
	p, err := g.waiting.add(nil, nil)
	if err != nil {
		return err
	}
	cc = proto.Clone(cc).(*raftpb.ConfChangeV2)
	cc.Context = owner{g.waiting.node, p.seq}.header()
	data, err := proto.Marshal(cc)
	if err != nil {
		g.waiting.settle(p.seq, outcome{err: err})
		return err
	}
	entry := &raftpb.Entry{Type: raftpb.EntryConfChangeV2.Enum(), Data: data}
	err = g.call(ctx, func() {
		if err := g.step.change(entry, cc); err != nil {
			g.waiting.settle(p.seq, outcome{err: err})
			return
		}
		g.waiting.admitted([]proposal{p}, g.step.view.term)
	})
	if err != nil {
		g.waiting.settle(p.seq, outcome{err: err})
		return fault.As(fault.Unavailable, err)
	}
	_, err = wait(ctx, p)
	return err
}

// TransferLeadership has the voter to become the leader, or with 0 the one that is furthest, and returns when it is. Proposals
// are refused meanwhile with ErrNotLeader. After an error this member may lead still or again.
func (g *Group) TransferLeadership(ctx context.Context, to uint64) error {
	done := make(chan error, 1)
	if err := g.call(ctx, func() { g.step.handOver(to, func(err error) { done <- err }) }); err != nil {
		return fault.As(fault.Unavailable, err)
	}
	select {
	case err := <-done:
		return err
	case <-g.hang.begun():
		return errHangs
	case <-ctx.Done():
		return fault.As(fault.Unavailable, ctx.Err())
	case <-g.stopped:
		return errEnded
	}
}
