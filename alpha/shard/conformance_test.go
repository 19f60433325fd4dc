package shard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/raftgroup/fsm"
	"dragg/raftgroup/fsm/fsmtest"
	"dragg/storage"
	"dragg/storage/memkv"
)

const randomSchema = `
	name: string @index(exact, term) .
	nick: [string] @index(exact) .
	age: int @index(int) .
	knows: [uid] @reverse @count .
	boss: uid @reverse .
`

// randomEdge returns one change of one node.
func randomEdge(rng *rand.Rand) string {
	s, o := 1+rng.IntN(6), 1+rng.IntN(6)
	switch rng.IntN(9) {
	case 0, 1:
		return fmt.Sprintf("%d name v%d", s, rng.IntN(4))
	case 2:
		return fmt.Sprintf("clear %d name", s)
	case 3:
		return fmt.Sprintf("%d nick v%d", s, rng.IntN(4))
	case 4:
		return fmt.Sprintf("del %d nick v%d", s, rng.IntN(4))
	case 5:
		return fmt.Sprintf("%d age %d", s, rng.IntN(4))
	case 6:
		return fmt.Sprintf("%d knows %d", s, o)
	case 7:
		return fmt.Sprintf("del %d knows %d", s, o)
	default:
		return fmt.Sprintf("%d boss %d", s, o)
	}
}

// randomLog drives a shard through the life of a group and returns the log it leaves: prewrites, verdicts of all kinds, schema
// changes, drops, and entries that are refused.
func randomLog(t *testing.T, seed uint64, n int) *rig {
	r := newRig(t, memkv.New(memkv.Config{}), randomSchema+"type P { name }")
	rng := rand.New(rand.NewPCG(seed, 1))
	var open []graph.Timestamp
	for len(r.log) < n {
		switch rng.IntN(20) {
		case 0:
			building := []string{"exact", "term"}[:rng.IntN(3)]
			r.alter([]string{"name: string .", "name: string @index(exact, term) .", "extra: int .", "type P { age }"}[rng.IntN(4)], building...)
		case 1:
			if rng.IntN(4) == 0 {
				r.change(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "age", Force: true}}})
				r.alter("age: int @index(int) .")
			}
		case 2:
			if rng.IntN(6) == 0 {
				r.change(&pb.Alter{DropData: true})
			}
		case 3: // something is delivered twice
			b, _, err := r.zero.Events(1, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.s.Deliver(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		case 4: // a gap
			gap := &pb.StreamBatch{Events: []*pb.Event{{Seq: r.s.Seq() + 2, Verdict: &pb.Verdict{StartTs: 1}}}, Watermark: 1 << 50}
			if err := r.s.Deliver(t.Context(), gap); err == nil {
				t.Fatal("a gap in the stream was taken")
			}
		case 5, 6, 7, 8:
			open = append(open, r.begin())
			fallthrough
		case 9, 10, 11, 12:
			if len(open) == 0 {
				continue
			}
			start := open[rng.IntN(len(open))]
			var text []string
			for range 1 + rng.IntN(3) {
				text = append(text, randomEdge(rng))
			}
			if err := r.write(start, strings.Join(text, ";")); err != nil && fault.ClassOf(err) != fault.Aborted {
				t.Fatal(err)
			}
		case 13:
			r.deliver()
		default:
			if len(open) == 0 {
				continue
			}
			i := rng.IntN(len(open))
			r.end(open[i], rng.IntN(5) == 0)
			if rng.IntN(6) > 0 { // else it will write again, too late
				open = append(open[:i], open[i+1:]...)
			}
			if rng.IntN(3) > 0 {
				r.deliver()
			}
		}
	}
	return r
}

// smallSizes make even small states come in many pieces.
var smallSizes = transferSizes{mark: 60, keep: 60}

func TestConformance(t *testing.T) {
	for i, loss := range []memkv.Loss{memkv.LoseNothing, memkv.LoseSuffix, memkv.LoseAny, memkv.LoseAll} {
		t.Run(fmt.Sprintf("loss %d", loss), func(t *testing.T) {
			r, engines := randomLog(t, uint64(i), 150), map[string]*memkv.Engine{}
			fsmtest.Run(t, fsmtest.Subject{
				Open: func(t *testing.T, dir string) fsm.Machine {
					e := engines[dir]
					if e == nil {
						e = memkv.New(memkv.Config{Crashable: true})
					} else {
						e = e.Crash(loss, uint64(len(engines)))
					}
					engines[dir] = e
					s, err := Open(Config{Group: 1}, e)
					if err != nil {
						t.Fatal(err)
					}
					s.sizes = smallSizes
					return s
				},
				Log:      r.log,
				Describe: func(t *testing.T, m fsm.Machine) []byte { return dump(t, m.(*Shard)) },
				Cuts:     40,
			})
		})
	}
}

// failing fails every Write and Sync after the first few: the process dies there.
type failing struct {
	storage.Engine
	left *int
}

var errDies = errors.New("the process dies here")

func (e failing) Write(ctx context.Context, b *storage.Batch) error {
	if *e.left--; *e.left < 0 {
		return errDies
	}
	return e.Engine.Write(ctx, b)
}

func (e failing) Sync(ctx context.Context) error {
	if *e.left--; *e.left < 0 {
		return errDies
	}
	return e.Engine.Sync(ctx)
}

// Goal: a crash in the middle of a checkpoint loses nothing: the old record counts, or the new one with all that it covers.
// Method: the machine dies before each step, and of what was not synced any part may be lost.
func TestCrashWithinACheckpoint(t *testing.T) {
	log := randomLog(t, 9, 80).log
	apply := func(s *Shard, from int) {
		t.Helper()
		for i := from; i < len(log); i++ {
			if _, err := s.Apply([]fsm.Command{{Index: uint64(i + 1), Data: log[i]}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	open := func(e storage.Engine) *Shard {
		t.Helper()
		s, err := Open(Config{Group: 1}, e)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	straight := open(memkv.New(memkv.Config{}))
	apply(straight, 0)
	want := dump(t, straight)
	for step := range 4 {
		for seed := range uint64(20) {
			engine, left := memkv.New(memkv.Config{Crashable: true}), 1<<30
			s := open(failing{engine, &left})
			apply(s, 0)
			left = step
			if _, err := s.Snapshot(); (err == nil) != (step == 3) || err != nil && !errors.Is(err, errDies) {
				t.Fatalf("step %d: %v", step, err)
			}
			s = open(engine.Crash(memkv.LoseAny, seed))
			apply(s, int(s.Durable()))
			if got := dump(t, s); !bytes.Equal(got, want) {
				t.Fatalf("step %d, seed %d: after the crash\n%s\nwant\n%s", step, seed, got, want)
			}
		}
	}
}

// Goal: whatever a log entry holds, decoding and applying it ends without a panic.
func FuzzEntry(f *testing.F) {
	r := newRig(f, memkv.New(memkv.Config{}), randomSchema)
	r.do("1 name ada; 1 knows 2")
	if err := r.write(r.begin(), "2 nick x"); err != nil {
		f.Fatal(err)
	}
	prefix := r.log
	for _, data := range r.log {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Open(Config{Group: 1}, memkv.New(memkv.Config{}))
		if err != nil {
			t.Fatal(err)
		}
		for i, data := range append(prefix[:len(prefix):len(prefix)], data) {
			if _, err := s.Apply([]fsm.Command{{Index: uint64(i + 1), Data: data}}); err != nil {
				return
			}
		}
		if _, err := s.Snapshot(); err != nil {
			t.Fatalf("what was applied cannot be stored: %v", err)
		}
	})
}
