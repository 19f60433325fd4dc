package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"dragg/alpha"
	"dragg/cluster"
	"dragg/cluster/rpc"
	"dragg/internal/metrics"
	"dragg/raftgroup/raftlog"
	"dragg/storage/badgerkv"
	"dragg/storage/room"
	"dragg/zero"
)

// The ports of a process; --port-offset shifts them all.
const (
	alphaGRPCPort = 9080
	alphaHTTPPort = 8080
	alphaNodePort = 7080
	zeroHTTPPort  = 6080
	zeroNodePort  = 5080
)

// serverFlags are the flags that zero, alpha and up share.
type serverFlags struct {
	log     logFlags
	data    string
	my      string
	bind    string
	offset  int
	memory  size
	reserve size
	profile string
}

func (f *serverFlags) add(flags *pflag.FlagSet, data string) {
	f.log.add(flags)
	flags.StringVarP(&f.data, "data", "d", data, "folder for the data; made when it is not there")
	flags.StringVar(&f.bind, "bind", "", "address to listen on; empty for all interfaces")
	flags.IntVarP(&f.offset, "port-offset", "o", 0, "added to every port")
	flags.Var(&f.memory, "memory-limit", "memory of the process, as 2GiB; 0 for 70 % of what the container has")
	flags.StringVar(&f.profile, "cpu-profile", "", "file that gets a CPU profile of the whole run, for pprof")
	f.reserve = 256 << 20
	flags.Var(&f.reserve, "disk-reserve", "room on the disk that is left alone: below it writes are refused")
}

// startBytes is how much room the disk must have before a server opens its data, beside what the store needs: it allocates
// the next segment of each of its logs at once, and could not go on later without. What its predecessor has allocated counts.
const startBytes = 72 << 20

// awaitRoom waits until a server may open what is in dir.
func (f *serverFlags) awaitRoom(ctx context.Context, lg *slog.Logger) error {
	need := int64(startBytes)
	for _, dir := range []string{"wal", "alpha/wal", "zero/wal"} {
		spare, err := raftlog.SpareBytes(filepath.Join(f.data, dir))
		if err != nil {
			return err
		}
		need -= spare
	}
	for _, dir := range []string{"p", "alpha/p"} {
		store, err := badgerkv.OpenBytes(filepath.Join(f.data, dir))
		if err != nil {
			return err
		}
		need += store
	}
	return room.Await(ctx, f.data, need, lg)
}

func (f *serverFlags) port(p int) string { return net.JoinHostPort(f.bind, strconv.Itoa(p+f.offset)) }

// address is where other nodes reach port p of this one.
func (f *serverFlags) address(p int) string {
	if f.my != "" {
		return f.my
	}
	return net.JoinHostPort("localhost", strconv.Itoa(p+f.offset))
}

// zero is how a Zero in dir is run.
func (f *serverFlags) zero(dir string, lg *slog.Logger) zero.Config {
	return zero.Config{
		Dir: dir, My: f.address(zeroNodePort), DiskReserveBytes: int64(f.reserve), Metrics: metrics.New(Version()), Logger: lg,
	}
}

// alphaFlags are those of an Alpha.
type alphaFlags struct {
	txnAbortAfter time.Duration
	limits        alpha.Limits
	requestBytes  size
	moveRate      size
	compare       time.Duration
	maxStaleness  time.Duration
	queryMemory   size
	queryAnswer   size
	group         uint32
	learner       bool
}

func (f *alphaFlags) add(flags *pflag.FlagSet) {
	flags.DurationVar(&f.txnAbortAfter, "txn-abort-after", 5*time.Minute,
		"a transaction that is idle for so long is aborted; snapshots stay readable for so long")
	flags.DurationVar(&f.maxStaleness, "max-staleness", 5*time.Minute,
		"how old a best-effort read may be, at least 1s: a replica that is cut off for longer refuses them; 0 for no bound")
	flags.IntVar(&f.limits.MutationEdges, "limit-mutation", 1_000_000, "N-Quads of one request")
	f.addQuery(flags)
	flags.IntVar(&f.limits.InFlight, "limit-in-flight", 10_000, "requests worked on at once")
	f.requestBytes = 256 << 20
	flags.Var(&f.requestBytes, "limit-request", "bytes of one request")
	f.moveRate = 64 << 20
	flags.Var(&f.moveRate, "move-rate", "bytes a second at which a group receives predicates that move to it")
	flags.DurationVar(&f.compare, "compare-interval", time.Minute,
		"pause between two predicates of which the replicas of a group are compared; 0 for never")
}

