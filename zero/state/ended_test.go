package state

import (
	"fmt"
	"testing"

	"dragg/protos/pb"
)

// fence begins a move and fences it.
func (d *moving) fence() (m, f *pb.Tablet) {
	d.t.Helper()
	m = d.begin()
	return m, d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_FENCE, Id: m.Move.Id})
}

// Goal: how a move ended can be asked for, whatever ended it, by every Zero and after a restart. Method: end one in each way that there
// is; look at the newest end, and at what a machine knows that starts from the snapshot.
func TestHowMovesEnded(t *testing.T) {
	d := twoGroups(t)
	abort := func(s *pb.MoveStep) func() {
		return func() {
			s.Kind, s.Id, s.AtMs = pb.MoveKind_MOVE_ABORT, d.begin().Move.Id, 77
			d.must(s)
		}
	}
	differ := func() {
		m, f := d.fence()
		d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_SWITCH, Id: m.Move.Id, Epoch: f.Epoch, Source: same, Target: &pb.Digest{}, AtMs: 77})
	}
	slow := func() {
		m := d.begin()
		for range maxFences {
			f := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_FENCE, Id: m.Move.Id})
			d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_UNFENCE, Id: m.Move.Id, Epoch: f.Epoch, AtMs: 77})
		}
	}
	alter := func(a *pb.Alter) func() {
		return func() {
			d.begin()
			d.ts++
			a.Ts, a.AtMs = d.ts, 77
			d.alter(a)
		}
	}
	done := func() {
		m, f := d.fence()
		d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_SWITCH, Id: m.Move.Id, Epoch: f.Epoch, Source: same, Target: same, AtMs: 77})
	}
	change := &pb.PredicateChange{Predicate: "p", Schema: definition(), Force: true}
	ways := []struct {
		end     func()
		outcome pb.MoveOutcome
		reason  string
	}{
		{abort(&pb.MoveStep{Reason: "enough"}), pb.MoveOutcome_ENDED_CANCELLED, "enough"},
		{abort(&pb.MoveStep{Outcome: pb.MoveOutcome_ENDED_SILENT}), pb.MoveOutcome_ENDED_SILENT, ""},
		{differ, pb.MoveOutcome_ENDED_DIFFERED, "what arrived is not what was sent"},
		{slow, pb.MoveOutcome_ENDED_SLOW, "the last changes took longer than writers may wait, again and again"},
		{alter(&pb.Alter{DropData: true}), pb.MoveOutcome_ENDED_CHANGED, "all data was dropped"},
		{alter(&pb.Alter{Predicates: []*pb.PredicateChange{change}}), pb.MoveOutcome_ENDED_CHANGED, "the predicate was redefined"},
		{done, pb.MoveOutcome_ENDED_DONE, ""},
	}
	for i, w := range ways {
		w.end()
		e := d.m.State().Ended
		if len(e) != i+1 || e[i].Outcome != w.outcome || e[i].Reason != w.reason || e[i].From != 1 || e[i].To != 2 || e[i].EndedMs != 77 || e[i].Id == 0 {
			t.Errorf("%s: %v", w.outcome, e)
		}
		if known := d.m.Ended(e[i].Id); known.GetOutcome() != w.outcome {
			t.Errorf("asked for move %d: %v", e[i].Id, known)
		}
	}
	if _, err := d.m.Snapshot(); err != nil {
		t.Fatal(err)
	}
	begun, counts := open(t, d.m.file.dir).MoveCounts()
	if begun != 7 || fmt.Sprint(counts) != "[0 1 1 1 1 1 2]" {
		t.Errorf("after a restart %d begun, ended %v", begun, counts)
	}
}

// The moves that are over are remembered up to a bound, and all of them are counted.
func TestEndedMovesAreBounded(t *testing.T) {
	d := twoGroups(t)
	var first, last uint64
	for i := range maxEnded + 5 {
		last = d.begin().Move.Id
		if i == 0 {
			first = last
		}
		d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_ABORT, Id: last})
	}
	if e := d.m.State().Ended; len(e) != maxEnded || e[maxEnded-1].Id != last || d.m.Ended(first) != nil {
		t.Errorf("%d are remembered", len(e))
	}
	if begun, counts := d.m.MoveCounts(); begun != maxEnded+5 || counts[pb.MoveOutcome_ENDED_CANCELLED] != maxEnded+5 {
		t.Errorf("%d begun, ended %v", begun, counts)
	}
}
