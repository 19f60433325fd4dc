package alpha

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/protos/pb"
)

const (
	// moveInterval is how often the leader looks whether a tablet is to move here.
	moveInterval = 50 * time.Millisecond
	// moveRetry is the pause after a step that failed.
	moveRetry = 300 * time.Millisecond
	// shortRound is how long a round of catching up takes when it is time for the fence: what came meanwhile takes about as long.
	shortRound = 250 * time.Millisecond
	// maxRounds bounds the rounds before the fence, for a tablet that is written faster than it is copied.
	maxRounds = 20
)

// receiveTablets brings the tablets that move to this group here, for as long as this member leads. It decides nothing: what is
// done and what is next is in the group's log and in Zero's, so that any later leader goes on from there.
func (n *Node) receiveTablets(ctx context.Context) error {
	ticker := time.NewTicker(moveInterval)
	defer ticker.Stop()
	for {
		for _, in := range n.shard.Incoming() {
			err := n.receive(ctx, in)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil && fault.ClassOf(err) != fault.Aborted { // else it was cancelled, and the stream says so soon
				n.lg.Warn("a step of a tablet's move failed; will try again", "predicate", in.Predicate.String(), "move", in.Move.Id, "err", err)
			}
			if err != nil && pause(ctx, moveRetry) != nil {
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

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// receiving is one tablet on its way here, as one leader sees it through.
type receiving struct {
	n        *Node
	in       shard.Incoming
	limit    *rate.Limiter // bytes
	compared graph.Timestamp
	source   posting.Digest // of everything up to compared, there
	target   posting.Digest // and here
}

// receive brings one tablet here: copy, catch up, compare, fence, the rest, compare, switch.
func (n *Node) receive(ctx context.Context, in shard.Incoming) error {
	began := time.Now()
	m := &receiving{n: n, in: in, limit: rate.NewLimiter(rate.Limit(n.cfg.MoveBytesPerSecond), n.cfg.MoveBytesPerSecond)}
	n.lg.Info("receiving a tablet", "predicate", in.Predicate.String(), "from", in.From, "move", in.Move.Id, "try", in.Move.Tries)
	if in.Move.Fence == 0 {
		if err := m.catchUp(ctx); err != nil {
			return err
		}
	}
	fenced, err := n.zero.Move(ctx, m.step(pb.MoveKind_MOVE_FENCE))
	if err != nil {
		return err
	}
	fencedAt := time.Now()
	if err := m.bring(ctx, graph.Timestamp(fenced.Tablet.Move.GetFence())); err != nil {
		return err
	}
	last := m.step(pb.MoveKind_MOVE_SWITCH)
	last.Source, last.Target = digestToWire(m.source), digestToWire(m.target)
	done, err := n.zero.Move(ctx, last)
	if err != nil {
		return err
	}
	if done.Tablet.Incarnation != in.Move.Id {
		n.lg.Error("a tablet did not move: what arrived is not what was sent", "predicate", in.Predicate.String(), "move", in.Move.Id,
			"source", m.source, "target", m.target)
	} else {
		n.lg.Info("a tablet moved here", "predicate", in.Predicate.String(), "from", in.From, "changes", m.target.Changes,
			"took", time.Since(began).Round(time.Millisecond), "fenced", time.Since(fencedAt).Round(time.Millisecond))
	}
	return n.shard.WaitSeq(ctx, done.Seqs[uint32(n.group)])
}

func (m *receiving) step(kind pb.MoveKind) *pb.MoveStep {
	return &pb.MoveStep{
		Namespace: uint64(m.in.Predicate.Namespace), Predicate: m.in.Predicate.Name, Id: m.in.Move.Id, Kind: kind,
	}
}

// catchUp brings everything up to now, again and again, until that takes no longer than a fence may.
func (m *receiving) catchUp(ctx context.Context) error {
	for range maxRounds {
		began := time.Now()
		if err := m.bring(ctx, max(m.n.shard.Watermark(), graph.Timestamp(m.in.Move.Base))); err != nil {
			return err
		}
		if time.Since(began) < shortRound {
			return nil
		}
	}
	m.n.lg.Warn("a tablet is written as fast as it is copied; fencing it all the same", "predicate", m.in.Predicate.String())
	return nil
}

// bring brings what was committed up to a timestamp, and compares it.
func (m *receiving) bring(ctx context.Context, upto graph.Timestamp) error {
	if err := m.n.shard.WaitTimestamp(ctx, upto); err != nil {
		return err
	}
	for {
		done, err := m.pull(ctx, upto)
		if err != nil {
			return err
		}
		if done {
			return m.compare(ctx, upto)
		}
	}
}

// pull brings a round here, or the rest of one that was begun before; done says that this is all up to upto.
func (m *receiving) pull(ctx context.Context, upto graph.Timestamp) (done bool, err error) {
	now, err := m.now()
	if err != nil || now.Complete >= upto {
		return true, err
	}
	part := shard.CopyPart{Predicate: now.Predicate, Move: now.Move.Id, Since: now.Complete, Upto: upto, From: now.Next}
	if now.Upto != 0 {
		part.Upto = now.Upto
	}
	_, err = atGroup(ctx, m.n, now.From, true, func(ctx context.Context, p pb.PeerClient) (struct{}, error) {
		return struct{}{}, m.copy(ctx, p, part)
	})
	return part.Upto == upto, err
}

// now returns how far the copy has come.
func (m *receiving) now() (shard.Incoming, error) {
	for _, in := range m.n.shard.Incoming() {
		if in.Move.Id == m.in.Move.Id {
			return in, nil
		}
	}
	return shard.Incoming{}, errMoveOver
}

var errMoveOver = fault.New(fault.Aborted, "the move is over")

// copy brings a part of the tablet from another node into the group's log.
func (m *receiving) copy(ctx context.Context, p pb.PeerClient, part shard.CopyPart) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, err := p.Copy(ctx, copyRequest(m.in.From, part))
	if err != nil {
		return err
	}
	from := part.From
	for {
		chunk, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return fault.New(fault.Unavailable, "the copy broke off")
		}
		if err != nil {
			return err
		}
		if err := m.limit.WaitN(ctx, min(len(chunk.Changes), m.limit.Burst())); err != nil {
			return err
		}
		err = m.n.shard.Ingest(ctx, &pb.Ingest{
			Namespace: uint64(part.Predicate.Namespace), Predicate: part.Predicate.Name, Move: part.Move, Since: uint64(part.Since),
			Upto: uint64(part.Upto), Changes: chunk.Changes, Count: chunk.Count, From: from, Next: chunk.Next,
		})
		if err != nil || len(chunk.Next) == 0 {
			return err
		}
		from = chunk.Next
	}
}

// compare adds what came since the last time to the digests of both sides.
func (m *receiving) compare(ctx context.Context, upto graph.Timestamp) error {
	if upto <= m.compared {
		return nil
	}
	part := shard.CopyPart{Predicate: m.in.Predicate, Move: m.in.Move.Id, Since: m.compared, Upto: upto}
	var here, there posting.Digest
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() (err error) {
		here, err = m.n.shard.Digest(ctx, part)
		return err
	})
	eg.Go(func() error {
		r, err := atGroup(ctx, m.n, m.in.From, false, func(ctx context.Context, p pb.PeerClient) (*pb.CopyDigest, error) {
			return p.Digest(ctx, copyRequest(m.in.From, part))
		})
		there = posting.Digest{Changes: r.GetDigest().GetChanges(), High: r.GetDigest().GetHigh(), Low: r.GetDigest().GetLow()}
		return err
	})
	if err := eg.Wait(); err != nil {
		return err
	}
	m.source.Plus(there)
	m.target.Plus(here)
	m.compared = upto
	return nil
}

func digestToWire(d posting.Digest) *pb.Digest {
	return &pb.Digest{Changes: d.Changes, High: d.High, Low: d.Low}
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
	d, err := s.n.shard.Digest(ctx, part)
	return &pb.CopyDigest{Digest: digestToWire(d)}, fault.ToPeer(err)
}
