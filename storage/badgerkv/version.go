package badgerkv

import (
	"math"

	"dragg/graph"
	"dragg/storage"
)

// A version in Badger is a timestamp and, as the lowest bit, whether it is folded: a rollup's version stands in front of
// the one that was committed at its timestamp, and outlives that being written again.

// maxTimestamp is the largest timestamp that has a version.
const maxTimestamp = graph.Timestamp(math.MaxUint64 >> 1)

// version returns the version under which a change is stored.
func version(op *storage.Op) uint64 {
	v := uint64(min(op.Ts, maxTimestamp)) << 1
	if op.Folded {
		v |= 1
	}
	return v
}

// upTo returns the largest version at or below ts.
func upTo(ts graph.Timestamp) uint64 { return uint64(min(ts, maxTimestamp))<<1 | 1 }

// timestamp returns the timestamp of a version.
func timestamp(version uint64) graph.Timestamp { return graph.Timestamp(version >> 1) }
