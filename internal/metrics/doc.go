// Package metrics is what a node shows to Prometheus: a registry of its own, and families that are read when somebody asks.
//
// What a node counts anyway, in atomic counters or under its locks, costs nothing more until it is scraped: a Set holds functions
// that read it. Only durations are observed as they happen, once a request or once a sync, by Prometheus's own histograms, which
// take no lock.
//
// Every family starts with dragg_, has its unit last, and stands in docs/metrics.md; a test compares the two.
package metrics
