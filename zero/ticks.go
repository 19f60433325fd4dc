package zero

import (
	"context"
	"iter"
	"time"
)

// ticks yields the time at every interval until ctx ends. A tick that comes while the last one is worked on is dropped.
func ticks(ctx context.Context, interval time.Duration) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				if !yield(now) {
					return
				}
			}
		}
	}
}
