package zero

import (
	"fmt"
	"testing"
	"time"

	"dragg/graph"
	"dragg/protos/pb"
	"dragg/zero/placement"
)

// evened is a cluster as the balancer sees it.
type evened struct {
	st  *pb.ZeroState
	now time.Time
	b   *balancer
}

func newEvened(groups ...uint32) *evened {
	e := &evened{st: &pb.ZeroState{}, now: time.Unix(1000, 0)}
	for i, g := range groups {
		e.st.Members = append(e.st.Members, &pb.Member{Id: uint64(i + 1), Group: uint32(i%2 + 1)})
		e.st.Tablets = append(e.st.Tablets, &pb.Tablet{Predicate: fmt.Sprint("p", i), Group: g, Incarnation: uint64(10 + i)})
	}
	e.b = newBalancer(e.now)
	return e
}

// next asks for the move that is due a while later; every tablet is as large.
func (e *evened) next(after time.Duration, policy *pb.RebalancePolicy) string {
	e.now = e.now.Add(after)
	var tablets []placement.Tablet
	for _, t := range e.st.Tablets {
		tablets = append(tablets, placement.Tablet{
			Predicate: graph.Pred(t.Predicate), Group: graph.GroupID(t.Group), Bytes: 100 << 20, Fixed: t.Move != nil,
		})
	}
	m, ok := e.b.next(e.now, e.st, policy, tablets)
	if !ok {
		return ""
	}
	for _, t := range e.st.Tablets {
		if t.Predicate == m.Predicate.Name {
			t.Group, t.Incarnation = uint32(m.To), t.Incarnation+100
			t.Former = append(t.Former, &pb.Former{})
		}
	}
	return fmt.Sprintf("%s to %d", m.Predicate.Name, m.To)
}

// Goal: moves come one at a time, at intervals, never while something is wrong, and a tablet rests after a move.
func TestBalancer(t *testing.T) {
	policy := &pb.RebalancePolicy{IntervalMs: 10_000, LeastGain: 30}
	e := newEvened(1, 1, 1, 1)
	expect := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	expect("too early", e.next(5*time.Second, policy), "")
	e.st.Silent = e.st.Members[:1]
	expect("a node is silent", e.next(20*time.Second, policy), "")
	e.st.Silent = nil
	e.st.Tablets[3].Move = &pb.Move{}
	expect("a tablet moves", e.next(20*time.Second, policy), "")
	e.st.Tablets[3].Move = nil
	policy.Off = true
	expect("it is off", e.next(20*time.Second, policy), "")
	policy.Off = false
	expect("the first", e.next(20*time.Second, policy), "p0 to 2")
	expect("at once again", e.next(time.Second, policy), "")
	expect("the second", e.next(10*time.Second, policy), "p1 to 2")
	expect("even now", e.next(time.Hour, policy), "")
	for _, tb := range e.st.Tablets { // everything is in group 2 somehow; what was moved of late stays
		tb.Group = 2
	}
	e.st.Tablets[2].Incarnation++
	expect("what rests", e.next(time.Hour, policy), "p0 to 1")

	e.st.Members[1].Draining, e.st.Members[3].Draining = true, true
	policy.Off = true
	expect("emptying does not wait", e.next(0, policy), "p1 to 1")
	expect("emptying goes on", e.next(time.Second, policy), "p2 to 1")
	e.st.Members[3].Draining = false
	expect("a group of which one is drained serves", e.next(time.Second, policy), "")
}

// Goal: a fence is lifted when it lasts too long, counted from when this leader first saw it; a move that nobody speaks of is given up.
func TestGuard(t *testing.T) {
	g := guard{}
	now := time.Unix(1000, 0)
	heard := time.Time{}
	tb := &pb.Tablet{Predicate: "p", Epoch: 5, Move: &pb.Move{Id: 9}}
	look := func(after time.Duration) string {
		now = now.Add(after)
		out := ""
		for _, s := range g.look(now, []*pb.Tablet{tb}, func(uint64) time.Time { return heard }) {
			out += fmt.Sprint(s.Kind, " ", s.Id, " ", s.Epoch, ";")
		}
		return out
	}
	for i, step := range []struct {
		do    func()
		after time.Duration
		want  string
	}{
		{func() {}, 0, ""},
		{func() { tb.Move.Fence = 1 }, time.Minute, ""},
		{func() {}, maxFence - time.Millisecond, ""},
		{func() {}, 2 * time.Millisecond, "MOVE_UNFENCE 9 5;"},
		{func() { tb.Epoch = 6 }, time.Millisecond, ""},
		{func() { tb.Move.Fence = 0 }, maxSilence - 2*time.Minute, ""},
		{func() { heard = now }, 2 * time.Minute, ""},
		{func() {}, maxSilence, "MOVE_ABORT 9 0;"},
	} {
		step.do()
		if got := look(step.after); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}
