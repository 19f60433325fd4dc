package state

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/schema"
)

// definition returns a definition as schema encodes it.
func definition(building ...string) []byte {
	p := &schema.Predicate{Name: graph.Predicate{Name: "p"}, Type: types.String, Building: building}
	return p.AppendBinary(nil)
}

// moving is a cluster of two groups with a predicate in group 1.
type moving struct {
	*driver
	ts uint64
}

func twoGroups(t *testing.T) *moving {
	d := &moving{driver: drive(t), ts: 10}
	for range 2 {
		d.apply(&pb.ZeroEntry{Join: &pb.Join{Address: "a:1", Nonce: d.index}})
	}
	d.define(definition())
	return d
}

func (d *moving) define(schema []byte) *pb.Tablet {
	d.t.Helper()
	d.ts++
	r := d.alter(&pb.Alter{Ts: d.ts, Predicates: []*pb.PredicateChange{{Predicate: "p", Schema: schema, Force: true, Group: 1, KeepEpoch: true}}})
	return r.Tablets[0]
}

// step takes a step and returns the tablet, or the refusal.
func (d *moving) step(s *pb.MoveStep) (*pb.Tablet, error) {
	d.t.Helper()
	d.ts++
	s.Ts, s.Predicate = d.ts, "p"
	switch r := d.apply(&pb.ZeroEntry{Move: s}).(type) {
	case *pb.MoveReply:
		return r.Tablet, nil
	case error:
		return nil, r
	}
	d.t.Fatal("no answer to a step")
	return nil, nil
}

func (d *moving) must(s *pb.MoveStep) *pb.Tablet {
	d.t.Helper()
	t, err := d.step(s)
	if err != nil {
		d.t.Fatal(err)
	}
	return t
}

func (d *moving) begin() *pb.Tablet {
	d.t.Helper()
	return d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_BEGIN, To: 2})
}

func (d *moving) write(epoch uint64) *pb.CommitReply {
	d.t.Helper()
	d.ts += 2
	return d.commit(&pb.CommitRequest{StartTs: d.ts - 1, CommitTs: d.ts, Epochs: []uint64{epoch}, Keys: []uint64{d.ts}, Groups: []uint32{1}})
}

var same = &pb.Digest{Changes: 3, High: 1, Low: 2}

// Goal: a move from begin to switch: who serves when, and what may commit when.
func TestMove(t *testing.T) {
	d := twoGroups(t)
	old := d.define(definition())
	m := d.begin()
	if m.Group != 1 || m.Epoch != old.Epoch || m.Move.To != 2 || m.Move.Base != d.ts || m.Move.Id == old.Incarnation {
		t.Errorf("begun: %v", m)
	}
	if r := d.write(old.Epoch); r.CommitTs == 0 {
		t.Error("nothing commits while a tablet is copied")
	}
	if again := d.begin(); !proto.Equal(again, m) {
		t.Errorf("begun twice: %v", again)
	}
	f := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_FENCE, Id: m.Move.Id})
	if f.Move.Fence != d.ts || f.Epoch == m.Epoch {
		t.Errorf("fenced: %v", f)
	}
	for _, epoch := range []uint64{m.Epoch, f.Epoch} {
		if r := d.write(epoch); r.Reason != pb.AbortReason_STALE_TABLET {
			t.Errorf("behind the fence with epoch %d: %v", epoch, r)
		}
	}
	s := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_SWITCH, Id: m.Move.Id, Epoch: f.Epoch, Source: same, Target: same})
	if s.Group != 2 || s.Incarnation != m.Move.Id || s.Move != nil || s.Base != m.Move.Base ||
		len(s.Former) != 1 || s.Former[0].Until != d.ts || s.Former[0].Incarnation != old.Incarnation {
		t.Errorf("switched: %v", s)
	}
	if again := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_SWITCH, Id: m.Move.Id, Source: same, Target: same}); !proto.Equal(again, s) {
		t.Errorf("switched twice: %v", again)
	}
	for _, epoch := range []uint64{m.Epoch, f.Epoch} {
		if r := d.write(epoch); r.CommitTs != 0 {
			t.Errorf("epoch %d is valid again", epoch)
		}
	}
	if r := d.write(s.Epoch); r.CommitTs == 0 {
		t.Errorf("nothing commits at the new owner: %v", r)
	}
}

