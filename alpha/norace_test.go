//go:build !race

package alpha

import "time"

const (
	// crowded is how many nodes the queries of TestCancelledQueriesLeaveSoon go over: enough for each of them to take a while.
	crowded = 20_000
	// soon is how long after its client a query may stay.
	soon = 100 * time.Millisecond
)
