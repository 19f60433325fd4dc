package alpha

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"github.com/prometheus/client_golang/prometheus"

	"dragg/alpha/shard"
	"dragg/internal/fault"
	"dragg/internal/metrics"
	"dragg/storage/badgerkv"
)

// kind is what a client asked for.
type kind uint8

const (
	kindQuery  kind = iota // also one that a mutation's condition needs, when it is a request of its own
	kindMutate             // also upserts, and with the commit where that was asked for
	kindCommit
	kindAlter
	kinds
)

func (k kind) String() string { return [...]string{"query", "mutate", "commit", "alter"}[k] }

func kindOf(r *api.Request) kind {
	if len(r.Mutations) > 0 {
		return kindMutate
	}
	return kindQuery
}

// meters are what a node counts: its requests, once for each, and tablets that move here.
type meters struct {
	seconds [kinds]prometheus.Observer
	failed  [kinds][fault.NotFound + 1]atomic.Int64
	edges   atomic.Int64 // that queries followed

	received atomic.Int64         // bytes of tablets that moved here
	fences   prometheus.Histogram // how long their writers were held up

	requests *prometheus.HistogramVec
}

func newMeters() *meters {
	m := &meters{requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "dragg_request_duration_seconds", Help: "Requests of clients that were answered without an error, by kind.",
		Buckets: metrics.Seconds(0.0001, 20),
	}, []string{"kind"}), fences: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "dragg_move_fence_duration_seconds", Help: "How long writers of a tablet that moved here were held up.",
		Buckets: metrics.Seconds(0.001, 14),
	})}
	for k := range m.seconds {
		m.seconds[k] = m.requests.WithLabelValues(kind(k).String())
	}
	return m
}

// note counts a request that is over.
func (m *meters) note(k kind, began time.Time, err error) {
	if err != nil {
		m.failed[k][fault.ClassOf(err)].Add(1)
		return
	}
	m.seconds[k].Observe(time.Since(began).Seconds())
}

func (m *meters) failures(emit metrics.Emit) {
	for k := range m.failed {
		for c := range m.failed[k] {
			if n := m.failed[k][c].Load(); n > 0 {
				emit(float64(n), kind(k).String(), fault.Class(c).String())
			}
		}
	}
}

// metrics returns what the node shows beside what its Raft group does.
func (n *Node) metrics() *metrics.Set {
	s := metrics.NewSet(map[string]string{"group": strconv.Itoa(int(n.group))})
	s.Gauge("dragg_ready", "Whether the node is ready: see /ready.", func() float64 {
		r := n.Readiness()
		return metrics.Bool(r.Ready())
	})
	s.Counters("dragg_requests_failed_total", "Requests of clients that were answered with an error, by the class of the error.",
		[]string{"kind", "class"}, n.meters.failures)
	s.Gauge("dragg_requests_in_flight", "Requests of clients that are being worked on.", func() float64 { return float64(len(n.slots)) })
	s.Counter("dragg_query_edges_traversed_total", "Edges that queries followed.", func() float64 { return float64(n.meters.edges.Load()) })
	s.Gauge("dragg_query_memory_bytes", "Memory that running queries hold.", func() float64 { return float64(n.queries.Used()) })
	s.Add(n.meters.requests)
	n.showShard(s)
	n.showMoves(s)
	n.showStore(s)
	return s
}

// showMoves adds what the member did as the leader: tablets that it received, replicas that it compared.
func (n *Node) showMoves(s *metrics.Set) {
	s.Counter("dragg_move_received_bytes_total", "Bytes of tablets that moved here.", func() float64 {
		return float64(n.meters.received.Load())
	})
	s.Add(n.meters.fences)
	s.Counter("dragg_replica_comparisons_total", "Times that another replica's copy of a tablet was compared with this one.", func() float64 {
		return float64(n.compared.done.Load())
	})
	s.Counter("dragg_replica_comparisons_differing_total", "Comparisons that found a difference: damage.", func() float64 {
		return float64(n.compared.differing.Load())
	})
}

