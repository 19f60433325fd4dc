// Package sleep waits for a time, but not longer than anybody waits for the sleeper.
package sleep

import (
	"context"
	"time"
)

// For returns nil after d, or the error of ctx as soon as that ends.
func For(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