// Goal: steps that do not fit are refused and say why; what changes the tablet ends the move.
func TestMoveRefusals(t *testing.T) {
	d := twoGroups(t)
	refused := func(what string, s *pb.MoveStep, class fault.Class) {
		t.Helper()
		before := d.m.State()
		if _, err := d.step(s); fault.ClassOf(err) != class {
			t.Errorf("%s: %v", what, err)
		}
		after := d.m.State()
		if len(before.Tablets) > 0 && !proto.Equal(before.Tablets[0], after.Tablets[0]) {
			t.Errorf("%s changed the tablet to %v", what, after.Tablets[0])
		}
	}
	refused("to where it is", &pb.MoveStep{Kind: pb.MoveKind_MOVE_BEGIN, To: 1}, fault.Invalid)
	refused("to no group", &pb.MoveStep{Kind: pb.MoveKind_MOVE_BEGIN, To: 7}, fault.Invalid)
	refused("to the Zeros", &pb.MoveStep{Kind: pb.MoveKind_MOVE_BEGIN, To: 0}, fault.Invalid)
	refused("a fence without a move", &pb.MoveStep{Kind: pb.MoveKind_MOVE_FENCE, Id: 3}, fault.Aborted)
	d.define(definition("exact"))
	refused("while an index is built", &pb.MoveStep{Kind: pb.MoveKind_MOVE_BEGIN, To: 2}, fault.Conflict)
	d.define(definition())
	m := d.begin()
	refused("a switch without a fence", &pb.MoveStep{Kind: pb.MoveKind_MOVE_SWITCH, Id: m.Move.Id, Source: same, Target: same}, fault.Conflict)
	refused("no step", &pb.MoveStep{Id: m.Move.Id}, fault.Invalid)
	if after := d.define(definition()); after.Move != nil || after.Epoch != m.Epoch {
		t.Errorf("a change that writers need not notice: %v", after)
	}
	refused("a fence of a move that is over", &pb.MoveStep{Kind: pb.MoveKind_MOVE_FENCE, Id: m.Move.Id}, fault.Aborted)

	m = d.begin()
	f := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_FENCE, Id: m.Move.Id})
	if after := d.define(definition()); after.Move != nil || after.Epoch == f.Epoch || after.Epoch == m.Epoch {
		t.Errorf("a change behind a fence: %v", after)
	}
}

// Goal: fences are lifted under a new epoch, the third one ends the move, and so do copies that differ.
func TestMoveGivenUp(t *testing.T) {
	d := twoGroups(t)
	m := d.begin()
	epoch := m.Epoch
	for try := range maxFences {
		f := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_FENCE, Id: m.Move.Id})
		if same := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_UNFENCE, Id: m.Move.Id, Epoch: f.Epoch + 100}); same.Epoch != f.Epoch {
			t.Errorf("somebody else's fence was lifted: %v", same)
		}
		u := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_UNFENCE, Id: m.Move.Id, Epoch: f.Epoch})
		if u.Epoch == epoch || u.Epoch == f.Epoch || u.Group != 1 || (u.Move == nil) != (try == maxFences-1) {
			t.Errorf("lifted: %v", u)
		}
		if d.write(epoch).CommitTs != 0 || d.write(f.Epoch).CommitTs != 0 {
			t.Error("an epoch came back")
		}
		if d.write(u.Epoch).CommitTs == 0 {
			t.Error("nothing commits after the fence was lifted")
		}
		epoch = u.Epoch
	}
	m = d.begin()
	f := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_FENCE, Id: m.Move.Id})
	s := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_SWITCH, Id: m.Move.Id, Epoch: f.Epoch, Source: same, Target: &pb.Digest{Changes: 3, High: 1, Low: 3}})
	if s.Group != 1 || s.Move != nil || d.write(s.Epoch).CommitTs == 0 {
		t.Errorf("copies that differ: %v", s)
	}
}

// A switch that was asked for at one fence and comes late, when that was lifted, something was committed, and there is another fence,
// must not count: nobody compared what came in between.
func TestSwitchOfAnEarlierFence(t *testing.T) {
	d := twoGroups(t)
	m := d.begin()
	f := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_FENCE, Id: m.Move.Id})
	late := &pb.MoveStep{Kind: pb.MoveKind_MOVE_SWITCH, Id: m.Move.Id, Epoch: f.Epoch, Source: same, Target: same}
	u := d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_UNFENCE, Id: m.Move.Id, Epoch: f.Epoch})
	if r := d.write(u.Epoch); r.CommitTs == 0 {
		t.Fatal(r)
	}
	d.must(&pb.MoveStep{Kind: pb.MoveKind_MOVE_FENCE, Id: m.Move.Id})
	if s, err := d.step(late); fault.ClassOf(err) != fault.Conflict {
		t.Errorf("a switch of an earlier fence: %v %v", s, err)
	}
}

