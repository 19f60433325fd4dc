package zero

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"dragg/cluster"
	"dragg/cluster/rpc"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/internal/live"
	"dragg/internal/metrics"
	"dragg/protos/pb"
	"dragg/raftgroup"
	"dragg/raftgroup/raftlog"
	"dragg/raftgroup/transport"
	"dragg/zero/oracle"
	"dragg/zero/state"
)

// Config says how a Zero is run. Zero values take the defaults.
type Config struct {
	// Dir holds its log and its snapshot.
	Dir string
	// My is the address under which other nodes reach its gRPC service.
	My string
	// ID is its number among the Zeros. Default 1.
	ID uint64
	// Zeros are the addresses of all Zeros that a new cluster starts with, itself among them, by number: the same on each of
	// them. Empty is this one alone.
	Zeros map[uint64]string
	// Peers are addresses of Zeros of a running cluster that this one joins, where it has no log yet. ID must be a number that no
	// Zero of it has or had.
	Peers []string
	// Replicas is how many Alphas fill a group. 0 leaves what the cluster has, which is 1 at first.
	Replicas int
	// TickInterval is Raft's unit of time; an election starts after ten to twenty ticks without a leader. Default 75 ms.
	TickInterval time.Duration
	// Pool connects to other Zeros; it stays the caller's to close. A Zero alone needs none.
	Pool *rpc.Pool
	// RebalanceInterval is the pause between two moves that even out the groups, as long as no policy was set; negative for never.
	// Default 8 min.
	RebalanceInterval time.Duration
	// ForgetAfter is how long a transaction may stay open before its conflicts are forgotten and it is refused; a little
	// more than Alpha's idle timeout. Default 6 min.
	ForgetAfter time.Duration
	// DiskReserveBytes is how much room the disk must have for this Zero to be ready. Default 256 MiB.
	DiskReserveBytes int64
	// Metrics is what this Zero adds its own to, and serves. Default one of its own.
	Metrics *metrics.Registry
	Logger  *slog.Logger
}

func (c *Config) setDefaults() {
	if c.ID == 0 {
		c.ID = 1
	}
	if c.RebalanceInterval == 0 {
		c.RebalanceInterval = defaultInterval
	}
	if c.ForgetAfter == 0 {
		c.ForgetAfter = 6 * time.Minute
	}
	if c.DiskReserveBytes == 0 {
		c.DiskReserveBytes = 256 << 20
	}
	if c.Metrics == nil {
		c.Metrics = metrics.New("")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Server is one Zero.
type Server struct {
	cfg     Config
	lg      *slog.Logger
	id      raftlog.Identity
	machine *state.Machine
	group   *raftgroup.Group
	links   *transport.Links // nil for a Zero that no other can join
	others  *cluster.Client  // finds the leader when it is another Zero; nil where links is
	seeds   []*pb.Member     // who was in the cluster that this one has just joined
	clock   clock
	meters  meters
	term    atomic.Uint64 // for log lines
	caught  atomic.Bool   // it has caught up since its start
	commits chan committing
	asking  sync.RWMutex  // held while somebody asks without waiting
	ended   bool          // guarded by asking: nobody collects commits any more
	status  chan struct{} // capacity 1: leadership may have changed
	stopped chan struct{} // closed when Run has ended

	mu      sync.Mutex
	acks    map[uint32]uint64 // guarded by mu: not replicated yet
	leaders map[uint32]uint64 // guarded by mu: of the groups, as they say
	reports reports           // guarded by mu
	ready   chan struct{}     // guarded by mu: closed while this node leads and serves
	over    chan struct{}     // guarded by mu: made when ready is closed, closed when that is over
}

var (
	_ cluster.Zero  = (*Server)(nil)
	_ cluster.Asker = (*Server)(nil)
)

// Open opens the Zero in cfg.Dir. Where there is none it makes a new cluster, or its part of one: all but the first Zero wait
// for the name that the first one gives it. Nothing runs before Run.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	cfg.setDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	s := &Server{
		cfg:     cfg,
		commits: make(chan committing, maxCommitBatch), status: make(chan struct{}, 1), stopped: make(chan struct{}),
		acks: map[uint32]uint64{}, leaders: map[uint32]uint64{}, ready: make(chan struct{}),
		reports: newReports(),
	}
	s.lg = live.Number(cfg.Logger.With("node", "zero", "id", cfg.ID, "group", 0), "term", s.term.Load)
	var err error
	if s.id, err = s.identity(ctx); err != nil {
		return nil, err
	}
	if s.machine, err = state.Open(cfg.Dir, oracle.DefaultLimits); err != nil {
		return nil, err
	}
	group := raftgroup.Config{
		Dir: s.walDir(), Identity: s.id, TickInterval: cfg.TickInterval, Logger: s.lg, Members: slices.Sorted(maps.Keys(cfg.Zeros)),
		OnStatus: func(st raftgroup.Status) {
			s.term.Store(st.Term)
			select {
			case s.status <- struct{}{}:
			default:
			}
		},
	}
	group.Join = len(cfg.Peers) > 0
	if len(cfg.Zeros) > 1 || cfg.Pool != nil && cfg.My != "" {
		s.connect(&group)
	}
	if s.group, err = raftgroup.Open(group, s.machine); err != nil {
		return nil, err
	}
	if err := cfg.Metrics.Register(s.metrics(), s.group.Metrics()); err != nil {
		return nil, errors.Join(err, s.group.Close())
	}
	return s, nil
}

