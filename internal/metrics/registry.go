package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry is what one node shows. It is safe for concurrent use.
type Registry struct{ all *prometheus.Registry }

// New returns a registry that shows the Go runtime, the process, and which version runs.
func New(version string) *Registry {
	r := &Registry{all: prometheus.NewRegistry()}
	build := NewSet(nil)
	build.Gauges("dragg_build_info", "1, labelled with the version that runs.", []string{"version"}, func(emit Emit) { emit(1, version) })
	r.all.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build, // no two alike
	)
	return r
}

// Register adds collectors. An error says that there is one alike already.
func (r *Registry) Register(all ...prometheus.Collector) error {
	for _, c := range all {
		if err := r.all.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// Gatherer returns what reads everything.
func (r *Registry) Gatherer() prometheus.Gatherer { return r.all }

// Handler serves everything in Prometheus's text format. It leaves compression to whoever serves it.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.all, promhttp.HandlerOpts{DisableCompression: true})
}
