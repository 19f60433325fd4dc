package alpha

import (
	"context"
	"slices"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha/shard"
	"dragg/cluster"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// errAborted has the text that clients of this API know.
var errAborted = fault.New(fault.Aborted, "Transaction has been aborted. Please retry")

// commitNow asks for the verdict on a transaction that ends with this request. w is what it has written to the groups that its
// last write went to, and all that it wrote there. One that did not begin with this request may have written to others.
func (r *request) commitNow(ctx context.Context, w wrote) error {
	if r.req.StartTs != 0 {
		others, err := r.n.closeAt(ctx, without(r.n.allGroups(), w.groups), r.start.Ts)
		if err != nil {
			return err
		}
		w.add(others.Written, others.groups...)
	}
	reply, err := r.verdict(ctx, w)
	if err != nil {
		return err
	}
	if reply.CommitTs == 0 {
		r.again = r.req.StartTs == 0 && reply.Reason == pb.AbortReason_STALE_TABLET
		return errAborted
	}
	r.resp.Txn.CommitTs = reply.CommitTs
	return nil
}

// verdict asks for the verdict, where that was not done as soon as w was written.
func (r *request) verdict(ctx context.Context, w wrote) (*pb.CommitReply, error) {
	if v := w.Verdict; v != nil {
		return r.n.settled(ctx, r.start.Ts, v.Reply, v.Err)
	}
	return r.n.decide(ctx, ending(r.start.Ts, w))
}

// ask returns what asks for the verdict on a transaction of this group alone without waiting; nil where Zero is another process.
func (n *Node) ask(start graph.Timestamp) shard.Ask {
	zero, ok := n.zero.(cluster.Asker)
	if !ok {
		return nil
	}
	return func(all shard.Written, answer func(*pb.CommitReply, error)) bool {
		return zero.Ask(ending(start, wrote{all, []uint32{uint32(n.group)}}), answer)
	}
}

// ending is the request for the verdict on a transaction of which w is pending.
func ending(start graph.Timestamp, w wrote) *pb.CommitRequest {
	return &pb.CommitRequest{StartTs: uint64(start), Keys: w.Keys, Epochs: w.Epochs, Groups: w.groups}
}

// decide asks Zero for the verdict.
func (n *Node) decide(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	reply, err := n.zero.Commit(ctx, r)
	return n.settled(ctx, graph.Timestamp(r.StartTs), reply, err)
}

// settled returns Zero's answer. Where it is lost it asks for the outcome, before it says that that is unknown.
func (n *Node) settled(ctx context.Context, start graph.Timestamp, reply *pb.CommitReply, err error) (*pb.CommitReply, error) {
	if err == nil || fault.ClassOf(err) != fault.Unknown {
		return reply, err
	}
	commit, known, askErr := n.zero.Outcome(ctx, start)
	if askErr != nil || !known {
		return nil, err
	}
	if commit == 0 {
		return &pb.CommitReply{Reason: pb.AbortReason_DISCARDED}, nil
	}
	return &pb.CommitReply{CommitTs: uint64(commit)}, nil
}

// abandonTimeout bounds the attempt to abort a transaction whose request has failed; the reaper tries again later.
const abandonTimeout = 5 * time.Second

// abandon aborts a transaction of which a part may be pending.
func (n *Node) abandon(start graph.Timestamp) {
	ctx, cancel := context.WithTimeout(n.life, abandonTimeout)
	defer cancel()
	w, err := n.closeAt(ctx, n.allGroups(), start)
	if err == nil && len(w.groups) > 0 {
		r := ending(start, w)
		r.Abort = true
		_, err = n.decide(ctx, r)
	}
	if err != nil && n.life.Err() == nil { // there may be very many of them
		n.abandoned.Do(func() {
			n.lg.Warn("a failed transaction could not be aborted now; it will be when it has been idle", "start", start, "err", err)
		})
	}
}

// CommitOrAbort ends a transaction: it commits it, or with Aborted discards it (dql.md facts 126 to 128).
func (n *Node) CommitOrAbort(ctx context.Context, t *api.TxnContext) (*api.TxnContext, error) {
	began := time.Now()
	out, err := n.commitOrAbort(ctx, t)
	n.meters.note(kindCommit, began, err)
	return out, err
}

func (n *Node) commitOrAbort(ctx context.Context, t *api.TxnContext) (*api.TxnContext, error) {
	if err := n.admit(); err != nil {
		return nil, err
	}
	defer n.leave()
	if t.StartTs == 0 {
		return nil, fault.New(fault.Invalid, "StartTs cannot be zero while committing a transaction")
	}
	r, err := n.toCommit(ctx, t)
	if err != nil {
		return nil, err
	}
	reply, err := n.decide(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case t.Aborted:
		return &api.TxnContext{StartTs: t.StartTs, Aborted: true}, nil
	case reply.CommitTs == 0:
		return nil, errAborted
	}
	return &api.TxnContext{StartTs: t.StartTs, CommitTs: reply.CommitTs}, nil
}

// toCommit gathers what Zero must know: the groups remember what the transaction wrote and under which epochs; the client knows
// which groups, and may know of more conflict keys.
func (n *Node) toCommit(ctx context.Context, t *api.TxnContext) (*pb.CommitRequest, error) {
	keys, err := keysFromWire(t.Keys)
	if err != nil {
		return nil, err
	}
	named, err := groupsFromWire(t.Preds)
	if err != nil {
		return nil, err
	}
	all := n.allGroups()
	for _, g := range named {
		if !slices.Contains(all, g) {
			return nil, fault.New(fault.Invalid, "the transaction names group %d, which the cluster does not have", g)
		}
	}
	w, err := n.closeAt(ctx, append(without(named, all[:1]), all[0]), graph.Timestamp(t.StartTs))
	if err != nil {
		return nil, err
	}
	r := ending(graph.Timestamp(t.StartTs), w)
	r.Keys, r.Abort = append(keys, r.Keys...), t.Aborted
	if len(w.groups) < len(named) { // in one that the transaction wrote to nothing is pending any more
		r.Groups, r.Epochs = append(r.Groups, without(named, r.Groups)...), append(r.Epochs, gone)
	}
	return r, ctx.Err()
}

// gone is no tablet's epoch: a transaction that has written, and of which nothing is pending any more, has ended; Zero refuses
// it, unless it knows the outcome.
const gone = 0
