package state

import (
	"slices"

	"dragg/graph"
	"dragg/internal/fault"
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
	members   []*pb.Member
	tablets   map[graph.Predicate]*pb.Tablet
	epochs    map[uint64]bool // of tablets
	types     map[string]*pb.TypeChange
	streams   map[graph.GroupID]*stream
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
		nextID: max(p.GetNextIncarnation(), 1), nextNode: max(p.GetNextNode(), 1), members: p.GetMembers(),
		tablets: map[graph.Predicate]*pb.Tablet{}, epochs: map[uint64]bool{}, types: map[string]*pb.TypeChange{}, streams: map[graph.GroupID]*stream{},
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
		if c.clusterID == "" {
			c.clusterID = e.Bootstrap.ClusterId
		}
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
	}
	return nil
}

func (c *cluster) applyCommits(b *pb.CommitBatch) []*pb.CommitReply {
	for _, a := range b.Acks {
		c.stream(graph.GroupID(a.Group)).forget(a.Seq)
	}
	c.oracle.ForgetBelow(graph.Timestamp(b.ForgetBelow))
	replies := make([]*pb.CommitReply, len(b.Requests))
	for i, r := range b.Requests {
		replies[i] = c.decide(r)
	}
	return replies
}

// decide gives the verdict for one transaction and tells the groups it wrote to. Asked again, it answers the same.
func (c *cluster) decide(r *pb.CommitRequest) *pb.CommitReply {
	start, commit := graph.Timestamp(r.StartTs), graph.Timestamp(r.CommitTs)
	if known, ok := c.oracle.Outcome(start); ok {
		c.decided = max(c.decided, r.CommitTs)
		if known == 0 || r.Abort {
			// A write may have reached a group after its verdict: the group is told again, to forget it. Of a commit it heard
			// before.
			c.tell(r, 0)
		}
		if known == 0 {
			return &pb.CommitReply{Reason: pb.AbortReason_DISCARDED}
		}
		return &pb.CommitReply{CommitTs: uint64(known)}
	}
	reply := &pb.CommitReply{}
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
	return reply
}

// tell puts the verdict into the stream of every group that the transaction wrote to.
func (c *cluster) tell(r *pb.CommitRequest, commitTs uint64) {
	for i, g := range r.Groups {
		if !slices.Contains(r.Groups[:i], g) {
			c.emit(g, &pb.Event{Verdict: &pb.Verdict{StartTs: r.StartTs, CommitTs: commitTs}})
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

func (c *cluster) applyJoin(j *pb.Join) any {
	if j.ClusterId != "" && j.ClusterId != c.clusterID {
		return fault.New(fault.Invalid, "this is cluster %s, the node that wants to join is of cluster %s", c.clusterID, j.ClusterId)
	}
	for _, m := range c.members {
		if m.Id == j.NodeId {
			m.Address = j.Address
			return &pb.JoinReply{ClusterId: c.clusterID, NodeId: m.Id, Group: m.Group}
		}
	}
	if j.NodeId != 0 {
		return fault.New(fault.Invalid, "node %d is not a member of cluster %s", j.NodeId, c.clusterID)
	}
	group := j.Group
	if group == 0 {
		group = 1
	}
	for _, m := range c.members {
		if m.Group == group {
			return fault.New(fault.Invalid, "group %d is full: it has node %d at %s and groups have one replica each",
				group, m.Id, m.Address)
		}
	}
	if group != 1 {
		return fault.New(fault.Invalid, "group %d cannot be made: the cluster has one group, 1", group)
	}
	m := &pb.Member{Id: c.nextNode, Group: group, Address: j.Address}
	c.nextNode++
	c.members = append(c.members, m)
	return &pb.JoinReply{ClusterId: c.clusterID, NodeId: m.Id, Group: m.Group}
}

// emit appends an event to the group's stream and numbers it.
func (c *cluster) emit(group uint32, e *pb.Event) {
	s := c.stream(graph.GroupID(group))
	e.Seq = s.next
	s.next++
	s.events = append(s.events, e)
}

func (c *cluster) stream(g graph.GroupID) *stream {
	s := c.streams[g]
	if s == nil {
		s = &stream{next: 1}
		c.streams[g] = s
	}
	return s
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
