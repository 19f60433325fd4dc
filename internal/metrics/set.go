package metrics

import (
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

// family is one family, or several that are read together.
type family struct {
	descs []*prometheus.Desc
	read  func(emit func(family int, value float64, labels ...string))
	typ   prometheus.ValueType
}

// NewSet returns an empty set. Every family of it has these labels, too.
func NewSet(always map[string]string) *Set { return &Set{always: always} }

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

// Add adds collectors, which get the set's labels.
func (s *Set) Add(others ...prometheus.Collector) {
	for _, c := range others {
		s.others = append(s.others, prometheus.WrapCollectorWith(s.always, c))
	}
}

func (s *Set) add(name, help string, labels []string, typ prometheus.ValueType, read func(Emit)) {
	s.families = append(s.families, family{
		descs: []*prometheus.Desc{prometheus.NewDesc(name, help, slices.Clone(labels), s.always)}, typ: typ,
		read: func(emit func(int, float64, ...string)) {
			read(func(value float64, labels ...string) { emit(0, value, labels...) })
		},
	})
}

// Field is a family without labels whose value is part of a T.
type Field[T any] struct {
	name, help string
	of         func(T) float64
}

// Of returns a family whose value is what of returns.
func Of[T any, N int | int64 | uint64 | float64](name, help string, of func(T) N) Field[T] {
	return Field[T]{name, help, func(v T) float64 { return float64(of(v)) }}
}

// Gauges adds families that are read together, once a scrape. An error of read leaves them out of that scrape.
func Gauges[T any](s *Set, read func() (T, error), fields ...Field[T]) {
	together(s, prometheus.GaugeValue, read, fields)
}

// Counters is Gauges for what only goes up.
func Counters[T any](s *Set, read func() (T, error), fields ...Field[T]) {
	together(s, prometheus.CounterValue, read, fields)
}

func together[T any](s *Set, typ prometheus.ValueType, read func() (T, error), fields []Field[T]) {
	f := family{typ: typ, read: func(emit func(int, float64, ...string)) {
		v, err := read()
		if err != nil {
			return
		}
		for i := range fields {
			emit(i, fields[i].of(v))
		}
	}}
	for _, one := range fields {
		f.descs = append(f.descs, prometheus.NewDesc(one.name, one.help, nil, s.always))
	}
	s.families = append(s.families, f)
}

// Describe implements prometheus.Collector.
func (s *Set) Describe(out chan<- *prometheus.Desc) {
	for _, f := range s.families {
		for _, d := range f.descs {
			out <- d
		}
	}
	for _, o := range s.others {
		o.Describe(out)
	}
}

// Collect implements prometheus.Collector.
func (s *Set) Collect(out chan<- prometheus.Metric) {
	for _, f := range s.families {
		f.read(func(i int, value float64, labels ...string) {
			m, err := prometheus.NewConstMetric(f.descs[i], f.typ, value, labels...)
			if err != nil {
				m = prometheus.NewInvalidMetric(f.descs[i], err) // the scrape shows it
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
