package zero

import (
	"fmt"
	"testing"
	"time"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/protos/pb"
	"dragg/schema"
)

// evened is a cluster as the balancer sees it.
type evened struct {
	st  *pb.ZeroState
	now time.Time
	b   *balancer
}

func newEvened(groups ...uint32) *evened {
	e := &evened{st: &pb.ZeroState{Policy: &pb.RebalancePolicy{IntervalMs: 10_000, LeastGain: 30}}, now: time.Unix(1000, 0)}
	for i, g := range groups {
		e.st.Members = append(e.st.Members, &pb.Member{Id: uint64(i + 1), Group: uint32(i%2 + 1)})
		p := &schema.Predicate{Name: graph.Pred(fmt.Sprint("p", i)), Type: types.String}
		e.st.Tablets = append(e.st.Tablets, &pb.Tablet{Predicate: p.Name.Name, Group: g, Incarnation: uint64(10 + i), Schema: p.AppendBinary(nil)})
		e.st.Loads = append(e.st.Loads, &pb.TabletLoad{Incarnation: uint64(10 + i), Bytes: 100 << 20, Reports: 1})
	}
	e.b = newBalancer(e.now)
	return e
}

// next asks for the move that is due a while later, and carries it out.
func (e *evened) next(after time.Duration) string {
	e.now = e.now.Add(after)
	m, ok := e.b.next(e.now, e.st)
	if !ok {
		return ""
	}
	for i, t := range e.st.Tablets {
		if t.Predicate == m.Predicate.Name {
			t.Group, t.Incarnation = uint32(m.To), t.Incarnation+100
			t.Former = append(t.Former, &pb.Former{})
			e.st.Loads[i].Incarnation = t.Incarnation
		}
	}
	return fmt.Sprintf("%s to %d", m.Predicate.Name, m.To)
}

func (e *evened) expect(t *testing.T, what string, after time.Duration, want string) {
	t.Helper()
	if got := e.next(after); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// Goal: moves come one at a time, at intervals, never while something is wrong, and a tablet rests after a move.
func TestBalancer(t *testing.T) {
	e := newEvened(1, 1, 1, 1)
	e.expect(t, "too early", 5*time.Second, "")
	e.st.Silent = e.st.Members[:1]
	e.expect(t, "a node is silent", 20*time.Second, "")
	e.st.Silent = nil
	e.st.Tablets[3].Move = &pb.Move{}
	e.expect(t, "a tablet moves", 20*time.Second, "")
	e.st.Tablets[3].Move = nil
	e.st.Policy.Off = true
	e.expect(t, "it is off", 20*time.Second, "")
	e.st.Policy.Off = false
	e.expect(t, "the first", 20*time.Second, "p0 to 2")
	e.expect(t, "at once again", time.Second, "")
	e.expect(t, "the second", 10*time.Second, "p1 to 2")
	e.expect(t, "even now", time.Hour, "")
	for _, tb := range e.st.Tablets { // everything is in group 2 somehow; what was moved of late stays
		tb.Group = 2
	}
	e.st.Tablets[2].Incarnation++
	e.st.Loads[2].Incarnation++
	e.expect(t, "what rests", time.Hour, "p0 to 1")

	e.st.Members[1].Draining, e.st.Members[3].Draining = true, true
	e.st.Policy.Off = true
	e.expect(t, "emptying does not wait", 0, "p1 to 1")
	e.expect(t, "emptying goes on", time.Second, "p2 to 1")
	e.st.Members[3].Draining = false
	e.expect(t, "a group of which one is drained serves", time.Second, "")
}

// What is unknown, cannot move, or was tried in vain keeps nobody else waiting and is not tried again and again.
func TestBalancerTriesWhatCanBe(t *testing.T) {
	e := newEvened(1, 1, 1, 1)
	e.st.Loads[3].Reports = 0
	e.expect(t, "it is not known what a tablet weighs", time.Minute, "")
	e.st.Loads[3].Reports = 1
	building := &schema.Predicate{Name: graph.Pred("p0"), Type: types.String, Building: []string{"exact"}}
	e.st.Tablets[0].Schema = building.AppendBinary(nil)
	e.expect(t, "the first cannot move while an index of it is built", time.Minute, "p1 to 2")

	e = newEvened(1, 1, 1, 1)
	ended := func(p string, ago time.Duration, outcome pb.MoveOutcome) {
		e.st.Ended = append(e.st.Ended, &pb.MoveEnd{Predicate: p, Outcome: outcome, EndedMs: e.now.Add(-ago).UnixMilli()})
	}
	ended("p0", 0, pb.MoveOutcome_ENDED_DIFFERED)
	e.expect(t, "a move was given up", 15*time.Second, "p1 to 2")
	e.expect(t, "after a rest it is tried again", 16*time.Second, "p0 to 2")

	e = newEvened(1, 2, 2, 2)
	e.st.Members[0].Draining, e.st.Members[2].Draining = true, true
	ended("p0", 0, pb.MoveOutcome_ENDED_CANCELLED)
	e.expect(t, "a move out of a group that is emptied was cancelled", time.Second, "")
	e.expect(t, "after a while it is tried again", time.Minute, "p0 to 2")
}

// A group that is to be emptied, and is empty, does not keep the others from being evened out.
func TestBalancerBesideAnEmptyGroup(t *testing.T) {
	e := newEvened(1, 1, 1, 1)
	e.st.Members = append(e.st.Members, &pb.Member{Id: 9, Group: 3, Draining: true})
	e.expect(t, "two groups that serve", time.Minute, "p0 to 2")
}

// Goal: the load of a tablet is what comes a second, from the second report of a leader on, smoothed; other leaders count anew.
func TestLoadIsARate(t *testing.T) {
	l, now := load{}, time.Unix(1000, 0)
	report := func(after time.Duration, leader, reads uint64) string {
		now = now.Add(after)
		l = l.next(&pb.TabletLoad{Reads: reads}, leader, now)
		return fmt.Sprintf("%.0f of %d", l.Rate, l.Reports)
	}
	for i, step := range []struct {
		after         time.Duration
		leader, reads uint64
		want          string
	}{
		{0, 1, 500, "0 of 0"},
		{4 * time.Second, 1, 900, "100 of 1"},
		{4 * time.Second, 1, 1700, "150 of 2"},
		{4 * time.Second, 2, 9000, "150 of 2"}, // it has answered 9000 as a follower
		{time.Millisecond, 2, 9001, "150 of 2"},
		{4 * time.Second, 2, 9601, "150 of 3"},
		{4 * time.Second, 2, 10, "150 of 3"}, // the same one was started again
	} {
		if got := report(step.after, step.leader, step.reads); got != step.want {
			t.Errorf("report %d: %s, want %s", i, got, step.want)
		}
	}
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
