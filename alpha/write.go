package alpha

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"dragg/alpha/shard"
	"dragg/cluster/wire"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// wrote is what a transaction has written, in all groups: what Zero must know to judge it, and whom to tell.
type wrote struct {
	shard.Written
	groups []uint32
}

// add adds what was written to other groups.
func (w *wrote) add(part shard.Written, groups ...uint32) {
	w.Epochs, w.Keys, w.groups = append(w.Epochs, part.Epochs...), append(w.Keys, part.Keys...), append(w.groups, groups...)
}

// write has each group write its part, all at the same time. After an error the transaction must be abandoned.
func (n *Node) write(ctx context.Context, w shard.Writing) (wrote, error) {
	if n.shard.ServesAll(graph.MaxTimestamp) {
		return n.writeAll(ctx, n.group, w)
	}
	parts, err := n.split(w.Steps)
	if err != nil {
		return wrote{}, err
	}
	if len(parts) == 1 { // no goroutine: its stack would have to grow first
		for group, steps := range parts {
			w.Steps = steps
			return n.writeAll(ctx, group, w)
		}
	}
	var all wrote
	var mu sync.Mutex
	eg, ctx := errgroup.WithContext(ctx)
	for _, group := range slices.Sorted(maps.Keys(parts)) {
		part := w
		part.Ask = nil // there is more than this group's part to judge
		part.Steps, part.Known = parts[group], n.known(parts[group])
		eg.Go(func() error {
			written, err := n.writeTo(ctx, group, part)
			mu.Lock()
			defer mu.Unlock()
			all.add(written, uint32(group))
			return err
		})
	}
	return all, eg.Wait()
}

// writeAll has one group write all of it.
func (n *Node) writeAll(ctx context.Context, group graph.GroupID, w shard.Writing) (wrote, error) {
	w.Known = n.known(w.Steps)
	part, err := n.writeTo(ctx, group, w)
	return wrote{part, []uint32{uint32(group)}}, err
}

func (n *Node) writeTo(ctx context.Context, group graph.GroupID, w shard.Writing) (shard.Written, error) {
	if group == n.group {
		return n.prewrite(ctx, w)
	}
	r := &pb.WriteRequest{
		Group: uint32(group), StartTs: uint64(w.Start), After: uint64(w.After), Steps: wire.FromSteps(w.Steps), Last: w.Last,
		Known: uint64(w.Known),
	}
	reply, err := atGroup(ctx, n, group, true, func(ctx context.Context, p pb.PeerClient) (*pb.WriteReply, error) {
		return p.Prewrite(ctx, r)
	})
	return shard.Written{Epochs: reply.GetEpochs(), Keys: reply.GetKeys()}, err
}

// split returns the steps of each group.
func (n *Node) split(steps [][]graph.Edge) (map[graph.GroupID][][]graph.Edge, error) {
	parts := map[graph.GroupID][][]graph.Edge{}
	for i, edges := range steps {
		for _, e := range edges {
			group, ok := n.shard.Route(e.Predicate, graph.MaxTimestamp)
			if !ok {
				return nil, fault.New(fault.Aborted, "predicate %s is gone; please retry", e.Predicate)
			}
			if parts[group] == nil {
				parts[group] = make([][]graph.Edge, len(steps))
			}
			parts[group][i] = append(parts[group][i], e)
		}
	}
	return parts, nil
}

// known returns as of when this node knows the tablets that the edges go to.
func (n *Node) known(steps [][]graph.Edge) (ts graph.Timestamp) {
	var last graph.Predicate
	for _, edges := range steps {
		for i := range edges {
			if p := edges[i].Predicate; p != last {
				last = p
				ts = max(ts, n.shard.DefinedAt(p))
			}
		}
	}
	return ts
}

// closeAt ends the writing of a transaction in the groups, and returns what is pending there.
func (n *Node) closeAt(ctx context.Context, groups []uint32, start graph.Timestamp) (wrote, error) {
	var all wrote
	for _, g := range groups {
		group := graph.GroupID(g)
		w, ok, err := n.closeTxnAt(ctx, group, start)
		if err != nil {
			return wrote{}, fmt.Errorf("ending the transaction in group %d: %w", g, err)
		}
		if ok {
			all.add(w, g)
		}
	}
	return all, nil
}

func (n *Node) closeTxnAt(ctx context.Context, group graph.GroupID, start graph.Timestamp) (shard.Written, bool, error) {
	if group == n.group {
		return n.closeTxn(ctx, start)
	}
	reply, err := atGroup(ctx, n, group, false, func(ctx context.Context, p pb.PeerClient) (*pb.WriteReply, error) {
		return p.Close(ctx, &pb.CloseRequest{Group: uint32(group), StartTs: uint64(start)})
	})
	return shard.Written{Epochs: reply.GetEpochs(), Keys: reply.GetKeys()}, err == nil && !reply.GetNothing(), err
}

// allGroups returns every group of the cluster, this one first.
func (n *Node) allGroups() []uint32 {
	groups := []uint32{uint32(n.group)}
	for _, m := range n.shard.Members() {
		if m.Group != 0 && !slices.Contains(groups, m.Group) {
			groups = append(groups, m.Group)
		}
	}
	return groups
}

// without returns the groups of a that are not in b.
func without(a, b []uint32) []uint32 {
	return slices.DeleteFunc(slices.Clone(a), func(g uint32) bool { return slices.Contains(b, g) })
}
