package alpha

import (
	"context"
	"time"

	"dragg/protos/pb"
)

// reportInterval is how often Zero is told about the group: of its tablets only every few times.
const (
	reportInterval = 500 * time.Millisecond
	loadsEvery     = 8
)

// report tells Zero what only the group's leader knows: how large and how busy tablets are, how far moves have come, and which members
// do not answer.
func (n *Node) report(ctx context.Context) error {
	ticker := time.NewTicker(reportInterval)
	defer ticker.Stop()
	for round := 0; ; round++ {
		r := &pb.GroupReport{Group: uint32(n.group), Leader: n.id.Node, Moves: n.moves.list(), Silent: n.silent()}
		if round%loadsEvery == 0 {
			for _, l := range n.shard.Loads() {
				r.Tablets = append(r.Tablets, &pb.TabletLoad{
					Incarnation: uint64(l.Incarnation), Bytes: l.Bytes, Reads: l.Reads, Writes: l.Writes,
				})
			}
		}
		if err := n.zero.Report(ctx, r); err != nil {
			n.lg.Debug("Zero could not be told about the group", "err", err) // it will be the next time
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// silent returns the members that this one, as their leader, does not hear.
func (n *Node) silent() (ids []uint64) {
	for _, p := range n.raft.Status().Progress {
		if !p.Active && p.ID != n.id.Node {
			ids = append(ids, p.ID)
		}
	}
	return ids
}
