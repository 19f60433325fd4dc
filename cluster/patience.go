package cluster

import (
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
	pause, most := p.First, p.Most
	if pause == 0 {
		pause = 50 * time.Millisecond
	}
	if most == 0 {
		most = 2 * time.Second
	}
	for waiting := false; ; waiting = true {
		err := fn(ctx)
		if err == nil {
			if waiting {
				p.Logger.Info("the peer is back", "peer", p.Peer)
			}
			return nil
		}
		if c := fault.ClassOf(err); ctx.Err() != nil || c != fault.Unavailable && c != fault.Unknown {
			return err
		}
		if !waiting {
			p.Logger.Warn("waiting for a peer", "peer", p.Peer, "err", err)
		}
		if err := sleep.For(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, most)
	}
}
