package raftgroup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"dragg/internal/fault"
	"dragg/raftgroup/fsm"
	"dragg/raftgroup/raftlog"
)

// apply hands committed entries to the machine, as many at once as wait.
func (g *Group) apply(ctx context.Context) error {
	for {
		entries, err := g.queue.take(ctx)
		if err != nil {
			return err
		}
		if err := g.applyBatch(entries); err != nil {
			return err
		}
	}
}

func (g *Group) applyBatch(entries []*raftpb.Entry) error {
	durable := g.machine.Durable()
	cmds := make([]fsm.Command, 0, len(entries))
	datas := make([][]byte, 0, len(entries))
	bytes := 0
	for _, e := range entries {
		if e.GetType() != raftpb.EntryNormal || len(e.GetData()) == 0 || e.GetIndex() <= durable {
			continue // Raft's own entries, and what a crash between barrier and mark left to be replayed
		}
		if len(e.GetData()) < headerBytes {
			return fmt.Errorf("log entry %d is shorter than its header", e.GetIndex())
		}
		bytes += len(e.GetData())
		datas = append(datas, e.GetData())
		cmds = append(cmds, fsm.Command{Index: e.GetIndex(), Term: e.GetTerm(), Data: e.GetData()[headerBytes:]})
	}
	if len(cmds) > 0 {
		results, err := g.machine.Apply(cmds)
		if err != nil {
			return fmt.Errorf("applying log entries %d to %d: %w", cmds[0].Index, cmds[len(cmds)-1].Index, err)
		}
		for i, data := range datas {
			g.waiting.settleEntry(data, results[i])
		}
	}
	g.applied.Store(entries[len(entries)-1].GetIndex())
	if g.logBytes.Add(int64(bytes)) >= int64(g.cfg.CheckpointBytes) {
		signal(g.checkNow)
	}
	return nil
}

// checkpoints keeps the log short: by bytes, and now and then when it is idle.
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
	if _, err := g.machine.Snapshot(); err != nil {
		return fmt.Errorf("making the state durable: %w", err)
	}
	index := g.machine.Durable()
	first, err := g.step.tail.FirstIndex()
	if err != nil {
		return err
	}
	if index < first {
		return nil // nothing new since the last mark
	}
	term, err := g.step.tail.Term(index)
	if err != nil {
		return fmt.Errorf("the term of log entry %d: %w", index, err)
	}
	mark := raftlog.Mark{Index: index, Term: term, ConfState: g.confState}
	if err := g.log.SetMark(mark); err != nil {
		return fmt.Errorf("recording the checkpoint in the Raft log: %w", err)
	}
	return g.step.trim(mark, g.cfg.KeepBytes)
}

// Close closes the log of a group that was opened but never run.
func (g *Group) Close() error {
	g.waiting.failAll(errors.New("the group was never run"), true)
	return g.log.Close()
}
