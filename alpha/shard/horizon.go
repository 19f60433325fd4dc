package shard

import (
	"sync"
	"time"

	"dragg/graph"
	"dragg/internal/fault"
)

// horizon knows which snapshots may still be read: those that began within the last keep, and those being read now.
type horizon struct {
	mu      sync.Mutex
	marks   []horizonMark           // guarded by mu: which watermark was current when, oldest first
	floor   graph.Timestamp         // guarded by mu: reads below are refused
	reading map[graph.Timestamp]int // guarded by mu
}

type horizonMark struct {
	at time.Time
	ts graph.Timestamp
}

// enter registers a reader at ts and returns what ends it. A snapshot that is too old is refused.
func (h *horizon) enter(ts graph.Timestamp) (leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ts < h.floor {
		return nil, fault.New(fault.Aborted, "the snapshot at %d is too old to be read, the oldest is %d: begin a new transaction",
			ts, h.floor)
	}
	if h.reading == nil {
		h.reading = map[graph.Timestamp]int{}
	}
	h.reading[ts]++
	return func() { h.leave(ts) }, nil
}

func (h *horizon) leave(ts graph.Timestamp) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reading[ts]--; h.reading[ts] == 0 {
		delete(h.reading, ts)
	}
}

// note records that watermark is current now, and lets what is older than keep go.
func (h *horizon) note(now time.Time, watermark graph.Timestamp, keep time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.marks); n == 0 || now.Sub(h.marks[n-1].at) >= keep/64 {
		h.marks = append(h.marks, horizonMark{now, watermark})
	}
	for len(h.marks) > 0 && now.Sub(h.marks[0].at) >= keep {
		h.floor = max(h.floor, h.marks[0].ts)
		h.marks = h.marks[1:]
	}
}

// oldest returns the timestamp below which nobody reads or will read.
func (h *horizon) oldest() graph.Timestamp {
	h.mu.Lock()
	defer h.mu.Unlock()
	low := h.floor
	for ts := range h.reading {
		low = min(low, ts)
	}
	return low
}

// oldestReader is the timestamp below which nothing of this replica is read any more: by queries, by open transactions, by
// index builds, or by a replay of the log.
func (s *Shard) oldestReader() graph.Timestamp {
	low := s.horizon.oldest()
	s.mu.Lock()
	defer s.mu.Unlock()
	for ts := range s.pending {
		low = min(low, ts)
	}
	for _, t := range s.view.Load().tablets {
		if len(t.def.Building) > 0 {
			low = min(low, graph.Timestamp(t.set.Ts))
		}
	}
	return low
}
