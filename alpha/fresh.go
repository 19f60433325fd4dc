package alpha

import (
	"context"
	"sync/atomic"
	"time"

	"dragg/internal/fault"
)

// freshness is what this replica knows of the age of its snapshot: best-effort reads are answered from that without asking anybody,
// and refused where it may be too old.
type freshness struct {
	bound time.Duration // of the age; negative for none
	base  time.Time
	known atomic.Int64 // nanoseconds since base: what was acknowledged before is at or below the watermark
}

// note says that everything that was acknowledged before asked is at or below the watermark, which never moves back.
func (f *freshness) note(asked time.Time) {
	at := int64(asked.Sub(f.base))
	for old := f.known.Load(); at > old && !f.known.CompareAndSwap(old, at); old = f.known.Load() {
	}
}

// age returns for how long nothing is known of further commits.
func (f *freshness) age() time.Duration { return time.Since(f.base) - time.Duration(f.known.Load()) }

// check returns an error of class fault.Unavailable where the snapshot may be older than the bound.
func (f *freshness) check() error {
	age := f.age()
	if f.bound < 0 || age <= f.bound {
		return nil
	}
	return fault.New(fault.Unavailable, "this replica has not known of the newest commits for %v, best-effort reads are refused after %v "+
		"(--max-staleness); ask another replica or try again later", age.Round(100*time.Millisecond), f.bound)
}

// Bounds of how a replica finds out how old its snapshot is.
const (
	// freshProbes is how often it does so within the bound.
	freshProbes = 8
	// maxFreshPause and minFreshPause bound the pause in between.
	maxFreshPause = 5 * time.Second
	minFreshPause = 100 * time.Millisecond
	// freshPatience is how long one attempt may take.
	freshPatience = 2 * time.Second
)

// watchFreshness finds out, again and again, whether this replica has every commit: as a strong read does, by asking a majority of
// the Zeros for the highest one, and waiting for it. So a replica that is cut off from its leader or from Zero knows that it does not
// know, and one of a cluster at rest that it does.
func (n *Node) watchFreshness(ctx context.Context) error {
	interval := maxFreshPause
	if n.fresh.bound > 0 {
		interval = min(max(n.fresh.bound/freshProbes, minFreshPause), maxFreshPause)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for refused := false; ; {
		n.probe(ctx)
		if err := n.fresh.check(); (err != nil) != refused && n.Ready() && ctx.Err() == nil {
			if refused = err != nil; refused {
				n.lg.Warn("best-effort reads are refused", "why", err)
			} else {
				n.lg.Info("best-effort reads are answered again")
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// probe is one attempt. It draws its timestamp alone: its end must not be that of requests that share a drawing.
func (n *Node) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freshPatience)
	defer cancel()
	asked := time.Now()
	_, after, err := n.zero.Timestamps(ctx, 1)
	if err == nil {
		err = n.shard.WaitTimestamp(ctx, after)
	}
	if err == nil {
		n.fresh.note(asked)
	}
}