func (s *Server) walDir() string { return filepath.Join(s.cfg.Dir, "wal") }

// Run serves until ctx ends or the log fails. Call it once. A leader hands over before it stops.
func (s *Server) Run(ctx context.Context) error {
	defer func() { s.endCommits(); close(s.stopped) }()
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { s.handOver(life); stop() })()
	eg, running := errgroup.WithContext(life)
	eg.Go(func() error { return s.group.Run(running) })
	eg.Go(func() error { return s.lead(running) })
	eg.Go(func() error { return s.collectCommits(running) })
	eg.Go(func() error { return s.housekeeping(running) })
	eg.Go(func() error { return s.guardMoves(running) })
	eg.Go(func() error { return s.rebalance(running) })
	eg.Go(func() error { return s.catchUp(running) })
	if s.links != nil {
		eg.Go(func() error { return s.links.Run(running) })
		eg.Go(func() error { return s.reconcile(running) })
		eg.Go(func() error { return s.announce(running) })
	}
	if err := eg.Wait(); ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// handOverTimeout bounds how long a leader that stops waits for another Zero to take over.
const handOverTimeout = time.Second

// handOver gives up leadership in good order, so that the others do not have to notice that their leader is gone.
func (s *Server) handOver(ctx context.Context) {
	if s.alone() || !s.group.Status().Leading {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, handOverTimeout)
	defer cancel()
	if err := s.group.TransferLeadership(ctx, 0); err != nil {
		s.lg.Warn("could not hand leadership over before stopping", "err", err)
	}
}

// lead begins a term whenever this node becomes the leader, and ends it when it is none any more.
func (s *Server) lead(ctx context.Context) error {
	var term uint64
	for {
		if st := s.group.Status(); st.Leading && st.Term != term {
			if err := s.beginTerm(ctx, st.Term); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				s.lg.Warn("could not begin the term; will try again when leadership changes", "term", st.Term, "err", err)
			} else {
				term = st.Term
				s.lg.Info("leading the cluster", "cluster", s.id.Cluster, "term", term)
			}
		} else if !st.Leading && term != 0 {
			term = 0
			s.clock.stop()
			s.setReady(false)
			s.lg.Info("not leading any more", "term", st.Term)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.status:
		}
	}
}

func (s *Server) beginTerm(ctx context.Context, term uint64) error {
	if _, err := s.propose(ctx, &pb.ZeroEntry{Bootstrap: s.bootstrap()}); err != nil {
		return err
	}
	// When this answers, every entry of earlier terms is applied.
	next, _, _ := s.machine.Bounds()
	bound := uint64(next) + leaseTimestamps
	if _, err := s.propose(ctx, &pb.ZeroEntry{Term: &pb.Term{TsBound: bound}}); err != nil {
		return err
	}
	s.clock.begin(term, uint64(next), bound)
	s.setReady(true)
	return nil
}

