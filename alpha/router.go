package alpha

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"dragg/alpha/lookup"
	"dragg/cluster"
	"dragg/cluster/wire"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/query/task"
)

// router answers tasks about all predicates: those of this group here, others by one call to each group that serves some of a
// batch, all at the same time.
type router struct {
	n      *Node
	after  graph.Timestamp // every verdict up to here belongs to the snapshot
	own    bool            // the transaction may have written: its writes belong to it, too
	memory *lookup.Memory  // of the answers of this group
}

var _ task.Runner = (*router)(nil)

// Run implements task.Runner.
func (r *router) Run(ctx context.Context, readTs graph.Timestamp, batch []task.Task) ([]task.Result, error) {
	local := r.n.shard.Reader(r.after, r.memory)
	if r.n.shard.ServesAll(readTs) {
		return local.Run(ctx, readTs, batch)
	}
	return r.route(ctx, readTs, batch)
}

// route is Run where other groups may serve some of the predicates.
func (r *router) route(ctx context.Context, readTs graph.Timestamp, batch []task.Task) ([]task.Result, error) {
	// What this replica has applied up to the snapshot says where everything is.
	if err := r.n.shard.WaitTimestamp(ctx, r.after); err != nil {
		return nil, err
	}
	parts := map[graph.GroupID][]int{}
	for i := range batch {
		group, ok := r.n.shard.Route(batch[i].Predicate, readTs)
		if !ok {
			group = r.n.group
		}
		parts[group] = append(parts[group], i)
	}
	local := r.n.shard.Reader(r.after, r.memory)
	if len(parts[r.n.group]) == len(batch) {
		return local.Run(ctx, readTs, batch)
	}
	results := make([]task.Result, len(batch))
	eg, ctx := errgroup.WithContext(ctx)
	for group, places := range parts {
		eg.Go(func() error {
			tasks := make([]task.Task, len(places))
			for i, place := range places {
				tasks[i] = batch[place]
			}
			run := local.Run
			if group != r.n.group {
				run = func(ctx context.Context, ts graph.Timestamp, tasks []task.Task) ([]task.Result, error) {
					return r.n.runAt(ctx, group, &pb.TaskRequest{
						Group: uint32(group), ReadTs: uint64(ts), After: uint64(r.after), Own: r.own, Tasks: wire.FromTasks(tasks),
					})
				}
			}
			answers, err := run(ctx, readTs, tasks)
			for i := range answers {
				results[places[i]] = answers[i]
			}
			return err
		})
	}
	return results, eg.Wait()
}

// runAt has another group answer tasks.
func (n *Node) runAt(ctx context.Context, group graph.GroupID, r *pb.TaskRequest) ([]task.Result, error) {
	reply, err := atGroup(ctx, n, group, false, func(ctx context.Context, p pb.PeerClient) (*pb.TaskReply, error) { return p.Run(ctx, r) })
	if err != nil {
		return nil, err
	}
	return wire.ToResults(reply.Results)
}

// turns remembers which member of each group answered last.
type turns [1 + graph.MaxGroups]cluster.Turns

// atGroup calls a member of another group: one after the other until one answers, for as long as an election may take. A call that
// may have been carried out is repeated only where once is not needed.
func atGroup[T any](
	ctx context.Context, n *Node, group graph.GroupID, once bool, call func(ctx context.Context, p pb.PeerClient) (T, error),
) (T, error) {
	if group > graph.MaxGroups {
		var none T
		return none, fault.New(fault.Unavailable, "no member of group %d is known", group)
	}
	how := cluster.Manner{Patience: leaderPatience, First: leaderInterval, Most: leaderInterval, Once: once}
	members := func() (addresses []string) {
		for _, m := range n.membersOf(group) {
			addresses = append(addresses, m.Address)
		}
		return addresses
	}
	answer, err := cluster.InTurn(ctx, &n.turns[group], how, members, func(ctx context.Context, address string) (T, error) {
		return callPeer(ctx, n, address, call)
	})
	if u, ok := errors.AsType[*cluster.Unanswered](err); ok {
		if ctx.Err() != nil {
			return answer, u.Err
		}
		err = fault.New(fault.Unavailable, "no member of group %d answers: %w", group, u.Err)
	}
	return answer, err
}

func callPeer[T any](ctx context.Context, n *Node, address string, call func(ctx context.Context, p pb.PeerClient) (T, error)) (T, error) {
	conn, err := n.cfg.Pool.Conn(address)
	if err != nil {
		var none T
		return none, fault.As(fault.Unavailable, err)
	}
	answer, err := call(ctx, pb.NewPeerClient(conn))
	return answer, fault.FromPeer(err)
}

// membersOf returns the nodes of a group, by id.
func (n *Node) membersOf(group graph.GroupID) []*pb.Member {
	var in []*pb.Member
	for _, m := range n.shard.Members() {
		if m.Group == uint32(group) {
			in = append(in, m)
		}
	}
	slices.SortFunc(in, func(a, b *pb.Member) int { return int(a.Id) - int(b.Id) })
	return in
}

// Run implements the service.
func (s *peerService) Run(ctx context.Context, r *pb.TaskRequest) (*pb.TaskReply, error) {
	reply, err := s.n.answer(ctx, r)
	return reply, fault.ToPeer(err)
}

func (n *Node) answer(ctx context.Context, r *pb.TaskRequest) (*pb.TaskReply, error) {
	if r.Group != uint32(n.group) || !n.Ready() {
		return nil, errNotReady
	}
	batch, err := wire.ToTasks(r.Tasks)
	if err != nil {
		return nil, err
	}
	if r.Own {
		if err := n.caughtUp(ctx); err != nil {
			return nil, err
		}
	}
	results, err := n.shard.Reader(graph.Timestamp(r.After), new(lookup.Memory)).Run(ctx, graph.Timestamp(r.ReadTs), batch)
	if err != nil {
		return nil, classify(err)
	}
	return &pb.TaskReply{Results: wire.FromResults(results)}, nil
}
