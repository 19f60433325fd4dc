package alpha

import (
	"log/slog"
	"time"

	"dragg/cluster/rpc"
	"dragg/internal/metrics"
	"dragg/storage"
)

// Config says how an Alpha is run. Zero values take the defaults.
type Config struct {
	// Dir holds the posting lists and the Raft log.
	Dir string
	// My is the address under which other nodes reach this one.
	My string
	// Group is the group that a new node wants to be in; 0 lets Zero choose.
	Group uint32
	// Learner makes a new node one that holds a copy and serves reads, but does not vote.
	Learner bool
	// Pool connects to other Alphas; it stays the caller's to close. Without it the node is alone in its group.
	Pool *rpc.Pool
	// TickInterval is Raft's unit of time. Default 75 ms.
	TickInterval time.Duration
	// ZeroName names Zero in log lines: "zero at localhost:5080".
	ZeroName string
	// Version is what CheckVersion and /health say.
	Version string
	// Engine holds the posting lists instead of Badger in Dir, where an embedder wants another; it is the node's to close.
	Engine storage.Engine
	// MemoryBytes is the budget that caches and pending transactions share. Default 1 GiB.
	MemoryBytes int64
	// DiskReserveBytes is how much room on the disk is left alone: below it, writes are refused, and what was accepted
	// before uses it. At least MinDiskReserve; default 256 MiB.
	DiskReserveBytes int64
	// TxnAbortAfter is how long a transaction may be idle before it is aborted, and how long a snapshot stays readable.
	// Default 5 min.
	TxnAbortAfter time.Duration
	// MaxStaleness is how old a best-effort read may be: what was acknowledged longer before the read began is in its snapshot,
	// or it is refused. Default 5 min, as long as any snapshot stays readable; negative for no bound.
	MaxStaleness time.Duration
	// CompareInterval is the pause between two predicates of which the leader compares what the replicas of the group hold.
	// Default 1 min; negative for never.
	CompareInterval time.Duration
	// MoveBytesPerSecond bounds how fast a tablet that moves to this group is received. Default 64 MiB.
	MoveBytesPerSecond int
	Limits             Limits
	// Metrics is what the node adds its own to, and serves. Default one of its own.
	Metrics *metrics.Registry
	Logger  *slog.Logger
}

// MinDiskReserve is the least that DiskReserveBytes may be: it must hold the segments that the logs of an Alpha and a Zero
// on one disk allocate in advance, and what was accepted at that moment.
const MinDiskReserve = 128 << 20

// Limits bounds single requests.
type Limits struct {
	// Query bounds each query; a request may lower it for itself.
	Query QueryLimits
	// MutationEdges is how many N-Quads one request may hold. Default 1 million.
	MutationEdges int
	// RequestBytes is the largest request. Default 256 MiB.
	RequestBytes int
	// InFlight is how many requests may be worked on at once. Default 10,000.
	InFlight int
}

func (c *Config) setDefaults() {
	orDefault(&c.MemoryBytes, 1<<30)
	orDefault(&c.DiskReserveBytes, 256<<20)
	orDefault(&c.TxnAbortAfter, 5*time.Minute)
	orDefault(&c.MaxStaleness, 5*time.Minute)
	orDefault(&c.MoveBytesPerSecond, 64<<20)
	orDefault(&c.CompareInterval, time.Minute)
	c.Limits.Query.setDefaults(c.MemoryBytes)
	orDefault(&c.Limits.MutationEdges, 1_000_000)
	orDefault(&c.Limits.RequestBytes, 256<<20)
	orDefault(&c.Limits.InFlight, 10_000)
	orDefault(&c.ZeroName, "zero")
	if c.Metrics == nil {
		c.Metrics = metrics.New(c.Version)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
