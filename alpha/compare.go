package alpha

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"dragg/alpha/move"
	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/internal/sleep"
	"dragg/posting"
	"dragg/protos/pb"
)

// comparisons counts what the leader found when it compared replicas.
type comparisons struct{ done, differing atomic.Uint64 }

// restShare is how much longer a leader rests after a comparison than it took: comparing costs a small part of the machine.
const restShare = 20

// compareReplicas compares, predicate by predicate and again and again, what the members of the group hold as of one timestamp. They
// applied the same log, so that a difference is damage: of a disk, or a bug.
func (n *Node) compareReplicas(ctx context.Context) error {
	if n.cfg.CompareInterval < 0 {
		return nil
	}
	rest := n.cfg.CompareInterval
	for next := 0; ; next++ {
		if err := sleep.For(ctx, rest); err != nil {
			return ctx.Err()
		}
		tablets := n.shard.Tablets()
		if n.alone() || len(tablets) == 0 {
			continue
		}
		slices.SortFunc(tablets, func(a, b *pb.Tablet) int { return int(a.Incarnation) - int(b.Incarnation) })
		t := tablets[next%len(tablets)]
		began := time.Now()
		n.compareTablet(ctx, graph.Predicate{Namespace: graph.Namespace(t.Namespace), Name: t.Predicate})
		rest = max(n.cfg.CompareInterval, restShare*time.Since(began))
	}
}

// compareTablet compares one predicate on all members. Who cannot tell now is left out.
func (n *Node) compareTablet(ctx context.Context, p graph.Predicate) {
	ts := n.shard.Watermark()
	mine, err := n.shard.DigestAt(ctx, p, ts)
	if err != nil {
		return // it is being built, or was dropped
	}
	for _, m := range n.membersOf(n.group) {
		if m.Id == n.id.Node {
			continue
		}
		theirs, err := n.digestOf(ctx, m, p, ts)
		switch {
		case err != nil:
			n.lg.Debug("a replica could not be compared", "predicate", p.String(), "with", m.Id, "err", err)
			continue
		case theirs != mine:
			n.compared.differing.Add(1)
			n.lg.Error("two replicas do not hold the same: one of them is damaged; check both with dragg fsck, and replace it",
				"predicate", p.String(), "at", ts, "with", m.Id, "address", m.Address, "here", mine, "there", theirs)
		}
		n.compared.done.Add(1)
	}
}

// digestOf asks a member of the group for the digest of a predicate.
func (n *Node) digestOf(ctx context.Context, m *pb.Member, p graph.Predicate, ts graph.Timestamp) (posting.Digest, error) {
	r, err := callPeer(ctx, n, m.Address, func(ctx context.Context, peer pb.PeerClient) (*pb.CopyDigest, error) {
		return peer.Digest(ctx, copyRequest(n.group, shard.CopyPart{Predicate: p, Upto: ts}))
	})
	if err != nil {
		return posting.Digest{}, fault.As(fault.Unavailable, err)
	}
	return move.FromWire(r.GetDigest()), nil
}
