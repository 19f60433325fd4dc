package shard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/schema"
	"dragg/storage/memkv"
)

// pair is two replicas of one group. What the leader proposes both apply, the follower when it is told to.
type pair struct {
	*rig          // the leader
	follower *rig // behind
}

func newPair(t testing.TB, schemaText string) *pair {
	p := &pair{rig: newRig(t, crashable(), schemaText), follower: replica(t, crashable())}
	p.catchUp()
	return p
}

func (p *pair) catchUp() { p.follower.follow(p.log) }

// build has a replica build one thing; the leader tells Zero.
func (p *pair) build(t testing.TB, r *rig) bool {
	t.Helper()
	x := r.s.unfinished()
	if x == nil {
		return false
	}
	if r == p.rig {
		if err := r.s.buildTablet(t.Context(), x, r.built); err != nil {
			t.Fatal(err)
		}
	} else if err := r.s.buildNext(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	return true
}

// Goal: two replicas that build at their own pace, one of them restarted and restored from the other on the way, both answer in the
// end as a shard that had the indexes from the start; and until then no index that is not whole. Method: random commits between
// the steps of both; after each step a reader asks the follower for what an index says, and compares with the data.
func TestReplicasBuildAtTheirOwnPace(t *testing.T) {
	refused, answered, late, restored := 0, 0, 0, 0
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 6))
		p, twin := newPair(t, bareSchema), newRig(t, memkv.New(memkv.Config{}), fullSchema)
		commits := func(n int) {
			for range n {
				var text []string
				for range 1 + rng.IntN(3) {
					text = append(text, randomEdge(rng))
				}
				p.do(strings.Join(text, ";"))
				twin.do(strings.Join(text, ";"))
			}
		}
		ask := func(r *rig) {
			t.Helper()
			ts := r.s.Watermark()
			for value := range 4 {
				got, err := r.eq(ts, "name", fmt.Sprintf("v%d", value))
				if err != nil {
					refused++
					continue
				}
				answered++
				want, err := twin.eq(ts, "name", fmt.Sprintf("v%d", value))
				if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("seed %d: at %d the index says %v, the data %v, %v", seed, ts, got, want, err)
				}
			}
		}
		now := time.Unix(0, 0)
		commits(30)
		p.catchUp()
		p.addIndexes(t)
		for {
			more := p.rig.s.unfinished() != nil || p.follower.s.unfinished() != nil
			if n := rng.IntN(3); n > 0 || more {
				commits(n)
			}
			switch rng.IntN(8) {
			case 0, 1, 2:
				p.build(t, p.rig)
			case 3:
				p.build(t, p.follower)
			case 4:
				if _, err := p.follower.s.Snapshot(); err != nil {
					t.Fatal(err)
				}
			case 5:
				loss := memkv.Loss(rng.IntN(4))
				p.follower = replica(t, p.follower.engine.(*memkv.Engine).Crash(loss, seed))
				late++
			case 6:
				if rng.IntN(3) == 0 {
					from, to := p.rig, replica(t, crashable())
					if rng.IntN(2) == 0 {
						from = p.follower
					}
					to.take(from.sent(nil))
					p.follower = to
					restored++
				}
			}
			if r := []*rig{p.rig, p.follower}[rng.IntN(2)]; rng.IntN(2) == 0 { // what is not in use any more is let go
				for range 5 {
					r.age(&now)
				}
				if _, err := r.s.Snapshot(); err != nil {
					t.Fatal(err)
				}
				r.rollup()
			}
			if rng.IntN(2) == 0 {
				p.catchUp()
			}
			ask(p.follower)
			ask(p.rig)
			if !more {
				p.catchUp()
				if p.rig.s.unfinished() == nil && p.follower.s.unfinished() == nil {
					break
				}
			}
		}
		for what, r := range map[string]*rig{"leader": p.rig, "follower": p.follower} {
			for range 2 {
				if got, want := r.show(p.ts), twin.show(twin.ts); got != want {
					t.Fatalf("seed %d, %s:\n%s\nbuilt from the start\n%s", seed, what, got, want)
				}
				commits(5)
				p.catchUp()
			}
		}
	}
	if refused < 100 || answered < 100 || late < 20 || restored < 5 {
		t.Errorf("%d refused, %d answered, %d crashes, %d restored: the test is too weak", refused, answered, late, restored)
	}
}

