package raftgroup

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// drive owns the stepper: it feeds it and carries out what it says.
func (g *Group) drive(ctx context.Context) error {
	ticker := time.NewTicker(g.cfg.TickInterval)
	defer ticker.Stop()
	if err := g.carryOutAll(); err != nil { // what was committed before the start, changes of members among it
		return err
	}
	if g.step.sole() {
		if err := g.step.node.Campaign(); err != nil {
			return err
		}
	}
	for {
		if err := g.carryOutAll(); err != nil {
			return err
		}
		propose := g.propose
		if g.queue.full() {
			propose = nil // until the machine has caught up
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			g.tick()
		case p := <-propose:
			g.admit(p)
		case <-g.inbox.filled:
			if err := g.receive(); err != nil {
				return err
			}
		case call := <-g.calls:
			call()
		case <-g.queue.drained:
		}
	}
}

// maxBatchBytes bounds the proposals that share one fsync.
const maxBatchBytes = 8 << 20

// admit proposes p together with what else comes close to it, so that they share one fsync.
func (g *Group) admit(p proposal) {
	bytes := 0
	batch := g.gather.Gather(p, func(p proposal) bool {
		bytes += len(p.cmd)
		return bytes >= maxBatchBytes
	})
	err := g.step.propose(entriesOf(g.waiting.node, batch))
	if err == nil {
		g.waiting.admitted(batch, g.step.view.term)
		return
	}
	for _, p := range batch {
		g.waiting.settle(p.seq, outcome{err: err})
	}
}

// receive hands the stepper what other members sent.
func (g *Group) receive() error {
	for _, m := range g.inbox.take() {
		if m.GetType() == raftpb.MsgApp && len(m.GetEntries()) > 0 && g.queue.full() {
			continue // as if the network had lost it: the leader sends it again, and slows down
		}
		covered := uint64(0)
		if m.GetType() == raftpb.MsgSnap {
			covered = g.machine.Durable()
		}
		fetch, err := g.step.receive(m, covered)
		if err != nil {
			return err
		}
		if fetch != nil {
			g.queue.put(commit{fetch: fetch})
		}
	}
	return nil
}

func (g *Group) carryOutAll() error {
	for g.step.hasWork() {
		if err := g.carryOut(); err != nil {
			return err
		}
	}
	return nil
}

// carryOut does what Raft asks, in the order that durability needs.
func (g *Group) carryOut() error {
	w := g.step.next()
	g.send(w.early)
	commits, err := g.store(w)
	if err != nil {
		return err
	}
	g.send(w.late)
	g.noteStatus()
	if len(commits) > 0 {
		g.queue.put(commits...)
	}
	if g.step.tail.takeWanted() {
		g.offerAnew()
	}
	return nil
}

// store writes the work to the log and moves Raft on.
func (g *Group) store(w work) ([]commit, error) {
	if w.mark != nil {
		g.markMu.Lock() // a checkpoint must not record an older mark behind this one
		defer g.markMu.Unlock()
		if err := g.log.Restore(*w.mark, w.rd.HardState, w.rd.Entries); err != nil {
			return nil, fmt.Errorf("beginning the Raft log anew at %d: %w", w.mark.Index, err)
		}
		return g.step.stored(w)
	}
	began := g.disk.begin()
	if err := g.log.Save(w.rd.HardState, w.rd.Entries); err != nil {
		return nil, fmt.Errorf("writing the Raft log: %w", err)
	}
	if w.sync {
		if err := g.log.Sync(); err != nil {
			return nil, fmt.Errorf("syncing the Raft log: %w", err)
		}
	}
	if w.sync || w.rd.MustSync {
		took := time.Since(began)
		g.disk.noted(took)
		g.meters.syncSeconds.Observe(took.Seconds())
	}
	return g.step.stored(w)
}

func (g *Group) send(msgs []*raftpb.Message) {
	if len(msgs) > 0 && g.cfg.Transport != nil {
		g.cfg.Transport.Send(msgs)
	}
}

func (g *Group) tick() {
	g.beat()
	g.step.tick()
	g.watchDisk()
	if g.graceTicks > 0 {
		if g.graceTicks--; g.graceTicks == 0 {
			g.waiting.unknown(g.deposed.term, errDeposed)
		}
	}
	if !g.step.alone() || g.status.Load().Commit != g.step.view.commit {
		g.publish()
	}
}

// noteStatus publishes a change of leader, term or members. Proposals of a term in which this member led may still turn out to
// be carried out or not by what the next leader commits: they are given some time for it.
func (g *Group) noteStatus() {
	was, now := g.status.Load(), g.step.view
	if was.Term == now.term && was.Leader == now.lead && was.Leading == now.leading && was.Members == g.step.conf {
		return
	}
	if now.lead != 0 && (was.Leader != now.lead || was.Term != now.term) {
		g.meters.leaderChanges.Add(1)
	}
	if was.Leading && (!now.leading || now.term != was.Term) {
		g.deposed, g.graceTicks = view{term: was.Term}, electionTicks
	}
	g.publish()
	if g.cfg.OnStatus != nil {
		g.cfg.OnStatus(g.Status())
	}
}

func (g *Group) publish() {
	v := g.step.view
	g.status.Store(&Status{
		Term: v.term, Leader: v.lead, Leading: v.leading, Commit: v.commit, Members: g.step.conf, Progress: g.step.progress(),
	})
}