func (s *Server) setReady(ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ready:
		if !ready {
			s.ready = make(chan struct{})
			close(s.over)
		}
	default:
		if ready {
			close(s.ready)
			s.over = make(chan struct{})
		}
	}
}

// Logger returns what this Zero logs to: each line says which Zero it is from, and in which term.
func (s *Server) Logger() *slog.Logger { return s.lg }

// Ready returns a channel that is closed while this node leads and serves.
func (s *Server) Ready() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready
}

// Leading reports whether this node leads and serves.
func (s *Server) Leading() bool {
	select {
	case <-s.Ready():
		return true
	default:
		return false
	}
}

// housekeepingInterval is how often acknowledgements and forgotten conflicts are replicated.
const housekeepingInterval = time.Second

// housekeeping replicates acknowledgements and forgets the conflicts of transactions that are too old to be open.
func (s *Server) housekeeping(ctx context.Context) error {
	past := history{keep: s.cfg.ForgetAfter}
	for now := range ticks(ctx, housekeepingInterval) {
		if !s.Leading() {
			continue
		}
		_, _, decided := s.machine.Bounds()
		b := &pb.CommitBatch{Acks: s.takeAcks(), ForgetBelow: past.note(now, uint64(decided))}
		if len(b.Acks) == 0 && b.ForgetBelow == 0 {
			continue
		}
		if _, err := s.propose(ctx, &pb.ZeroEntry{Commits: b}); err != nil && ctx.Err() == nil {
			s.lg.Warn("housekeeping was not replicated", "err", err)
		}
	}
	return ctx.Err()
}

func (s *Server) takeAcks() []*pb.Ack {
	s.mu.Lock()
	defer s.mu.Unlock()
	var acks []*pb.Ack
	for _, g := range slices.Sorted(maps.Keys(s.acks)) {
		acks = append(acks, &pb.Ack{Group: g, Seq: s.acks[g]})
	}
	clear(s.acks)
	return acks
}

// history remembers which timestamp was current when, to tell what is older than keep.
type history struct {
	keep  time.Duration
	marks []mark
	sent  uint64
}

type mark struct {
	at time.Time
	ts uint64
}

// note records that ts is current now, and returns the timestamp that was current keep ago, 0 when it is the same as before.
func (h *history) note(now time.Time, ts uint64) uint64 {
	if n := len(h.marks); n == 0 || now.Sub(h.marks[n-1].at) >= h.keep/16 {
		h.marks = append(h.marks, mark{now, ts})
	}
	below := uint64(0)
	for len(h.marks) > 0 && now.Sub(h.marks[0].at) >= h.keep {
		below = h.marks[0].ts
		h.marks = h.marks[1:]
	}
	if below <= h.sent {
		return 0
	}
	h.sent = below
	return below
}

// Timestamps implements cluster.Clock.
//
// A leader that was deposed and does not know it yet would draw timestamps below what its successor has committed: so a majority
// must confirm, after the request came, that it still leads.
func (s *Server) Timestamps(ctx context.Context, n uint32) (first, after graph.Timestamp, err error) {
	term := s.clock.leading()
	first, after, err = s.drawTimestamps(ctx, uint64(n), false)
	if err == nil {
		err = s.confirm(ctx, term)
	}
	return first, after, err
}

// confirm returns nil if this node led the term without a break from when term was read until after a majority said so.
func (s *Server) confirm(ctx context.Context, term uint64) error {
	if s.alone() {
		return nil
	}
	if _, err := s.group.ReadIndex(ctx); err != nil {
		return err
	}
	if st := s.group.Status(); !st.Leading || st.Term != term {
		return errNoLeader
	}
	return nil
}

// maxLease bounds one lease of uids.
const maxLease = 1 << 40

// LeaseUIDs implements cluster.Clock.
func (s *Server) LeaseUIDs(ctx context.Context, n uint64) (graph.UID, error) {
	if n == 0 || n > maxLease {
		return 0, fault.New(fault.Invalid, "cannot lease %d uids at once: ask for 1 to %d", n, uint64(maxLease))
	}
	res, err := s.propose(ctx, &pb.ZeroEntry{Lease: &pb.Lease{UidCount: n}})
	if err != nil {
		return 0, err
	}
	reply := res.(*pb.LeaseReply)
	if reply.Count != n {
		return 0, fault.New(fault.Exhausted, "there are not %d uids left", n)
	}
	return graph.UID(reply.First), nil
}

