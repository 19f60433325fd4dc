package alpha

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"dragg/alpha/shard"
	"dragg/cluster"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/query"
	"dragg/raftgroup"
	"dragg/raftgroup/raftlog"
	"dragg/raftgroup/transport"
	"dragg/schema"
	"dragg/storage"
	"dragg/storage/badgerkv"
)

// Node is one Alpha.
type Node struct {
	cfg     Config
	lg      *slog.Logger
	zero    cluster.Zero
	id      raftlog.Identity
	group   graph.GroupID
	engine  storage.Engine
	shard   *shard.Shard
	raft    *raftgroup.Group
	links   *transport.Links // to the other members of the group; nil for a node that has no way to others
	starter *cluster.Starter
	uids    uidPool
	slots   chan struct{} // one for each request in flight
	bodies  bodies
	door    sync.RWMutex  // read-locked by each request in flight; locked for good when the engine is closed
	queries *query.Budget // memory of the queries that run
	meters  *meters
	started time.Time
	ready   atomic.Bool
	blanks  blanks
	life    context.Context // of the node: ends with Run

	first     bool          // a new node that begins its group
	seeds     []*pb.Member  // who was in the cluster at the start
	status    chan struct{} // capacity 1: the group's status may have changed
	turns     turns         // of the members of other groups
	moves     progress      // of tablets to this group
	compared  comparisons
	abandoned rate.Sometimes // says that transactions could not be aborted
	term      atomic.Uint64  // of the group, for log lines
	fresh     freshness
	leading   atomic.Uint64 // the term in which this member does the leader's duties, 0 for none
}

// Open connects to Zero, waiting for it as long as it takes, and opens the replica in cfg.Dir, making it when there is none.
// Nothing runs before Run.
func Open(ctx context.Context, cfg Config, zero cluster.Zero) (*Node, error) {
	n := newNode(ctx, cfg, zero)
	if err := os.MkdirAll(n.cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	if err := n.join(ctx); err != nil {
		return nil, err
	}
	if err := n.openReplica(); err != nil {
		if n.engine != nil {
			err = errors.Join(err, n.engine.Close())
		}
		return nil, err
	}
	return n, nil
}

// newNode returns a node that has nothing on disk open yet.
func newNode(ctx context.Context, cfg Config, zero cluster.Zero) *Node {
	cfg.setDefaults()
	now := time.Now()
	return &Node{
		cfg: cfg, lg: cfg.Logger.With("node", "alpha"), zero: zero,
		starter: cluster.NewStarter(zero), uids: uidPool{clock: zero},
		queries: query.NewBudget(cfg.MemoryBytes / 4),
		slots:   make(chan struct{}, cfg.Limits.InFlight), started: now, life: ctx, fresh: freshness{bound: cfg.MaxStaleness, base: now},
		status: make(chan struct{}, 1), meters: newMeters(), abandoned: rate.Sometimes{First: 1, Interval: time.Second},
	}
}

func (n *Node) walDir() string { return filepath.Join(n.cfg.Dir, "wal") }

// maxEngineBytes is more than the engine can put to use: beyond it the page cache does as well.
const maxEngineBytes = 1 << 30

// openReplica opens what is on disk. The disk's reserve has two halves: clients may not write where less than all of it is
// free; what was accepted from them, and the work in the background, may use the first half; the second is for the log, whose
// end would be the end of the process.
func (n *Node) openReplica() error {
	room, err := n.openEngine()
	if err != nil {
		return fmt.Errorf("opening the posting lists: %w", err)
	}
	n.shard, err = shard.Open(shard.Config{
		Group: n.group, CacheBytes: n.cfg.MemoryBytes / 4, PendingBytes: int(n.cfg.MemoryBytes / 8),
		Horizon: n.cfg.TxnAbortAfter, Logger: n.lg, Room: room,
	}, n.engine)
	if err != nil {
		return err
	}
	return n.openGroup()
}

// openEngine opens the store of the posting lists. The function says whether the disk has room for more; it is nil where no
// disk is written.
func (n *Node) openEngine() (room func(bytes int64) error, err error) {
	if n.cfg.Engine != nil {
		n.engine = n.cfg.Engine
		return nil, nil
	}
	engine, err := badgerkv.Open(filepath.Join(n.cfg.Dir, "p"), badgerkv.Config{
		MemoryBytes: min(n.cfg.MemoryBytes/4, maxEngineBytes), ReserveBytes: n.cfg.DiskReserveBytes / 2, Logger: n.lg,
	})
	if err != nil {
		return nil, err
	}
	n.engine = engine
	return func(bytes int64) error { return engine.Room(n.cfg.DiskReserveBytes, bytes) }, nil
}

// openGroup opens the Raft group and its way to the other members.
func (n *Node) openGroup() (err error) {
	group := raftgroup.Config{
		Dir: n.walDir(), Identity: n.id, Join: !n.first, TickInterval: n.cfg.TickInterval, OnStatus: n.noteStatus, Logger: n.lg,
		HoldBytes: n.cfg.MemoryBytes / 8,
	}
	if n.cfg.Pool != nil {
		n.links = transport.NewLinks(transport.Config{
			Cluster: n.id.Cluster, Group: uint32(n.group), Pool: n.cfg.Pool, Address: n.address, Unreachable: func(uint64) {}, Logger: n.lg,
		})
		group.Transport, group.Fetch = n.links, n.links.Fetch
	}
	if n.raft, err = raftgroup.Open(group, n.shard); err != nil {
		return err
	}
	n.shard.Attach(n.raft)
	if err := n.cfg.Metrics.Register(n.metrics(), n.raft.Metrics()); err != nil {
		return errors.Join(err, n.raft.Close())
	}
	return n.joined()
}

// Run serves until ctx ends or the log or the disk fails. It makes a last checkpoint, so that the next start is quick, and
// closes the engine. Call it once.
func (n *Node) Run(ctx context.Context) error {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { n.handOver(life); stop() })()
	eg, running := errgroup.WithContext(life)
	n.life = running
	context.AfterFunc(running, n.shard.Stop)
	eg.Go(func() error { return n.raft.Run(running) })
	eg.Go(func() error { return n.lead(running) })
	if n.links != nil {
		eg.Go(func() error { return n.links.Run(running) })
	}
	eg.Go(func() error { return n.shard.Maintain(running, n.Leading, n.publishBuilt) })
	eg.Go(func() error { return n.getReady(running) })
	eg.Go(func() error { return n.learnZeros(running) })
	eg.Go(func() error { return n.watchFreshness(running) })
	err := eg.Wait()
	n.ready.Store(false)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, n.close(err != nil))
}

