package zero

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// Move implements cluster.Catalog.
func (s *Server) Move(ctx context.Context, m *pb.MoveStep) (*pb.MoveReply, error) {
	ts, _, err := s.drawTimestamps(ctx, 1, true)
	if err != nil {
		return nil, err
	}
	m = proto.CloneOf(m)
	m.Ts, m.AtMs = uint64(ts), time.Now().UnixMilli()
	res, err := s.propose(ctx, &pb.ZeroEntry{Move: m})
	if err != nil {
		return nil, err
	}
	reply, ok := res.(*pb.MoveReply)
	if !ok {
		return nil, res.(error)
	}
	s.logStep(m, reply.Tablet)
	return reply, nil
}

// logStep says what a step of a move has led to.
func (s *Server) logStep(m *pb.MoveStep, t *pb.Tablet) {
	id := m.Id
	if m.Kind == pb.MoveKind_MOVE_BEGIN {
		id = t.Move.GetId()
	}
	lg := s.lg.With("predicate", t.Predicate, "namespace", t.Namespace, "move", id)
	switch m.Kind {
	case pb.MoveKind_MOVE_BEGIN:
		lg.Info("a tablet begins to move", "from", t.Group, "to", m.To)
	case pb.MoveKind_MOVE_FENCE:
		lg.Debug("a tablet that moves is fenced", "at", t.Move.GetFence())
	case pb.MoveKind_MOVE_UNFENCE:
		lg.Warn("the fence of a tablet that moves was lifted: it took too long", "tries", t.Move.GetTries(), "given up", t.Move == nil)
	case pb.MoveKind_MOVE_SWITCH:
		if t.Incarnation == m.Id {
			lg.Info("a tablet has moved", "to", t.Group)
		} else {
			lg.Error("a tablet did not move: the two copies differ", "source", m.Source, "target", m.Target)
		}
	case pb.MoveKind_MOVE_ABORT:
		lg.Warn("a tablet's move was given up", "reason", m.Reason)
	}
}

const (
	// guardInterval is how often the leader looks at the moves.
	guardInterval = 200 * time.Millisecond
	// maxFence is how long a tablet may be fenced. Writers wait meanwhile.
	maxFence = 3 * time.Second
	// maxSilence is how long a move may go on without a word of who receives it.
	maxSilence = 10 * time.Minute
)

// guardMoves lifts fences that last too long, and gives up moves that nobody works on.
func (s *Server) guardMoves(ctx context.Context) error {
	g := guard{fenced: map[uint64]time.Time{}, seen: map[uint64]time.Time{}}
	for now := range ticks(ctx, guardInterval) {
		if !s.Leading() {
			g = guard{fenced: map[uint64]time.Time{}, seen: map[uint64]time.Time{}}
			continue
		}
		for _, step := range g.look(now, s.machine.Moving(), s.heardOf) {
			if _, err := s.Move(ctx, step); err != nil && ctx.Err() == nil && fault.ClassOf(err) != fault.Aborted {
				s.lg.Warn("could not mend a move; will try again", "predicate", step.Predicate, "move", step.Id, "err", err)
			}
		}
	}
	return ctx.Err()
}

// guard knows since when the moves are as they are.
type guard struct {
	fenced map[uint64]time.Time // by the epoch of the fence
	seen   map[uint64]time.Time // by move
}

// look returns the steps that are due.
func (g *guard) look(now time.Time, moving []*pb.Tablet, heard func(move uint64) time.Time) (due []*pb.MoveStep) {
	fenced, seen := map[uint64]time.Time{}, map[uint64]time.Time{}
	for _, t := range moving {
		step := &pb.MoveStep{Namespace: t.Namespace, Predicate: t.Predicate, Id: t.Move.Id}
		seen[t.Move.Id] = earlier(g.seen, t.Move.Id, now)
		if t.Move.Fence != 0 {
			fenced[t.Epoch] = earlier(g.fenced, t.Epoch, now)
		}
		last := seen[t.Move.Id]
		if h := heard(t.Move.Id); h.After(last) {
			last = h
		}
		switch {
		case t.Move.Fence != 0 && now.Sub(fenced[t.Epoch]) > maxFence:
			step.Kind, step.Epoch = pb.MoveKind_MOVE_UNFENCE, t.Epoch
			due = append(due, step)
		case now.Sub(last) > maxSilence:
			step.Kind, step.Outcome = pb.MoveKind_MOVE_ABORT, pb.MoveOutcome_ENDED_SILENT
			step.Reason = "nothing was heard of it for " + maxSilence.String()
			due = append(due, step)
		}
	}
	g.fenced, g.seen = fenced, seen
	return due
}

func earlier(of map[uint64]time.Time, id uint64, now time.Time) time.Time {
	if at, ok := of[id]; ok {
		return at
	}
	return now
}

// MoveTablet begins to move a predicate to a group, and returns when it is there or will not come there.
func (s *Server) MoveTablet(ctx context.Context, p graph.Predicate, to uint32) (from uint32, err error) {
	z := s.leader()
	begun, err := z.Move(ctx, &pb.MoveStep{
		Namespace: uint64(p.Namespace), Predicate: p.Name, Kind: pb.MoveKind_MOVE_BEGIN, To: to,
	})
	if err != nil {
		return 0, err
	}
	move := begun.Tablet.Move
	ticker := time.NewTicker(guardInterval)
	defer ticker.Stop()
	for {
		switch end := s.machine.Ended(move.Id); {
		case end.GetOutcome() == pb.MoveOutcome_ENDED_DONE:
			return begun.Tablet.Group, nil
		case end != nil:
			return begun.Tablet.Group, fault.New(fault.Aborted, "the move of predicate %s was given up: %s", p, end.Reason)
		}
		select {
		case <-ctx.Done():
			return begun.Tablet.Group, fault.New(fault.Unavailable, "predicate %s is still moving: see /state", p)
		case <-ticker.C:
		}
	}
}