// addQuery adds the limits of queries. A request may lower each for itself, under the name behind --limit-.
func (f *alphaFlags) addQuery(flags *pflag.FlagSet) {
	q := &f.limits.Query
	flags.DurationVar(&q.Timeout, "limit-query-timeout", time.Minute, "time of one query; negative for none but the client's")
	flags.IntVar(&q.Edges, "limit-query-edges", 10_000_000, "edges that one query may traverse")
	flags.Var(&f.queryMemory, "limit-query-memory", "bytes that one query may gather; 0 for a quarter of the memory, which all share")
	flags.Var(&f.queryAnswer, "limit-query-answer", "bytes of one answer; 0 for an eighth of the memory, at most 256MiB")
	flags.IntVar(&q.RecurseDepth, "limit-query-recurse", 10_000, "levels of one @recurse")
	flags.IntVar(&q.Depth, "limit-query-depth", 64, "nesting of blocks, filters and formulas in the text of a query")
}

func (f *alphaFlags) config(s *serverFlags, dir string, memory int64, lg *slog.Logger) alpha.Config {
	f.limits.RequestBytes = int(f.requestBytes)
	if f.compare == 0 {
		f.compare = -1
	}
	staleness := f.maxStaleness
	if staleness == 0 {
		staleness = -1
	}
	f.limits.Query.MemoryBytes, f.limits.Query.AnswerBytes = int(f.queryMemory), int(f.queryAnswer)
	return alpha.Config{
		MoveBytesPerSecond: int(max(f.moveRate, 1<<20)), CompareInterval: f.compare,
		Dir: dir, My: s.address(alphaNodePort), Version: Version(), MemoryBytes: memory, DiskReserveBytes: int64(s.reserve),
		TxnAbortAfter: f.txnAbortAfter, MaxStaleness: staleness, Limits: f.limits, Group: f.group, Learner: f.learner, Logger: lg,
	}
}

// Zero returns the command that runs a Zero.
func Zero() *cobra.Command {
	f, z := &serverFlags{}, &zeroFlags{}
	cmd := &cobra.Command{
		Use: "zero", Short: "Run a Zero: it coordinates membership, timestamps, commits and placement", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(f.check(), z.check()); err != nil {
				return err
			}
			return runZero(cmd.Context(), f, z, cmd.ErrOrStderr())
		},
	}
	f.add(cmd.Flags(), "zero-data")
	cmd.Flags().StringVar(&f.my, "my", "", "host:port under which other nodes reach this one; its place in --zeros if nothing is said")
	z.add(cmd.Flags())
	return configurable(cmd)
}

// zeroFlags are those of a Zero among several.
type zeroFlags struct {
	id        uint64
	zeros     []string
	peers     []string
	replicas  int
	rebalance time.Duration
}

func (f *zeroFlags) add(flags *pflag.FlagSet) {
	flags.Uint64Var(&f.id, "idx", 1, "number of this Zero: its place in --zeros, counted from 1")
	flags.StringSliceVar(&f.zeros, "zeros", nil,
		"host:port of the gRPC service of every Zero that a new cluster starts with, in the same order on each; empty for this one alone")
	flags.StringSliceVar(&f.peers, "peer", nil,
		"host:port of the gRPC service of Zeros of a running cluster that this new one joins, under a number (--idx) that none of them had")
	flags.IntVar(&f.replicas, "replicas", 0, "Alphas that fill a group; 0 leaves what the cluster has, which is 1 at first")
	flags.DurationVar(&f.rebalance, "rebalance-interval", 8*time.Minute,
		"pause between two moves of predicates that even out the groups; 0 for never; a policy that was set by the API wins")
}

// config adds what the flags say to cfg.
func (f *zeroFlags) config(cfg zero.Config, pool *rpc.Pool) (zero.Config, error) {
	cfg.ID, cfg.Replicas, cfg.Pool, cfg.RebalanceInterval = f.id, f.replicas, pool, f.rebalance
	if f.rebalance == 0 {
		cfg.RebalanceInterval = -1
	}
	if cfg.Peers = f.peers; len(f.peers) > 0 && len(f.zeros) > 0 {
		return cfg, errors.New("--peer joins a running cluster, --zeros begins one: give one of them")
	}
	if len(f.zeros) == 0 {
		return cfg, nil
	}
	if f.id < 1 || f.id > uint64(len(f.zeros)) {
		return cfg, fmt.Errorf("--idx %d: --zeros names %d", f.id, len(f.zeros))
	}
	cfg.Zeros = map[uint64]string{}
	for i, address := range f.zeros {
		cfg.Zeros[uint64(i+1)] = address
	}
	return cfg, nil
}

