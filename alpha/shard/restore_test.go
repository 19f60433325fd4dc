package shard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"dragg/alpha/lookup"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/query/task"
	"dragg/schema"
	"dragg/storage"
	"dragg/storage/badgerkv"
	"dragg/storage/memkv"
)

// dying fails what a Restore does with the engine after the first few steps.
type dying struct {
	storage.Engine
	left *int
}

func (e dying) Replace(ctx context.Context, note []byte, fill func(storage.Filling) error) error {
	err := e.Engine.Replace(ctx, note, func(next storage.Filling) error {
		if err := fill(failingFilling{failing{next, e.left}, next}); err != nil {
			return err
		}
		if *e.left--; *e.left < 0 {
			return errDies
		}
		return nil
	})
	if *e.left--; err == nil && *e.left < 0 {
		return errDies // the engine has switched, nobody heard of it
	}
	return err
}

// Abandon does nothing in a process that died.
func (e dying) Abandon() error {
	if *e.left < 0 {
		return errDies
	}
	return e.Engine.Abandon()
}

// Goal: a crash at any step of a Restore leaves the old state or the new one, and a part of the new one that can be gone on with.
// Method: the process dies there, and of what was not synced any part may be lost; then the log is replayed, or the rest is sent.
func TestCrashWithinARestore(t *testing.T) {
	source := randomLog(t, 9, 120)
	desc, stream := source.sent(nil)
	old, changed, resumed := 0, 0, 0
	for step, whole := 0, 0; whole < 4; step++ {
		whole = 0
		for seed := range uint64(4) {
			engine, left := memkv.New(memkv.Config{Crashable: true}), 1<<30
			next := replica(t, dying{engine, &left})
			next.follow(source.log[:40])
			if seed%2 == 0 {
				if _, err := next.s.Snapshot(); err != nil {
					t.Fatal(err)
				}
			}
			left = step
			err := next.s.Restore(t.Context(), desc, bytes.NewReader(stream))
			if err != nil && !errors.Is(err, errDies) {
				t.Fatal(err)
			}
			if err == nil {
				whole++
			}
			next = replica(t, engine.Crash(memkv.LoseAny, seed))
			switch next.s.Durable() {
			case 120:
				changed++
			default:
				old++
			}
			if err == nil && next.s.Durable() != uint64(len(source.log)) {
				t.Fatalf("step %d: restored, but durable up to %d", step, next.s.Durable())
			}
			if after := next.s.Progress(desc); after != nil && seed > 0 {
				resumed++
				next.take(desc, rest(t, source.s, desc, after))
			}
			next.follow(source.log)
			if got, want := dump(t, next.s), dump(t, source.s); !bytes.Equal(got, want) {
				t.Fatalf("step %d, seed %d: after the crash\n%s\nwant\n%s", step, seed, got, want)
			}
		}
	}
	if old == 0 || changed == 0 || resumed == 0 {
		t.Errorf("%d crashes left the old state, %d the new one, after %d it was gone on with: the test is too weak", old, changed, resumed)
	}
}

// Goal: readers of the old state get its answers or a retryable error, never a mixture; who waits for commits gets them; and nothing
// hangs. Run it under the race detector.
func TestRestoreUnderReaders(t *testing.T) {
	source := newRig(t, memkv.New(memkv.Config{}), fullSchema)
	for i := range 60 {
		source.do(fmt.Sprintf("1 name v%d; 2 name v%d", i, i))
	}
	middle := source.ts
	for i := range 60 {
		source.do(fmt.Sprintf("1 name w%d; 2 name w%d", i, i))
	}
	desc, stream := source.sent(nil)
	uncached, err := Open(Config{Group: 1, CacheBytes: -1}, memkv.New(memkv.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	next := &rig{t: t, s: uncached}
	next.follow(source.log[:len(source.log)-50])
	ctx, stop := context.WithCancel(t.Context())
	maintained := make(chan error, 1)
	go func() {
		maintained <- next.s.Maintain(ctx, func() bool { return true }, func(context.Context, *pb.Tablet, *schema.Predicate) error { return nil })
	}()
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for ctx.Err() == nil {
				x := task.Task{Kind: task.Values, Predicate: graph.Pred("name"), Src: []graph.UID{1, 2}}
				res, err := next.s.Reader(middle, new(lookup.Memory)).Run(ctx, middle, []task.Task{x})
				if err != nil && ctx.Err() == nil && fault.ClassOf(err) != fault.Unavailable {
					t.Errorf("a reader: %v", err)
					return
				}
				if err == nil && (len(res[0].Values) != 2 || res[0].Values[0].Text() != res[0].Values[1].Text()) {
					t.Errorf("a reader at %d got %v", middle, res[0].Values)
					return
				}
			}
		})
	}
	waited := make(chan error, 1)
	go func() {
		for {
			err := next.s.WaitTimestamp(ctx, source.ts)
			if err == nil || fault.ClassOf(err) != fault.Unavailable || ctx.Err() != nil {
				waited <- err
				return
			}
		}
	}()
	for range 5 {
		next.take(desc, stream)
	}
	if err := <-waited; err != nil {
		t.Errorf("who waited for the newest commit: %v", err)
	}
	stop()
	readers.Wait()
	if err := <-maintained; err != nil {
		t.Error(err)
	}
}

