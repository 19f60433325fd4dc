package shard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/query/task"
	"dragg/schema"
	"dragg/storage"
	"dragg/storage/memkv"
)

const (
	bareSchema = `
		name: string .
		nick: [string] .
		age: int .
		knows: [uid] .
		boss: uid .
	`
	fullSchema = randomSchema
)

// during calls a function at the first few writes of an index build.
type during struct {
	storage.Engine
	busy *atomic.Bool
	fn   *func()
}

// Write calls the function when it is not the function itself that writes.
func (e during) Write(ctx context.Context, b *storage.Batch) error {
	if *e.fn != nil && e.busy.CompareAndSwap(false, true) {
		(*e.fn)()
		e.busy.Store(false)
	}
	return e.Engine.Write(ctx, b)
}

// addIndexes is what Alpha does for an alter that adds every index to a schema without: one definition after the other, with what
// must be built marked.
func (r *rig) addIndexes(t testing.TB) {
	t.Helper()
	u, err := schema.Parse(fullSchema)
	if err != nil {
		t.Fatal(err)
	}
	a := &pb.Alter{}
	for _, def := range u.Predicates {
		def.Building = def.TokenizerNames()
		if def.Reverse {
			def.Building = append(def.Building, schema.BuildingReverse)
		}
		if def.Count {
			def.Building = append(def.Building, schema.BuildingCount)
		}
		a.Predicates = append(a.Predicates, &pb.PredicateChange{Predicate: def.Name.Name, Schema: def.AppendBinary(nil), Force: true})
	}
	r.change(a)
}

// buildAll builds until nothing is missing. written, if not nil, is called after what was built is stored and before that is told.
func (r *rig) buildAll(t testing.TB, written func()) {
	t.Helper()
	done := func(ctx context.Context, x *pb.Tablet, def *schema.Predicate) error {
		if written != nil {
			written()
		}
		return r.built(ctx, x, def)
	}
	for x := r.s.unfinished(); x != nil; x = r.s.unfinished() {
		if err := r.s.buildTablet(t.Context(), x, done); err != nil {
			t.Fatal(err)
		}
	}
}

// Goal: an index that is built while others write holds exactly what it would hold if it had been there from the start. Method: the
// same commits on two shards; one has the indexes from the start, the other gets them in between, with commits before, between and
// after every write of the build. Several times over, so that stale entries lie where new ones go.
func TestBuildBesideCommits(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var fn func()
		engine := during{memkv.New(memkv.Config{}), new(atomic.Bool), &fn}
		r, twin := newRig(t, engine, bareSchema), newRig(t, memkv.New(memkv.Config{}), fullSchema)
		commits := func(n int) {
			defer engine.busy.Store(engine.busy.Swap(true)) // writes of commits are no writes of a build
			for range n {
				var text []string
				for range 1 + rng.IntN(3) {
					text = append(text, randomEdge(rng))
				}
				r.do(strings.Join(text, ";"))
				twin.do(strings.Join(text, ";"))
			}
		}
		for round := range 3 {
			commits(40)
			r.addIndexes(t)
			commits(5)
			fn = func() { commits(2) }
			r.buildAll(t, func() { commits(2) })
			fn = nil
			if got, want := r.show(r.ts), twin.show(twin.ts); got != want {
				t.Fatalf("seed %d, round %d: built\n%s\nfrom scratch\n%s", seed, round, got, want)
			}
			commits(20)
			if got, want := r.show(r.ts), twin.show(twin.ts); got != want {
				t.Fatalf("seed %d, round %d: after more commits\n%s\nfrom scratch\n%s", seed, round, got, want)
			}
			if round < 2 {
				r.alter(bareSchema) // what was derived stays behind
			}
		}
	}
}

