package placement

import (
	"cmp"
	"fmt"
	"slices"

	"dragg/graph"
	"dragg/protos/pb"
	"dragg/schema"
)

// GroupsOf returns the groups that serve, and those of which every voter is to be emptied.
func GroupsOf(st *pb.ZeroState) (g Groups) {
	empty := map[graph.GroupID]bool{}
	for _, m := range st.Members {
		if m.Group == 0 || m.Learner {
			continue
		}
		group := graph.GroupID(m.Group)
		before, known := empty[group]
		empty[group] = m.Draining && (before || !known)
	}
	for group, draining := range empty {
		if draining {
			g.Emptying = append(g.Emptying, group)
		} else {
			g.Serving = append(g.Serving, group)
		}
	}
	slices.Sort(g.Emptying)
	slices.Sort(g.Serving)
	return g
}

// TabletsOf returns the tablets with what is known of their size and load, in the order of the state. One that moves, or of which an
// index is being built, stays where it is.
func TabletsOf(st *pb.ZeroState) []Tablet {
	loads, out := loadsOf(st), make([]Tablet, len(st.Tablets))
	for i, t := range st.Tablets {
		l := loads.of(t)
		out[i] = Tablet{
			Predicate: nameOf(t), Group: graph.GroupID(t.Group), Bytes: l.GetBytes(), Load: l.GetRate(), Fixed: t.Move != nil || building(t),
		}
	}
	return out
}

// building reports whether a tablet has an index that is not complete, or a definition that nobody can read: Zero refuses to move it.
func building(t *pb.Tablet) bool {
	def, err := schema.DecodePredicate(t.Schema)
	return err != nil || len(def.Building) > 0
}

// PolicyOf returns what a policy that was set says is worth a move.
func PolicyOf(p *pb.RebalancePolicy) Policy {
	return Policy{LeastGain: int(p.GetLeastGain()), LeastBytes: p.GetLeastBytes()}
}

// Obstacles says what keeps every move from being made now: what is lost must be restored first, one tablet moves at a time, and
// nothing is evened out before it is known what it weighs.
func Obstacles(st *pb.ZeroState) (out []string) {
	for _, m := range st.Silent {
		out = append(out, fmt.Sprintf("node %d of group %d does not answer", m.Id, m.Group))
	}
	loads := loadsOf(st)
	var unknown []graph.Predicate
	for _, t := range st.Tablets {
		if t.Move != nil {
			out = append(out, fmt.Sprintf("predicate %s is moving to group %d", nameOf(t), t.Move.To))
		}
		if loads.of(t).GetReports() == 0 {
			unknown = append(unknown, nameOf(t))
		}
	}
	if len(unknown) > 0 {
		out = append(out, fmt.Sprintf("what %d tablets weigh is not known yet, %s among them", len(unknown), unknown[0]))
	}
	return out
}

// loads are what the groups told, by incarnation.
type loads map[uint64]*pb.TabletLoad

func loadsOf(st *pb.ZeroState) loads {
	out := make(loads, len(st.Loads))
	for _, l := range st.Loads {
		out[l.Incarnation] = l
	}
	return out
}

// of returns what is known of a tablet, nil if that is nothing. Of one that has just moved it is what it weighed before: else it would
// weigh nothing for a while, and others would follow it.
func (l loads) of(t *pb.Tablet) *pb.TabletLoad {
	if now := l[t.Incarnation]; now.GetReports() > 0 || len(t.Former) == 0 {
		return now
	}
	return cmp.Or(l[t.Former[len(t.Former)-1].Incarnation], l[t.Incarnation])
}

func nameOf(t *pb.Tablet) graph.Predicate {
	return graph.Predicate{Namespace: graph.Namespace(t.Namespace), Name: t.Predicate}
}
