package raftgroup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"dragg/internal/fault"
	"dragg/internal/gather"
	"dragg/raftgroup/fsm"
	"dragg/raftgroup/raftlog"
)

// Transport carries messages to other members.
type Transport interface {
	// Send takes messages for the members that their To fields name. It never blocks; it may drop, delay, duplicate or reorder
	// them. It may keep the messages but must not change them.
	Send(msgs []*raftpb.Message)
}

// Config says how a group is run. Zero values take the defaults.
type Config struct {
	Dir      string           // of the log
	Identity raftlog.Identity // of this member
	// Members are the ids of the voters that a new group starts with: the same on each of them. It matters only where there is
	// no log yet. Empty is this member alone.
	Members []uint64
	// Join makes a member that has no log yet wait for the leader of a running group to add it, instead of starting a group.
	Join bool
	// Transport carries messages to the other members; nil for a group of one.
	Transport Transport
	// Fetch opens the stream that WriteSnapshot of the member from writes for desc and after. Closing it ends the transfer. Nil
	// for a group of one.
	Fetch func(ctx context.Context, from uint64, desc, after []byte) (io.ReadCloser, error)
	// TickInterval is Raft's unit of time; an election starts after ten to twenty ticks without a leader. Default 75 ms.
	TickInterval time.Duration
	// CheckpointBytes is how much log makes a checkpoint, and so how much a member applies again when it is started after a kill.
	// Default 8 MiB: a second of work at the rate of a bulk load, where a checkpoint takes a few hundredths.
	CheckpointBytes int
	// CheckpointInterval is how often a checkpoint is made although the log is short; default 1 min.
	CheckpointInterval time.Duration
	// KeepBytes is how much log is kept in memory below the mark, for members that were away for a short time; four times as
	// much for those that are there but lag. Who needs more is sent a snapshot, and so is who joins: a member that is alone keeps
	// nothing. Default 8 MiB.
	KeepBytes int
	// HoldBytes is how much log comes together, in memory too, before a checkpoint is made although the state is being sent to
	// another member, which loses what it has of it. Default 128 MiB.
	HoldBytes int64
	// ApplyQueueBytes bounds what is committed and not yet applied. Default 64 MiB.
	ApplyQueueBytes int
	// SlowSync is how long the syncs of a leader's log may take, on average, before it lets another member lead: every write of the
	// group is as slow, while the disks of the others may be fine. Default 300 ms.
	SlowSync time.Duration
	// SnapshotBytesPerSecond bounds how fast this member sends its state to others, all together. Default 128 MiB.
	SnapshotBytesPerSecond int
	// OnStatus is called whenever leader, term or members change, by the driver, or where that stands still by its watch. It must
	// not block.
	OnStatus func(Status)
	Logger   *slog.Logger
}

