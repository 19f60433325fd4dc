package metrics

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// A registry shows what its sets read at the moment of the scrape, with the labels of the set, beside the process's own families.
func TestRegistryShowsWhatSetsRead(t *testing.T) {
	r := New("v7")
	s := NewSet(map[string]string{"group": "2"})
	n := 0.0
	s.Counter("dragg_things_total", "Things.", func() float64 { n++; return n })
	var broken error
	Gauges(s, func() (int, error) { return 5, broken }, Of("dragg_both", "Both.", func(n int) int { return n }),
		Of("dragg_twice", "Twice.", func(n int) int { return 2 * n }))
	s.Gauges("dragg_sizes_bytes", "Sizes.", []string{"of"}, func(emit Emit) { emit(3, "a"); emit(4, "b") })
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "dragg_took_seconds", Help: "Took.", Buckets: Seconds(1, 3)})
	h.Observe(3)
	s.Add(h)
	if err := r.Register(s); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{
		{
			`dragg_things_total{group="2"} 1`, `dragg_both{group="2"} 5`, `dragg_twice{group="2"} 10`, `dragg_sizes_bytes{group="2",of="a"} 3`, `dragg_sizes_bytes{group="2",of="b"} 4`,
			`dragg_took_seconds_bucket{group="2",le="2"} 0`, `dragg_took_seconds_bucket{group="2",le="4"} 1`,
			`dragg_build_info{version="v7"} 1`, "go_goroutines ", "process_resident_memory_bytes ",
		},
		{`dragg_things_total{group="2"} 2`},
	} {
		out := httptest.NewRecorder()
		r.Handler().ServeHTTP(out, httptest.NewRequest("GET", "/metrics", nil))
		body, err := io.ReadAll(out.Body)
		if err != nil || out.Code != 200 {
			t.Fatal(out.Code, err)
		}
		for _, line := range want {
			if !strings.Contains(string(body), "\n"+line) {
				t.Errorf("no line %s in\n%s", line, body)
			}
		}
	}
	broken = errors.New("cannot be read")
	families, err := r.Gatherer().Gather()
	if err != nil {
		t.Error(err)
	}
	for _, f := range families {
		if f.GetName() == "dragg_both" || f.GetName() == "dragg_twice" {
			t.Error("what cannot be read is shown:", f)
		}
	}
	if err := r.Register(s); err == nil {
		t.Error("the same set was registered twice")
	}
}

// A value with the wrong labels fails the scrape instead of being shown under others.
func TestWrongLabelsAreSeen(t *testing.T) {
	r := New("")
	s := NewSet(nil)
	s.Gauges("dragg_odd", "Odd.", []string{"a", "b"}, func(emit Emit) { emit(1, "only one") })
	if err := r.Register(s); err != nil {
		t.Fatal(err)
	}
	out := httptest.NewRecorder()
	r.Handler().ServeHTTP(out, httptest.NewRequest("GET", "/metrics", nil))
	if out.Code == 200 {
		t.Error("the scrape succeeded")
	}
}
