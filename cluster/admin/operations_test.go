package admin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/protos/pb"
	"dragg/schema"
)

func tablet(name string, group uint32, incarnation uint64) *pb.Tablet {
	p := &schema.Predicate{Name: graph.Pred(name), Type: types.String}
	return &pb.Tablet{Predicate: name, Group: group, Incarnation: incarnation, Schema: p.AppendBinary(nil)}
}

// twoGroups is two groups of one voter each, the first of which serves two tablets that weigh the same.
func twoGroups() *pb.ZeroState {
	return &pb.ZeroState{
		TsBound: 1, UidBound: 1, Replicas: 1, Policy: &pb.RebalancePolicy{LeastGain: 30},
		Members: []*pb.Member{{Id: 1, Address: "z:5080"}, {Id: 1, Group: 1}, {Id: 2, Group: 2}},
		Tablets: []*pb.Tablet{tablet("a", 1, 3), tablet("b", 1, 4)},
		Loads:   []*pb.TabletLoad{{Incarnation: 3, Bytes: 100, Reports: 1}, {Incarnation: 4, Bytes: 100, Reports: 1}},
		Leaders: map[uint32]uint64{1: 1, 2: 2},
	}
}

// What goes on comes first, then what is over, the newest first.
func TestOperationsInOrder(t *testing.T) {
	st := someZeros().st
	st.Members[0].Draining = true
	got := ""
	for _, o := range operationsOf(st).Operations {
		got += fmt.Sprintf("%s %s %s; ", o.ID, o.State, o.Outcome)
	}
	if got != "20 running ; drain-2 running ; 17 failed cancelled; 16 done done; " {
		t.Error(got)
	}
}

// A drain is done when the node leads nothing that another could, and its group serves nothing if all of it is drained; until then it
// says what it waits for.
func TestDrainIsDone(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(st *pb.ZeroState)
		state  string
		why    string
	}{
		{"a group that serves two tablets", func(*pb.ZeroState) {}, Running, "2 tablets are left"},
		{"one that serves none", func(st *pb.ZeroState) { st.Tablets = nil }, Done, ""},
		{"there is no other group", func(st *pb.ZeroState) { st.Members = st.Members[:2] }, Running, "there is no other group for the 2 tablets of group 1"},
		{"a node does not answer", func(st *pb.ZeroState) { st.Silent = st.Members[2:] }, Running, "2 tablets are left; they wait until node 2 of group 2 answers again, or is removed"},
		{"another voter could lead", func(st *pb.ZeroState) { st.Members = append(st.Members, &pb.Member{Id: 3, Group: 1}) }, Running, "it still leads group 1"},
		{"another voter leads", func(st *pb.ZeroState) {
			st.Members, st.Leaders[1] = append(st.Members, &pb.Member{Id: 3, Group: 1}), 3
		}, Done, ""},
	} {
		st := twoGroups()
		st.Members[1].Draining = true
		c.change(st)
		if o := drainOf(st, st.Members[1]); o.State != c.state || o.Why != c.why {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
}

// The plan is the moves that would even out the groups; to run it begins the first of them, even if the policy is off.
func TestPlanIsRun(t *testing.T) {
	z := &zeros{st: twoGroups()}
	z.st.Policy.Off = true
	_, body := ask(z, slog.New(slog.DiscardHandler), elsewhere, "GET", "/v1/rebalance/plan", "")
	var p PlanOf
	if err := json.Unmarshal([]byte(body), &p); err != nil || !p.Off || len(p.Blocked) != 0 || len(p.Moves) != 1 || p.Moves[0].Predicate != "a" || p.Moves[0].To != 2 {
		t.Errorf("%v %s", err, body)
	}
	if code, body := ask(z, slog.New(slog.DiscardHandler), here, "POST", "/v1/rebalance/run", "{}"); code != 202 || len(z.asked) != 1 {
		t.Errorf("%d %s, asked %q", code, body, z.asked)
	}
	z.st.Tablets[0].Group = 2
	if code, body := ask(z, slog.New(slog.DiscardHandler), here, "POST", "/v1/rebalance/run", "{}"); code != 409 || len(z.asked) != 1 {
		t.Errorf("groups that are even: %d %s, asked %q", code, body, z.asked)
	}
}

// To add a node is to start it: the answer is the command, and it is said before where there is no room.
func TestAddNode(t *testing.T) {
	for body, want := range map[string]string{
		`{}`:                         `200 {"command":"dragg alpha --zero z:5080 --my HOST:7080 --data DIR","note":"Put the name under which other nodes reach it for HOST, and an empty folder for DIR."}`,
		`{"group":3}`:                `200 {"command":"dragg alpha --zero z:5080 --my HOST:7080 --data DIR --group 3","note":"Put the name under which other nodes reach it for HOST, and an empty folder for DIR."}`,
		`{"group":1,"learner":true}`: `200 {"command":"dragg alpha --zero z:5080 --my HOST:7080 --data DIR --learner --group 1","note":"Put the name under which other nodes reach it for HOST, and an empty folder for DIR."}`,
		`{"group":1}`:                `409 {"code":"conflict","message":"group: group 1 is full: it has 1 of 1 voters; remove one, ask for a learner, or for another group"}`,
		`{"group":4}`:                `400 {"code":"invalid","message":"group: there is no group 4; the next new one is 3"}`,
	} {
		code, got := ask(&zeros{st: twoGroups()}, slog.New(slog.DiscardHandler), here, "POST", "/v1/nodes", body)
		if got = fmt.Sprint(code, " ", got); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
}
