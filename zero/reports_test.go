package zero

import (
	"maps"
	"slices"
	"testing"
	"time"

	"dragg/graph"
	"dragg/protos/pb"
	"dragg/zero/placement"
)

// Who was said to lead is not any more when nobody of the group was heard of for a while, or when it was removed.
func TestLeadersThatAreNoMore(t *testing.T) {
	now := time.Now()
	p := newReports()
	st := &pb.ZeroState{Members: []*pb.Member{{Group: 1, Id: 1}, {Group: 2, Id: 2}, {Group: 3, Id: 3}}}
	p.add(&pb.GroupReport{Group: 1, Leader: 1}, now)
	p.add(&pb.GroupReport{Group: 2, Leader: 2}, now.Add(-reportLife-time.Second))
	said := map[uint32]uint64{1: 1, 2: 2, 3: 3, 4: 4}
	maps.DeleteFunc(said, func(group uint32, id uint64) bool { return !p.leads(st, group, id, now) })
	if got := slices.Sorted(maps.Keys(said)); !slices.Equal(got, []uint32{1, 3}) {
		t.Errorf("groups %v have leaders: 1 was heard of, 3 has not had time", got)
	}
}

// Goal: nobody removes, by a wrong number, the node that answers where the others are dead. Method: groups of which voters are silent.
func TestWhoAnswersStays(t *testing.T) {
	st := &pb.ZeroState{Tablets: []*pb.Tablet{{Predicate: "p", Group: 1}}}
	for id := range uint64(5) {
		st.Members = append(st.Members, &pb.Member{Group: 1, Id: id + 1, Learner: id == 4})
	}
	for _, c := range []struct {
		silent []uint64
		remove uint64
		stays  bool
	}{
		{nil, 1, false},
		{[]uint64{2}, 1, false},
		{[]uint64{2}, 2, false},
		{[]uint64{2, 3}, 1, true},
		{[]uint64{2, 3}, 2, false},
		{[]uint64{2, 3, 4}, 1, true},
		{[]uint64{2, 3, 4}, 5, false},    // a learner
		{[]uint64{1, 2, 3, 4}, 1, true},  // nobody was heard of: there is no leader
		{[]uint64{1, 2, 3, 4}, 9, false}, // that it is not there is for the state to say
	} {
		st.Silent = nil
		for _, id := range c.silent {
			st.Silent = append(st.Silent, &pb.Member{Group: 1, Id: id})
		}
		if err := mayGo(st, &pb.RemoveNode{Group: 1, Id: c.remove}); (err != nil) != c.stays {
			t.Errorf("node %d of four voters, of which %v are silent: %v", c.remove, c.silent, err)
		}
	}
	st.Tablets, st.Silent = nil, slices.Clone(st.Members)
	if err := mayGo(st, &pb.RemoveNode{Group: 1, Id: 1}); err != nil {
		t.Errorf("of a group without data: %v", err)
	}
}

// Goal: a new predicate goes to a group that answers: in one that has not begun yet, or is down, nobody could use it. Method: groups of
// which voters are silent.
func TestPredicatesAreMadeWhereSomebodyAnswers(t *testing.T) {
	one, two, three := &pb.Member{Group: 1, Id: 1}, &pb.Member{Group: 2, Id: 2}, &pb.Member{Group: 2, Id: 3}
	learner := &pb.Member{Group: 1, Id: 4, Learner: true}
	groups := placement.Groups{Serving: []graph.GroupID{1, 2}}
	for _, c := range []struct {
		silent []*pb.Member
		want   []graph.GroupID
	}{
		{nil, []graph.GroupID{1, 2}},
		{[]*pb.Member{two}, []graph.GroupID{1, 2}},
		{[]*pb.Member{two, three}, []graph.GroupID{1}},
		{[]*pb.Member{one}, []graph.GroupID{2}},
		{[]*pb.Member{one, two, three}, []graph.GroupID{1, 2}},
	} {
		st := &pb.ZeroState{Members: []*pb.Member{one, two, three, learner}, Silent: c.silent}
		if got := answering(groups, st).Serving; !slices.Equal(got, c.want) {
			t.Errorf("without %v: %v, want %v", c.silent, got, c.want)
		}
	}
}