// Goal: an index that Zero has published is refused by a replica that has not built it, and used once it has; the replica knows
// after a restart which of both it is.
func TestPublishedIsNotBuilt(t *testing.T) {
	p := newPair(t, "name: string .")
	p.do("1 name ada")
	p.alter("name: string @index(exact) .", "exact")
	p.build(t, p.rig)
	p.catchUp()
	reopen := func() {
		t.Helper()
		p.follower = replica(t, p.follower.engine.(*memkv.Engine).Crash(memkv.LoseAll, 1))
		p.catchUp()
	}
	def, _ := p.follower.s.Schema().Predicate(graph.Pred("name"))
	if len(def.Building) > 0 {
		t.Fatal("it is not published")
	}
	for range 2 {
		if got, err := p.follower.eq(p.ts, "name", "ada"); err == nil {
			t.Errorf("an index that was not built here answers %v", got)
		}
		if _, err := p.rig.eq(p.ts, "name", "ada"); err != nil {
			t.Errorf("the leader: %v", err)
		}
		reopen()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.follower.s.WaitBuilt(ctx, graph.Pred("name")); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("nobody waits for what is built here: %v", err)
	}
	p.build(t, p.follower)
	for range 2 {
		if got, err := p.follower.eq(p.ts, "name", "ada"); err != nil || len(got) != 1 {
			t.Errorf("built: %v, %v", got, err)
		}
		reopen()
		if p.follower.s.unfinished() != nil {
			t.Error("it is built again after a restart")
		}
	}
}

// Goal: a snapshot carries what its source has built, and says what it has not.
func TestSnapshotCarriesBuilds(t *testing.T) {
	for _, built := range []bool{false, true} {
		p := newPair(t, "name: string .")
		p.do("1 name ada")
		p.alter("name: string @index(exact) .", "exact")
		p.build(t, p.rig)
		p.catchUp()
		if built {
			p.build(t, p.follower)
		}
		third := replica(t, crashable())
		third.take(p.follower.sent(nil))
		if owes := third.s.unfinished() != nil; owes == built {
			t.Errorf("source built %v, receiver owes %v", built, owes)
		}
		if !built {
			if err := third.s.buildNext(t.Context(), third.s.unfinished()); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := third.eq(p.ts, "name", "ada"); err != nil || len(got) != 1 {
			t.Errorf("source built %v: %v, %v", built, got, err)
		}
	}
}

// Goal: only who leads tells Zero, also where it comes to lead later and where telling fails at first; and Zero does not take back
// what it has published, when somebody tells it once more.
func TestOnlyTheLeaderTells(t *testing.T) {
	p := newPair(t, "knows: [uid] .")
	p.do("1 knows 2")
	u, err := schema.Parse("knows: [uid] @reverse @count .")
	if err != nil {
		t.Fatal(err)
	}
	def := u.Predicates[0]
	def.Building = []string{schema.BuildingReverse, schema.BuildingCount}
	p.change(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "knows", Schema: def.AppendBinary(nil), Force: true}}})
	ctx, stop := context.WithCancel(t.Context())
	leads, told, ended := make(chan bool), make(chan *pb.Tablet), make(chan error, 1)
	leading, calls := false, 0
	go func() {
		ended <- p.rig.s.Maintain(ctx, func() bool {
			select {
			case leading = <-leads:
			default:
			}
			return leading
		}, func(ctx context.Context, x *pb.Tablet, def *schema.Predicate) error {
			if calls++; calls%2 == 1 {
				return fault.New(fault.Unavailable, "Zero is away")
			}
			if err := p.built(ctx, x, def); err != nil {
				return err
			}
			told <- x
			return nil
		})
	}()
	eventually(t, "the build", func() bool {
		v := p.rig.s.view.Load().tablets[graph.Pred("knows")]
		return v.built()
	})
	leads <- true
	first := <-told
	<-told
	if err := p.rig.s.WaitBuilt(t.Context(), graph.Pred("knows")); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	reply := p.entry(&pb.ZeroEntry{Alter: &pb.Alter{Predicates: []*pb.PredicateChange{{
		Predicate: "knows", Schema: first.Schema, IfEpoch: first.Epoch, IfSchema: first.Schema, KeepEpoch: true,
	}}}}).(*pb.AlterReply)
	if !reply.Stale {
		t.Error("a leader that is behind took back what was published")
	}
}

// A record of the first version is read: what was being built is owed.
func TestRecordOfVersion1(t *testing.T) {
	r := newRig(t, crashable(), "name: string .\nage: int .")
	r.do("1 name ada")
	r.alter("name: string @index(exact) .", "exact")
	meta := r.s.capture().record()
	meta.Version, meta.Local = 1, nil
	old := memkv.New(memkv.Config{})
	batch, err := encodeMeta(meta)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Config{Group: 1}, old)
	if err != nil {
		t.Fatal(err)
	}
	if x := s.unfinished(); x == nil || x.def.Name.Name != "name" {
		t.Errorf("what was being built is not owed: %v", x)
	}
	meta.Version = metaVersion + 1
	if batch, err = encodeMeta(meta); err != nil {
		t.Fatal(err)
	}
	if err := old.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Group: 1}, old); err == nil || errors.Is(err, errDies) {
		t.Error("a record of a later version was read")
	}
}
