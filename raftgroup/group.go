package raftgroup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"golang.org/x/sync/errgroup"

	"dragg/internal/fault"
	"dragg/internal/gather"
	"dragg/raftgroup/fsm"
	"dragg/raftgroup/raftlog"
)

// Config says how a group is run. Zero values take the defaults.
type Config struct {
	Dir      string           // of the log
	Identity raftlog.Identity // of this member
	// TickInterval is Raft's unit of time; an election starts after ten ticks without a leader. Default 100 ms.
	TickInterval time.Duration
	// CheckpointBytes is how much log makes a checkpoint. Default 32 MiB.
	CheckpointBytes int
	// CheckpointInterval is how often a checkpoint is made although the log is short; default 1 min.
	CheckpointInterval time.Duration
	// KeepBytes is how much log is kept in memory below the mark, for followers that lag. Default 8 MiB.
	KeepBytes int
	// ApplyQueueBytes bounds what is committed and not yet applied. Default 64 MiB.
	ApplyQueueBytes int
	// OnStatus is called by the driver whenever leadership or term change. It must not block.
	OnStatus func(Status)
	Logger   *slog.Logger
}

func (c *Config) setDefaults() {
	def(&c.TickInterval, 100*time.Millisecond)
	def(&c.CheckpointBytes, 32<<20)
	def(&c.CheckpointInterval, time.Minute)
	def(&c.KeepBytes, 8<<20)
	def(&c.ApplyQueueBytes, 64<<20)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Status is what a member knows of its group.
type Status struct {
	Term    uint64
	Leader  uint64 // node id, 0 when unknown
	Leading bool   // this member is the leader
}

// Group is one running member of a Raft group.
type Group struct {
	cfg     Config
	machine fsm.Machine
	log     *raftlog.Log
	step    *stepper
	waiting *proposals
	propose chan proposal
	gather  *gather.Gatherer[proposal]
	queue   *applyQueue
	status  atomic.Pointer[Status]

	confState *raftpb.ConfState
	applied   atomic.Uint64 // index of the last entry applied
	logBytes  atomic.Int64  // since the last checkpoint
	checkNow  chan struct{} // capacity 1: a checkpoint is due
}

// Open opens the member's log, making it when there is none, and readies Raft. The machine must be open already: replay
// starts after machine.Durable(). Nothing runs before Run.
func Open(cfg Config, machine fsm.Machine) (*Group, error) {
	cfg.setDefaults()
	_, exists, err := raftlog.ReadIdentity(cfg.Dir)
	if err != nil {
		return nil, err
	}
	var log *raftlog.Log
	var st *raftlog.State
	if exists {
		log, st, err = raftlog.Open(cfg.Dir, cfg.Identity, cfg.Logger)
	} else if machine.Durable() > 0 {
		return nil, fmt.Errorf("the data covers the log up to index %d, but there is no log in %s", machine.Durable(), cfg.Dir)
	} else {
		log, st, err = raftlog.Create(cfg.Dir, cfg.Identity, raftlog.Mark{
			Index: 1, Term: 1, ConfState: &raftpb.ConfState{Voters: []uint64{cfg.Identity.Node}},
		})
	}
	if err != nil {
		return nil, err
	}
	if d := machine.Durable(); exists && d < st.Mark.Index && st.Mark.Index > 1 {
		err := fmt.Errorf("the log in %s starts at %d, but the data covers only %d: the data folder was lost or is an older copy",
			cfg.Dir, st.Mark.Index, d)
		return nil, errors.Join(err, log.Close())
	}
	step, err := newStepper(cfg.Identity.Node, st, machine.Durable(), cfg.Logger)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	g := &Group{
		cfg: cfg, machine: machine, log: log, step: step,
		waiting: newProposals(cfg.Identity.Node),
		propose: make(chan proposal, maxProposals),
		queue:   newApplyQueue(cfg.ApplyQueueBytes),

		confState: st.Mark.ConfState,
		checkNow:  make(chan struct{}, 1),
	}
	g.gather = gather.New(g.propose, maxProposals)
	g.applied.Store(max(machine.Durable(), st.Mark.Index))
	g.status.Store(&Status{})
	return g, nil
}

// maxProposals is how many proposals may wait for the driver; it takes them all at once.
const maxProposals = 1024

// Status returns what the member last knew of its group.
func (g *Group) Status() Status { return *g.status.Load() }

// Applied returns the index of the last entry that was applied.
func (g *Group) Applied() uint64 { return g.applied.Load() }

// Propose replicates cmd and returns what the machine answered when it was applied on this node. The slice is not kept.
// Errors: ErrNotLeader when it was surely not carried out; fault.Unknown when nobody here can tell.
func (g *Group) Propose(ctx context.Context, cmd []byte) (any, error) {
	p, done, err := g.waiting.add(cmd)
	if err != nil {
		return nil, err
	}
	select {
	case g.propose <- p:
	case <-ctx.Done():
		g.waiting.settle(p.seq, outcome{err: ctx.Err()})
		return nil, fault.As(fault.Unavailable, ctx.Err())
	}
	return wait(ctx, done)
}

// Run drives the member until ctx ends or its log or machine fails. It closes the log before it returns; a nil error means
// that ctx ended. Call it once.
func (g *Group) Run(ctx context.Context) error {
	eg, running := errgroup.WithContext(ctx)
	eg.Go(func() error { return g.drive(running) })
	eg.Go(func() error { return g.apply(running) })
	eg.Go(func() error { return g.checkpoints(running) })
	err := eg.Wait()
	told := ctx.Err() != nil
	g.waiting.failAll(errStopped, true)
	if told && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, g.log.Close())
}

