package alpha

import (
	"context"
	"sync"
	"time"
)

// deadline is the context of a query whose time is bounded. Most queries are answered long before, so that it looks at the clock
// when it is asked, and has a timer only once somebody waits for it.
type deadline struct {
	context.Context //nolint:containedctx // the client's: this is one, too
	began           time.Time
	limit           time.Duration // none where it is not positive

	mu   sync.Mutex
	full context.Context    //nolint:containedctx // guarded by mu: ends by a timer; nil before it is needed
	stop context.CancelFunc // guarded by mu: of full
}

// newDeadline returns a context that ends with ctx, or with a timeoutError as its cause once limit is over, if that is positive. Call
// cancel in the end.
func newDeadline(ctx context.Context, limit time.Duration) *deadline {
	return &deadline{Context: ctx, began: time.Now(), limit: limit}
}

// timer returns the context that ends by a timer.
func (d *deadline) timer() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.full != nil:
	case d.limit > 0:
		d.full, d.stop = context.WithDeadlineCause(d.Context, d.began.Add(d.limit), &timeoutError{d.limit})
	default:
		d.full, d.stop = context.WithCancel(d.Context)
	}
	return d.full
}

// cancel ends what the context needs. Nobody may use it any more.
func (d *deadline) cancel() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop != nil {
		d.stop()
	}
}

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) {
	end, bounded := d.Context.Deadline()
	if own := d.began.Add(d.limit); d.limit > 0 && (!bounded || own.Before(end)) {
		return own, true
	}
	return end, bounded
}

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} { return d.timer().Done() }

// Err implements context.Context.
func (d *deadline) Err() error {
	if err := d.Context.Err(); err != nil || d.limit <= 0 || time.Since(d.began) < d.limit {
		return err
	}
	return d.timer().Err()
}

// Value implements context.Context. The cause of the end is among the values.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	full := d.full
	d.mu.Unlock()
	if full == nil {
		return d.Context.Value(key)
	}
	return full.Value(key)
}
