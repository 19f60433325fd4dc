package state

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/schema"
)

// maxFences is how often a move is fenced before it is given up.
const maxFences = 3

// applyMove takes a tablet's move one step further. Asked twice, it answers the same.
//
// Between the fence and the switch no commit on the tablet can be: no epoch of it is valid, see keep. What was derived before the
// fence carries an older epoch, which never becomes valid again. A step happens at its place in the log: where a commit of a later
// timestamp came before it, at that one.
func (c *cluster) applyMove(s *pb.MoveStep) any {
	c.decided = max(c.decided, s.Ts)
	name := graph.Predicate{Namespace: graph.Namespace(s.Namespace), Name: s.Predicate}
	t := c.tablets[name]
	if t == nil {
		return fault.New(fault.NotFound, "there is no predicate %s", name)
	}
	next, err := c.step(t, s)
	if err != nil {
		return err
	}
	if next != t {
		c.setTablet(next)
	}
	return &pb.MoveReply{Tablet: next, Seqs: c.seqs()}
}

// step returns the tablet after the step: t itself where the step was taken before.
func (c *cluster) step(t *pb.Tablet, s *pb.MoveStep) (*pb.Tablet, error) {
	if s.Kind == pb.MoveKind_MOVE_BEGIN {
		return c.beginMove(t, s)
	}
	if s.Kind == pb.MoveKind_MOVE_SWITCH && t.Move == nil && t.Incarnation == s.Id {
		return t, nil
	}
	if t.Move == nil || t.Move.Id != s.Id {
		return nil, fault.New(fault.Aborted, "move %d of predicate %s is over", s.Id, nameOf(t))
	}
	switch s.Kind {
	case pb.MoveKind_MOVE_FENCE:
		if t.Move.Fence != 0 {
			return t, nil
		}
		return c.changed(t, func(t *pb.Tablet) { t.Move.Fence = c.decided }), nil
	case pb.MoveKind_MOVE_UNFENCE:
		if t.Move.Fence == 0 || t.Epoch != s.Epoch {
			return t, nil
		}
		return c.changed(t, func(t *pb.Tablet) {
			t.Move.Fence = 0
			if t.Move.Tries++; t.Move.Tries == maxFences {
				c.ended.add(t, pb.MoveOutcome_ENDED_SLOW, "the last changes took longer than writers may wait, again and again", s.AtMs)
				t.Move = nil
			}
		}), nil
	case pb.MoveKind_MOVE_SWITCH:
		return c.switchOver(t, s)
	case pb.MoveKind_MOVE_ABORT:
		outcome := s.Outcome
		if outcome == pb.MoveOutcome_ENDED_NOT {
			outcome = pb.MoveOutcome_ENDED_CANCELLED
		}
		c.ended.add(t, outcome, s.Reason, s.AtMs)
		return c.unmoved(t), nil
	}
	return nil, fault.New(fault.Invalid, "a move has no step %d", s.Kind)
}

// changed returns t changed, under a new epoch.
func (c *cluster) changed(t *pb.Tablet, change func(*pb.Tablet)) *pb.Tablet {
	t = proto.CloneOf(t)
	change(t)
	t.Epoch = c.nextID
	c.nextID++
	return t
}

// unmoved returns t as it is without its move. Writers need not notice a move that was not fenced.
func (c *cluster) unmoved(t *pb.Tablet) *pb.Tablet {
	if t.Move.GetFence() != 0 {
		return c.changed(t, func(t *pb.Tablet) { t.Move = nil })
	}
	t = proto.CloneOf(t)
	t.Move = nil
	return t
}

func (c *cluster) beginMove(t *pb.Tablet, s *pb.MoveStep) (*pb.Tablet, error) {
	name := nameOf(t)
	if t.Move != nil && t.Move.To == s.To {
		return t, nil
	}
	def, err := schema.DecodePredicate(t.Schema)
	switch {
	case err != nil:
		return nil, err
	case t.Move != nil:
		return nil, fault.New(fault.Conflict, "predicate %s is moving to group %d already: wait, or cancel that move", name, t.Move.To)
	case t.Group == s.To:
		return nil, fault.New(fault.Invalid, "predicate %s is in group %d already", name, s.To)
	case len(c.voters(s.To)) == 0 || s.To == zeros:
		return nil, fault.New(fault.Invalid, "there is no group %d that predicate %s could move to", s.To, name)
	case len(def.Building) > 0:
		return nil, fault.New(fault.Conflict, "predicate %s cannot move while an index of it is being built: try again when it is complete", name)
	}
	t = proto.CloneOf(t)
	t.Move = &pb.Move{Id: c.nextID, To: s.To, Base: c.decided, BeganMs: s.AtMs}
	c.nextID++
	c.ended.begun++
	return t, nil
}

// switchOver makes the new copy the one that is served. What either side holds must be the same; else the move is over. It must be
// what they held at this fence: between an earlier one, which was lifted, and this one there may have been commits.
func (c *cluster) switchOver(t *pb.Tablet, s *pb.MoveStep) (*pb.Tablet, error) {
	if t.Move.Fence == 0 || t.Epoch != s.Epoch {
		return nil, fault.New(fault.Conflict, "the fence of predicate %s was lifted", nameOf(t))
	}
	if s.Source == nil || !proto.Equal(s.Source, s.Target) {
		c.ended.add(t, pb.MoveOutcome_ENDED_DIFFERED, "what arrived is not what was sent", s.AtMs)
		return c.unmoved(t), nil
	}
	c.ended.add(t, pb.MoveOutcome_ENDED_DONE, "", s.AtMs)
	return c.changed(t, func(t *pb.Tablet) {
		floor := uint64(c.oracle.Floor()) // no transaction that is older can do anything
		t.Former = slices.DeleteFunc(t.Former, func(f *pb.Former) bool { return f.Until <= floor })
		t.Former = append(t.Former, &pb.Former{Group: t.Group, Incarnation: t.Incarnation, Until: c.decided})
		t.Group, t.Incarnation, t.Base, t.Move = t.Move.To, t.Move.Id, t.Move.Base, nil
	}), nil
}
