package raftgroup

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"dragg/internal/metrics"
)

// meters are what a member measures of itself beside its status.
type meters struct {
	proposalSeconds prometheus.Histogram
	syncSeconds     prometheus.Histogram

	failed        atomic.Int64 // proposals that were not carried out, as far as is known
	leaderChanges atomic.Int64
	checkpoints   atomic.Int64
	sent          atomic.Int64 // snapshots
	sentBytes     atomic.Int64
	restored      atomic.Int64
	restoreFailed atomic.Int64
	resumed       atomic.Int64
	receivedBytes atomic.Int64
}

func newMeters() *meters {
	m := &meters{}
	m.proposalSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "dragg_raft_proposal_duration_seconds", Help: "From a proposal on this node to its result, applied here.",
		Buckets: metrics.Seconds(0.0001, 18),
	})
	m.syncSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "dragg_raft_wal_sync_duration_seconds", Help: "Writing to the Raft log and syncing it.",
		Buckets: metrics.Seconds(0.00005, 18),
	})
	return m
}

// Metrics returns what the member shows of itself, labelled with its group.
func (g *Group) Metrics() *metrics.Set {
	m := g.meters
	s := metrics.NewSet(map[string]string{"group": strconv.FormatUint(uint64(g.cfg.Identity.Group), 10)})
	metrics.Gauges(s, func() (Status, error) { return g.Status(), nil },
		metrics.Of("dragg_raft_term", "Raft's term.", func(st Status) uint64 { return st.Term }),
		metrics.Of("dragg_raft_has_leader", "Whether it knows a leader.", func(st Status) float64 { return metrics.Bool(st.Leader != 0) }),
		metrics.Of("dragg_raft_is_leader", "Whether it leads.", func(st Status) float64 { return metrics.Bool(st.Leading) }),
		metrics.Of("dragg_raft_commit_index", "Log index that is committed.", func(st Status) uint64 { return st.Commit }),
		metrics.Of("dragg_raft_applied_index", "Log index that is applied here.", func(st Status) uint64 { return st.Applied }),
		metrics.Of("dragg_raft_apply_lag_entries", "Entries that are committed and not applied here.", applyLag),
	)
	s.Gauges("dragg_raft_members", "Members of the group, as of what is applied here.", []string{"role"}, func(emit metrics.Emit) {
		conf := g.Status().Members
		emit(float64(len(conf.GetVoters())), "voter")
		emit(float64(len(conf.GetLearners())), "learner")
	})
	s.Gauges("dragg_raft_follower_lag_entries", "Entries that a follower does not have; on the leader.", []string{"member"}, g.followerLag)
	g.countWork(s)
	s.Add(m.proposalSeconds, m.syncSeconds)
	return s
}

// countWork adds what the member has done and has to do.
func (g *Group) countWork(s *metrics.Set) {
	m := g.meters
	count := func(name, help string, n *atomic.Int64) {
		s.Counter(name, help, func() float64 { return float64(n.Load()) })
	}
	count("dragg_raft_proposals_failed_total", "Proposals that were refused or whose outcome is unknown here.", &m.failed)
	count("dragg_raft_leader_changes_total", "Elections that the member learned the winner of.", &m.leaderChanges)
	count("dragg_raft_checkpoints_total", "Times that the state was made durable and the log trimmed.", &m.checkpoints)
	count("dragg_raft_snapshots_sent_total", "States that were sent to another member, whole.", &m.sent)
	count("dragg_raft_snapshot_sent_bytes_total", "Bytes of states that were sent to other members.", &m.sentBytes)
	count("dragg_raft_snapshots_restored_total", "States that were taken over from another member.", &m.restored)
	count("dragg_raft_snapshots_failed_total", "States of another member that could not be taken over.", &m.restoreFailed)
	count("dragg_raft_snapshots_resumed_total", "Transfers from another member that went on where one had broken off.", &m.resumed)
	count("dragg_raft_snapshot_received_bytes_total", "Bytes of states that came from other members.", &m.receivedBytes)
	s.Gauge("dragg_raft_proposals_pending", "Proposals of this node that wait for their result.", func() float64 {
		return float64(g.waiting.len())
	})
	s.Gauge("dragg_raft_apply_queue_bytes", "What is committed and waits to be applied.", func() float64 { return float64(g.queue.size()) })
	s.Gauge("dragg_raft_log_uncheckpointed_bytes", "Log that was applied since the last checkpoint.", func() float64 {
		return float64(g.logBytes.Load())
	})
}

// applyLag is at least 0: the commit index is as of the last tick.
func applyLag(st Status) float64 { return float64(max(st.Commit, st.Applied) - st.Applied) }

func (g *Group) followerLag(emit metrics.Emit) {
	st := g.Status()
	for _, p := range st.Progress {
		emit(float64(max(st.Commit, p.Match)-p.Match), strconv.FormatUint(p.ID, 10))
	}
}