// showShard adds what the replica has in hand.
func (n *Node) showShard(s *metrics.Set) {
	s.Gauge("dragg_stream_watermark_timestamp", "Commit timestamp up to which this replica has every verdict.", func() float64 {
		return float64(n.shard.Watermark())
	})
	s.Gauge("dragg_stream_staleness_seconds", "For how long this replica has not known of the newest commits.", func() float64 {
		return n.fresh.age().Seconds()
	})
	s.Gauge("dragg_stream_position", "Last event of Zero's stream that is applied.", func() float64 { return float64(n.shard.Seq()) })
	s.Gauge("dragg_tablets_served", "Tablets that the group serves.", func() float64 { return float64(len(n.shard.Tablets())) })
	read := func() (shard.Work, error) { return n.shard.Work(), nil }
	metrics.Gauges(s, read,
		metrics.Of("dragg_transactions_pending", "Open transactions that wrote to the group.", func(w shard.Work) int { return w.Transactions }),
		metrics.Of("dragg_transactions_pending_bytes", "Changes of open transactions.", func(w shard.Work) int { return w.PendingBytes }),
		metrics.Of("dragg_tablets_retired", "Tablet copies whose bytes wait for deletion.", func(w shard.Work) int { return w.Retired }),
		metrics.Of("dragg_tablets_building", "Tablets with an index that is not complete here.", func(w shard.Work) int { return w.Building }),
		metrics.Of("dragg_posting_cache_lists", "Posting lists in the cache.", func(w shard.Work) int { return w.CacheLists }),
		metrics.Of("dragg_posting_cache_bytes", "Memory of the lists in the cache.", func(w shard.Work) int64 { return w.CacheBytes }),
	)
	metrics.Counters(s, read,
		metrics.Of("dragg_posting_cache_hits_total", "Lists that were read from the cache.", func(w shard.Work) int64 { return w.CacheHits }),
		metrics.Of("dragg_posting_cache_misses_total", "Lists that had to be loaded.", func(w shard.Work) int64 { return w.CacheMisses }),
	)
}

// showStore adds how the files of the store lie, and how much room the disk has.
func (n *Node) showStore(s *metrics.Set) {
	s.Gauge("dragg_disk_reserve_bytes", "Room on the disk below which writes are refused.", func() float64 {
		return float64(n.cfg.DiskReserveBytes)
	})
	metrics.Gauges(s, n.storeStats,
		metrics.Of("dragg_disk_free_bytes", "Room on the disk of the data.", func(st badgerkv.Stats) int64 { return st.FreeBytes }),
		metrics.Of("dragg_store_table_bytes", "Files of the store's tables.", func(st badgerkv.Stats) int64 { return st.TableBytes }),
		metrics.Of("dragg_store_value_log_bytes", "Files of the store's value log.", func(st badgerkv.Stats) int64 { return st.ValueLogBytes }),
	)
	level := func(name, help string, of func(badgerkv.Level) float64) {
		s.Gauges(name, help, []string{"level"}, func(emit metrics.Emit) {
			st, err := n.storeStats()
			if err != nil {
				return
			}
			for i, l := range st.Levels {
				emit(of(l), strconv.Itoa(i))
			}
		})
	}
	level("dragg_store_level_bytes", "Tables of a level.", func(l badgerkv.Level) float64 { return float64(l.Bytes) })
	level("dragg_store_level_tables", "How many tables a level has.", func(l badgerkv.Level) float64 { return float64(l.Tables) })
	level("dragg_store_level_score", "Above 1 where a compaction of the level is due.", func(l badgerkv.Level) float64 { return l.Score })
}

// storeStats asks the engine, unless it is being closed.
func (n *Node) storeStats() (badgerkv.Stats, error) {
	e, ok := n.engine.(interface {
		Stats() (badgerkv.Stats, error)
	})
	if !ok || !n.door.TryRLock() {
		return badgerkv.Stats{}, errNotReady
	}
	defer n.door.RUnlock()
	return e.Stats()
}
