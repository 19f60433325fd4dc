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
	answer  func(*pb.CommitReply, error) // called once; does not wait
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
	type verdict struct {
		reply *pb.CommitReply
		err   error
	}
	done := make(chan verdict, 1)
	c := committing{request: r, answer: func(reply *pb.CommitReply, err error) { done <- verdict{reply, err} }}
	select {
	case s.commits <- c:
	case <-s.stopped:
		return nil, errNoLeader
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case v := <-done:
		return v.reply, v.err
	case <-s.stopped:
		return nil, fault.New(fault.Unknown, "this Zero stopped before it knew the verdict on transaction %d", r.StartTs)
	case <-ctx.Done():
		return nil, fault.New(fault.Unknown, "gave up waiting for the verdict on transaction %d: %w", r.StartTs, ctx.Err())
	}
}

// Ask implements cluster.Asker.
func (s *Server) Ask(r *pb.CommitRequest, answer func(*pb.CommitReply, error)) bool {
	if r.StartTs == 0 {
		return false
	}
	s.asking.RLock()
	defer s.asking.RUnlock()
	if s.ended {
		return false
	}
	select {
	case s.commits <- committing{r, answer}:
		return true
	default: // the queue is full: Commit waits
		return false
	}
}

// endCommits answers those that nobody will collect any more, and has no more asked.
func (s *Server) endCommits() {
	s.asking.Lock()
	s.ended = true
	s.asking.Unlock()
	for {
		select {
		case c := <-s.commits:
			c.answer(nil, errNoLeader)
		default:
			return
		}
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
	fail := func(err error) {
		for _, c := range batch {
			c.answer(nil, err)
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
		batch[i].answer(reply, nil)
	}
}