// handOverTimeout bounds how long a leader that stops waits for another member to take over.
const handOverTimeout = time.Second

// handOver gives up leadership in good order, so that the group does not have to notice that its leader is gone.
func (n *Node) handOver(ctx context.Context) {
	if n.links == nil || n.alone() || !n.raft.Status().Leading {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, handOverTimeout)
	defer cancel()
	if err := n.raft.TransferLeadership(ctx, 0); err != nil {
		n.lg.Warn("could not hand leadership over before stopping", "err", err)
	}
}

// getReady makes the built-in predicates and types, waits until the replica has caught up, and opens the door.
func (n *Node) getReady(ctx context.Context) error {
	p := cluster.Patience{Peer: "the group and " + n.cfg.ZeroName, Logger: n.lg}
	err := p.Do(ctx, func(ctx context.Context) error {
		asked := time.Now()
		start, err := n.starter.Start(ctx)
		if err != nil {
			return err
		}
		if err := n.shard.WaitTimestamp(ctx, start.After); err != nil {
			return err
		}
		n.fresh.note(asked)
		return n.ensureReserved(ctx)
	})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("getting ready: %w", err)
	}
	n.ready.Store(true)
	n.lg.Info("ready", "predicates", n.shard.Schema().Len(), "watermark", n.shard.Watermark())
	return nil
}

// Logger returns what the node logs to: each line says which node of which group it is from, and in which term.
func (n *Node) Logger() *slog.Logger { return n.lg }

// Ready reports whether the node answers requests.
func (n *Node) Ready() bool { return n.ready.Load() }

// Schema returns what is defined now.
func (n *Node) Schema() schema.Snapshot { return n.shard.Schema() }

var errNotReady = fault.New(fault.Unavailable, "this Alpha is not ready yet: it is catching up with its log and with Zero; please retry")

// errOverload starts with 429: clients of this API look for it (dql.md fact 132).
var errOverload = fault.New(fault.Exhausted, "429 Too Many Requests: too many requests are in flight; please throttle")

// admit lets a request in, if there is room. Without an error leave has to follow.
func (n *Node) admit() error {
	if !n.Ready() {
		return errNotReady
	}
	if !n.door.TryRLock() {
		return errNotReady
	}
	select {
	case n.slots <- struct{}{}:
		return nil
	default:
		n.door.RUnlock()
		return errOverload
	}
}

// leave ends a request that was let in.
func (n *Node) leave() {
	<-n.slots
	n.door.RUnlock()
}

// admitted runs fn, if there is room for one more request.
func (n *Node) admitted(fn func() error) error {
	if err := n.admit(); err != nil {
		return err
	}
	defer n.leave()
	return fn()
}

// drainTimeout bounds how long requests may take to end after the servers have cut them off.
const drainTimeout = 5 * time.Second

// closeTimeout bounds how long a store may take to close after something failed: on a disk that fails it would try for ever.
const closeTimeout = 5 * time.Second

// close closes the engine once no request reads it any more: what it has mapped goes away with it. After a failure it does not wait
// for the disk: nothing that is not there yet was promised.
func (n *Node) close(failed bool) error {
	shut := make(chan struct{})
	go func() { n.door.Lock(); close(shut) }() // ends with the last request
	select {
	case <-shut:
	case <-time.After(drainTimeout):
		return errors.New("requests in flight did not end; the store was not closed, the next start will take longer")
	}
	if !failed {
		return n.engine.Close()
	}
	closed := make(chan error, 1)
	go func() { closed <- n.engine.Close() }() // ends with the process, if the disk does not let it end before
	select {
	case err := <-closed:
		return err
	case <-time.After(closeTimeout):
		return errors.New("the store could not be closed; the next start will take longer")
	}
}
