package alpha

import (
	"context"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// errAborted has the text that clients of this API know.
var errAborted = fault.New(fault.Aborted, "Transaction has been aborted. Please retry")

// commitNow asks for the verdict on a transaction that ends with this request.
func (r *request) commitNow(ctx context.Context) error {
	w, _ := r.n.shard.Close(r.start.Ts)
	reply, err := r.n.decide(ctx, r.start.Ts, w, false)
	if err != nil {
		return err
	}
	if reply.CommitTs == 0 {
		return errAborted
	}
	r.resp.Txn.CommitTs = reply.CommitTs
	return nil
}

// decide asks Zero for the verdict. When the answer is lost it asks for the outcome, before it says that it is unknown.
func (n *Node) decide(ctx context.Context, start graph.Timestamp, w shard.Written, abort bool) (*pb.CommitReply, error) {
	reply, err := n.zero.Commit(ctx, &pb.CommitRequest{
		StartTs: uint64(start), Keys: w.Keys, Tablets: w.Tablets, Abort: abort,
	})
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
	w, ok := n.shard.Close(start)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(n.life, abandonTimeout)
	defer cancel()
	if _, err := n.decide(ctx, start, w, true); err != nil {
		n.lg.Warn("a failed transaction could not be aborted now; it will be when it has been idle", "start", start, "err", err)
	}
}

// CommitOrAbort ends a transaction: it commits it, or with Aborted discards it (dql.md facts 126 to 128).
func (n *Node) CommitOrAbort(ctx context.Context, t *api.TxnContext) (*api.TxnContext, error) {
	leave, err := n.admit()
	if err != nil {
		return nil, err
	}
	defer leave()
	if t.StartTs == 0 {
		return nil, fault.New(fault.Invalid, "StartTs cannot be zero while committing a transaction")
	}
	w, err := n.toCommit(ctx, t)
	if err != nil {
		return nil, err
	}
	reply, err := n.decide(ctx, graph.Timestamp(t.StartTs), w, t.Aborted)
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

// toCommit gathers what Zero must know: the group remembers what the transaction wrote and under which epochs; the client
// may know of more conflict keys.
func (n *Node) toCommit(ctx context.Context, t *api.TxnContext) (shard.Written, error) {
	keys, err := keysFromWire(t.Keys)
	if err != nil {
		return shard.Written{}, err
	}
	named, err := predsFromWire(t.Preds)
	if err != nil {
		return shard.Written{}, err
	}
	w, ok := n.shard.Close(graph.Timestamp(t.StartTs))
	if !ok {
		// Nothing is pending: it never wrote, or it has ended. Tablets without epochs make Zero refuse the latter, unless it
		// knows the outcome.
		return shard.Written{Keys: keys, Tablets: named}, nil
	}
	return shard.Written{Keys: append(keys, w.Keys...), Tablets: w.Tablets}, ctx.Err()
}
