package raftgroup

import (
	"context"
	"errors"
	"io"
	"time"

	"dragg/internal/fault"
	"dragg/raftgroup/fsm"
)

// maxSending bounds how many members are sent the state at a time.
const maxSending = 2

// For how long, in ticks, the state that was sent stays the one that is offered.
const (
	// holdBroken is for a member that was cut off or is started again: it goes on with what it has, if it is offered the same.
	holdBroken = 60 * electionTicks
	// holdWhole is for one that may not have got the last of it, until its leader has heard.
	holdWhole = snapshotPatience
)

// WriteSnapshot writes the state that desc describes, or what of it comes after what the receiver has, for the Fetch of another
// member. While it writes, and for a while after it broke off, no checkpoint is made, as long as the log does not grow too much,
// and the leader keeps the log that follows the snapshot.
func (g *Group) WriteSnapshot(ctx context.Context, desc, after []byte, w io.Writer) error {
	select {
	case g.sending <- struct{}{}:
	default:
		return fault.New(fault.Exhausted, "%d members are being sent the state already", maxSending)
	}
	out := &paced{ctx: ctx, w: w, limit: g.pace, sent: &g.meters.sentBytes}
	err := g.machine.WriteSnapshot(ctx, desc, after, out)
	if err != nil {
		g.hold(holdBroken)
	} else {
		g.meters.sent.Add(1)
		g.hold(holdWhole)
	}
	<-g.sending
	if errors.Is(err, fsm.ErrSnapshotGone) && g.step.tail.withdraw(desc) {
		g.offerAnew()
	}
	if err != nil {
		g.cfg.Logger.Warn("a member was not sent the whole state; it may go on from there", "bytes", out.n, "went_on", len(after) > 0, "err", err)
		return err
	}
	g.cfg.Logger.Info("sent the state to a member", "bytes", out.n, "went_on", len(after) > 0)
	return nil
}

// hold keeps what is offered on offer for some ticks more.
func (g *Group) hold(ticks int) {
	until := time.Now().Add(time.Duration(ticks) * g.cfg.TickInterval).UnixNano()
	for old := g.held.Load(); until > old && !g.held.CompareAndSwap(old, until); old = g.held.Load() {
	}
}

// holding reports whether a checkpoint would cost a member what it has of the state.
func (g *Group) holding() bool {
	return len(g.sending) > 0 || time.Now().UnixNano() < g.held.Load()
}

// offerAnew has a checkpoint made since nobody can be sent what is on offer.
func (g *Group) offerAnew() {
	g.held.Store(0)
	signal(g.checkNow)
}
