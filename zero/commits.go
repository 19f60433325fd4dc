package zero

import (
	"context"

	"dragg/internal/fault"
	"dragg/internal/gather"
	"dragg/protos/pb"
)

// maxCommitBatch bounds the requests of one log entry, maxCommitBytes their size.
const (
	maxCommitBatch = 1024
	maxCommitBytes = 4 << 20
)

// committing is one request on its way to its verdict.
type committing struct {
	request *pb.CommitRequest
	done    chan verdict // capacity 1
}

type verdict struct {
	reply *pb.CommitReply
	err   error
}

// Commit implements cluster.Arbiter.
func (s *Server) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	if r.StartTs == 0 {
		return nil, fault.New(fault.Invalid, "a transaction without a start timestamp cannot be committed")
	}
	select {
	case <-s.stopped: // the queue may have room still
		return nil, errNoLeader
	default:
	}
	c := committing{request: r, done: make(chan verdict, 1)}
	select {
	case s.commits <- c:
	case <-s.stopped:
		return nil, errNoLeader
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case v := <-c.done:
		return v.reply, v.err
	case <-s.stopped:
		return nil, fault.New(fault.Unknown, "this Zero stopped before it knew the verdict on transaction %d", r.StartTs)
	case <-ctx.Done():
		return nil, fault.New(fault.Unknown, "gave up waiting for the verdict on transaction %d: %w", r.StartTs, ctx.Err())
	}
}

// collectCommits turns waiting requests into log entries: while one entry is on its way to the disk, the next one fills.
func (s *Server) collectCommits(ctx context.Context) error {
	g := gather.New(s.commits, maxCommitBatch)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-s.commits:
			bytes := 0
			s.commitBatch(ctx, g.Gather(c, func(c committing) bool {
				bytes += 8 * len(c.request.Keys)
				return bytes >= maxCommitBytes
			}))
		}
	}
}

// commitBatch draws the commit timestamps, has the batch decided and answers everybody.
func (s *Server) commitBatch(ctx context.Context, batch []committing) {
	answer := func(i int, v verdict) { batch[i].done <- v }
	fail := func(err error) {
		for i := range batch {
			answer(i, verdict{err: err})
		}
	}
	first, _, err := s.drawTimestamps(ctx, uint64(len(batch)), true)
	if err != nil {
		fail(fault.As(fault.Unavailable, err))
		return
	}
	requests, copies := make([]*pb.CommitRequest, len(batch)), make([]pb.CommitRequest, len(batch))
	for i, c := range batch {
		r := &copies[i] // the caller's message is its own
		r.StartTs, r.CommitTs = c.request.StartTs, uint64(first)+uint64(i)
		r.Keys, r.Epochs, r.Groups, r.Abort = c.request.Keys, c.request.Epochs, c.request.Groups, c.request.Abort
		requests[i] = r
	}
	res, err := s.propose(ctx, &pb.ZeroEntry{Commits: &pb.CommitBatch{Requests: requests}})
	if err != nil {
		fail(err)
		return
	}
	for i, reply := range res.([]*pb.CommitReply) {
		s.meters.note(reply)
		answer(i, verdict{reply: reply})
	}
}
