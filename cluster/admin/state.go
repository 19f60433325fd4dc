// Package admin holds what operators see of a cluster over HTTP, alike on every node.
package admin

import (
	"encoding/json"
	"strconv"

	"dragg/protos/pb"
)

// Membership is the answer of /state, with the names that existing tools look for.
type Membership struct {
	Counter   string            `json:"counter"`
	Groups    map[string]*Group `json:"groups"`
	Zeros     map[string]Member `json:"zeros"`
	MaxUID    string            `json:"maxUID"`
	MaxTxnTs  string            `json:"maxTxnTs"`
	MaxNsID   string            `json:"maxNsID"`
	MaxRaftID string            `json:"maxRaftId"`
	Removed   []Member          `json:"removed"`
	CID       string            `json:"cid"`
}

// Group is one group of Alphas.
type Group struct {
	Members map[string]Member `json:"members"`
	Tablets map[string]Tablet `json:"tablets"`
}

// Member is one node.
type Member struct {
	ID      string `json:"id"`
	GroupID uint32 `json:"groupId"`
	Addr    string `json:"addr"`
	Leader  bool   `json:"leader,omitempty"`
	Learner bool   `json:"learner,omitempty"`
}

// Tablet is the shard of one predicate.
type Tablet struct {
	GroupID     uint32 `json:"groupId"`
	Predicate   string `json:"predicate"`
	Incarnation string `json:"incarnation"`
	Epoch       string `json:"epoch"`
}

// MembershipJSON renders Zero's state for /state.
func MembershipJSON(s *pb.ZeroState) ([]byte, error) {
	m := Membership{
		Counter: number(s.Applied), Groups: map[string]*Group{},
		Zeros:  map[string]Member{},
		MaxUID: number(s.UidBound - 1), MaxTxnTs: number(s.TsBound - 1), MaxNsID: "0",
		MaxRaftID: number(s.NextNode - 1), Removed: []Member{}, CID: s.ClusterId,
	}
	group := func(id uint32) *Group {
		g := m.Groups[number(uint64(id))]
		if g == nil {
			g = &Group{Members: map[string]Member{}, Tablets: map[string]Tablet{}}
			m.Groups[number(uint64(id))] = g
		}
		return g
	}
	for _, n := range s.Members {
		member := Member{
			ID: number(n.Id), GroupID: n.Group, Addr: n.Address, Leader: s.Leaders[n.Group] == n.Id, Learner: n.Learner,
		}
		if n.Group == 0 {
			m.Zeros[number(n.Id)] = member
		} else {
			group(n.Group).Members[number(n.Id)] = member
		}
	}
	for _, n := range s.Removed {
		m.Removed = append(m.Removed, Member{ID: number(n.Id), GroupID: n.Group, Addr: n.Address})
	}
	for _, t := range s.Tablets {
		name := t.Predicate
		if t.Namespace != 0 {
			name = number(t.Namespace) + "-" + name
		}
		group(t.Group).Tablets[name] = Tablet{
			GroupID: t.Group, Predicate: name, Incarnation: number(t.Incarnation), Epoch: number(t.Epoch),
		}
	}
	return json.Marshal(m)
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }
