package state

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

func (d *driver) join(j *pb.Join) *pb.JoinReply {
	d.t.Helper()
	r, ok := d.apply(&pb.ZeroEntry{Join: j}).(*pb.JoinReply)
	if !ok {
		d.t.Fatalf("%v was refused", j)
	}
	return r
}

func (d *driver) refused(what string, e *pb.ZeroEntry, class fault.Class) {
	d.t.Helper()
	before := describe(d.t, d.m)
	if err, ok := d.apply(e).(error); !ok || fault.ClassOf(err) != class {
		d.t.Errorf("%s: %v, want a refusal", what, err)
	}
	d.m.s.applied-- // all else must be as it was
	if string(describe(d.t, d.m)) != string(before) {
		d.t.Errorf("%s was refused and changed something", what)
	}
	d.m.s.applied++
}

// Nodes fill one group after the other. A node that comes back is told the same as before, also when it never heard the answer.
func TestJoin(t *testing.T) {
	d := drive(t)
	d.apply(&pb.ZeroEntry{Bootstrap: &pb.Bootstrap{Replicas: 2}})
	first := d.join(&pb.Join{Address: "a:1", Nonce: 7})
	if first.NodeId == 0 || first.Group != 1 || first.ClusterId != "c" || !first.First {
		t.Fatalf("the first alpha: %v", first)
	}
	for i, want := range []struct {
		group uint32
		first bool
	}{{1, false}, {2, true}, {2, false}, {3, true}} {
		if r := d.join(&pb.Join{Address: "b:1"}); r.Group != want.group || r.First != want.first || r.NodeId != uint64(i+2) {
			t.Errorf("alpha %d: %v", i+2, r)
		}
	}
	for name, j := range map[string]*pb.Join{
		"of another cluster":             {Address: "b:1", ClusterId: "d"},
		"of another cluster, known node": {Address: "b:1", ClusterId: "d", NodeId: first.NodeId},
		"that nobody knows":              {Address: "b:1", NodeId: 77, ClusterId: "c"},
		"for a full group":               {Address: "b:1", Group: 2},
		"for a group far away":           {Address: "b:1", Group: 5},
		"for a group beyond all":         {Address: "b:1", Group: graph.MaxGroups + 1},
	} {
		d.refused("a node "+name, &pb.ZeroEntry{Join: j}, fault.Invalid)
	}
	for name, j := range map[string]*pb.Join{
		"at another address":           {Address: "moved:1", NodeId: first.NodeId, ClusterId: "c"},
		"that missed the answer":       {Address: "moved:1", Nonce: 7},
		"that missed it and has moved": {Address: "again:1", Nonce: 7},
	} {
		if again := d.join(j); !proto.Equal(again, first) {
			t.Errorf("a node %s: %v", name, again)
		}
	}
	if m := d.m.State().Members; len(m) != 5 || m[0].Id != 1 {
		t.Errorf("members %v", m)
	}
	if r := d.join(&pb.Join{Address: "l:1", Group: 1, Learner: true}); r.Group != 1 || r.First {
		t.Errorf("a learner of a full group: %v", r)
	}
}

// A removed node stays away, its id too; the last replica of data does not go.
func TestRemove(t *testing.T) {
	d := drive(t)
	d.apply(&pb.ZeroEntry{Bootstrap: &pb.Bootstrap{Replicas: 2, Zeros: []*pb.Member{{Id: 1, Address: "z:1"}}}})
	d.join(&pb.Join{Address: "a:1"})
	d.join(&pb.Join{Address: "b:1"})
	d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "p", Schema: []byte("s"), Group: 1}}})
	remove := func(group uint32, id uint64) *pb.ZeroEntry {
		return &pb.ZeroEntry{Remove: &pb.RemoveNode{Group: group, Id: id}}
	}
	d.refused("an unknown node", remove(1, 9), fault.NotFound)
	d.refused("the last Zero", remove(0, 1), fault.Invalid)
	if _, ok := d.apply(remove(1, 1)).(*pb.RemoveReply); !ok {
		t.Fatal("node 1 was not removed")
	}
	d.refused("the last replica", remove(1, 2), fault.Invalid)
	d.refused("the removed node", &pb.ZeroEntry{Join: &pb.Join{Address: "a:1", NodeId: 1, ClusterId: "c"}}, fault.Invalid)
	if r := d.join(&pb.Join{Address: "a:1"}); r.NodeId != 3 || r.Group != 1 || r.First {
		t.Errorf("it comes back as a new node: %v", r)
	}
	st := d.m.State()
	if len(st.Removed) != 1 || st.Removed[0].Id != 1 || len(st.Members) != 3 {
		t.Errorf("members %v, removed %v", st.Members, st.Removed)
	}
	b, _, err := d.m.Events(graph.GroupID(1), 0)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, e := range b.Events {
		if e.MemberGone.GetId() == 1 {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the group was told %d times", told)
	}
}

