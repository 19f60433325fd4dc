package alpha

import (
	"context"
	"time"

	"dragg/cluster"
	"dragg/internal/fault"
	"dragg/internal/sleep"
	"dragg/protos/pb"
)

// streamPace is how long the stream may gather events after a delivery, as long as nobody waits for them.
const streamPace = 5 * time.Millisecond

// follow replicates Zero's stream to the group, for as long as ctx lasts, whatever happens to Zero.
func (n *Node) follow(ctx context.Context) error {
	p := cluster.Patience{Peer: n.cfg.ZeroName, Logger: n.lg}
	for ctx.Err() == nil {
		var from uint64
		err := p.Follow(ctx, func(ctx context.Context, there func()) error {
			from = n.shard.Seq()
			err := n.zero.Stream(ctx, n.group, from, func(b *pb.StreamBatch) error {
				there()
				if err := n.shard.Deliver(ctx, b); err != nil {
					return err
				}
				return n.shard.Pace(ctx, streamPace)
			})
			if ctx.Err() == nil && fault.ClassOf(err) == fault.Internal {
				return fault.New(fault.Unavailable, "Zero's stream broke off: %w", err)
			}
			return err
		})
		if err != nil && ctx.Err() == nil && !n.wasBehind(ctx, from) {
			return err
		}
	}
	return ctx.Err()
}

// wasBehind reports whether this member asked for events from a place where the group no longer was: Zero may have forgotten them, on
// the word of a leader that this one does not know of yet. It is so as long as a majority does not confirm that this one leads, or when
// it has applied more since.
func (n *Node) wasBehind(ctx context.Context, from uint64) bool {
	if _, err := n.raft.ReadIndex(ctx); err != nil {
		return sleep.For(ctx, moveRetry) == nil
	}
	return n.shard.Seq() > from
}

// ackInterval is how often Zero is told what it may forget.
const ackInterval = 500 * time.Millisecond

// acknowledge tells Zero how far the group has come. What is applied is in the group's log.
func (n *Node) acknowledge(ctx context.Context) error {
	ticker := time.NewTicker(ackInterval)
	defer ticker.Stop()
	var told uint64
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		seq := n.shard.Seq()
		if seq == told {
			continue
		}
		if err := n.zero.Acknowledge(ctx, &pb.Ack{Group: uint32(n.group), Seq: seq, Leader: n.id.Node}); err != nil {
			continue // the next round tells more
		}
		told = seq
	}
}

// reap aborts transactions that nobody uses any more.
func (n *Node) reap(ctx context.Context) error {
	ticker := time.NewTicker(min(n.cfg.TxnAbortAfter/4, 10*time.Second))
	defer ticker.Stop()
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now = <-ticker.C:
		}
		for _, start := range n.shard.Idle(now, n.cfg.TxnAbortAfter) {
			w, ok, err := n.closeTxn(ctx, start)
			if err == nil && !ok {
				continue
			}
			if err == nil {
				r := ending(start, wrote{Written: w, groups: []uint32{uint32(n.group)}})
				r.Abort = true
				_, err = n.zero.Commit(ctx, r)
			}
			if err != nil {
				n.lg.Warn("an idle transaction could not be aborted; will try again", "start", start, "err", err)
				break
			}
			n.lg.Info("aborted an idle transaction", "start", start, "idle", n.cfg.TxnAbortAfter)
		}
	}
}
