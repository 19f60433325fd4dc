// Package workload is what clients do to a cluster while it is disturbed, and what must be true of what they saw. The workloads are
// those of the published analyses of databases with this API, and a list that is read, changed and written whole. Their predicates are
// disjoint, so all of them share one cluster.
//
// Each workload records every operation as a transaction of package cycle: what was asked, what was seen, when, and how it ended. An
// operation fails only if it surely did not happen: nothing was sent that could commit it, or the answer says so. Everything else that
// is no success is unknown, and every checker takes it for both.
//
// Checks look at records alone and are tested with records made by hand, wrong ones above all.
//
// Threading: a workload is safe for concurrent use by clients; Check is called when they have stopped. A Client belongs to one goroutine.
package workload
