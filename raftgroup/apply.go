package raftgroup

import (
	"context"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

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
	owners := make([]owner, 0, len(commits))
	bytes := 0
	for i := range commits {
		e := commits[i].entry
		if e.GetIndex() <= durable {
			continue // what the machine has: replayed after a restart, or part of a snapshot
		}
		bytes += len(e.GetData())
		var err error
		if cmds, owners, err = appendCommands(cmds, owners, e); err != nil {
			return err
		}
	}
	if len(cmds) > 0 {
		results, err := g.machine.Apply(cmds)
		if err != nil {
			return fmt.Errorf("applying log entries %d to %d: %w", cmds[0].Index, cmds[len(cmds)-1].Index, err)
		}
		for i, by := range owners {
			g.waiting.settleOwner(by, results[i])
		}
	}
	return g.pass(commits, bytes)
}

// appendCommands appends what the machine is to apply of an entry, and who proposed it: nobody waits for the command that stands for a
// change of the members.
func appendCommands(cmds []fsm.Command, owners []owner, e *raftpb.Entry) ([]fsm.Command, []owner, error) {
	if isChange(e) {
		return append(cmds, fsm.Command{Index: e.GetIndex(), Term: e.GetTerm()}), append(owners, owner{}), nil
	}
	err := eachCommand(e, func(by owner, cmd []byte) {
		cmds = append(cmds, fsm.Command{Index: e.GetIndex(), Term: e.GetTerm(), Data: cmd})
		owners = append(owners, by)
	})
	return cmds, owners, err
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
	by := c.owner
	if by == (owner{}) {
		by, g.changeOwner = g.changeOwner, owner{}
	}
	g.waiting.settleOwner(by, nil)
}
