package cluster

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"dragg/internal/fault"
	"dragg/internal/sleep"
)

// Patience calls a peer until it answers. It says so once when the peer is missing and once when it is back, however often it
// tries.
type Patience struct {
	Peer   string // "zero at localhost:5080"
	Logger *slog.Logger
	// First and Most bound the pause between two tries; it doubles. Defaults 50 ms and 2 s.
	First, Most time.Duration
}

// Do calls fn until it returns nil or an error that another try cannot mend (its class is neither Unavailable nor Unknown),
// or ctx ends.
func (p Patience) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return p.Follow(ctx, func(ctx context.Context, _ func()) error { return fn(ctx) })
}

// Follow is Do for a call that lasts as long as the peer is there: fn calls there when it has heard of the peer, however often. What
// breaks off after that is another absence, with pauses that begin anew.
func (p Patience) Follow(ctx context.Context, fn func(ctx context.Context, there func()) error) error {
	first, most := cmp.Or(p.First, 50*time.Millisecond), cmp.Or(p.Most, 2*time.Second)
	pause, waiting := first, false
	there := func() {
		if waiting {
			p.Logger.Info("the peer is back", "peer", p.Peer)
		}
		pause, waiting = first, false
	}
	for {
		err := fn(ctx, there)
		if err == nil {
			there()
			return nil
		}
		if c := fault.ClassOf(err); ctx.Err() != nil || c != fault.Unavailable && c != fault.Unknown {
			return err
		}
		if !waiting {
			p.Logger.Warn("waiting for a peer", "peer", p.Peer, "err", err)
			waiting = true
		}
		if err := sleep.For(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, most)
	}
}
