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

	"dragg/alpha/shard"
	"dragg/cluster"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/query"
	"dragg/raftgroup"
	"dragg/raftgroup/raftlog"
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
	starter *cluster.Starter
	uids    uidPool
	slots   chan struct{} // one for each request in flight
	bodies  bodies
	door    sync.RWMutex  // read-locked by each request in flight; locked for good when the engine is closed
	queries *query.Budget // memory of the queries that run
	started time.Time
	ready   atomic.Bool
	blanks  blanks
	life    context.Context // of the node: ends with Run
}

// Open connects to Zero, waiting for it as long as it takes, and opens the replica in cfg.Dir, making it when there is none.
// Nothing runs before Run.
func Open(ctx context.Context, cfg Config, zero cluster.Zero) (*Node, error) {
	cfg.setDefaults()
	n := &Node{
		cfg: cfg, lg: cfg.Logger.With("node", "alpha"), zero: zero,
		starter: cluster.NewStarter(zero), uids: uidPool{clock: zero},
		queries: query.NewBudget(cfg.MemoryBytes / 4),
		slots:   make(chan struct{}, cfg.Limits.InFlight), started: time.Now(), life: ctx,
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
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

func (n *Node) walDir() string { return filepath.Join(n.cfg.Dir, "wal") }

// join learns the node's id and group: from its log, or, for a new node, from Zero.
func (n *Node) join(ctx context.Context) error {
	id, exists, err := raftlog.ReadIdentity(n.walDir())
	if err != nil {
		return err
	}
	p := cluster.Patience{Peer: n.cfg.ZeroName, Logger: n.lg}
	var reply *pb.JoinReply
	err = p.Do(ctx, func(ctx context.Context) error {
		var err error
		reply, err = n.zero.Connect(ctx, &pb.Join{Address: n.cfg.My, NodeId: id.Node, ClusterId: id.Cluster})
		return err
	})
	if err != nil {
		return fmt.Errorf("joining the cluster: %w", err)
	}
	if !reply.First || reply.Group != 1 {
		return fault.New(fault.Invalid, "the cluster has an Alpha already; it is one group of one replica so far")
	}
	if !exists {
		id = raftlog.Identity{Cluster: reply.ClusterId, Group: reply.Group, Node: reply.NodeId}
	}
	n.id, n.group = id, graph.GroupID(id.Group)
	n.lg = n.lg.With("id", id.Node, "group", id.Group)
	return nil
}

// maxEngineBytes is more than the engine can put to use: beyond it the page cache does as well.
const maxEngineBytes = 1 << 30

// openReplica opens what is on disk. The disk's reserve has two halves: clients may not write where less than all of it is
// free; what was accepted from them, and the work in the background, may use the first half; the second is for the log, whose
// end would be the end of the process.
func (n *Node) openReplica() error {
	engine, err := badgerkv.Open(filepath.Join(n.cfg.Dir, "p"), badgerkv.Config{
		MemoryBytes: min(n.cfg.MemoryBytes/4, maxEngineBytes), ReserveBytes: n.cfg.DiskReserveBytes / 2, Logger: n.lg,
	})
	if err != nil {
		return fmt.Errorf("opening the posting lists: %w", err)
	}
	n.engine = engine
	n.shard, err = shard.Open(shard.Config{
		Group: n.group, CacheBytes: n.cfg.MemoryBytes / 4, PendingBytes: int(n.cfg.MemoryBytes / 8),
		Horizon: n.cfg.TxnAbortAfter, Logger: n.lg,
		Room: func(bytes int64) error { return engine.Room(n.cfg.DiskReserveBytes, bytes) },
	}, n.engine)
	if err != nil {
		return err
	}
	n.raft, err = raftgroup.Open(raftgroup.Config{Dir: n.walDir(), Identity: n.id, Logger: n.lg}, n.shard)
	if err != nil {
		return err
	}
	n.shard.Attach(n.raft)
	return nil
}

// Run serves until ctx ends or the log or the disk fails. It makes a last checkpoint, so that the next start is quick, and
// closes the engine. Call it once.
func (n *Node) Run(ctx context.Context) error {
	eg, running := errgroup.WithContext(ctx)
	n.life = running
	context.AfterFunc(running, n.shard.Stop)
	eg.Go(func() error { return n.raft.Run(running) })
	eg.Go(func() error { return n.follow(running) })
	eg.Go(func() error { return n.acknowledge(running) })
	eg.Go(func() error { return n.reap(running) })
	eg.Go(func() error { return n.shard.Maintain(running, n.leading, n.publishBuilt) })
	eg.Go(func() error { return n.getReady(running) })
	err := eg.Wait()
	n.ready.Store(false)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, n.close())
}

// getReady makes the built-in predicates and types, waits until the replica has caught up, and opens the door.
func (n *Node) getReady(ctx context.Context) error {
	p := cluster.Patience{Peer: n.cfg.ZeroName, Logger: n.lg}
	err := p.Do(ctx, func(ctx context.Context) error {
		start, err := n.starter.Start(ctx)
		if err != nil {
			return err
		}
		if err := n.shard.WaitTimestamp(ctx, start.After); err != nil {
			return err
		}
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

// Ready reports whether the node answers requests.
func (n *Node) Ready() bool { return n.ready.Load() }

// Schema returns what is defined now.
func (n *Node) Schema() schema.Snapshot { return n.shard.Schema() }

var errNotReady = fault.New(fault.Unavailable, "this Alpha is not ready yet: it is catching up with its log and with Zero; please retry")

// errOverload starts with 429: clients of this API look for it (dql.md fact 132).
var errOverload = fault.New(fault.Exhausted, "429 Too Many Requests: too many requests are in flight; please throttle")

// admit lets a request in, if there is room.
func (n *Node) admit() (leave func(), err error) {
	if !n.Ready() {
		return nil, errNotReady
	}
	if !n.door.TryRLock() {
		return nil, errNotReady
	}
	select {
	case n.slots <- struct{}{}:
		return func() { <-n.slots; n.door.RUnlock() }, nil
	default:
		n.door.RUnlock()
		return nil, errOverload
	}
}

// drainTimeout bounds how long requests may take to end after the servers have cut them off.
const drainTimeout = 5 * time.Second

// close closes the engine once no request reads it any more: what it has mapped goes away with it.
func (n *Node) close() error {
	shut := make(chan struct{})
	go func() { n.door.Lock(); close(shut) }() // ends with the last request
	select {
	case <-shut:
		return n.engine.Close()
	case <-time.After(drainTimeout):
		return errors.New("requests in flight did not end; the store was not closed, the next start will take longer")
	}
}
