package raftgroup

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"dragg/internal/fault"
	"dragg/raftgroup/fsm"
)

// maxApplyBytes bounds what the machine is handed at once: who waits for an entry does not wait for all that follow it.
const maxApplyBytes = 4 << 20

// apply hands committed entries to the machine, as many at once as wait and are allowed.
func (g *Group) apply(ctx context.Context) error {
	for {
		commits, err := g.queue.take(ctx)
		if err != nil {
			return err
		}
		for len(commits) > 0 {
			if m := commits[0].fetch; m != nil {
				if err := g.restore(ctx, m); err != nil {
					return err
				}
				commits = commits[1:]
				continue
			}
			n := together(commits)
			if err := g.applyBatch(commits[:n]); err != nil {
				return err
			}
			commits = commits[n:]
		}
	}
}

// together returns how many of the commits, which begin with an entry, the machine is handed at once.
func together(commits []commit) int {
	bytes := 0
	for n, c := range commits {
		if c.fetch != nil || bytes >= maxApplyBytes {
			return n
		}
		bytes += len(c.entry.GetData())
	}
	return len(commits)
}

func (g *Group) applyBatch(commits []commit) error {
	durable := g.machine.Durable()
	cmds := make([]fsm.Command, 0, len(commits))
	owners := make([]*commit, 0, len(commits))
	bytes := 0
	for i := range commits {
		e := commits[i].entry
		if e.GetIndex() <= durable || !isChange(e) && len(e.GetData()) == 0 {
			continue // what the machine has: replayed after a restart, or part of a snapshot. And Raft's own entries
		}
		cmd := fsm.Command{Index: e.GetIndex(), Term: e.GetTerm()}
		if !isChange(e) {
			if len(e.GetData()) < headerBytes {
				return fmt.Errorf("log entry %d is shorter than its header", e.GetIndex())
			}
			cmd.Data = e.GetData()[headerBytes:]
		}
		bytes += len(e.GetData())
		owners = append(owners, &commits[i])
		cmds = append(cmds, cmd)
	}
	if len(cmds) > 0 {
		results, err := g.machine.Apply(cmds)
		if err != nil {
			return fmt.Errorf("applying log entries %d to %d: %w", cmds[0].Index, cmds[len(cmds)-1].Index, err)
		}
		for i, c := range owners {
			if c.conf == nil {
				g.waiting.settleEntry(c.entry.GetData(), results[i])
			}
		}
	}
	return g.pass(commits, bytes)
}

// pass notes that the entries went through the machine.
func (g *Group) pass(commits []commit, bytes int) error {
	last := commits[len(commits)-1].entry
	g.passed.Store(last.GetIndex())
	g.applied.advance(last.GetIndex())
	g.backlog.note(last.GetIndex(), bytes)
	var gone bool
	for i := range commits {
		if commits[i].conf != nil {
			g.settleChange(&commits[i])
			gone = gone || commits[i].gone
		}
	}
	if term := last.GetTerm(); term != g.passedTerm {
		g.passedTerm = term
		g.waiting.overtaken(term)
	}
	if g.logBytes.Add(int64(bytes)) >= int64(g.cfg.CheckpointBytes) {
		signal(g.checkNow)
	}
	if gone {
		return ErrRemoved
	}
	return nil
}

// settleChange tells who proposed a change of the members that it is made. One that takes two steps is made after the second.
func (g *Group) settleChange(c *commit) {
	if len(c.conf.VotersOutgoing) > 0 {
		g.waiting.hold(c.owner)
		g.changeOwner = c.owner
		return
	}
	owner := c.owner
	if owner == nil {
		owner, g.changeOwner = g.changeOwner, nil
	}
	g.waiting.settleEntry(owner, nil)
}

// restore puts the state of another member in the place of the machine's, and tells the driver how that went. Nothing is
// applied meanwhile, but the driver goes on. A failure is not the end of the member: the leader tries again.
func (g *Group) restore(ctx context.Context, m *raftpb.Message) error {
	index := m.GetSnapshot().GetMetadata().GetIndex()
	var err error
	if g.applied.Load() < index {
		g.cfg.Logger.Info("fetching a snapshot", "index", index, "from", m.GetFrom())
		if err = g.fetch(ctx, m.GetFrom(), m.GetSnapshot().GetData()); err == nil && g.machine.Durable() < index {
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

func (g *Group) fetch(ctx context.Context, from uint64, desc []byte) (err error) {
	if g.cfg.Fetch == nil {
		return fault.New(fault.Disabled, "this member cannot fetch snapshots")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := stallTicks * g.cfg.TickInterval
	watch := time.AfterFunc(limit, func() { cancel(errStalled) })
	defer watch.Stop()
	body, err := g.cfg.Fetch(ctx, from, desc)
	if err != nil {
		return err
	}
	src := &source{body: body, watch: watch, limit: limit, ctx: ctx}
	defer context.AfterFunc(ctx, src.close)()
	defer src.close()
	watch.Stop()
	g.machineMu.Lock()
	defer g.machineMu.Unlock()
	return g.machine.Restore(ctx, desc, src)
}

// heldForSending is how many times Config.CheckpointBytes of log come together before a checkpoint is made although the state is
// being sent to another member.
const heldForSending = 16

// checkpoints keeps the log short: by bytes, and now and then when it is idle. While another member is sent the state it waits,
// but not for ever: what is sent is gone after the next checkpoint, or the log behind it.
func (g *Group) checkpoints(ctx context.Context) error {
	ticker := time.NewTicker(g.cfg.CheckpointInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case <-g.checkNow:
		}
		if len(g.sending) > 0 && g.logBytes.Load() < heldForSending*int64(g.cfg.CheckpointBytes) {
			continue
		}
		if err := g.Checkpoint(); err != nil {
			if fault.ClassOf(err) == fault.Exhausted {
				g.cfg.Logger.Error("no checkpoint: the disk is full; the log grows until there is room", "err", err)
				continue
			}
			return err
		}
	}
}

// Checkpoint makes everything applied so far durable in the machine's own storage and trims the log up to there. An error of
// class fault.Exhausted leaves everything as it was; any other ends the process.
func (g *Group) Checkpoint() error {
	g.logBytes.Store(0)
	desc, durable, err := g.snapshot()
	if err != nil {
		return fmt.Errorf("making the state durable: %w", err)
	}
	g.meters.checkpoints.Add(1)
	g.markMu.Lock()
	defer g.markMu.Unlock()
	// The machine may be ahead of the log, where Raft did not take the snapshot that it was restored from.
	mark, newer, err := g.step.tail.markAt(min(durable, g.passed.Load()))
	if err != nil || mark.Index == 0 {
		return err
	}
	if newer {
		if err := g.log.SetMark(mark); err != nil {
			return fmt.Errorf("recording the checkpoint in the Raft log: %w", err)
		}
	}
	return g.step.tail.marked(mark, desc, g.cfg.KeepBytes)
}

func (g *Group) snapshot() (desc []byte, durable uint64, err error) {
	g.machineMu.Lock()
	defer g.machineMu.Unlock()
	desc, err = g.machine.Snapshot()
	return desc, g.machine.Durable(), err
}
