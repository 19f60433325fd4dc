package shard

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/query/task"
	"dragg/raftgroup/fsm"
	"dragg/storage"
	"dragg/storage/memkv"
)

func crashable() *memkv.Engine { return memkv.New(memkv.Config{Crashable: true}) }

func aborted(t *testing.T, what string, err error) {
	t.Helper()
	if fault.ClassOf(err) != fault.Aborted {
		t.Errorf("%s: %v, want an abort", what, err)
	}
}

// A transaction sees its own writes, in data and in every index; nobody else sees them before the verdict, everybody after it.
func TestWritesAreSeenByTheirTransactionOnly(t *testing.T) {
	r := newRig(t, crashable(), "name: string @index(exact) .")
	r.do("1 name ada")
	a, b := r.begin(), r.begin()
	if err := r.write(a, "1 name bob; 2 name bob"); err != nil {
		t.Fatal(err)
	}
	for ts, want := range map[graph.Timestamp]string{a: "bob", b: "ada"} {
		if got := r.value(ts, "name", 1); got != want {
			t.Errorf("at %d the name is %q, want %q", ts, got, want)
		}
	}
	if uids, err := r.eq(a, "name", "bob"); err != nil || !slices.Equal(uids, []graph.UID{1, 2}) {
		t.Errorf("the writer finds %v, %v", uids, err)
	}
	if uids, err := r.eq(b, "name", "bob"); err != nil || len(uids) > 0 {
		t.Errorf("another finds %v, %v", uids, err)
	}
	reply := r.end(a, false)
	if got := r.value(b, "name", 1); got != "ada" {
		t.Errorf("after the commit an older snapshot shows %q", got)
	}
	r.deliver()
	for ts, want := range map[graph.Timestamp]string{graph.Timestamp(reply.CommitTs): "bob", b: "ada"} {
		if got := r.value(ts, "name", 1); got != want {
			t.Errorf("at %d the name is %q, want %q", ts, got, want)
		}
	}
}

// What a transaction has written survives a crash before and after a checkpoint, with its conflict keys and tablets.
func TestPendingSurvivesACrash(t *testing.T) {
	for name, checkpoint := range map[string]bool{"replayed": false, "from the checkpoint": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, crashable(), "name: string @index(exact) .")
			start := r.begin()
			for _, text := range []string{"1 name ada", "2 name bob; 1 name eve"} {
				if err := r.write(start, text); err != nil {
					t.Fatal(err)
				}
			}
			before, ok := r.s.Written(start)
			_, bytes := r.s.Pending()
			if checkpoint {
				if _, err := r.s.Snapshot(); err != nil {
					t.Fatal(err)
				}
			}
			r.crash(memkv.LoseAll, 1)
			after, ok2 := r.s.Written(start)
			if !ok || !ok2 || !slices.Equal(before.Keys, after.Keys) || len(before.Keys) != 3 || len(after.Epochs) != 1 {
				t.Errorf("before the crash %v, after it %v", before, after)
			}
			if n, b := r.s.Pending(); n != 1 || b != bytes {
				t.Errorf("%d pending with %d bytes, before %d", n, b, bytes)
			}
			reply := r.end(start, false)
			r.deliver()
			if got := r.value(graph.Timestamp(reply.CommitTs), "name", 1); reply.CommitTs == 0 || got != "eve" {
				t.Errorf("commit %v shows %q", reply, got)
			}
			if n, b := r.s.Pending(); n != 0 || b != 0 {
				t.Errorf("%d pending with %d bytes after the verdict", n, b)
			}
		})
	}
}

