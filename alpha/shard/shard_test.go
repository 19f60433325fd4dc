package shard

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/alpha/lookup"
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
		res, err := r.s.Reader(commit, new(lookup.Memory)).Run(ctx, commit+1, []task.Task{{Kind: task.Values, Predicate: graph.Pred("name"), Src: []graph.UID{1}}})
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
	if err := r.s.horizon.enter(old); err != nil {
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
	r.s.horizon.leave(old)
	if got := r.value(r.ts, "name", 1); got != "b" {
		t.Errorf("the newest value is %q", got)
	}
}
