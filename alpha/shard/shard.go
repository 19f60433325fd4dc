package shard

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/protos/pb"
	"dragg/schema"
	"dragg/storage"
)

// Proposer replicates a command to the group and returns what Apply answered. raftgroup.Group is one.
type Proposer interface {
	// ProposeThen calls then, if it is not nil, with that answer at once, on the goroutine that applies. Where then returns true, what
	// it settles the proposal with is returned instead.
	ProposeThen(ctx context.Context, cmd []byte, then func(result any, settle func(result any)) bool) (any, error)
}

// Config says how a shard is run. Zero values take the defaults.
type Config struct {
	Group graph.GroupID
	// CacheBytes is how much memory decoded lists may take. Default 64 MiB.
	CacheBytes int64
	// PendingBytes bounds the pending changes of all open transactions. Default 256 MiB.
	PendingBytes int
	// Room returns an error where the disk has no room for that many bytes of changes: then no more are accepted. What
	// was accepted is stored all the same; so it must refuse earlier than the engine does. nil: there is always room.
	Room func(bytes int64) error
	// Horizon is how long a snapshot stays readable after it was taken. Default 5 min.
	Horizon time.Duration
	Logger  *slog.Logger
}

// Shard is the replicated state of a group on this replica.
type Shard struct {
	cfg    Config
	lg     *slog.Logger
	engine storage.Engine
	store  *posting.Store
	group  Proposer // set by Attach, before any write

	view atomic.Pointer[published]

	// gate lets in who reads the engine outside of Apply; it is shut while Restore replaces what the engine holds.
	gate gate

	// recording is held from the capture of a record until it is durable. It comes before batch.
	recording sync.Mutex
	recorded  []byte // guarded by recording: the fingerprint of the newest record

	// batch is held by Apply for a whole batch of entries, and by whoever needs the state between two batches. It comes
	// before mu.
	batch   sync.Mutex
	applied uint64                    // guarded by batch: Raft index
	types   map[string]*pb.TypeChange // guarded by batch
	ended   ended                     // guarded by batch

	mu       sync.Mutex
	moved    chan struct{}                 // guarded by mu: closed and replaced whenever view changes
	durable  uint64                        // guarded by mu
	pending  map[graph.Timestamp]*txn      // guarded by mu
	pendingB int                           // guarded by mu: bytes of all pending changes
	touched  map[graph.Timestamp]time.Time // guarded by mu: when a pending transaction was last used here
	dropped  []*pb.TabletDrop              // guarded by mu: copies whose bytes are still there
	newest   *capture                      // guarded by mu: what other replicas may be sent; nil if nothing
	sending  map[*capture]bool             // guarded by mu: what other replicas are sent
	// forgettable is the horizon of the newest capture. No reader is let in below, and it never moves back.
	forgettable graph.Timestamp // guarded by mu
	// recordedHorizon is the one of the newest record: no reader is let in below after a restart.
	recordedHorizon graph.Timestamp // guarded by mu

	sizes     transferSizes // immutable
	inUse     atomic.Uint64 // see noteInUse; it may lag behind
	proposing atomic.Int64  // bytes of changes that are on their way into the log
	stopOnce  sync.Once
	stopped   chan struct{} // closed by Stop

	deriving keyedLocks
	horizon  horizon
	demand   chan struct{} // capacity 1: somebody waits for the watermark
	clean    chan struct{} // capacity 1: the janitor has something to do
	build    chan struct{} // capacity 1: the builder has something to do
}

// Open reads the replica's record from the engine. The engine stays the caller's to close.
func Open(cfg Config, engine storage.Engine) (*Shard, error) {
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = 64 << 20
	}
	if cfg.PendingBytes == 0 {
		cfg.PendingBytes = 256 << 20
	}
	if cfg.Horizon == 0 {
		cfg.Horizon = 5 * time.Minute
	}
	if cfg.Room == nil {
		cfg.Room = func(int64) error { return nil }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Shard{
		cfg: cfg, lg: cfg.Logger, engine: engine, sizes: transferSizes{markBytes, keepBytes}, moved: make(chan struct{}),
		types: map[string]*pb.TypeChange{}, pending: map[graph.Timestamp]*txn{}, touched: map[graph.Timestamp]time.Time{},
		stopped: make(chan struct{}), sending: map[*capture]bool{},
		demand: make(chan struct{}, 1), clean: make(chan struct{}, 1), build: make(chan struct{}, 1),
	}
	s.store = posting.NewStore(engine, posting.Config{
		CacheBytes: cfg.CacheBytes, Logger: cfg.Logger,
		OldestReader: func() graph.Timestamp { return graph.Timestamp(s.inUse.Load()) },
	})
	if err := s.loadMeta(); err != nil {
		return nil, err
	}
	return s, nil
}

// Stop ends all waiting: for the watermark, which will not move any more, and in Apply for room on the disk. Call it when the
// process stops; the log keeps what was not applied.
func (s *Shard) Stop() { s.stopOnce.Do(func() { close(s.stopped) }) }

