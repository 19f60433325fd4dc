package state

import (
	"maps"
	"slices"

	"dragg/graph"
	"dragg/protos/pb"
	"dragg/zero/oracle"
)

// cluster is the state itself: a value that only apply changes.
type cluster struct {
	applied   uint64
	clusterID string
	tsBound   uint64 // exclusive
	uidBound  uint64 // the next uid to lease
	decided   uint64
	nextID    uint64 // for incarnations and epochs: one counter, so that neither is ever used twice
	nextNode  uint64
	replicas  uint32              // voters that fill a group
	policy    *pb.RebalancePolicy // nil: the default
	members   []*pb.Member
	removed   []*pb.Member
	tablets   map[graph.Predicate]*pb.Tablet
	epochs    map[uint64]bool // of tablets
	types     map[string]*pb.TypeChange
	streams   map[graph.GroupID]*stream
	ended     ended
	oracle    *oracle.Oracle
}

// stream is what a group has not acknowledged yet. Events are never changed once they are in.
type stream struct {
	next   uint64 // the number of the next event
	events []*pb.Event
}

func newCluster(p *pb.ZeroState, limits oracle.Limits) *cluster {
	c := &cluster{
		applied: p.GetApplied(), clusterID: p.GetClusterId(),
		tsBound: max(p.GetTsBound(), 1), uidBound: max(p.GetUidBound(), 1), decided: p.GetDecided(),
		nextID: max(p.GetNextIncarnation(), 1), nextNode: max(p.GetNextNode(), 1),
		replicas: max(p.GetReplicas(), 1), policy: p.GetPolicy(), members: p.GetMembers(), removed: p.GetRemoved(),
		tablets: map[graph.Predicate]*pb.Tablet{}, epochs: map[uint64]bool{}, types: map[string]*pb.TypeChange{},
		streams: map[graph.GroupID]*stream{}, ended: newEnded(p),
	}
	for _, t := range p.GetTablets() {
		c.keep(t)
	}
	for _, t := range p.GetTypes() {
		c.types[t.Name] = t
	}
	for _, s := range p.GetStreams() {
		c.streams[graph.GroupID(s.Group)] = &stream{next: s.NextSeq, events: s.Events}
	}
	o := p.GetOracle()
	c.oracle = oracle.Load(limits, graph.Timestamp(o.GetFloor()), o.GetKeys(), o.GetKeyTs(), o.GetStartTs(), o.GetCommitTs())
	return c
}

func (c *cluster) apply(e *pb.ZeroEntry) any {
	switch {
	case e.Bootstrap != nil:
		c.applyBootstrap(e.Bootstrap)
	case e.Term != nil:
		// Whatever an earlier leader drew and did not use is decided now: nothing commits there.
		c.decided = max(c.decided, c.tsBound-1)
		c.tsBound = max(c.tsBound, e.Term.TsBound)
	case e.Lease != nil:
		c.tsBound = max(c.tsBound, e.Lease.TsBound)
		first := c.uidBound
		if n := e.Lease.UidCount; n <= uint64(graph.MaxUID)-c.uidBound {
			c.uidBound += n
			return &pb.LeaseReply{First: first, Count: n}
		}
		return &pb.LeaseReply{First: first}
	case e.Commits != nil:
		return c.applyCommits(e.Commits)
	case e.Alter != nil:
		return c.applyAlter(e.Alter)
	case e.Join != nil:
		return c.applyJoin(e.Join)
	case e.Remove != nil:
		return c.applyRemove(e.Remove)
	case e.Move != nil:
		return c.applyMove(e.Move)
	case e.Drain != nil:
		return c.applyDrain(e.Drain)
	case e.JoinZero != nil:
		return c.applyJoinZero(e.JoinZero)
	case e.Policy != nil:
		c.policy = e.Policy
	}
	return nil
}

func (c *cluster) applyCommits(b *pb.CommitBatch) []*pb.CommitReply {
	for _, a := range b.Acks {
		if s := c.streams[graph.GroupID(a.Group)]; s != nil {
			s.forget(a.Seq)
		}
	}
	c.oracle.ForgetBelow(graph.Timestamp(b.ForgetBelow))
	replies, memory := make([]*pb.CommitReply, len(b.Requests)), make([]pb.CommitReply, len(b.Requests))
	for i, r := range b.Requests {
		replies[i] = &memory[i]
		c.decide(r, replies[i])
	}
	return replies
}

