package state

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// zeros is the group of the Zeros themselves.
const zeros = 0

func (c *cluster) applyBootstrap(b *pb.Bootstrap) {
	if c.clusterID == "" {
		c.clusterID = b.ClusterId
	}
	if b.Replicas > 0 {
		c.replicas = b.Replicas
	}
	for _, z := range b.Zeros {
		if z.Group == zeros && !c.wasRemoved(zeros, z.Id) && !c.zero(z.Id).GetStarted() {
			c.keepMember(&pb.Member{Id: z.Id, Address: z.Address}) // one that has started said itself where it is: a list may be old
		}
	}
}

// zero returns the Zero of that number, nil if none is a member.
func (c *cluster) zero(id uint64) *pb.Member {
	for _, m := range c.inGroup(zeros) {
		if m.Id == id {
			return m
		}
	}
	return nil
}

// applyJoinZero makes a further Zero known: the leader adds it to the Zeros' group. Asked twice it changes nothing. One that has started
// says so the same way.
func (c *cluster) applyJoinZero(m *pb.Member) any {
	if m.Started {
		return c.applyZeroStarted(m)
	}
	if c.wasRemoved(zeros, m.Id) {
		return fault.New(fault.Invalid, "Zero %d was removed from cluster %s: its number is not used again, take another --idx",
			m.Id, c.clusterID)
	}
	for _, o := range c.inGroup(zeros) {
		switch {
		case o.Id == m.Id && o.Address != m.Address:
			return fault.New(fault.Invalid, "Zero %d is at %s already: take another --idx", m.Id, o.Address)
		case o.Id == m.Id && o.Started:
			return fault.New(fault.Invalid, "Zero %d had a log: if its data is lost remove it, and take another --idx", m.Id)
		case o.Id != m.Id && o.Address == m.Address:
			return fault.New(fault.Invalid, "Zero %d is at %s already: remove it first, or take another address", o.Id, o.Address)
		}
	}
	if m.Id == 0 || m.Address == "" {
		return fault.New(fault.Invalid, "a Zero that joins needs a number above 0 and an address")
	}
	c.keepMember(&pb.Member{Id: m.Id, Address: m.Address})
	return nil
}

// applyZeroStarted takes note that a Zero has its log, and where it is reached: it may be on another machine than before.
func (c *cluster) applyZeroStarted(m *pb.Member) any {
	known := c.zero(m.Id)
	switch {
	case m.ClusterId != c.clusterID:
		return fault.New(fault.Invalid, "this is cluster %s, the log of Zero %d is of cluster %s", c.clusterID, m.Id, m.ClusterId)
	case c.wasRemoved(zeros, m.Id):
		return fault.New(fault.Invalid,
			"Zero %d was removed from cluster %s: with an empty folder, a new number (--idx) and --peer it is a new one", m.Id, c.clusterID)
	case known == nil:
		return fault.New(fault.Invalid, "Zero %d is not a member of cluster %s", m.Id, c.clusterID)
	}
	for _, o := range c.inGroup(zeros) {
		if o.Id != m.Id && o.Address == m.Address {
			return fault.New(fault.Invalid, "Zero %d is at %s already: look at --my", o.Id, o.Address)
		}
	}
	c.keepMember(&pb.Member{Id: m.Id, Address: m.Address, Started: true})
	return nil
}

// applyJoin gives a node its id and its group, or takes note of a known node's address.
func (c *cluster) applyJoin(j *pb.Join) any {
	if j.ClusterId != "" && j.ClusterId != c.clusterID {
		return fault.New(fault.Invalid, "this is cluster %s, the node that wants to join is of cluster %s", c.clusterID, j.ClusterId)
	}
	if m := c.joined(j); m != nil {
		if m.Address != j.Address {
			m = proto.CloneOf(m)
			m.Address = j.Address
			c.keepMember(m)
		}
		return c.welcome(m)
	}
	if j.NodeId != 0 {
		if c.wasRemoved(j.Group, j.NodeId) {
			return fault.New(fault.Invalid, "node %d was removed from cluster %s: clear its data folder to join it as a new node",
				j.NodeId, c.clusterID)
		}
		return fault.New(fault.Invalid, "node %d is not a member of cluster %s", j.NodeId, c.clusterID)
	}
	group, err := c.groupFor(j)
	if err != nil {
		return err
	}
	m := &pb.Member{
		Id: c.nextNode, Group: group, Address: j.Address, Learner: j.Learner, Nonce: j.Nonce, First: len(c.inGroup(group)) == 0,
	}
	c.nextNode++
	c.keepMember(m)
	return c.welcome(m)
}

func (c *cluster) welcome(m *pb.Member) *pb.JoinReply {
	return &pb.JoinReply{ClusterId: c.clusterID, NodeId: m.Id, Group: m.Group, First: m.First}
}

// joined returns the member that asks, nil if it is a new one.
func (c *cluster) joined(j *pb.Join) *pb.Member {
	for _, m := range c.members {
		if m.Group != zeros && (j.NodeId != 0 && m.Id == j.NodeId || j.NodeId == 0 && j.Nonce != 0 && m.Nonce == j.Nonce) {
			return m
		}
	}
	return nil
}

