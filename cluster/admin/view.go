package admin

import (
	"cmp"
	"slices"

	"dragg/protos/pb"
)

// Cluster is the answer of GET /v1/cluster.
type Cluster struct {
	ID               string `json:"id"`
	Leader           uint64 `json:"leader"` // of the Zeros; 0 where it is not known
	Replicas         uint32 `json:"replicas"`
	Zeros            int    `json:"zeros"`
	Alphas           int    `json:"alphas"`
	Groups           int    `json:"groups"`
	Tablets          int    `json:"tablets"`
	LeasedUIDs       uint64 `json:"leased_uids"`
	LeasedTimestamps uint64 `json:"leased_timestamps"`
}

// Node is one node of GET /v1/nodes. Zeros and Alphas are numbered apart.
type Node struct {
	ID      uint64 `json:"id"`
	Kind    string `json:"kind"` // zero or alpha
	Group   uint32 `json:"group"`
	Address string `json:"address"`
	Leader  bool   `json:"leader"`
	Learner bool   `json:"learner"`
	// Silent nodes do not answer the leader of their group, or are of one whose leader was not heard of lately.
	Silent bool `json:"silent"`
	// Draining nodes are to be emptied.
	Draining bool `json:"draining"`
}

// Nodes is the answer of GET /v1/nodes.
type Nodes struct {
	Nodes   []Node `json:"nodes"`
	Removed []Node `json:"removed"`
}

// GroupOf is one group of GET /v1/groups. Group 0 is the Zeros.
type GroupOf struct {
	ID       uint32   `json:"id"`
	Leader   uint64   `json:"leader"` // 0 where it is not known
	Voters   []uint64 `json:"voters"`
	Learners []uint64 `json:"learners"`
	Tablets  int      `json:"tablets"`
	Bytes    int64    `json:"bytes"` // on disk, about, of the tablets whose size is known
}

// Groups is the answer of GET /v1/groups.
type Groups struct {
	Groups []GroupOf `json:"groups"`
}

// TabletOf is one tablet of GET /v1/tablets.
type TabletOf struct {
	Namespace   uint64 `json:"namespace"`
	Predicate   string `json:"predicate"`
	Group       uint32 `json:"group"`
	Incarnation uint64 `json:"incarnation"`
	Epoch       uint64 `json:"epoch"`
	Bytes       *int64 `json:"bytes"` // on disk, about; null until the group has told
	// Load is reads and writes a second of late; null until the group has told twice.
	Load     *float64 `json:"load"`
	MovingTo uint32   `json:"moving_to"` // 0 where it stays
}

// Tablets is the answer of GET /v1/tablets.
type Tablets struct {
	Tablets []TabletOf `json:"tablets"`
}

func clusterOf(s *pb.ZeroState) Cluster {
	c := Cluster{
		ID: s.ClusterId, Leader: s.Leaders[0], Replicas: s.Replicas, Tablets: len(s.Tablets),
		LeasedUIDs: s.UidBound - 1, LeasedTimestamps: s.TsBound - 1,
	}
	for _, g := range groupsOf(s).Groups {
		if g.ID == 0 {
			c.Zeros = len(g.Voters) + len(g.Learners)
			continue
		}
		c.Groups++
		c.Alphas += len(g.Voters) + len(g.Learners)
	}
	return c
}

func nodeOf(s *pb.ZeroState, m *pb.Member) Node {
	n := Node{
		ID: m.Id, Kind: "alpha", Group: m.Group, Address: m.Address, Leader: s.Leaders[m.Group] == m.Id, Learner: m.Learner,
		Draining: m.Draining,
		Silent:   slices.ContainsFunc(s.Silent, func(o *pb.Member) bool { return o.Id == m.Id && o.Group == m.Group }),
	}
	if m.Group == 0 {
		n.Kind = "zero"
	}
	return n
}

func nodesOf(s *pb.ZeroState) Nodes {
	out := Nodes{Nodes: []Node{}, Removed: []Node{}}
	for _, m := range members(s) {
		out.Nodes = append(out.Nodes, nodeOf(s, m))
	}
	for _, m := range s.Removed {
		n := nodeOf(s, m)
		n.Leader, n.Draining = false, false
		out.Removed = append(out.Removed, n)
	}
	return out
}

// members returns the nodes, by group and id.
func members(s *pb.ZeroState) []*pb.Member {
	all := slices.Clone(s.Members)
	slices.SortFunc(all, func(a, b *pb.Member) int {
		if a.Group != b.Group {
			return int(a.Group) - int(b.Group)
		}
		return int(a.Id) - int(b.Id)
	})
	return all
}

func groupsOf(s *pb.ZeroState) Groups {
	bytes, by := sizes(s), map[uint32]*GroupOf{}
	group := func(id uint32) *GroupOf {
		if by[id] == nil {
			by[id] = &GroupOf{ID: id, Leader: s.Leaders[id], Voters: []uint64{}, Learners: []uint64{}}
		}
		return by[id]
	}
	for _, m := range members(s) {
		g := group(m.Group)
		if m.Learner {
			g.Learners = append(g.Learners, m.Id)
		} else {
			g.Voters = append(g.Voters, m.Id)
		}
	}
	for _, t := range s.Tablets {
		g := group(t.Group)
		g.Tablets++
		g.Bytes += bytes[t.Incarnation]
	}
	out := Groups{Groups: []GroupOf{}}
	for _, g := range by {
		out.Groups = append(out.Groups, *g)
	}
	slices.SortFunc(out.Groups, func(a, b GroupOf) int { return int(a.ID) - int(b.ID) })
	return out
}

// sizes returns the bytes on disk by incarnation, of those that were told.
func sizes(s *pb.ZeroState) map[uint64]int64 {
	out := make(map[uint64]int64, len(s.Loads))
	for _, l := range s.Loads {
		out[l.Incarnation] = l.Bytes
	}
	return out
}

func tabletsOf(s *pb.ZeroState) Tablets {
	loads, out := map[uint64]*pb.TabletLoad{}, Tablets{Tablets: []TabletOf{}}
	for _, l := range s.Loads {
		loads[l.Incarnation] = l
	}
	for _, t := range s.Tablets {
		one := TabletOf{
			Namespace: t.Namespace, Predicate: t.Predicate, Group: t.Group, Incarnation: t.Incarnation, Epoch: t.Epoch,
			MovingTo: t.GetMove().GetTo(),
		}
		if l := loads[t.Incarnation]; l != nil {
			one.Bytes = &l.Bytes
			if l.Reports > 0 {
				one.Load = &l.Rate
			}
		}
		out.Tablets = append(out.Tablets, one)
	}
	slices.SortFunc(out.Tablets, func(a, b TabletOf) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Predicate, b.Predicate))
	})
	return out
}