// Goal: the number of a group that was given up is not used again: its log would begin anew, and what it was told before is forgotten, so
// that its nodes died at their start. Method: groups whose nodes are all removed.
func TestGroupsDoNotComeBack(t *testing.T) {
	d := drive(t)
	d.apply(&pb.ZeroEntry{Bootstrap: &pb.Bootstrap{Replicas: 1}})
	d.refused("a learner without a group", &pb.ZeroEntry{Join: &pb.Join{Address: "l:1", Learner: true}}, fault.Invalid)
	d.refused("a learner that begins a group", &pb.ZeroEntry{Join: &pb.Join{Address: "l:1", Group: 1, Learner: true}}, fault.Invalid)
	d.join(&pb.Join{Address: "a:1"})
	two := d.join(&pb.Join{Address: "b:1"})
	learner := d.join(&pb.Join{Address: "l:1", Group: 2, Learner: true})
	remove := func(id uint64) *pb.ZeroEntry { return &pb.ZeroEntry{Remove: &pb.RemoveNode{Group: 2, Id: id}} }
	d.refused("the last voter before its learner", remove(two.NodeId), fault.Invalid)
	d.apply(remove(learner.NodeId))
	d.apply(remove(two.NodeId))
	if s := d.m.s.streams; len(s) != 1 || s[2] != nil {
		t.Errorf("%d streams are kept", len(s))
	}
	if _, _, err := d.m.Events(2, 3); err == nil || !strings.Contains(err.Error(), "group 2 is no more") {
		t.Errorf("its last node, which runs on, is told %v", err)
	}
	d.refused("a node for a group that is gone", &pb.ZeroEntry{Join: &pb.Join{Address: "c:1", Group: 2}}, fault.Invalid)
	if r := d.join(&pb.Join{Address: "c:1"}); r.Group != 3 || !r.First {
		t.Errorf("a new group: %v", r)
	}
	if r := d.join(&pb.Join{Address: "l:1", Learner: true}); r.Group != 1 {
		t.Errorf("a learner: %v", r)
	}
	r := d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "p", Schema: []byte("s"), Group: 2}}})
	if g := r.Tablets[0].Group; g == 2 {
		t.Errorf("a predicate was made in group %d, which is gone", g)
	}
	b, _, err := d.m.Events(3, 0)
	if err != nil || len(b.Events) == 0 || b.Events[0].Seq != 1 {
		t.Errorf("the new group is told %v, %v", b, err)
	}
}

// The Zeros' own addresses follow their flags.
func TestBootstrapKeepsAddresses(t *testing.T) {
	d := drive(t)
	for _, address := range []string{"z:1", "z:1", "moved:1"} {
		d.apply(&pb.ZeroEntry{Bootstrap: &pb.Bootstrap{ClusterId: "x", Replicas: 3, Zeros: []*pb.Member{{Id: 1, Address: address}}}})
	}
	st := d.m.State()
	if st.ClusterId != "c" || st.Replicas != 3 || len(st.Members) != 1 || st.Members[0].Address != "moved:1" {
		t.Errorf("%v", st)
	}
}

// A Zero that starts says where it is reached, and that it has a log: from then on it does not join anew, whatever leaders say of it.
func TestZeroStarts(t *testing.T) {
	d := drive(t)
	bootstrap := &pb.ZeroEntry{Bootstrap: &pb.Bootstrap{Zeros: []*pb.Member{{Id: 1, Address: "a:1"}, {Id: 2, Address: "b:1"}}}}
	d.apply(bootstrap)
	started := func(id uint64, address string) *pb.ZeroEntry {
		return &pb.ZeroEntry{JoinZero: &pb.Member{Id: id, Address: address, Started: true, ClusterId: "c"}}
	}
	for _, address := range []string{"b:1", "moved:1", "moved:1"} {
		if r := d.apply(started(2, address)); r != nil {
			t.Fatal(r)
		}
		if m := d.m.Members()[1]; m.Address != address || !m.Started || m.Group != 0 || m.ClusterId != "" {
			t.Error(m)
		}
	}
	d.refused("a Zero that nobody knows", started(3, "c:1"), fault.Invalid)
	d.refused("a Zero at the address of another", started(2, "a:1"), fault.Invalid)
	d.refused("a Zero without its log", &pb.ZeroEntry{JoinZero: &pb.Member{Id: 2, Address: "moved:1"}}, fault.Invalid)
	elsewhere := started(2, "b:1")
	elsewhere.JoinZero.ClusterId = "d"
	d.refused("a Zero of another cluster", elsewhere, fault.Invalid)
	d.apply(bootstrap)
	if m := d.m.Members()[1]; m.Address != "moved:1" || !m.Started {
		t.Errorf("a leader with an old list: %v", m)
	}
	d.apply(&pb.ZeroEntry{Remove: &pb.RemoveNode{Id: 2}})
	d.refused("a Zero that was removed", started(2, "b:1"), fault.Invalid)
}

// A Zero joins under a number and an address that no other has or had; asking again changes nothing.
func TestJoinZero(t *testing.T) {
	d := drive(t)
	d.apply(&pb.ZeroEntry{Bootstrap: &pb.Bootstrap{Zeros: []*pb.Member{{Id: 1, Address: "a:1"}}}})
	join := func(id uint64, address string) error {
		err, _ := d.apply(&pb.ZeroEntry{JoinZero: &pb.Member{Id: id, Address: address}}).(error)
		return err
	}
	for range 2 {
		if err := join(2, "b:1"); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		id      uint64
		address string
	}{{0, "c:1"}, {3, ""}, {2, "c:1"}, {3, "a:1"}} {
		if err := join(c.id, c.address); fault.ClassOf(err) != fault.Invalid {
			t.Errorf("Zero %d at %q: %v", c.id, c.address, err)
		}
	}
	d.apply(&pb.ZeroEntry{Remove: &pb.RemoveNode{Id: 1}})
	if err := join(1, "a:1"); fault.ClassOf(err) != fault.Invalid {
		t.Errorf("a number that was given up: %v", err)
	}
	if err := join(3, "a:1"); err != nil {
		t.Errorf("the address of one that was removed: %v", err)
	}
	if n := len(d.m.Members()); n != 2 {
		t.Errorf("%d Zeros, want 2", n)
	}
}
