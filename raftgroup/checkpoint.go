package raftgroup

import (
	"context"
	"fmt"
	"time"

	"dragg/internal/fault"
)

// checkpoints keeps the log short: by bytes, and now and then when it is idle. While another member is sent the state, or may go
// on with it, it waits, but not for ever: what is sent is gone after the next checkpoint, or the log behind it.
func (g *Group) checkpoints(ctx context.Context) error {
	ticker := time.NewTicker(g.cfg.CheckpointInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case <-g.checkNow:
			due, err := g.due()
			if err != nil {
				return err
			}
			if !due {
				continue
			}
		}
		if g.holding() && g.logBytes.Load() < g.cfg.HoldBytes {
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

// due reports whether the log is long, or members need a state that can be offered: several may have asked for one while it was made.
func (g *Group) due() (bool, error) {
	offering, err := g.step.tail.offering()
	return !offering || g.logBytes.Load() >= int64(g.cfg.CheckpointBytes), err
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