// Attach gives the shard the group that replicates its writes. Call it once, before the first write.
func (s *Shard) Attach(g Proposer) { s.group = g }

// Store returns the posting lists, for tools that check them.
func (s *Shard) Store() *posting.Store { return s.store }

// Schema returns what is defined now, as Zero published it: what is being built here says the answer to a query.
func (s *Shard) Schema() schema.Snapshot { return s.view.Load().schema }

// Watermark returns the timestamp up to which every verdict is applied.
func (s *Shard) Watermark() graph.Timestamp { return s.view.Load().watermark }

// MaxUID returns the first uid that, as far as is known here, nobody has leased.
func (s *Shard) MaxUID() graph.UID { return s.view.Load().maxUID }

// Members returns the nodes of the whole cluster, as far as the stream has told, in no order.
func (s *Shard) Members() []*pb.Member { return s.view.Load().members }

// Route returns the group that serves p to readers at ts, false where there is no such predicate. What the stream has told up to a
// timestamp holds for readers there: a tablet cannot have moved before a commit that is applied without this being known.
func (s *Shard) Route(p graph.Predicate, ts graph.Timestamp) (graph.GroupID, bool) {
	return s.view.Load().route(p, ts)
}

// ServesAll reports whether this group serves every predicate that there is to readers at ts.
func (s *Shard) ServesAll(ts graph.Timestamp) bool {
	v := s.view.Load()
	return len(v.remote) == 0 && ts >= v.switched
}

// DefinedAt returns the timestamp of the last change of p's tablet, 0 where there is none.
func (s *Shard) DefinedAt(p graph.Predicate) graph.Timestamp {
	t := s.view.Load().tablet(p)
	if t == nil {
		return 0
	}
	return graph.Timestamp(t.set.Ts)
}

// Tablet returns the tablet of p as Zero last sent it, whoever serves it.
func (s *Shard) Tablet(p graph.Predicate) (*pb.Tablet, bool) {
	t := s.view.Load().tablet(p)
	if t == nil {
		return nil, false
	}
	return t.set.Tablet, true
}

// Tablets returns every tablet of the group, in no order.
func (s *Shard) Tablets() []*pb.Tablet {
	v := s.view.Load()
	out := make([]*pb.Tablet, 0, len(v.tablets))
	for _, t := range v.tablets {
		out = append(out, t.set.Tablet)
	}
	return out
}

// Seq returns the number of the last event of Zero's stream that was applied. It is in this replica's log: Zero may forget it.
func (s *Shard) Seq() uint64 { return s.view.Load().seq }

// WaitTimestamp returns once every verdict up to ts is applied.
func (s *Shard) WaitTimestamp(ctx context.Context, ts graph.Timestamp) error {
	if s.Watermark() >= ts {
		return nil
	}
	return s.waitUntil(ctx, func() bool { return s.Watermark() >= ts })
}

// Pace returns after d, or as soon as somebody waits for a verdict.
func (s *Shard) Pace(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.demand:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// WaitSeq returns once event seq of Zero's stream is applied.
func (s *Shard) WaitSeq(ctx context.Context, seq uint64) error {
	return s.waitUntil(ctx, func() bool { return s.Seq() >= seq })
}

// errStopping is what everybody gets who waits when the process stops.
var errStopping = fault.New(fault.Unavailable, "this Alpha is stopping")

// waitUntil returns once holds does; it is asked again after every batch that was applied.
func (s *Shard) waitUntil(ctx context.Context, holds func() bool) error {
	for {
		s.mu.Lock()
		moved := s.moved
		s.mu.Unlock()
		if holds() {
			return nil
		}
		select {
		case s.demand <- struct{}{}:
		default:
		}
		select {
		case <-moved:
		case <-s.stopped:
			return errStopping
		case <-s.gate.leaving():
			return errRestoring
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "this replica did not catch up in time: %w", ctx.Err())
		}
	}
}

// keyedLocks serialises the derivations of one transaction.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[graph.Timestamp]*keyedLock // guarded by mu
	free  []*keyedLock                   // guarded by mu: no more than were in use at a time
}

type keyedLock struct {
	sync.Mutex
	users int // guarded by keyedLocks.mu
}

// lock locks ts, until unlock.
func (k *keyedLocks) lock(ts graph.Timestamp) {
	k.mu.Lock()
	l := k.locks[ts]
	if l == nil {
		if k.locks == nil {
			k.locks = map[graph.Timestamp]*keyedLock{}
		}
		if n := len(k.free); n > 0 {
			l, k.free = k.free[n-1], k.free[:n-1]
		} else {
			l = &keyedLock{}
		}
		k.locks[ts] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
}

func (k *keyedLocks) unlock(ts graph.Timestamp) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.locks[ts]
	l.Unlock()
	if l.users--; l.users == 0 {
		delete(k.locks, ts)
		k.free = append(k.free, l)
	}
}