// A step whose timestamp was drawn before that of a commit may come after it in the log: the fence must be above the commit, or it
// would not be brought over.
func TestStepsBehindCommits(t *testing.T) {
	d := twoGroups(t)
	tablet := d.define(definition())
	epoch := uint64(0)
	late := func(kind pb.MoveKind, id uint64) *pb.Tablet {
		t.Helper()
		d.ts += 10
		if r := d.write(tablet.Epoch); r.CommitTs == 0 && kind != pb.MoveKind_MOVE_SWITCH {
			t.Fatal(r)
		}
		s := &pb.MoveStep{Ts: d.ts - 5, Predicate: "p", Kind: kind, Id: id, Epoch: epoch, To: 2, Source: same, Target: same}
		return d.apply(&pb.ZeroEntry{Move: s}).(*pb.MoveReply).Tablet
	}
	m := late(pb.MoveKind_MOVE_BEGIN, 0)
	if m.Move.Base != d.ts {
		t.Errorf("the base is at %d, the last commit at %d", m.Move.Base, d.ts)
	}
	f := late(pb.MoveKind_MOVE_FENCE, m.Move.Id)
	if f.Move.Fence != d.ts {
		t.Errorf("the fence is at %d, the last commit at %d", f.Move.Fence, d.ts)
	}
	epoch = f.Epoch
	if s := late(pb.MoveKind_MOVE_SWITCH, m.Move.Id); s.Former[0].Until != d.ts {
		t.Errorf("the switch is at %d, the last verdict at %d", s.Former[0].Until, d.ts)
	}
}

// Goal: whatever order steps, commits and changes come in: no commit lies between a fence and what ends it, epochs only rise, and a
// move ends once. Method: random entries, the invariants checked after each.
func TestMoveInvariants(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 5))
		d := twoGroups(t)
		now := d.m.State().Tablets[0]
		epochs := []uint64{now.Epoch}
		for range 200 {
			before := now
			id := now.Move.GetId()
			if rng.IntN(8) == 0 {
				id = rng.Uint64N(40)
			}
			digest := same
			if rng.IntN(4) == 0 {
				digest = &pb.Digest{Changes: 9}
			}
			switch rng.IntN(8) {
			case 0:
				d.define(definition([]string{"exact"}[:rng.IntN(2)]...))
			case 1, 2, 3:
				e := epochs[max(0, len(epochs)-1-rng.IntN(3))]
				r := d.write(e)
				if valid := e == now.Epoch && now.Move.GetFence() == 0; (r.CommitTs != 0) != valid {
					t.Fatalf("seed %d: a write with epoch %d to %v: %v", seed, e, now, r)
				}
			default:
				kind := pb.MoveKind(1 + rng.IntN(5))
				if _, err := d.step(&pb.MoveStep{
					Kind: kind, Id: id, To: uint32(rng.IntN(4)), Epoch: now.Epoch, Source: same, Target: digest,
				}); err != nil && fault.ClassOf(err) == fault.Internal {
					t.Fatal(err)
				}
			}
			if now = d.m.State().Tablets[0]; now.Epoch < before.Epoch {
				t.Fatalf("seed %d: %v became %v", seed, before, now)
			}
			if now.Epoch != before.Epoch {
				epochs = append(epochs, now.Epoch)
			}
			if now.Group != before.Group && (before.Move.GetFence() == 0 || now.Incarnation != before.Move.Id) {
				t.Fatalf("seed %d: %v became %v", seed, before, now)
			}
		}
	}
}

// randomStep is a step that a driver, or one that has lost touch, might ask for.
func randomStep(rng *rand.Rand, ts uint64) *pb.MoveStep {
	s := &pb.MoveStep{
		Ts: ts, Predicate: fmt.Sprintf("p%d", rng.IntN(4)), Id: rng.Uint64N(40), Kind: pb.MoveKind(rng.IntN(6)), To: uint32(rng.IntN(3)),
		Epoch: rng.Uint64N(40), Source: same, Target: same,
	}
	if rng.IntN(3) == 0 {
		s.Target = nil
	}
	return s
}
