package metrics

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Emit takes one value of a family, with the values of its labels in the order in which they were declared.
type Emit func(value float64, labels ...string)

// Set is families whose values are read at a scrape, and histograms. It implements prometheus.Collector. Fill it before it is
// registered.
type Set struct {
	always   prometheus.Labels
	families []family
	others   []prometheus.Collector
}

type family struct {
	desc *prometheus.Desc
	typ  prometheus.ValueType
	read func(Emit)
}

// NewSet returns an empty set. Every family of it has these labels, too.
func NewSet(always map[string]string) *Set { return &Set{always: always} }

// Labels returns the labels that every family of the set has.
func (s *Set) Labels() prometheus.Labels { return maps.Clone(s.always) }

// Gauge adds what goes up and down.
func (s *Set) Gauge(name, help string, read func() float64) {
	s.Gauges(name, help, nil, func(emit Emit) { emit(read()) })
}

// Counter adds what only goes up, as long as the process runs.
func (s *Set) Counter(name, help string, read func() float64) {
	s.Counters(name, help, nil, func(emit Emit) { emit(read()) })
}

// Gauges adds a family with labels: read emits each value once.
func (s *Set) Gauges(name, help string, labels []string, read func(Emit)) {
	s.add(name, help, labels, prometheus.GaugeValue, read)
}

// Counters adds a family of counters with labels.
func (s *Set) Counters(name, help string, labels []string, read func(Emit)) {
	s.add(name, help, labels, prometheus.CounterValue, read)
}

// Add adds collectors that have the set's labels already.
func (s *Set) Add(others ...prometheus.Collector) { s.others = append(s.others, others...) }

func (s *Set) add(name, help string, labels []string, typ prometheus.ValueType, read func(Emit)) {
	s.families = append(s.families, family{prometheus.NewDesc(name, help, slices.Clone(labels), s.always), typ, read})
}

// Describe implements prometheus.Collector.
func (s *Set) Describe(out chan<- *prometheus.Desc) {
	for _, f := range s.families {
		out <- f.desc
	}
	for _, o := range s.others {
		o.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (s *Set) Collect(out chan<- prometheus.Metric) {
	for _, f := range s.families {
		f.read(func(value float64, labels ...string) {
			m, err := prometheus.NewConstMetric(f.desc, f.typ, value, labels...)
			if err != nil {
				m = prometheus.NewInvalidMetric(f.desc, err) // the scrape shows it
			}
			out <- m
		})
	}
	for _, o := range s.others {
		o.Collect(out)
	}
}

// Bool is a gauge's value of a yes or no.
func Bool(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Seconds are the bounds of a histogram from low on, each twice the one before, in seconds.
func Seconds(low float64, n int) []float64 { return prometheus.ExponentialBuckets(low, 2, n) }
