package raftgroup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"dragg/internal/fault"
)

// restore puts the state of another member in the place of the machine's, and tells the driver how that went. Nothing is
// applied meanwhile, but the driver goes on. A failure is not the end of the member: the leader tries again.
func (g *Group) restore(ctx context.Context, m *raftpb.Message) error {
	index := m.GetSnapshot().GetMetadata().GetIndex()
	var err error
	if g.applied.Load() < index {
		if err = g.fetch(ctx, m); err == nil && g.machine.Durable() < index {
			err = fmt.Errorf("the restored state covers the log only up to %d", g.machine.Durable())
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			g.meters.restoreFailed.Add(1)
			g.cfg.Logger.Warn("could not take over the state of another member; will try again", "from", m.GetFrom(), "index", index, "err", err)
		} else {
			g.meters.restored.Add(1)
			g.waiting.unknown(anyTerm, errSkipped)
			g.applied.advance(g.machine.Durable())
		}
	}
	return g.call(ctx, func() { g.step.fetched(err == nil) })
}

// fetch pulls the state that m offers into the machine, or what the machine does not have of it yet.
func (g *Group) fetch(ctx context.Context, m *raftpb.Message) error {
	if g.cfg.Fetch == nil {
		return fault.New(fault.Disabled, "this member cannot fetch snapshots")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := stallTicks * g.cfg.TickInterval
	watch := time.AfterFunc(limit, func() { cancel(errStalled) })
	defer watch.Stop()
	from, desc := m.GetFrom(), m.GetSnapshot().GetData()
	after := g.machine.Progress(desc)
	g.cfg.Logger.Info("fetching a snapshot", "index", m.GetSnapshot().GetMetadata().GetIndex(), "from", from, "goes_on", len(after) > 0)
	body, err := g.cfg.Fetch(ctx, from, desc, after)
	if err != nil {
		return err
	}
	if len(after) > 0 {
		g.meters.resumed.Add(1)
	}
	src := &source{body: body, watch: watch, limit: limit, ctx: ctx, bytes: &g.meters.receivedBytes}
	defer context.AfterFunc(ctx, src.close)()
	defer src.close()
	watch.Stop()
	g.machineMu.Lock()
	defer g.machineMu.Unlock()
	return g.machine.Restore(ctx, desc, src)
}

// stallTicks is for how long the source of a snapshot may send nothing.
const stallTicks = 10 * electionTicks

var errStalled = errors.New("the source of the snapshot sends nothing")

// source is the stream of a snapshot. Reading that takes too long ends the transfer.
type source struct {
	ctx    context.Context // of this transfer: why a read failed
	body   io.ReadCloser
	watch  *time.Timer
	limit  time.Duration
	bytes  *atomic.Int64 // counts what is read
	closed sync.Once
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	s.watch.Reset(s.limit)
	defer s.watch.Stop()
	n, err := s.body.Read(p)
	s.bytes.Add(int64(n))
	if err != nil && s.ctx.Err() != nil {
		return n, context.Cause(s.ctx)
	}
	return n, err
}

// close ends the transfer; what has been read decides over its success.
func (s *source) close() { s.closed.Do(func() { _ = s.body.Close() }) }
