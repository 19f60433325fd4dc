package placement

import (
	"slices"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/protos/pb"
	"dragg/schema"
)

func known(name string, group uint32, incarnation uint64, building ...string) *pb.Tablet {
	p := &schema.Predicate{Name: graph.Pred(name), Type: types.String, Building: building}
	return &pb.Tablet{Predicate: name, Group: group, Incarnation: incarnation, Schema: p.AppendBinary(nil)}
}

// Tablets weigh what their group told; one that has just moved weighs what it did where it was, until its new group has told.
func TestTabletsOf(t *testing.T) {
	moved := known("moved", 2, 12)
	moved.Former = []*pb.Former{{Incarnation: 3}, {Incarnation: 11}}
	moving := known("moving", 1, 13)
	moving.Move = &pb.Move{To: 2}
	st := &pb.ZeroState{
		Tablets: []*pb.Tablet{known("a", 1, 10), known("b", 1, 14, "exact"), moved, moving, known("new", 1, 15)},
		Loads: []*pb.TabletLoad{
			{Incarnation: 10, Bytes: 1, Rate: 2, Reports: 1},
			{Incarnation: 11, Bytes: 3, Rate: 4, Reports: 10},
			{Incarnation: 12, Bytes: 9},
			{Incarnation: 13, Bytes: 5, Reports: 1},
			{Incarnation: 14, Bytes: 6, Reports: 1},
		},
	}
	want := []Tablet{
		{Predicate: graph.Pred("a"), Group: 1, Bytes: 1, Load: 2},
		{Predicate: graph.Pred("b"), Group: 1, Bytes: 6, Fixed: true},
		{Predicate: graph.Pred("moved"), Group: 2, Bytes: 3, Load: 4},
		{Predicate: graph.Pred("moving"), Group: 1, Bytes: 5, Fixed: true},
		{Predicate: graph.Pred("new"), Group: 1},
	}
	if got := TabletsOf(st); !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	st.Silent = []*pb.Member{{Id: 4, Group: 2}}
	if got := strings.Join(Obstacles(st), "; "); got != "node 4 of group 2 does not answer; predicate moving is moving to group 2; "+
		"what 1 tablets weigh is not known yet, new among them" {
		t.Error(got)
	}
	st.Loads[2].Reports = 1
	if got := TabletsOf(st)[2].Bytes; got != 9 {
		t.Errorf("what moved weighs %d in its new place", got)
	}
}

// A few queries on a cluster that is idle move nothing.
func TestNoiseIsNoLoad(t *testing.T) {
	two := Groups{Serving: []graph.GroupID{1, 2}}
	even := func(load float64) []Tablet {
		return []Tablet{tablet("a", 1, 500, load), tablet("b", 1, 500, load), tablet("c", 2, 1000, 0)}
	}
	if m, ok := Next(two, even(leastLoad/4), Policy{LeastGain: 30}); ok {
		t.Errorf("%+v", m)
	}
	if _, ok := Next(two, even(leastLoad), Policy{LeastGain: 30}); !ok {
		t.Error("a load moves nothing")
	}
}
