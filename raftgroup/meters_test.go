package raftgroup

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"dragg/internal/metrics"
)

// shown returns the values of a group's families that have no labels but the group; histograms by how often they observed.
func shown(t *testing.T, g *Group) map[string]float64 {
	t.Helper()
	r := metrics.New("")
	if err := r.Register(g.Metrics()); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		m := f.Metric[0]
		switch {
		case m.Histogram != nil:
			out[f.GetName()] = float64(m.Histogram.GetSampleCount())
		case m.Counter != nil:
			out[f.GetName()] = m.Counter.GetValue()
		case m.Gauge != nil:
			out[f.GetName()] = m.Gauge.GetValue()
		}
	}
	return out
}

// A member shows what it did: proposals with their latency, syncs of the log, checkpoints, who leads, how far it is.
func TestMetricsOfAMember(t *testing.T) {
	m := openSum(&sumDisk{})
	g, stop := startGroup(t, t.TempDir(), m, 0)
	for range 10 {
		add(t, g, 1)
	}
	if err := g.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	got := shown(t, g)
	for name, want := range map[string]float64{
		"dragg_raft_proposal_duration_seconds": 10, "dragg_raft_checkpoints_total": 1, "dragg_raft_has_leader": 1, "dragg_raft_is_leader": 1,
		"dragg_raft_leader_changes_total": 1, "dragg_raft_proposals_pending": 0, "dragg_raft_proposals_failed_total": 0,
		"dragg_raft_log_uncheckpointed_bytes": 0, "dragg_raft_apply_lag_entries": 0, "dragg_raft_apply_queue_bytes": 0,
		"dragg_raft_applied_index": float64(g.Applied()), "dragg_raft_term": float64(g.Status().Term),
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, want)
		}
	}
	if got["dragg_raft_wal_sync_duration_seconds"] < 10 {
		t.Errorf("%v syncs for 10 proposals one after the other", got["dragg_raft_wal_sync_duration_seconds"])
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := propose(g, 1, 0); err == nil {
		t.Error("a group that has stopped took a proposal")
	}
	if n := shown(t, g)["dragg_raft_proposals_failed_total"]; n != 1 {
		t.Errorf("%v proposals failed", n)
	}
	if problems, err := testutil.CollectAndLint(g.Metrics()); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