// decide gives, in reply, the verdict for one transaction and tells the groups it wrote to. Asked again, it answers the same.
func (c *cluster) decide(r *pb.CommitRequest, reply *pb.CommitReply) {
	start, commit := graph.Timestamp(r.StartTs), graph.Timestamp(r.CommitTs)
	if known, ok := c.oracle.Outcome(start); ok {
		c.decided = max(c.decided, r.CommitTs)
		if known == 0 || r.Abort {
			// A write may have reached a group after its verdict: the group is told again, to forget it. Of a commit it heard
			// before.
			c.tell(r, 0)
		}
		reply.CommitTs = uint64(known)
		if known == 0 {
			reply.Reason = pb.AbortReason_DISCARDED
		}
		return
	}
	switch {
	case r.Abort:
		c.oracle.End(start, 0)
		reply.Reason = pb.AbortReason_DISCARDED
	case r.CommitTs <= c.decided || !c.epochsHold(r.Epochs):
		c.oracle.End(start, 0)
		reply.Reason = pb.AbortReason_STALE_TABLET
	default:
		switch c.oracle.Decide(start, commit, r.Keys) {
		case oracle.Committed:
			reply.CommitTs = r.CommitTs
		case oracle.Conflict:
			reply.Reason = pb.AbortReason_CONFLICT
		case oracle.TooOld:
			reply.Reason = pb.AbortReason_TOO_OLD
		}
	}
	c.decided = max(c.decided, r.CommitTs)
	c.tell(r, reply.CommitTs)
}

// verdictEvent is an event and its verdict, which are made together.
type verdictEvent struct {
	pb.Event
	verdict pb.Verdict
}

// tell puts the verdict into the stream of every group that the transaction wrote to. Clients may name others, which are not
// there.
func (c *cluster) tell(r *pb.CommitRequest, commitTs uint64) {
	for i, g := range r.Groups {
		if !slices.Contains(r.Groups[:i], g) && c.streams[graph.GroupID(g)] != nil {
			e := new(verdictEvent)
			e.verdict.StartTs, e.verdict.CommitTs = r.StartTs, commitTs
			e.Verdict = &e.verdict
			c.emit(g, &e.Event)
		}
	}
}

// epochsHold reports whether every tablet is still what the writer took it for.
func (c *cluster) epochsHold(epochs []uint64) bool {
	for _, e := range epochs {
		if !c.epochs[e] {
			return false
		}
	}
	return true
}

// emit appends an event to the group's stream and numbers it.
func (c *cluster) emit(group uint32, e *pb.Event) {
	s := c.stream(graph.GroupID(group))
	e.Seq = s.next
	s.next++
	s.events = append(s.events, e)
}

// stream returns the group's stream. A group that begins is told first of everything that the others know.
func (c *cluster) stream(g graph.GroupID) *stream {
	s := c.streams[g]
	if s == nil {
		s = &stream{next: 1}
		c.streams[g] = s
		for _, m := range c.members {
			c.emit(uint32(g), &pb.Event{Member: m})
		}
		for _, name := range c.sortedPredicates() {
			c.emit(uint32(g), &pb.Event{TabletSet: &pb.TabletSet{Tablet: c.tablets[name], Ts: c.decided}})
		}
		for _, name := range slices.Sorted(maps.Keys(c.types)) {
			c.emit(uint32(g), &pb.Event{TypeChange: c.types[name]})
		}
	}
	return s
}

// tellAll puts an event into the stream of every group. The first group exists from the start, so that nothing is lost.
func (c *cluster) tellAll(e func() *pb.Event) {
	if !c.gone(1) {
		c.stream(1)
	}
	for _, g := range slices.Sorted(maps.Keys(c.streams)) {
		c.emit(uint32(g), e())
	}
}

// forget drops the events up to seq. Readers may still hold the old slice, so that the rest moves to a new one.
func (s *stream) forget(seq uint64) {
	first := s.next - uint64(len(s.events))
	if seq < first {
		return
	}
	n := min(seq-first+1, uint64(len(s.events)))
	s.events = slices.Clone(s.events[n:])
}

func nameOf(t *pb.Tablet) graph.Predicate {
	return graph.Predicate{Namespace: graph.Namespace(t.Namespace), Name: t.Predicate}
}
