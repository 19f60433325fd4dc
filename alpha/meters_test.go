package alpha

import (
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"dragg/alpha/move"
	"dragg/internal/metrics"
	"dragg/zero"
)

// described returns the names of the project's families that a registry may show.
func described(t *testing.T, r *metrics.Registry) map[string]bool {
	t.Helper()
	all, ok := r.Gatherer().(prometheus.Collector)
	if !ok {
		t.Fatal("the registry does not describe itself")
	}
	out := make(chan *prometheus.Desc)
	go func() { all.Describe(out); close(out) }()
	names, name := map[string]bool{}, regexp.MustCompile(`fqName: "(dragg_[a-z_]+)"`)
	for d := range out {
		if m := name.FindStringSubmatch(d.String()); m != nil {
			names[m[1]] = true
		}
	}
	return names
}

// Goal: docs/metrics.md names exactly what nodes show. Method: compare what the registries of a Zero and an Alpha describe with the
// first column of the tables.
func TestMetricsAreDocumented(t *testing.T) {
	zeroMetrics := metrics.New("v7")
	n := plan{disk: true, zeroCfg: zero.Config{Metrics: zeroMetrics}}.start(t)
	text, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(dragg_[a-z_]+)` \\|").FindAllSubmatch(text, -1) {
		written[string(m[1])] = true
	}
	shown := described(t, n.cfg.Metrics)
	maps.Copy(shown, described(t, zeroMetrics))
	if len(shown) < 30 {
		t.Fatalf("only %d families are described", len(shown))
	}
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if !written[name] {
			t.Errorf("%s is not in docs/metrics.md", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if !shown[name] {
			t.Errorf("docs/metrics.md names %s, which no node shows", name)
		}
	}
}

// value returns what a family shows under labels "name=value"; of a histogram how often it observed.
func value(t *testing.T, r *metrics.Registry, family string, labels ...string) float64 {
	t.Helper()
	families, err := r.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != family {
			continue
		}
		for _, m := range f.Metric {
			if !slices.ContainsFunc(labels, func(l string) bool { return !labelled(m, l) }) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}

func labelled(m *dto.Metric, label string) bool {
	return slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName()+"="+l.GetValue() == label })
}

// Requests are counted once, by kind, and failures by class; the replica shows open transactions, its cache and its disk; Zero shows
// verdicts and how far the stream is.
func TestMetricsCountWhatHappens(t *testing.T) {
	zeroMetrics := metrics.New("v7")
	n := plan{disk: true, zeroCfg: zero.Config{Metrics: zeroMetrics}}.start(t)
	n.alter(t, "name: string @index(exact) .")
	n.set(t, `_:a <name> "ann" .`)
	n.ask(t, `{ q(func: eq(name, "ann")) { name } }`)
	n.ask(t, `{ q(func: eq(name, "ann")) { name } }`)
	if _, err := n.Do(t.Context(), &api.Request{Query: "{"}, Options{}); err == nil {
		t.Error("half a query was answered")
	}
	open, err := n.Do(t.Context(), setting(0, `_:b <name> "ben" .`, false), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for family, want := range map[string]float64{
		"dragg_request_duration_seconds kind=query": 2, "dragg_request_duration_seconds kind=mutate": 2,
		"dragg_request_duration_seconds kind=alter": 1, "dragg_request_duration_seconds kind=commit": 0,
		"dragg_requests_failed_total kind=query class=invalid": 1, "dragg_requests_in_flight": 0,
		"dragg_transactions_pending": 1, "dragg_ready": 1, "dragg_disk_reserve_bytes": 256 << 20, "dragg_raft_is_leader group=1": 1,
	} {
		parts := strings.Split(family, " ")
		if got := value(t, n.cfg.Metrics, parts[0], parts[1:]...); got != want {
			t.Errorf("%s is %v, want %v", family, got, want)
		}
	}
	for _, family := range []string{
		"dragg_query_edges_traversed_total", "dragg_posting_cache_misses_total", "dragg_posting_cache_hits_total", "dragg_posting_cache_bytes",
		"dragg_transactions_pending_bytes", "dragg_disk_free_bytes", "dragg_stream_watermark_timestamp", "dragg_stream_position",
		"dragg_tablets_served", "dragg_stream_staleness_seconds",
	} {
		if value(t, n.cfg.Metrics, family) <= 0 {
			t.Errorf("%s is %v", family, value(t, n.cfg.Metrics, family))
		}
	}
	if _, err := n.CommitOrAbort(t.Context(), &api.TxnContext{StartTs: open.Txn.StartTs, Keys: open.Txn.Keys, Preds: open.Txn.Preds, Aborted: true}); err != nil {
		t.Fatal(err)
	}
	if got := value(t, zeroMetrics, "dragg_zero_aborts_total", "reason=discarded"); got != 1 {
		t.Errorf("%v transactions were discarded", got)
	}
	if got := value(t, zeroMetrics, "dragg_zero_commits_total"); got != 1 {
		t.Errorf("%v transactions committed", got)
	}
	for _, path := range []string{"/metrics", "/debug/prometheus_metrics"} {
		out := httptest.NewRecorder()
		n.Handler().ServeHTTP(out, httptest.NewRequest("GET", path, nil))
		if body := out.Body.String(); out.Code != 200 || !strings.Contains(body, `dragg_requests_failed_total{class="invalid",group="1",kind="query"} 1`) {
			t.Errorf("%s: %d %s", path, out.Code, body)
		}
	}
	n.kill()
	if got := value(t, n.cfg.Metrics, "dragg_store_table_bytes"); got != 0 {
		t.Errorf("the engine was asked after it was closed: %v", got)
	}
}

// What arrives of a tablet that moves is counted once, also when it is tried again, and each fence once.
func TestMetricsOfMoves(t *testing.T) {
	n := plan{}.start(t)
	for _, p := range []move.Progress{
		{Move: 7, Bytes: 100}, {Move: 7, Bytes: 250}, {Move: 7, Bytes: 250, Fenced: 3 * time.Second}, // lifted
		{Move: 7}, {Move: 7, Bytes: 50}, {Move: 8, Bytes: 1}, {Move: 7, Bytes: 50, Fenced: time.Second},
	} {
		n.noteMove(p)
	}
	if got := value(t, n.cfg.Metrics, "dragg_move_received_bytes_total"); got != 301 {
		t.Errorf("%v bytes", got)
	}
	if got := value(t, n.cfg.Metrics, "dragg_move_fence_duration_seconds"); got != 2 {
		t.Errorf("%v fences", got)
	}
}

// BenchmarkNote is what a request pays for being counted.
func BenchmarkNote(b *testing.B) {
	m := newMeters()
	for b.Loop() {
		m.note(kindQuery, time.Now(), nil)
	}
}