// A prewrite after the verdict is refused, also when the verdict was an abort that comes twice, and after a restart.
func TestLatePrewriteIsRefused(t *testing.T) {
	r := newRig(t, crashable(), "name: string .")
	committed, discarded, never := r.begin(), r.begin(), r.begin()
	for _, ts := range []graph.Timestamp{committed, discarded} {
		if err := r.write(ts, "1 name x"); err != nil {
			t.Fatal(err)
		}
	}
	r.end(committed, false)
	r.end(discarded, true)
	r.deliver()
	verdict := &pb.Event{Seq: r.s.Seq() + 1, Verdict: &pb.Verdict{StartTs: uint64(never)}}
	again := &pb.Event{Seq: r.s.Seq() + 2, Verdict: &pb.Verdict{StartTs: uint64(discarded)}}
	if err := r.s.Deliver(t.Context(), &pb.StreamBatch{Events: []*pb.Event{verdict, again}}); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		for _, ts := range []graph.Timestamp{committed, discarded, never} {
			aborted(t, "a write after the end", r.write(ts, "1 name late"))
		}
		if n, _ := r.s.Pending(); n != 0 {
			t.Errorf("%d transactions pending", n)
		}
		if round == 1 {
			if _, err := r.s.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		r.crash(memkv.LoseAll, 1)
	}
}

// A change that was derived under an older definition is refused when it is applied, and one whose predicate is gone too.
func TestPrewriteUnderAnOldEpochIsRefused(t *testing.T) {
	for name, change := range map[string]func(r *rig){
		"changed": func(r *rig) { r.alter("name: string @index(exact) .") },
		"dropped": func(r *rig) {
			r.change(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "name", Force: true}}})
		},
		"emptied": func(r *rig) { r.change(&pb.Alter{DropData: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, crashable(), "name: string .")
			start := r.begin()
			changes, w, err := r.s.derive(start, func() error { return nil }, [][]graph.Edge{r.edges("1 name x")})
			if err != nil {
				t.Fatal(err)
			}
			change(r)
			_, err = r.s.proposePrewrite(t.Context(), &pb.Prewrite{
				StartTs: uint64(start), Pending: changes.AppendBinary(nil), Epochs: w.Epochs, Keys: w.Keys,
			})
			aborted(t, "the write", err)
			if _, ok := r.s.Written(start); ok {
				t.Error("a part of it is pending")
			}
		})
	}
}

// A transaction that wrote before a definition changed, and after the last commit before that, does not read: the index that
// is there by now lacks what it wrote.
func TestReadAfterAWriteUnderAnOldEpochIsRefused(t *testing.T) {
	r := newRig(t, crashable(), "name: string .")
	r.do("1 name x")
	start := r.begin()
	if err := r.write(start, "2 name x"); err != nil {
		t.Fatal(err)
	}
	r.alter("name: string @index(exact) .")
	names := []task.Task{{Kind: task.Values, Predicate: graph.Pred("name"), Src: []graph.UID{2}}}
	_, err := r.s.Reader(0).Run(t.Context(), start, names)
	aborted(t, "the read", err)
	aborted(t, "a further write", r.write(start, "3 name x"))
	if _, err := r.s.Reader(0).Run(t.Context(), r.begin(), names); err != nil {
		t.Error("another reader:", err)
	}
}

