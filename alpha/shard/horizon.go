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

// enter registers a reader at ts, until leave. A snapshot that is too old is refused.
func (h *horizon) enter(ts graph.Timestamp) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ts < h.floor {
		return fault.New(fault.Aborted, "the snapshot at %d is too old to be read, the oldest is %d: begin a new transaction",
			ts, h.floor)
	}
	if h.reading == nil {
		h.reading = map[graph.Timestamp]int{}
	}
	h.reading[ts]++
	return nil
}

func (h *horizon) leave(ts graph.Timestamp) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reading[ts]--; h.reading[ts] == 0 {
		delete(h.reading, ts)
	}
}

// begin forgets what was current when, and refuses readers below floor.
func (h *horizon) begin(floor graph.Timestamp) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.marks, h.floor = nil, max(h.floor, floor)
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

// snapshots returns the timestamp below which reads are refused, now and for ever.
func (h *horizon) snapshots() graph.Timestamp {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.floor
}

// active returns the lowest timestamp that is being read now, limit when there is none below it.
func (h *horizon) active(limit graph.Timestamp) graph.Timestamp {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ts := range h.reading {
		limit = min(limit, ts)
	}
	return limit
}

// noteInUse publishes the timestamp below which nothing is in use: by queries that run, open transactions or index builds.
// It is what lists are folded up to. Snapshots that are merely still allowed, down to the horizon, are not in use: they find
// what they need on disk, where nothing above the horizon is forgotten.
func (s *Shard) noteInUse() {
	view := s.view.Load()
	low := s.horizon.active(view.watermark)
	low = view.unbuilt(low)
	s.mu.Lock()
	for ts := range s.pending {
		low = min(low, ts)
	}
	s.mu.Unlock()
	s.inUse.Store(uint64(low))
}

// unbuilt returns the lowest timestamp that an index build still needs, limit when there is none below it.
func (p *published) unbuilt(limit graph.Timestamp) graph.Timestamp {
	for _, t := range p.tablets {
		for _, o := range t.owed {
			limit = min(limit, o.ts)
		}
	}
	return limit
}

// discardable returns the timestamp below which versions may be forgotten for good, once the state v is durable.
func (s *Shard) discardable(v *published) graph.Timestamp {
	return v.held(v.unbuilt(min(v.watermark, s.horizon.snapshots(), graph.Timestamp(s.inUse.Load()))))
}