// Goal: a snapshot from before an index was built gets an error from it, never an empty answer; later ones get answers, also after a
// restart.
func TestOldSnapshotsCannotUseNewIndexes(t *testing.T) {
	r := newRig(t, crashable(), bareSchema)
	r.do("1 name v1; 1 knows 2")
	old := r.do("2 name v1; 2 knows 3")
	questions := map[string]task.Task{
		"exact":         {Kind: task.Match, AtRoot: true, Predicate: graph.Pred("name"), Func: task.Func{Name: task.Eq, Args: []string{"v1"}}},
		"term":          {Kind: task.Match, AtRoot: true, Predicate: graph.Pred("name"), Func: task.Func{Name: task.AllOfTerms, Args: []string{"v1"}}},
		"reverse":       {Kind: task.Edges, Predicate: graph.Pred("knows"), Reverse: true, Src: []graph.UID{2}},
		"count":         {Kind: task.Match, AtRoot: true, Predicate: graph.Pred("knows"), Func: task.Func{Name: task.Eq, Count: true, Args: []string{"1"}}},
		"reverse count": {Kind: task.Match, AtRoot: true, Predicate: graph.Pred("knows"), Reverse: true, Func: task.Func{Name: task.Eq, Count: true, Args: []string{"1"}}},
	}
	refused := func(when string, ts graph.Timestamp) {
		t.Helper()
		for name, q := range questions {
			if res, err := r.ask(ts, q); err == nil {
				t.Errorf("%s: %s answered %+v", when, name, res)
			}
		}
	}
	refused("without an index", old)
	r.do("3 name v1")
	r.addIndexes(t)
	refused("while it is built", old)
	refused("while it is built", r.ts)
	for x := r.s.unfinished(); x != nil; x = r.s.unfinished() {
		if err := r.s.buildTablet(t.Context(), x, r.built); err != nil {
			t.Fatal(err)
		}
		refused("between two stages", old)
	}
	answered := func(when string) {
		t.Helper()
		for name, q := range questions {
			if res, err := r.ask(r.ts, q); err != nil || res.Set.Len()+len(res.Targets) == 0 {
				t.Errorf("%s: %s answered %+v, %v", when, name, res, err)
			}
		}
		refused(when, old)
	}
	r.do("4 name v2")
	answered("built")
	if _, err := r.s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	r.crash(memkv.LoseAll, 1)
	answered("after a restart")
	r.alter(fullSchema) // nothing new
	answered("after an alter that builds nothing")
}

// A build that was cut off by a crash is taken up again and completes; so does one whose result could not be published.
func TestBuildIsTakenUpAgain(t *testing.T) {
	for _, loss := range []memkv.Loss{memkv.LoseNothing, memkv.LoseAny, memkv.LoseAll} {
		r := newRig(t, crashable(), bareSchema)
		r.do("1 name v1; 2 name v2; 1 knows 2; 2 knows 3")
		r.addIndexes(t)
		if err := r.s.buildTablet(t.Context(), r.s.unfinished(), func(context.Context, *pb.Tablet, *schema.Predicate) error {
			return errDies
		}); !errors.Is(err, errDies) {
			t.Fatalf("a build that nobody heard of: %v", err)
		}
		r.do("1 name v3; del 2 knows 3")
		r.crash(loss, 7)
		var failed atomic.Int64
		r.maintain(t, func(ctx context.Context, x *pb.Tablet, def *schema.Predicate) error {
			if failed.Add(1) == 1 {
				return fault.New(fault.Unavailable, "Zero is away")
			}
			return r.built(ctx, x, def)
		})
		for _, pred := range []string{"name", "knows", "boss"} {
			if err := r.s.WaitBuilt(t.Context(), graph.Pred(pred)); err != nil {
				t.Fatal(err)
			}
		}
		for value, want := range map[string][]graph.UID{"v1": nil, "v2": {2}, "v3": {1}} {
			if got, err := r.eq(r.ts, "name", value); err != nil || !slices.Equal(got, want) {
				t.Errorf("loss %d: %s is %v, %v; want %v", loss, value, got, err, want)
			}
		}
	}
}

// reading calls a function before a reader is opened.
type reading struct {
	storage.Engine
	fn *func()
}

func (e reading) ReaderAt(ts graph.Timestamp) storage.Reader {
	if fn := *e.fn; fn != nil {
		fn()
	}
	return e.Engine.ReaderAt(ts)
}