// Once its verdict is about to be asked for, a transaction takes no more writes, also after a restart; Close tells all that was
// written, and may be called again.
func TestClosedTransactionsTakeNoMore(t *testing.T) {
	for name, closing := range map[string]func(r *rig, start graph.Timestamp) (Written, error){
		"by itself": func(r *rig, start graph.Timestamp) (Written, error) {
			w, ok, err := r.s.Close(t.Context(), start)
			if !ok {
				t.Error("nothing is pending")
			}
			return w, err
		},
		"with the last write": func(r *rig, start graph.Timestamp) (Written, error) {
			return r.s.Prewrite(t.Context(), Writing{Start: start, Steps: [][]graph.Edge{r.edges("2 name x")}, Last: true})
		},
		"with a last write that changes nothing": func(r *rig, start graph.Timestamp) (Written, error) {
			return r.s.Prewrite(t.Context(), Writing{Start: start, Steps: [][]graph.Edge{r.edges("del 9 friend 8")}, Last: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, crashable(), "name: string .\nfriend: [uid] @reverse .")
			start := r.begin()
			if err := r.write(start, "1 name x"); err != nil {
				t.Fatal(err)
			}
			w, err := closing(r, start)
			if err != nil || len(w.Epochs) == 0 || len(w.Keys) == 0 {
				t.Fatalf("%v %v", w, err)
			}
			aborted(t, "a write", r.write(start, "3 name x"))
			r.crash(memkv.LoseAll, 1)
			aborted(t, "a write after a restart", r.write(start, "3 name x"))
			if again, ok, err := r.s.Close(t.Context(), start); err != nil || !ok || !slices.Equal(again.Keys, w.Keys) {
				t.Errorf("closed again: %v %v %v, first %v", again, ok, err, w)
			}
			commit := graph.Timestamp(r.end(start, false).CommitTs)
			r.deliver()
			if got := r.value(commit, "name", 1); got != "x" {
				t.Errorf("committed %q", got)
			}
			idle := r.begin()
			if _, ok, err := r.s.Close(t.Context(), idle); ok || err != nil {
				t.Errorf("a transaction that wrote nothing: %v %v", ok, err)
			}
			aborted(t, "its first write", r.write(idle, "3 name x"))
		})
	}
}

// Events that are known are passed over, a gap is refused and changes nothing.
func TestStreamIsGapFree(t *testing.T) {
	r := newRig(t, crashable(), "name: string .")
	start := r.begin()
	if err := r.write(start, "1 name x"); err != nil {
		t.Fatal(err)
	}
	before := dump(t, r.s)
	gap := &pb.StreamBatch{
		Events: []*pb.Event{
			{Seq: r.s.Seq(), Verdict: &pb.Verdict{StartTs: uint64(start), CommitTs: 99}},
			{Seq: r.s.Seq() + 2, Verdict: &pb.Verdict{StartTs: uint64(start), CommitTs: 100}},
		},
		Watermark: 200,
	}
	if err := r.s.Deliver(t.Context(), gap); fault.ClassOf(err) != fault.Internal {
		t.Errorf("a gap: %v", err)
	}
	if got := dump(t, r.s); string(got) != string(before) {
		t.Errorf("a gap left traces:\n%s\nbefore\n%s", got, before)
	}
	r.end(start, false)
	r.deliver()
	r.deliver()
	old, _, err := r.zero.Events(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	before = dump(t, r.s)
	if err := r.s.Deliver(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, r.s); string(got) != string(before) {
		t.Error("what was known changed something when it came again")
	}
	if err := r.s.Deliver(t.Context(), &pb.StreamBatch{Watermark: 1}); err != nil || r.s.Watermark() == 1 {
		t.Errorf("the watermark went back to %d, %v", r.s.Watermark(), err)
	}
}

// Readers wait for the verdicts they need, as long as their context lasts.
func TestReadersWait(t *testing.T) {
	r := newRig(t, crashable(), "name: string .")
	start := r.begin()
	if err := r.write(start, "1 name x"); err != nil {
		t.Fatal(err)
	}
	commit := graph.Timestamp(r.end(start, false).CommitTs)
	read := func(ctx context.Context) (string, error) {
		res, err := r.s.Reader(commit).Run(ctx, commit+1, []task.Task{{Kind: task.Values, Predicate: graph.Pred("name"), Src: []graph.UID{1}}})
		if err != nil {
			return "", err
		}
		return res[0].Values[0].Text(), nil
	}
	short, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := read(short); fault.ClassOf(err) != fault.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a reader whose verdict does not come: %v", err)
	}
	done := make(chan string, 1)
	go func() {
		got, err := read(context.Background())
		if err != nil {
			got = err.Error()
		}
		done <- got
	}()
	r.deliver()
	if got := <-done; got != "x" {
		t.Errorf("the reader saw %q", got)
	}
	if err := r.s.WaitSeq(t.Context(), r.s.Seq()); err != nil {
		t.Error(err)
	}
	if err := r.s.WaitSeq(short, r.s.Seq()+1); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("waiting for an event that does not come: %v", err)
	}
}