// Outcome implements cluster.Arbiter.
func (s *Server) Outcome(ctx context.Context, start graph.Timestamp) (commit graph.Timestamp, known bool, err error) {
	if err := s.confirm(ctx, s.clock.leading()); err != nil {
		return 0, false, err
	}
	if !s.Leading() {
		return 0, false, errNoLeader
	}
	commit, known = s.machine.Outcome(start)
	return commit, known, nil
}

// Connect implements cluster.Catalog.
func (s *Server) Connect(ctx context.Context, j *pb.Join) (*pb.JoinReply, error) {
	if !s.Leading() {
		return nil, errNoLeader
	}
	res, err := s.propose(ctx, &pb.ZeroEntry{Join: j})
	if err != nil {
		return nil, err
	}
	if refused, ok := res.(error); ok {
		return nil, refused
	}
	reply := res.(*pb.JoinReply)
	s.lg.Info("an alpha connected", "alpha", reply.NodeId, "alpha_group", reply.Group, "address", j.Address)
	return reply, nil
}

// ChangeSchema implements cluster.Catalog.
func (s *Server) ChangeSchema(ctx context.Context, a *pb.Alter) (*pb.AlterReply, error) {
	ts, _, err := s.drawTimestamps(ctx, 1, true)
	if err != nil {
		return nil, err
	}
	a = proto.CloneOf(a)
	a.Ts, a.AtMs = uint64(ts), time.Now().UnixMilli()
	s.place(a)
	res, err := s.propose(ctx, &pb.ZeroEntry{Alter: a})
	if err != nil {
		return nil, err
	}
	return res.(*pb.AlterReply), nil
}

// State implements cluster.Catalog.
func (s *Server) State(context.Context) (*pb.ZeroState, error) {
	if !s.Leading() {
		return nil, errNoLeader
	}
	return s.describe(), nil
}

// describe returns the state as this node knows it.
func (s *Server) describe() *pb.ZeroState {
	st := s.machine.State()
	if st.Policy == nil {
		st.Policy = s.defaultPolicy()
	}
	now, zeros := time.Now(), s.silentZeros()
	s.mu.Lock()
	st.Leaders = maps.Clone(s.leaders)
	maps.DeleteFunc(st.Leaders, func(group uint32, id uint64) bool { return !s.reports.leads(st, group, id, now) })
	s.reports.describe(st, zeros, now)
	s.mu.Unlock()
	st.Leaders[0] = s.group.Status().Leader
	return st
}

// leadingUntil returns a channel that is closed when this node does not lead any more; false where it does not.
func (s *Server) leadingUntil() (over <-chan struct{}, leading bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ready:
		return s.over, true
	default:
		return nil, false
	}
}

// Stream implements cluster.Feed. It ends with the leadership: another Zero may be slow or cut off, and would hold up the readers of
// the group without a word.
func (s *Server) Stream(ctx context.Context, g graph.GroupID, seq uint64, deliver func(*pb.StreamBatch) error) error {
	over, leading := s.leadingUntil()
	if !leading {
		return errNoLeader
	}
	var sent *pb.StreamBatch
	for {
		b, changed, err := s.machine.Events(g, seq)
		if err != nil && !s.Leading() {
			return fault.New(fault.Unavailable, "this Zero is behind: %w", err)
		}
		if err != nil {
			return fault.As(fault.Invalid, err)
		}
		if len(b.Events) > 0 || sent == nil || b.Watermark != sent.Watermark || b.MaxUid != sent.MaxUid {
			if err := deliver(b); err != nil {
				return err
			}
			sent = b
			seq += uint64(len(b.Events))
			continue
		}
		select {
		case <-changed:
		case <-over:
			return errNoLeader
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Acknowledge implements cluster.Feed. It is replicated a little later.
func (s *Server) Acknowledge(_ context.Context, a *pb.Ack) error {
	if !s.Leading() {
		return errNoLeader
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks[a.Group] = max(s.acks[a.Group], a.Seq)
	s.leaders[a.Group] = a.Leader
	return nil
}