func runZero(ctx context.Context, f *serverFlags, zf *zeroFlags, stderr io.Writer) error {
	lg, err := f.log.logger(stderr)
	if err != nil {
		return err
	}
	if f.my == "" && zf.id <= uint64(len(zf.zeros)) {
		f.my = zf.zeros[zf.id-1] // where the others look for it
	}
	held, err := f.occupy(ctx, lg.With("node", "zero", "id", zf.id), []string{f.data}, zeroNodePort, zeroHTTPPort)
	if err != nil {
		return err
	}
	limitMemory(ctx, f.memory)
	pool := rpc.NewPool(rpc.Config{MessageBytes: zeroRequestBytes})
	cfg, err := zf.config(f.zero(f.data, lg), pool)
	if err == nil {
		err = serveZero(ctx, f, cfg)
	}
	return errors.Join(err, pool.Close(), held.leave())
}

func serveZero(ctx context.Context, f *serverFlags, cfg zero.Config) error {
	z, err := zero.Open(ctx, cfg)
	if err != nil {
		return err
	}
	l := &listeners{lg: z.Logger()}
	if err := listenZero(l, f, z); err != nil {
		return errors.Join(err, l.close())
	}
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error { return z.Run(ctx) })
	eg.Go(func() error { return l.run(ctx) })
	return eg.Wait()
}

// zeroRequestBytes bounds requests between nodes.
const zeroRequestBytes = 64 << 20

func listenZero(l *listeners, f *serverFlags, z *zero.Server) error {
	s := grpc.NewServer(grpcOptions(z.Logger(), zeroRequestBytes)...)
	z.Register(s)
	if err := l.listen("zero gRPC", f.port(zeroNodePort), grpcOn(s, z.Healthy)); err != nil {
		return err
	}
	return l.listen("zero HTTP", f.port(zeroHTTPPort), httpOn(z.Handler()))
}

// Alpha returns the command that runs an Alpha.
func Alpha() *cobra.Command {
	f, a := &serverFlags{}, &alphaFlags{}
	var zeros []string
	cmd := &cobra.Command{
		Use: "alpha", Short: "Run an Alpha: it holds the data and answers clients", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(zeros) == 0 {
				return errors.New("--zero: name a Zero at least")
			}
			if err := errors.Join(f.check(), a.check(), checkAddresses("zero", zeros...)); err != nil {
				return err
			}
			return runAlpha(cmd.Context(), f, a, zeros, cmd.ErrOrStderr())
		},
	}
	f.add(cmd.Flags(), "alpha-data")
	a.add(cmd.Flags())
	cmd.Flags().StringVar(&f.my, "my", "", "host:port under which other nodes reach this one")
	cmd.Flags().Uint32Var(&a.group, "group", 0, "group that a new Alpha shall be in; 0 lets Zero choose")
	cmd.Flags().BoolVar(&a.learner, "learner", false, "make a new Alpha hold a copy and serve reads, without a vote")
	cmd.Flags().StringSliceVarP(&zeros, "zero", "z", []string{"localhost:5080"}, "host:port of the gRPC service of one Zero or more")
	return configurable(cmd)
}

func runAlpha(ctx context.Context, f *serverFlags, a *alphaFlags, zeros []string, stderr io.Writer) error {
	lg, err := f.log.logger(stderr)
	if err != nil {
		return err
	}
	early := lg.With("node", "alpha") // which one, and of which group, it learns later
	held, err := f.occupy(ctx, early, []string{f.data}, alphaGRPCPort, alphaHTTPPort, alphaNodePort)
	if err != nil {
		return err
	}
	memory := limitMemory(ctx, f.memory)
	pool := rpc.NewPool(rpc.Config{MessageBytes: zeroRequestBytes})
	z := cluster.NewClient(cluster.ClientConfig{Addresses: zeros, Pool: pool, Logger: early})
	cfg := a.config(f, f.data, memory, lg)
	cfg.Pool = pool
	cfg.ZeroName = "zero at " + strings.Join(zeros, ", ")
	err = serveAlpha(ctx, f, cfg, z, nil)
	return errors.Join(err, pool.Close(), held.leave())
}

// serveAlpha opens an Alpha, waiting for Zero, and serves it. started, if given, is called once it runs.
func serveAlpha(
	ctx context.Context, f *serverFlags, cfg alpha.Config, z cluster.Zero,
	started func(ctx context.Context, n *alpha.Node) error,
) error {
	n, err := alpha.Open(ctx, cfg, z)
	if err != nil {
		return err
	}
	l := &listeners{lg: n.Logger()}
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error { return n.Run(ctx) })
	eg.Go(func() error {
		if err := listenAlpha(l, f, n, cfg); err != nil {
			return errors.Join(err, l.close())
		}
		return l.run(ctx)
	})
	if started != nil {
		eg.Go(func() error { return started(ctx, n) })
	}
	return eg.Wait()
}