// Open transactions may not hold more than their share of memory.
func TestPendingIsBounded(t *testing.T) {
	r := newRig(t, crashable(), "name: string .")
	r.s.cfg.PendingBytes = 1000
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		err = r.write(r.begin(), "1 name "+strings.Repeat("x", 100))
	}
	if fault.ClassOf(err) != fault.Exhausted || n < 5 {
		t.Fatalf("after %d writes: %v", n, err)
	}
	r.end(1, true)
	r.end(2, true)
	r.deliver()
	if err := r.write(r.begin(), "1 name x"); err != nil {
		t.Errorf("after two were discarded: %v", err)
	}
}

// A large prewrite becomes several entries, and is committed as one.
func TestLargePrewrite(t *testing.T) {
	r := newRig(t, crashable(), "name: string @index(term) .")
	start := r.begin()
	big := strings.Repeat("a", maxPrewriteBytes/2+1)
	before := len(r.log)
	edges := r.edges("1 name x; 2 name x; 3 name x")
	for i := range edges {
		edges[i].Value = r.edges("1 name " + big)[0].Value
	}
	r.alter("name: string .")
	if _, err := r.s.Prewrite(t.Context(), Writing{Start: start, Steps: [][]graph.Edge{edges}}); err != nil {
		t.Fatal(err)
	}
	if n := len(r.log) - before - 1; n < 2 {
		t.Errorf("%d entries", n)
	}
	if w, _ := r.s.Written(start); len(w.Keys) != 3 {
		t.Errorf("conflict keys %v", w.Keys)
	}
	commit := graph.Timestamp(r.end(start, false).CommitTs)
	r.deliver()
	if got := r.value(commit, "name", 3); got != big {
		t.Errorf("%d bytes arrived", len(got))
	}
}

// Idle transactions are those that nobody wrote to for long; after a restart they all count as new.
func TestIdle(t *testing.T) {
	r := newRig(t, crashable(), "name: string .")
	a, b := r.begin(), r.begin()
	for _, ts := range []graph.Timestamp{a, b} {
		if err := r.write(ts, "1 name x"); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	if got := r.s.Idle(now, time.Minute); len(got) > 0 {
		t.Errorf("idle at once: %v", got)
	}
	if got := r.s.Idle(now.Add(2*time.Minute), time.Minute); !slices.Equal(got, []graph.Timestamp{a, b}) {
		t.Errorf("idle after two minutes: %v", got)
	}
	r.s.mu.Lock()
	r.s.touched[b] = now.Add(90 * time.Second)
	r.s.mu.Unlock()
	if got := r.s.Idle(now.Add(2*time.Minute), time.Minute); !slices.Equal(got, []graph.Timestamp{a}) {
		t.Errorf("idle although used: %v", got)
	}
	r.end(a, true)
	r.deliver()
	r.crash(memkv.LoseAll, 1)
	if got := r.s.Idle(now.Add(time.Hour), time.Minute); len(got) > 0 {
		t.Errorf("idle right after a restart: %v", got)
	}
	if got := r.s.Idle(now.Add(time.Hour+2*time.Minute), time.Minute); !slices.Equal(got, []graph.Timestamp{b}) {
		t.Errorf("idle some time after a restart: %v", got)
	}
}

// stored returns how many keys the engine holds under a tablet copy.
func stored(t *testing.T, e storage.Engine, inc graph.Incarnation) int {
	t.Helper()
	v := e.ReaderAt(graph.MaxTimestamp)
	defer v.Close()
	it := v.Scan(keys.Prefix(inc), keys.End(keys.Prefix(inc)))
	n := 0
	for it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// maintain runs the shard's background work until the test, or the returned function, ends it.
func (r *rig) maintain(t *testing.T, done Built) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := r.s
	go func() { ended <- s.Maintain(ctx, func() bool { return true }, done) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// The bytes of dropped copies go, those of the living stay; a crash before that only delays it.
func TestDroppedCopiesAreDeleted(t *testing.T) {
	r := newRig(t, crashable(), "name: string @index(exact) .\nage: int .")
	r.do("1 name x; 2 name y; 1 age 7")
	old := map[string]graph.Incarnation{}
	for _, c := range r.s.Copies() {
		old[c.Predicate.Name.Name] = c.Incarnation
	}
	r.change(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "name", Force: true}}})
	r.alter("name: string @index(exact) .")
	r.do("3 name z")
	if _, err := r.s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	r.crash(memkv.LoseAll, 1)
	if stored(t, r.engine, old["name"]) == 0 || len(r.s.Retired()) != 1 {
		t.Fatal("nothing to delete: the test tests nothing")
	}
	stop := r.maintain(t, nil)
	eventually(t, "the deletion", func() bool { return stored(t, r.engine, old["name"]) == 0 && len(r.s.Retired()) == 0 })
	stop()
	if r.value(r.ts, "name", 3) != "z" || r.value(r.ts, "age", 1) != "7" || r.value(r.ts, "name", 1) != "" {
		t.Errorf("left:\n%s", r.show(r.ts))
	}
}