// groupFor returns where a new node shall go: where it asks to, else the first group that is not full, else a new one.
func (c *cluster) groupFor(j *pb.Join) (uint32, error) {
	if j.Group > graph.MaxGroups {
		return 0, fault.New(fault.Invalid, "group %d cannot be made: groups are numbered from 1 to %d", j.Group, graph.MaxGroups)
	}
	last := uint32(1)
	for _, m := range slices.Concat(c.members, c.removed) {
		last = max(last, m.Group)
	}
	if j.Group != 0 {
		if c.gone(j.Group) {
			return 0, fault.New(fault.Invalid,
				"group %d is no more: all its nodes were removed, and its number is not used again; the next new one is %d", j.Group, last+1)
		}
		if voters := c.voters(j.Group); !j.Learner && len(voters) >= int(c.replicas) {
			return 0, fault.New(fault.Invalid, "group %d is full: it has %d of %d replicas, node %d at %s among them",
				j.Group, len(voters), c.replicas, voters[0].Id, voters[0].Address)
		}
		if j.Group > last+1 {
			return 0, fault.New(fault.Invalid, "group %d cannot be made: the last one is %d", j.Group, last)
		}
		if j.Learner && len(c.voters(j.Group)) == 0 {
			return 0, fault.New(fault.Invalid, "group %d has nobody yet that a learner could copy", j.Group)
		}
		return j.Group, nil
	}
	for g := uint32(1); g <= last; g++ {
		voters := len(c.voters(g))
		if j.Learner && voters > 0 || !j.Learner && voters < int(c.replicas) && !c.gone(g) {
			return g, nil
		}
	}
	if j.Learner {
		return 0, fault.New(fault.Invalid, "there is no group yet that a learner could copy")
	}
	if last == graph.MaxGroups {
		return 0, fault.New(fault.Invalid, "all %d groups are full", graph.MaxGroups)
	}
	return last + 1, nil
}

// applyRemove takes a node out for good. The last replica of a group that holds data stays.
func (c *cluster) applyRemove(r *pb.RemoveNode) any {
	i := slices.IndexFunc(c.members, func(m *pb.Member) bool { return m.Id == r.Id && m.Group == r.Group })
	if i < 0 {
		return fault.New(fault.NotFound, "no node %d in group %d", r.Id, r.Group)
	}
	gone := c.members[i]
	last := !gone.Learner && len(c.voters(r.Group)) == 1
	if last && (r.Group == zeros || c.holdsTablets(r.Group) || !c.othersVote(r.Group)) {
		return fault.New(fault.Invalid, "node %d is the last replica of group %d: its data would be lost", r.Id, r.Group)
	}
	if last && len(c.inGroup(r.Group)) > 1 {
		return fault.New(fault.Invalid, "node %d is the last voter of group %d, which has learners: remove those first", r.Id, r.Group)
	}
	c.members = slices.Delete(slices.Clone(c.members), i, i+1)
	c.removed = append(c.removed, gone)
	if c.gone(r.Group) {
		delete(c.streams, graph.GroupID(r.Group)) // nobody follows it any more
	}
	c.tellAll(func() *pb.Event { return &pb.Event{MemberGone: gone} })
	return &pb.RemoveReply{Seqs: c.seqs()}
}

// gone reports whether a group was, and has nobody any more. It does not come back: what it was told of is forgotten, and transactions
// that are open may still name it.
func (c *cluster) gone(group uint32) bool {
	was := func(m *pb.Member) bool { return m.Group == group }
	return group != zeros && !slices.ContainsFunc(c.members, was) && slices.ContainsFunc(c.removed, was)
}

// applyDrain has a node emptied, or ends that.
func (c *cluster) applyDrain(d *pb.Drain) any {
	i := slices.IndexFunc(c.members, func(m *pb.Member) bool { return m.Id == d.Id && m.Group == d.Group })
	if i < 0 || d.Group == zeros {
		return fault.New(fault.NotFound, "no Alpha %d in group %d", d.Id, d.Group)
	}
	m := proto.CloneOf(c.members[i])
	m.Draining = d.Draining
	c.keepMember(m)
	return &pb.RemoveReply{Seqs: c.seqs()}
}

// emptying reports whether all that could serve the group's tablets are to be emptied.
func (c *cluster) emptying(group uint32) bool {
	voters := c.voters(group)
	return len(voters) > 0 && !slices.ContainsFunc(voters, func(m *pb.Member) bool { return !m.Draining })
}

// keepMember makes m, which nobody changes any more, what is known of the node, and tells every group.
func (c *cluster) keepMember(m *pb.Member) {
	if m.Group != zeros {
		c.stream(graph.GroupID(m.Group))
	}
	if i := slices.IndexFunc(c.members, func(o *pb.Member) bool { return o.Id == m.Id && o.Group == m.Group }); i < 0 {
		c.members = append(c.members, m)
	} else if old := c.members[i]; proto.Equal(old, m) {
		return
	} else {
		c.members[i] = m
		if old.Started != m.Started && old.Address == m.Address {
			return // of no interest to a group
		}
	}
	c.tellAll(func() *pb.Event { return &pb.Event{Member: m} })
}

func (c *cluster) inGroup(group uint32) (in []*pb.Member) {
	for _, m := range c.members {
		if m.Group == group {
			in = append(in, m)
		}
	}
	return in
}

func (c *cluster) voters(group uint32) []*pb.Member {
	return slices.DeleteFunc(c.inGroup(group), func(m *pb.Member) bool { return m.Learner })
}

// othersVote reports whether there are groups of Alphas beside this one.
func (c *cluster) othersVote(group uint32) bool {
	return slices.ContainsFunc(c.members, func(m *pb.Member) bool { return m.Group != zeros && m.Group != group && !m.Learner })
}

func (c *cluster) holdsTablets(group uint32) bool {
	for _, t := range c.tablets {
		if t.Group == group {
			return true
		}
	}
	return false
}

func (c *cluster) wasRemoved(group uint32, id uint64) bool {
	return slices.ContainsFunc(c.removed, func(m *pb.Member) bool {
		return m.Id == id && (m.Group == zeros) == (group == zeros)
	})
}
