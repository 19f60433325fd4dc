package sim

import (
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/zero/oracle"
	"dragg/zero/state"
)

// zero is what a Zero's process has in its memory.
type zero struct {
	*state.Machine
	dir string
	// Of a leader: timestamps in [next, bound) are leased; drawn is the highest that a commit may have.
	term, next, bound, drawn uint64
	began                    uint64 // the first timestamp of the term
}

// openZero opens a Zero's machine from its last snapshot.
func openZero(n *node) error {
	m, err := state.Open(n.zero.dir, oracle.DefaultLimits)
	if err != nil {
		return err
	}
	n.zero = &zero{Machine: m, dir: n.zero.dir}
	n.machine = m
	return nil
}

// leadZero begins a term: everything of earlier ones is applied.
func (c *cluster) leadZero(n *node, term int) {
	bound, _, _ := n.zero.Bounds()
	limit := uint64(bound) + timestampLease
	if _, err := c.toZero(n, &pb.ZeroEntry{Term: &pb.Term{TsBound: limit}}); err != nil || !c.zeros.leads(n, term) {
		return
	}
	z := n.zero
	z.term, z.next, z.bound, z.drawn, z.began = uint64(term), uint64(bound), limit, uint64(bound)-1, uint64(bound)
	life := n.life
	c.w.start("the guard of moves", func(t *fiber) { c.guard(t, n, life, term) })
}

const timestampLease = 200

// toZero replicates an entry from a Zero.
func (c *cluster) toZero(n *node, e *pb.ZeroEntry) (any, error) {
	b, err := proto.Marshal(e)
	if err != nil {
		return nil, err
	}
	res, err := c.zeros.propose(n, b)
	if err != nil {
		return nil, err
	}
	if refused, ok := res.(error); ok {
		return nil, refused
	}
	return res, nil
}

// draw draws a timestamp at the leader.
func (c *cluster) draw(n *node, commits bool) (ts, after graph.Timestamp, err error) {
	z := n.zero
	if z.next == 0 || !c.zeros.leads(n, int(z.term)) && c.w.chance(2) { // one that was deposed may not know it
		return 0, 0, errNotLeading
	}
	if z.next >= z.bound {
		limit := z.bound + timestampLease
		if _, err := c.toZero(n, &pb.ZeroEntry{Lease: &pb.Lease{TsBound: limit}}); err != nil {
			return 0, 0, err
		}
		z.bound = max(z.bound, limit)
	}
	ts, after = graph.Timestamp(z.next), graph.Timestamp(z.drawn)
	z.next++
	if commits {
		z.drawn = uint64(ts)
	}
	return ts, after, nil
}

// startTimestamp draws a start timestamp; a majority confirms meanwhile that the leader leads.
func (c *cluster) startTimestamp(t *fiber, n *node) (ts, after graph.Timestamp, err error) {
	term := int(n.zero.term)
	if ts, after, err = c.draw(n, false); err != nil {
		return 0, 0, err
	}
	t.sleep(c.w.between(shortDelay, longDelay))
	if !c.planted(bugUnconfirmed) && (!c.zeros.leads(n, term) || !c.zeros.quorum(n)) {
		return 0, 0, errNotLeading
	}
	return ts, after, nil
}

// commit asks for a verdict at the leader.
func (c *cluster) commit(n *node, r *pb.CommitRequest) (*pb.CommitReply, error) {
	ts, _, err := c.draw(n, true)
	if err != nil {
		return nil, fault.As(fault.Unavailable, err)
	}
	r = proto.CloneOf(r)
	r.CommitTs = uint64(ts)
	if c.planted(bugNoEpochs) {
		r.Epochs = nil
	}
	if c.planted(bugForgetful) && r.StartTs < n.zero.began {
		r.Keys = nil
	}
	res, err := c.toZero(n, &pb.ZeroEntry{Commits: &pb.CommitBatch{Requests: []*pb.CommitRequest{r}}})
	if err != nil {
		return nil, err
	}
	reply := res.([]*pb.CommitReply)[0]
	c.w.trace("%s: verdict on %d: %v", n.name, r.StartTs, reply)
	return reply, nil
}

// move takes a step of a move at the leader.
func (c *cluster) move(n *node, m *pb.MoveStep) (*pb.MoveReply, error) {
	ts, _, err := c.draw(n, true)
	if err != nil {
		return nil, err
	}
	m = proto.CloneOf(m)
	m.Ts = uint64(ts)
	if c.planted(bugLastChunk) {
		m.Target = m.Source
	}
	res, err := c.toZero(n, &pb.ZeroEntry{Move: m})
	if err != nil {
		return nil, err
	}
	reply := res.(*pb.MoveReply)
	c.w.trace("%s: %v at %d: %v", n.name, m.Kind, m.Ts, reply.Tablet)
	if m.Kind == pb.MoveKind_MOVE_FENCE && c.planted(bugDrawnFence) {
		reply = proto.CloneOf(reply)
		reply.Tablet.Move.Fence = min(reply.Tablet.Move.Fence, m.Ts)
	}
	if m.Kind == pb.MoveKind_MOVE_SWITCH && reply.Tablet.Incarnation == m.Id {
		c.counts["moved"]++
	}
	return reply, nil
}

// guard lifts fences that last too long; sometimes too early, and sometimes it gives a move up.
func (c *cluster) guard(t *fiber, n *node, life, term int) {
	since := map[uint64]time.Duration{}
	for n.life == life && c.zeros.leads(n, term) {
		for _, tb := range n.zero.Moving() {
			step := &pb.MoveStep{Predicate: tb.Predicate, Id: tb.Move.Id, Epoch: tb.Epoch, Kind: pb.MoveKind_MOVE_UNFENCE}
			if tb.Move.Fence != 0 && since[tb.Epoch] == 0 {
				since[tb.Epoch] = c.w.now
			}
			late := tb.Move.Fence != 0 && c.w.now-since[tb.Epoch] > time.Second
			if !late && (c.w.calm || !c.w.chance(60)) {
				continue
			}
			if c.w.chance(4) && !c.w.calm {
				step.Kind = pb.MoveKind_MOVE_ABORT
			}
			if _, err := c.move(n, step); err == nil {
				c.counts["lifted or given up"]++
			}
		}
		t.sleep(50 * time.Millisecond)
	}
}

// forget has Zero forget what the groups have applied, as its housekeeping does.
func (c *cluster) forget() {
	n := c.zeros.leader
	if n == nil || n.zero.next == 0 {
		return
	}
	b := &pb.CommitBatch{}
	for _, g := range c.groups {
		if l := g.leader; l != nil {
			b.Acks = append(b.Acks, &pb.Ack{Group: uint32(l.alpha.group), Seq: l.alpha.Seq()})
		}
	}
	c.w.start("housekeeping", func(*fiber) {
		_, _ = c.toZero(n, &pb.ZeroEntry{Commits: b}) // the next round tells more
	})
}