// slowWrites lets deletions go first.
type slowWrites struct {
	storage.Engine
	deleted chan struct{}
}

func (e slowWrites) Write(ctx context.Context, b *storage.Batch) error {
	select {
	case <-e.deleted:
	case <-time.After(100 * time.Millisecond):
	}
	return e.Engine.Write(ctx, b)
}

func (e slowWrites) DeletePrefix(ctx context.Context, prefix []byte) error {
	err := e.Engine.DeletePrefix(ctx, prefix)
	e.deleted <- struct{}{}
	return err
}

// Goal: nothing is written under a copy after its bytes were deleted. Method: a commit and the drop of its predicate come in one
// batch of entries, and the engine would rather delete than write.
func TestDropInTheBatchOfACommit(t *testing.T) {
	r := newRig(t, memkv.New(memkv.Config{}), "name: string .")
	start := r.begin()
	if err := r.write(start, "1 name x"); err != nil {
		t.Fatal(err)
	}
	inc := r.s.Copies()[0].Incarnation
	r.end(start, false)
	r.entry(&pb.ZeroEntry{Alter: &pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "name", Force: true}}}})
	r.engine = slowWrites{r.engine, make(chan struct{}, 8)}
	r.open()
	r.maintain(t, nil)
	b, _, err := r.zero.Events(1, r.s.Seq())
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(&pb.GroupEntry{Stream: b})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.s.Apply([]fsm.Command{{Index: 100, Data: data}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deletion", func() bool { return len(r.s.Retired()) == 0 })
	if n := stored(t, r.engine, inc); n > 0 {
		t.Errorf("%d keys of the dropped copy stay for ever", n)
	}
}

// On a full disk commits wait and reads go on; when there is room again nothing is lost.
func TestFullDisk(t *testing.T) {
	engine := crashable()
	r := newRig(t, engine, "name: string .")
	r.do("1 name x")
	start := r.begin()
	if err := r.write(start, "1 name y"); err != nil {
		t.Fatal(err)
	}
	reply := r.end(start, false)
	engine.SetFull(true)
	done := make(chan struct{})
	go func() { r.deliver(); close(done) }()
	for range 20 {
		if got := r.value(start-1, "name", 1); got != "x" {
			t.Fatalf("the committed value: %q", got)
		}
		time.Sleep(time.Millisecond)
	}
	select {
	case <-done:
		t.Error("the commit did not wait")
	default:
	}
	engine.SetFull(false)
	<-done
	if got := r.value(graph.Timestamp(reply.CommitTs), "name", 1); got != "y" {
		t.Errorf("after there was room: %q", got)
	}
}

// A checkpoint on a full disk says so, in a class that lets the group go on, and works later.
func TestCheckpointOnAFullDisk(t *testing.T) {
	engine := crashable()
	r := newRig(t, engine, "name: string .")
	r.do("1 name x")
	engine.SetFull(true)
	if _, err := r.s.Snapshot(); fault.ClassOf(err) != fault.Exhausted || !errors.Is(err, storage.ErrFull) {
		t.Errorf("checkpoint: %v", err)
	}
	if d := r.s.Durable(); d != 0 {
		t.Errorf("durable up to %d", d)
	}
	engine.SetFull(false)
	if _, err := r.s.Snapshot(); err != nil || r.s.Durable() != uint64(len(r.log)) {
		t.Errorf("later: %v, durable up to %d", err, r.s.Durable())
	}
}

// A disk that fails ends Apply and the checkpoint.
func TestFailingDisk(t *testing.T) {
	engine := crashable()
	r := newRig(t, engine, "name: string .")
	start := r.begin()
	if err := r.write(start, "1 name x"); err != nil {
		t.Fatal(err)
	}
	r.end(start, false)
	broken := errors.New("input/output error")
	engine.SetFailure(broken)
	b, _, err := r.zero.Events(1, r.s.Seq())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.s.Deliver(t.Context(), b); !errors.Is(err, broken) {
		t.Errorf("commit: %v", err)
	}
	if _, err := r.s.Snapshot(); !errors.Is(err, broken) {
		t.Errorf("checkpoint: %v", err)
	}
}

// A damaged record is refused: an engine that lost a chunk of it must not look like an empty one.
func TestDamagedRecord(t *testing.T) {
	for name, damage := range map[string]storage.Op{
		"a chunk is lost":    {Key: chunkKey(1), Ts: metaTs, Delete: true},
		"a chunk is changed": {Key: chunkKey(1), Ts: metaTs, Value: []byte("x"), Complete: true},
		"the head is short":  {Key: keys.Meta(metaName), Ts: metaTs, Value: []byte("x"), Complete: true},
	} {
		r := newRig(t, crashable(), "name: string .")
		if _, err := r.s.Snapshot(); err != nil {
			t.Fatal(err)
		}
		if err := r.engine.Write(t.Context(), &storage.Batch{Ops: []storage.Op{damage}}); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{}, r.engine); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// Snapshots older than the horizon are refused, also to writers; one that is being read keeps its data until it is done.
func TestHorizon(t *testing.T) {
	r := newRig(t, crashable(), "name: string .")
	old := r.do("1 name a")
	r.do("1 name b")
	now := time.Now()
	leave, err := r.s.horizon.enter(old)
	if err != nil {
		t.Fatal(err)
	}
	r.s.horizon.note(now, r.s.Watermark(), time.Minute)
	r.s.horizon.note(now.Add(2*time.Minute), r.s.Watermark(), time.Minute)
	r.s.noteInUse()
	if _, err := r.ask(old, task.Task{Kind: task.Values, Predicate: graph.Pred("name"), Src: []graph.UID{1}}); err == nil {
		t.Error("a snapshot below the horizon was read")
	} else {
		aborted(t, "the read", err)
	}
	aborted(t, "a write", r.write(old-1, "1 name late"))
	if _, err := r.s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	v := r.s.store.View(old, nil)
	l, err := v.List(keys.Data(r.s.Copies()[0].Incarnation, 1))
	v.Close()
	if err != nil || l.Len() != 1 {
		t.Errorf("the reader that was there lost its data: %d elements, %v", l.Len(), err)
	}
	leave()
	if got := r.value(r.ts, "name", 1); got != "b" {
		t.Errorf("the newest value is %q", got)
	}
}