func listenAlpha(l *listeners, f *serverFlags, n *alpha.Node, cfg alpha.Config) error {
	s := grpc.NewServer(append(grpcOptions(n.Logger(), cfg.Limits.RequestBytes), alpha.ServerOptions()...)...)
	n.Register(s)
	if err := l.listen("alpha gRPC", f.port(alphaGRPCPort), grpcOn(s, n.Ready)); err != nil {
		return err
	}
	if err := l.listen("alpha HTTP", f.port(alphaHTTPPort), httpOn(n.Handler())); err != nil {
		return err
	}
	nodes := grpc.NewServer(grpcOptions(n.Logger(), zeroRequestBytes)...)
	n.RegisterPeer(nodes)
	return l.listen("alpha gRPC for nodes", f.port(alphaNodePort), grpcOn(nodes, n.Ready))
}

// Up returns the command that runs a Zero and an Alpha in one process.
func Up() *cobra.Command {
	f, a, l := &serverFlags{}, &alphaFlags{}, &localFlags{}
	var example string
	cmd := &cobra.Command{
		Use: "up", Short: "Run a whole database: one Zero and one Alpha in one process, or a cluster on this machine", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(f.check(), a.check(), l.check()); err != nil {
				return err
			}
			switch {
			case l.asked() && example != "":
				return errors.New("--example needs a database in one process: leave out --zeros, --groups and --replicas")
			case l.asked() && f.profile != "":
				return errors.New("--cpu-profile is of one process: leave out --zeros, --groups and --replicas")
			case l.asked():
				l.passed = passed(cmd.Flags(), a)
				return runLocal(cmd.Context(), f, l, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return runUp(cmd.Context(), f, a, example, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.add(cmd.Flags(), "data")
	a.add(cmd.Flags())
	l.add(cmd.Flags())
	cmd.Flags().StringVar(&example, "example", "",
		"folder with a schema, data and queries: loaded when --data is new, then queried")
	return configurable(cmd)
}

func runUp(ctx context.Context, f *serverFlags, a *alphaFlags, example string, stdout io.Writer, stderr io.Writer) error {
	lg, err := f.log.logger(stderr)
	if err != nil {
		return err
	}
	if err := forOne(f.data); err != nil {
		return err
	}
	held, err := f.occupy(ctx, lg, []string{filepath.Join(f.data, "zero"), filepath.Join(f.data, "alpha")},
		zeroNodePort, zeroHTTPPort, alphaGRPCPort, alphaHTTPPort, alphaNodePort)
	if err != nil {
		return err
	}
	return errors.Join(serveUp(ctx, f, a, &tour{flags: f, example: example, out: stdout, lg: lg}), held.leave())
}

// serveUp runs a Zero, and an Alpha beside it.
func serveUp(ctx context.Context, f *serverFlags, a *alphaFlags, tour *tour) error {
	lg, memory := tour.lg, limitMemory(ctx, f.memory)
	cfg := f.zero(filepath.Join(f.data, "zero"), lg)
	cfg.ForgetAfter = a.txnAbortAfter + time.Minute
	z, err := zero.Open(ctx, cfg)
	if err != nil {
		return err
	}
	l := &listeners{lg: z.Logger()}
	if err := listenZero(l, f, z); err != nil {
		return errors.Join(err, l.close())
	}
	// Zero outlives Alpha: what Alpha still has to say at its end must find an ear.
	zeroCtx, stopZero := context.WithCancel(context.WithoutCancel(ctx))
	zeroDone := make(chan error, 1)
	alphaCtx, stopAlpha := context.WithCancel(ctx)
	go func() { // waited for below
		eg, ctx := errgroup.WithContext(zeroCtx)
		eg.Go(func() error { return z.Run(ctx) })
		eg.Go(func() error { return l.run(ctx) })
		zeroDone <- eg.Wait()
		stopAlpha()
	}()
	select {
	case <-z.Ready():
	case <-alphaCtx.Done():
	}
	alphaCfg := a.config(f, filepath.Join(f.data, "alpha"), memory, lg)
	alphaCfg.ZeroName = "zero in this process"
	tour.zero = z
	err = serveAlpha(alphaCtx, f, alphaCfg, z, tour.run)
	stopZero()
	if alphaCtx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, <-zeroDone)
}