// drive owns the stepper: it feeds it and carries out what it says.
func (g *Group) drive(ctx context.Context) error {
	ticker := time.NewTicker(g.cfg.TickInterval)
	defer ticker.Stop()
	if len(g.confState.GetVoters()) == 1 {
		if err := g.step.node.Campaign(); err != nil {
			return err
		}
	}
	for {
		for g.step.node.HasReady() {
			if err := g.carryOut(ctx, g.step.node.Ready()); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			g.step.node.Tick()
		case p := <-g.propose:
			g.admit(p)
		}
	}
}

// maxBatchBytes bounds the proposals that share one fsync.
const maxBatchBytes = 8 << 20

// admit proposes p together with what else comes close to it, so that they share one fsync.
func (g *Group) admit(p proposal) {
	bytes := 0
	batch := g.gather.Gather(p, func(p proposal) bool {
		bytes += len(p.entry.GetData())
		return bytes >= maxBatchBytes
	})
	entries := make([]*raftpb.Entry, len(batch))
	for i, p := range batch {
		entries[i] = p.entry
	}
	err := g.step.propose(entries)
	switch {
	case err == nil:
		return
	case errors.Is(err, raft.ErrProposalDropped) && g.Status().Leading:
		err = fault.New(fault.Exhausted, "too much is waiting to be replicated; try again")
	case errors.Is(err, raft.ErrProposalDropped):
		err = ErrNotLeader
	}
	for _, p := range batch {
		g.waiting.settle(p.seq, outcome{err: err})
	}
}

// carryOut does what Raft asks, in the order that durability needs.
func (g *Group) carryOut(ctx context.Context, rd raft.Ready) error {
	if rd.Snapshot != nil && !raft.IsEmptySnap(rd.Snapshot) {
		return fmt.Errorf("the leader sent a snapshot at index %d to a member of a one-member group", rd.Snapshot.GetMetadata().GetIndex())
	}
	if err := g.log.Save(rd.HardState, rd.Entries); err != nil {
		return fmt.Errorf("writing the Raft log: %w", err)
	}
	if rd.HardState != nil {
		if err := g.step.tail.SetHardState(rd.HardState); err != nil {
			return err
		}
	}
	if err := g.step.tail.Append(rd.Entries); err != nil {
		return err
	}
	g.noteStatus(rd)
	if len(rd.CommittedEntries) > 0 {
		if err := g.queue.put(ctx, rd.CommittedEntries); err != nil {
			return err
		}
	}
	g.step.node.Advance(rd)
	return nil
}

// noteStatus publishes a change of leader or term, and fails proposals that a change of leader leaves in the dark.
func (g *Group) noteStatus(rd raft.Ready) {
	if rd.SoftState == nil && rd.HardState == nil {
		return
	}
	b := g.step.node.BasicStatus()
	now := Status{Term: b.GetTerm(), Leader: b.Lead, Leading: b.RaftState == raft.StateLeader}
	was := g.Status()
	if now == was {
		return
	}
	g.status.Store(&now)
	if was.Leading && !now.Leading {
		g.waiting.failAll(errStopped, false)
	}
	if g.cfg.OnStatus != nil {
		g.cfg.OnStatus(now)
	}
}
