package alpha

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"dragg/alpha/move"
	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/internal/sleep"
	"dragg/posting"
	"dragg/protos/pb"
)

const (
	// moveInterval is how often the leader looks whether a tablet is to move here.
	moveInterval = 50 * time.Millisecond
	// moveRetry is the pause after a step that failed.
	moveRetry = 300 * time.Millisecond
)

// receiveTablets brings the tablets that move to this group here, one after the other, for as long as this member leads.
func (n *Node) receiveTablets(ctx context.Context) error {
	ticker := time.NewTicker(moveInterval)
	defer ticker.Stop()
	limit := rate.NewLimiter(rate.Limit(n.cfg.MoveBytesPerSecond), n.cfg.MoveBytesPerSecond)
	cfg := move.Config{
		Group: n.group, Here: n.shard, There: source{n}, Zero: n.zero, Now: time.Now, Tell: n.noteMove, Logger: n.lg,
		Pace: func(ctx context.Context, bytes int) error { return limit.WaitN(ctx, min(bytes, limit.Burst())) },
	}
	defer n.moves.forget()
	for {
		going := n.shard.Incoming()
		n.moves.keep(going)
		for _, in := range going {
			err := move.Receive(ctx, cfg, in)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil && fault.ClassOf(err) != fault.Aborted { // else it was cancelled, and the stream says so soon
				n.lg.Warn("a step of a tablet's move failed; will try again", "predicate", in.Predicate.String(), "move", in.Move.Id, "err", err)
			}
			if err != nil && sleep.For(ctx, moveRetry) != nil {
				return ctx.Err()
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// noteMove takes note of how far a move to this group has come.
func (n *Node) noteMove(m move.Progress) {
	n.meters.received.Add(n.moves.note(m))
	if m.Fenced > 0 {
		n.meters.fences.Observe(m.Fenced.Seconds())
	}
}

// progress is how far the moves to this group have come, for people.
type progress struct {
	mu    sync.Mutex
	moves map[uint64]move.Progress // guarded by mu
}

// note returns how many bytes arrived since the last time.
func (p *progress) note(m move.Progress) (received int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moves == nil {
		p.moves = map[uint64]move.Progress{}
	}
	before := p.moves[m.Move].Bytes
	if m.Bytes < before { // another try
		before = 0
	}
	p.moves[m.Move] = m
	return m.Bytes - before
}

func (p *progress) list() (out []*pb.MoveProgress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.moves {
		out = append(out, &pb.MoveProgress{Id: m.Move, Step: m.Step, Bytes: m.Bytes})
	}
	return out
}

// keep forgets all but the moves that go on.
func (p *progress) keep(going []shard.Incoming) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.moves, func(id uint64, _ move.Progress) bool {
		return !slices.ContainsFunc(going, func(in shard.Incoming) bool { return in.Move.Id == id })
	})
}

func (p *progress) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moves = nil
}

// source is the groups that tablets come from.
type source struct{ n *Node }

var _ move.There = source{}

// Copy implements move.There.
func (s source) Copy(ctx context.Context, from graph.GroupID, part shard.CopyPart, each func(*pb.CopyChunk) error) error {
	_, err := atGroup(ctx, s.n, from, true, func(ctx context.Context, p pb.PeerClient) (struct{}, error) {
		return struct{}{}, copyFrom(ctx, p, copyRequest(from, part), each)
	})
	return err
}

func copyFrom(ctx context.Context, p pb.PeerClient, r *pb.CopyRequest, each func(*pb.CopyChunk) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, err := p.Copy(ctx, r)
	for err == nil {
		var chunk *pb.CopyChunk
		if chunk, err = in.Recv(); err != nil {
			break
		}
		if err := each(chunk); err != nil || len(chunk.Next) == 0 {
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		return fault.New(fault.Unavailable, "the copy broke off")
	}
	return err
}

// Digest implements move.There.
func (s source) Digest(ctx context.Context, from graph.GroupID, part shard.CopyPart) (posting.Digest, error) {
	r, err := atGroup(ctx, s.n, from, false, func(ctx context.Context, p pb.PeerClient) (*pb.CopyDigest, error) {
		return p.Digest(ctx, copyRequest(from, part))
	})
	return move.FromWire(r.GetDigest()), err
}

func copyRequest(group graph.GroupID, part shard.CopyPart) *pb.CopyRequest {
	return &pb.CopyRequest{
		Group: uint32(group), Namespace: uint64(part.Predicate.Namespace), Predicate: part.Predicate.Name, Move: part.Move,
		Since: uint64(part.Since), Upto: uint64(part.Upto), From: part.From,
	}
}

// part returns what another group asks for.
func (n *Node) part(r *pb.CopyRequest) (shard.CopyPart, error) {
	if r.Group != uint32(n.group) || !n.Ready() {
		return shard.CopyPart{}, errNotReady
	}
	return shard.CopyPart{
		Predicate: graph.Predicate{Namespace: graph.Namespace(r.Namespace), Name: r.Predicate}, Move: r.Move,
		Since: graph.Timestamp(r.Since), Upto: graph.Timestamp(r.Upto), From: r.From,
	}, nil
}

// Copy implements the service.
func (s *peerService) Copy(r *pb.CopyRequest, out pb.Peer_CopyServer) error {
	part, err := s.n.part(r)
	if err == nil {
		err = s.n.shard.Copy(out.Context(), part, out.Send)
	}
	return fault.ToPeer(err)
}

// Digest implements the service.
func (s *peerService) Digest(ctx context.Context, r *pb.CopyRequest) (*pb.CopyDigest, error) {
	part, err := s.n.part(r)
	if err != nil {
		return nil, fault.ToPeer(err)
	}
	var d posting.Digest
	if part.Move == 0 {
		d, err = s.n.shard.DigestAt(ctx, part.Predicate, part.Upto)
	} else {
		d, err = s.n.shard.Digest(ctx, part)
	}
	return &pb.CopyDigest{Digest: move.ToWire(d)}, fault.ToPeer(err)
}