// Goal: what a build was for may change meanwhile: then nothing of it is published, and nothing stays of a copy that was dropped.
// Method: the change comes after the build has read the data and before it writes.
func TestTabletChangesDuringABuild(t *testing.T) {
	for name, change := range map[string]func(r *rig){
		"altered": func(r *rig) { r.alter("name: string @index(hash) .", "hash") },
		"dropped": func(r *rig) { r.change(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "name", Force: true}}}) },
		"emptied": func(r *rig) { r.change(&pb.Alter{DropData: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			var fn func()
			engine := reading{memkv.New(memkv.Config{}), &fn}
			r := newRig(t, engine, "name: string .")
			for i := range 20 {
				r.do(fmt.Sprintf("%d name v%d", i+1, i))
			}
			r.alter("name: string @index(exact) .", "exact")
			x, opened := r.s.unfinished(), 0
			fn = func() {
				if opened++; opened != 2 { // the first one is for the data
					return
				}
				change(r)
				if err := r.s.deleteRetired(t.Context()); err != nil {
					t.Error(err)
				}
			}
			err := r.s.buildTablet(t.Context(), x, func(context.Context, *pb.Tablet, *schema.Predicate) error {
				t.Error("a build of what is not wanted any more was published")
				return nil
			})
			fn = nil
			if err != nil || opened < 2 {
				t.Errorf("the build ended with %v; %d readers", err, opened)
			}
			if n := stored(t, engine, x.incarnation()); n > 0 && name != "altered" {
				t.Errorf("%d keys stay of the copy that was dropped", n)
			}
		})
	}
}

// WaitBuilt ends when the build is complete, when the predicate is gone, and with its context.
func TestWaitBuilt(t *testing.T) {
	r := newRig(t, crashable(), "name: string .\nage: int .")
	r.do("1 name x")
	r.alter("name: string @index(exact) .", "exact")
	r.alter("age: int @index(int) .", "int")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := r.s.WaitBuilt(ctx, graph.Pred("name")); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("a build that does not end: %v", err)
	}
	done := make(chan error, 2)
	for _, p := range []string{"name", "age"} {
		go func() { done <- r.s.WaitBuilt(context.Background(), graph.Pred(p)) }()
	}
	r.change(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "age", Force: true}}})
	r.buildAll(t, nil)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Whether there is data, and whether all of it fits another type.
func TestDataChecks(t *testing.T) {
	r := newRig(t, crashable(), "name: string .\nknows: [uid] .\nempty: string .")
	r.do("1 name 42; 2 name 17; 1 knows 2")
	r.do("5 empty x")
	r.do("clear 5 empty")
	for pred, want := range map[string]bool{"name": true, "knows": true, "empty": false, "unknown": false} {
		if got, err := r.s.HasData(graph.Pred(pred)); err != nil || got != want {
			t.Errorf("%s has data: %v %v", pred, got, err)
		}
	}
	check := func(text string) error {
		t.Helper()
		u, err := schema.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return r.s.CheckValues(t.Context(), u.Predicates[0])
	}
	if err := check("name: int ."); err != nil {
		t.Errorf("numbers as text become int: %v", err)
	}
	r.do("0x1f name ada")
	if err := check("name: int ."); fault.ClassOf(err) != fault.Invalid || !strings.Contains(err.Error(), "0x1f") {
		t.Errorf("a name becomes int: %v", err)
	}
	for _, text := range []string{"name: default .", "unknown: int .", "knows: uid ."} {
		if err := check(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.s.CheckValues(ended, &schema.Predicate{Name: graph.Pred("name")}); !errors.Is(err, context.Canceled) {
		t.Errorf("a check that nobody waits for: %v", err)
	}
}

// What maintenance says of copies: those that live, and which of them hold data.
func TestCopies(t *testing.T) {
	r := newRig(t, crashable(), "b: string .\na: [uid] .")
	copies := r.s.Copies()
	if len(copies) != 2 || copies[0].Incarnation >= copies[1].Incarnation || len(r.s.Tablets()) != 2 {
		t.Errorf("copies %v", copies)
	}
	r.do("1 b x")
	for _, c := range copies {
		want := 0
		if c.Predicate.Name.Name == "b" {
			want = 1
		}
		if n := stored(t, r.engine, c.Incarnation); n != want {
			t.Errorf("%s has %d keys, want %d", c.Predicate.Name, n, want)
		}
	}
	if n := stored(t, r.engine, keys.IncarnationOf(keys.Meta("x"))); n != 0 {
		t.Errorf("%d records before the first checkpoint", n)
	}
}