// Goal: a reader that has begun reads the old state to its end. Method: it is held between two lists until the Restore waits for it,
// or has not waited.
func TestRestoreWaitsForReaders(t *testing.T) {
	source, now := newRig(t, memkv.New(memkv.Config{}), fullSchema), time.Unix(0, 0)
	source.do("1 name old; 2 name old")
	at := source.ts
	behind := len(source.log)
	source.do("1 name new; 2 name new")
	for range 5 {
		source.age(&now)
	}
	desc, stream := source.sent(nil)
	var fn func()
	next := replica(t, reading{memkv.New(memkv.Config{}), &fn})
	next.follow(source.log[:behind])
	restored, opened := make(chan error, 1), 0
	fn = func() {
		if opened++; opened != 2 {
			return
		}
		go func() { restored <- next.s.Restore(t.Context(), desc, bytes.NewReader(stream)) }()
		eventually(t, "the end of the stream", func() bool {
			next.s.gate.mu.Lock()
			defer next.s.gate.mu.Unlock()
			return next.s.gate.shut || len(restored) > 0
		})
	}
	x := task.Task{Kind: task.Values, Predicate: graph.Pred("name"), Src: []graph.UID{1, 2}}
	res, err := next.s.Reader(0, new(lookup.Memory)).Run(t.Context(), at, []task.Task{x})
	if err != nil || len(res[0].Values) != 2 || res[0].Values[1].Text() != "old" {
		t.Errorf("%v, %v", res, err)
	}
	if err := <-restored; err != nil || opened < 2 {
		t.Fatal(err, opened)
	}
	fn = nil
	if _, err := next.s.Reader(0, new(lookup.Memory)).Run(t.Context(), at, []task.Task{x}); fault.ClassOf(err) != fault.Aborted {
		t.Errorf("a reader below the new horizon: %v", err)
	}
	if got := next.value(source.ts, "name", 2); got != "new" {
		t.Errorf("the new state has %q", got)
	}
}

// syncing calls a function when it is synced.
type syncing struct {
	storage.Engine
	fn *func()
}

func (e syncing) Sync(ctx context.Context) error {
	if fn := *e.fn; fn != nil {
		fn()
	}
	return e.Engine.Sync(ctx)
}

// Goal: a build that ends just when the state is replaced by one without it is not taken for one of the new state. Method: the
// Restore begins at the last step of the build; several times, since the two then race.
func TestRestoreAtTheEndOfABuild(t *testing.T) {
	p := newPair(t, "name: string .")
	p.do("1 name ada")
	p.alter("name: string @index(exact) .", "exact")
	desc, stream := p.sent(nil) // of one that has not built it
	for range 50 {
		var fn func()
		next := replica(t, syncing{memkv.New(memkv.Config{}), &fn})
		next.follow(p.log)
		restored := make(chan error, 1)
		fn = func() {
			fn = nil
			go func() { restored <- next.s.Restore(t.Context(), desc, bytes.NewReader(stream)) }()
			eventually(t, "the end of the stream", func() bool {
				next.s.gate.mu.Lock()
				defer next.s.gate.mu.Unlock()
				return next.s.gate.shut || len(restored) > 0
			})
		}
		built := next.s.buildNext(t.Context(), next.s.unfinished())
		if err := <-restored; err != nil || built != nil && !errors.Is(built, errRestoring) {
			t.Fatal(err, built)
		}
		if next.s.unfinished() == nil {
			t.Fatal("what was built into the old state is taken for built in the new one")
		}
	}
}

// Goal: it works over the engine on disk as over its twin: the old copies' bytes do not hide what is loaded, and a restart finds all.
func TestRestoreOnDisk(t *testing.T) {
	dir := t.TempDir()
	open := func() storage.Engine {
		e, err := badgerkv.Open(dir, badgerkv.Config{MemoryBytes: 64 << 20, ReserveBytes: 1})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	source := randomLog(t, 11, 150)
	desc, stream := source.sent(nil)
	next := replica(t, open())
	next.follow(source.log[:100])
	for range 2 {
		next.take(desc, stream)
		next.s.noteInUse()
		next.rollup()
		if err := next.engine.Close(); err != nil {
			t.Fatal(err)
		}
		next = replica(t, open())
		if got, want := next.show(source.ts), source.show(source.ts); got != want {
			t.Fatalf("on disk\n%s\nwant\n%s", got, want)
		}
	}
	if err := next.engine.Close(); err != nil {
		t.Fatal(err)
	}
}