func (c *Config) setDefaults() {
	def(&c.TickInterval, 75*time.Millisecond)
	def(&c.CheckpointBytes, 8<<20)
	def(&c.CheckpointInterval, time.Minute)
	def(&c.KeepBytes, 8<<20)
	def(&c.HoldBytes, 128<<20)
	def(&c.ApplyQueueBytes, 64<<20)
	def(&c.SnapshotBytesPerSecond, 128<<20)
	def(&c.SlowSync, 300*time.Millisecond)
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

// firstMark is where the log of a new member begins: at the same place on all that the group starts with.
func (c *Config) firstMark() (raftlog.Mark, error) {
	if raft.IsLocalMsgTarget(c.Identity.Node) || c.Identity.Node == raft.None {
		return raftlog.Mark{}, fmt.Errorf("a member cannot have the id %d", c.Identity.Node)
	}
	if c.Join {
		if len(c.Members) > 0 {
			return raftlog.Mark{}, errors.New("a member that joins a group does not say who starts it")
		}
		return raftlog.Mark{}, nil
	}
	voters := slices.Sorted(slices.Values(c.Members))
	if len(voters) == 0 {
		voters = []uint64{c.Identity.Node}
	}
	if !slices.Contains(voters, c.Identity.Node) || len(slices.Compact(slices.Clone(voters))) != len(voters) || voters[0] == raft.None {
		return raftlog.Mark{}, fmt.Errorf("a group cannot start with the members %v on node %d", voters, c.Identity.Node)
	}
	return raftlog.Mark{Index: 1, Term: 1, ConfState: &raftpb.ConfState{Voters: voters}}, nil
}

// Status is what a member knows of its group.
type Status struct {
	Term    uint64
	Leader  uint64 // node id, 0 when unknown
	Leading bool   // this member is the leader
	Commit  uint64 // index up to which the log is committed, as of the last tick
	Applied uint64 // index of the last entry that was applied here
	// Members are the members as of the last change that was applied here.
	Members *raftpb.ConfState
	// Progress is how far the other members are as of the last tick, by id; known to the leader only.
	Progress []Progress
}

// Group is one running member of a Raft group.
type Group struct {
	cfg     Config
	machine fsm.Machine
	log     *raftlog.Log
	step    *stepper // belongs to the driver, except for its tail
	waiting *proposals
	propose chan proposal
	gather  *gather.Gatherer[proposal]
	inbox   *inbox
	calls   chan func() // run by the driver
	queue   *applyQueue
	status  atomic.Pointer[Status]
	stopped chan struct{} // closed when Run has ended
	meters  *meters

	deposed     view          // of the driver: the term it led last, while proposals of it may wait
	graceTicks  int           // of the driver: for how long they may
	passed      atomic.Uint64 // index of the last entry of the log that went through the applier
	passedTerm  uint64        // of the applier
	applied     watermark     // of what is in the machine: at least passed, more after a snapshot was restored
	logBytes    atomic.Int64  // since the last checkpoint
	checkNow    chan struct{} // capacity 1: a checkpoint is due
	sending     chan struct{} // one element for each snapshot that is being written for another member
	held        atomic.Int64  // until when, in Unix nanoseconds, what was sent last stays on offer
	machineMu   sync.Mutex    // held while the machine takes a snapshot or restores one: never both
	markMu      sync.Mutex    // held while a mark is recorded in log and tail; a leaf, as machineMu is
	disk        diskWatch     // of the driver
	hang        *hang
	pace        *rate.Limiter // of the snapshots that are sent
	backlog     backlog       // of the applier
	changeOwner owner         // of the applier: of a change of members that is half done
}

// Open opens the member's log, making it when there is none, and readies Raft. The machine must be open already: what it has
// is not applied to it again. Nothing runs before Run. ErrRemoved says that the log knows that this member was removed.
func Open(cfg Config, machine fsm.Machine) (*Group, error) {
	cfg.setDefaults()
	log, st, err := openLog(&cfg, machine.Durable())
	if err != nil {
		return nil, err
	}
	step, err := newStepper(cfg.Identity.Node, st, rand.Uint64(), cfg.Logger)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	m := newMeters()
	g := &Group{
		cfg: cfg, machine: machine, log: log, step: step,
		waiting: newProposals(cfg.Identity.Node, m.proposalSeconds),
		propose: make(chan proposal, maxProposals),
		inbox:   newInbox(),
		calls:   make(chan func(), maxCalls),
		queue:   newApplyQueue(cfg.ApplyQueueBytes),
		stopped: make(chan struct{}),
		meters:  m,
		hang:    newHang(),
		pace:    rate.NewLimiter(rate.Limit(cfg.SnapshotBytesPerSecond), paceBurst),

		checkNow: make(chan struct{}, 1),
		sending:  make(chan struct{}, maxSending),
	}
	g.gather = gather.New(g.propose, maxProposals)
	g.passed.Store(st.Mark.Index)
	g.applied.advance(max(machine.Durable(), st.Mark.Index))
	g.status.Store(&Status{Members: step.conf})
	g.backlog.begin(st.Entries, machine.Durable(), cfg.Logger)
	return g, nil
}

func openLog(cfg *Config, durable uint64) (*raftlog.Log, *raftlog.State, error) {
	first, err := cfg.firstMark()
	if err != nil {
		return nil, nil, err
	}
	_, exists, err := raftlog.ReadIdentity(cfg.Dir)
	switch {
	case err != nil:
		return nil, nil, err
	case !exists && durable > 0:
		return nil, nil, fmt.Errorf("the data covers the log up to index %d, but there is no log in %s", durable, cfg.Dir)
	case !exists:
		return raftlog.Create(cfg.Dir, cfg.Identity, first)
	}
	log, st, err := raftlog.Open(cfg.Dir, cfg.Identity, cfg.Logger)
	if err != nil {
		return nil, nil, err
	}
	if !st.Begun {
		if st, err = log.Begin(first); err != nil {
			return nil, nil, errors.Join(err, log.Close())
		}
	}
	if st.Mark.Index > 0 && !isMember(st.Mark.ConfState, cfg.Identity.Node) {
		return nil, nil, errors.Join(ErrRemoved, log.Close())
	}
	if durable < st.Mark.Index && st.Mark.Index > 1 {
		err := fmt.Errorf("the log in %s starts at %d, but the data covers only %d: the data folder was lost or is an older copy",
			cfg.Dir, st.Mark.Index, durable)
		return nil, nil, errors.Join(err, log.Close())
	}
	return log, st, nil
}

// Bounds of what waits for the driver.
const (
	maxProposals = 1024 // it takes them all at once
	maxCalls     = 1024
)

// Status returns what the member last knew of its group. One that stands still knows of no leader.
func (g *Group) Status() Status {
	s := *g.status.Load()
	if g.hang.is() {
		s.Leader, s.Leading, s.Progress = 0, false, nil
	}
	s.Applied = g.applied.Load()
	return s
}

// Applied returns the index of the last entry that was applied.
func (g *Group) Applied() uint64 { return g.applied.Load() }

// Propose replicates cmd and returns what the machine answered when it was applied on this node. The slice is kept.
// Errors: ErrNotLeader when it was surely not carried out; fault.Unknown when nobody here can tell.
func (g *Group) Propose(ctx context.Context, cmd []byte) (any, error) {
	return g.ProposeThen(ctx, cmd, nil)
}

// ProposeThen is Propose for whom the result is a step on the way: then goes on from it at once, without a goroutine that has to be
// woken, and what it settles the proposal with is returned.
func (g *Group) ProposeThen(ctx context.Context, cmd []byte, then Then) (any, error) {
	result, err := g.proposeCommand(ctx, cmd, then)
	if err != nil {
		g.meters.failed.Add(1)
	}
	return result, err
}

func (g *Group) proposeCommand(ctx context.Context, cmd []byte, then Then) (any, error) {
	if g.hang.is() {
		return nil, errHangs
	}
	p, err := g.waiting.add(cmd, then)
	if err != nil {
		return nil, err
	}
	select {
	case g.propose <- p:
	case <-ctx.Done():
		g.waiting.settle(p.seq, outcome{err: ctx.Err()})
		return nil, fault.As(fault.Unavailable, ctx.Err())
	}
	return wait(ctx, p)
}

// Run drives the member until ctx ends, its log or machine fails, or it learns that it was removed from the group
// (ErrRemoved). It closes the log before it returns; a nil error means that ctx ended. Call it once.
func (g *Group) Run(ctx context.Context) error {
	defer close(g.stopped)
	eg, running := errgroup.WithContext(ctx)
	eg.Go(func() error { return g.drive(running) })
	eg.Go(func() error { return g.apply(running) })
	eg.Go(func() error { return g.checkpoints(running) })
	eg.Go(func() error { return g.watchHang(running) })
	err := eg.Wait()
	told := ctx.Err() != nil
	g.waiting.stop()
	if told && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, g.log.Close())
}

// Close closes the log of a group that was opened but never run.
func (g *Group) Close() error {
	g.waiting.stop()
	return g.log.Close()
}
