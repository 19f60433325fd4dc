package zero

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dragg/cluster"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

func start(t testing.TB, dir string) (*Server, func()) {
	t.Helper()
	s, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case <-time.After(10 * time.Second):
		t.Fatal("Zero did not become ready")
	}
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func claim(t testing.TB, z cluster.Zero, name string) *pb.Tablet {
	t.Helper()
	r, err := z.ChangeSchema(context.Background(), &pb.Alter{
		Predicates: []*pb.PredicateChange{{Predicate: name, Schema: []byte("s"), Group: 1}},
	})
	if err != nil || r.Stale {
		t.Fatal(r, err)
	}
	return r.Tablets[0]
}

// Goal: first committer wins, the answer stays the same when asked again, also after a restart, and the stream holds every
// verdict in order. Method: one Zero, restarted in between.
func TestVerdictsAndRestart(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	s, stop := start(t, dir)
	tablet := claim(t, s, "name")
	a, _, err := s.Timestamps(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	b := a + 1
	commit := func(z cluster.Zero, start graph.Timestamp, keys ...uint64) *pb.CommitReply {
		t.Helper()
		r, err := z.Commit(ctx, &pb.CommitRequest{StartTs: uint64(start), Keys: keys, Epochs: []uint64{tablet.Epoch}, Groups: []uint32{1}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := commit(s, a, 1, 2)
	if first.CommitTs <= uint64(b) {
		t.Fatalf("commit at %d, not above the start timestamps", first.CommitTs)
	}
	if r := commit(s, b, 2, 3); r.Reason != pb.AbortReason_CONFLICT {
		t.Fatalf("second writer of key 2: %v", r)
	}
	if _, after, err := s.Timestamps(ctx, 1); err != nil || uint64(after) < first.CommitTs {
		t.Fatalf("after %d, %v: below the commit %d", after, err, first.CommitTs)
	}
	stop()
	s, stop = start(t, dir)
	defer stop()
	if r := commit(s, a, 1, 2); r.CommitTs != first.CommitTs {
		t.Errorf("asked again after a restart: %v, want %d", r, first.CommitTs)
	}
	c, after, err := s.Timestamps(ctx, 1)
	if err != nil || uint64(c) <= first.CommitTs || uint64(after) < first.CommitTs {
		t.Errorf("timestamp %d after %d (%v), but %d is used", c, after, err, first.CommitTs)
	}
	var got []*pb.Event
	var watermark uint64
	enough := errors.New("enough")
	err = s.Stream(ctx, 1, 0, func(b *pb.StreamBatch) error {
		got, watermark = append(got, b.Events...), b.Watermark
		if len(got) >= 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || len(got) != 3 || got[0].TabletSet == nil ||
		got[1].Verdict.GetCommitTs() != first.CommitTs || got[2].Verdict.GetStartTs() != uint64(b) {
		t.Errorf("stream: %v %v", got, err)
	}
	if watermark < uint64(after) {
		t.Errorf("the watermark %d does not reach %d: readers would wait for ever", watermark, after)
	}
}

// A write under an old epoch is refused after a schema change, and under a dropped predicate too.
func TestEpochs(t *testing.T) {
	ctx := context.Background()
	s, stop := start(t, t.TempDir())
	defer stop()
	old := claim(t, s, "p")
	ts, _, err := s.Timestamps(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	change := &pb.PredicateChange{Predicate: "p", Schema: []byte("s2"), IfEpoch: old.Epoch}
	r, err := s.ChangeSchema(ctx, &pb.Alter{Predicates: []*pb.PredicateChange{change}})
	if err != nil || r.Stale {
		t.Fatal(r, err)
	}
	if r2, err := s.ChangeSchema(ctx, &pb.Alter{Predicates: []*pb.PredicateChange{change}}); err != nil || !r2.Stale {
		t.Errorf("a change from an old epoch was taken: %v %v", r2, err)
	}
	if v, err := s.Commit(ctx, &pb.CommitRequest{StartTs: uint64(ts), Epochs: []uint64{old.Epoch}, Groups: []uint32{1}}); err != nil ||
		v.Reason != pb.AbortReason_STALE_TABLET {
		t.Errorf("commit under the old epoch: %v %v", v, err)
	}
	now := r.Tablets[0]
	if v, err := s.Commit(ctx, &pb.CommitRequest{StartTs: uint64(ts + 1), Epochs: []uint64{now.Epoch}, Groups: []uint32{1}}); err != nil ||
		v.CommitTs == 0 {
		t.Errorf("commit under the new epoch: %v %v", v, err)
	}
	if _, err := s.ChangeSchema(ctx, &pb.Alter{DropAll: true}); err != nil {
		t.Fatal(err)
	}
	again := claim(t, s, "p")
	if again.Incarnation == old.Incarnation || again.Epoch == old.Epoch || again.Epoch == now.Epoch {
		t.Errorf("a predicate that was dropped came back as the same tablet: %v", again)
	}
}

// Goal: timestamps and uids are unique and a commit timestamp is never below a start that was drawn before it.
// Method: concurrent drawers across lease bounds.
func TestClockIsUnique(t *testing.T) {
	ctx := context.Background()
	s, stop := start(t, t.TempDir())
	defer stop()
	var mu sync.Mutex
	var all []graph.Timestamp
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				first, _, err := s.Timestamps(ctx, 997)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, first)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	for i := 1; i < len(all); i++ {
		if all[i]-all[i-1] < 997 {
			t.Fatalf("blocks at %d and %d overlap", all[i-1], all[i])
		}
	}
	u1, err1 := s.LeaseUIDs(ctx, 1000)
	u2, err2 := s.LeaseUIDs(ctx, 1)
	if err := errors.Join(err1, err2); err != nil || u1 != 1 || u2 != 1001 {
		t.Errorf("uids %d %d %v", u1, u2, err)
	}
	if _, err := s.LeaseUIDs(ctx, 0); err == nil {
		t.Error("a lease of nothing was granted")
	}
}

func BenchmarkCommit(b *testing.B) {
	s, stop := start(b, b.TempDir())
	defer stop()
	tablet := claim(b, s, "p")
	ctx := context.Background()
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			ts, _, err := s.Timestamps(ctx, 1)
			if err != nil {
				b.Error(err)
				return
			}
			r := &pb.CommitRequest{StartTs: uint64(ts), Keys: []uint64{uint64(ts)}, Epochs: []uint64{tablet.Epoch}, Groups: []uint32{1}}
			if _, err := s.Commit(ctx, r); err != nil {
				b.Error(err)
			}
		}
	})
}

// Who asks without waiting is answered once, also when Zero stops, and is sent away where nobody would answer.
func TestAsk(t *testing.T) {
	s, stop := start(t, t.TempDir())
	var taken, committed, refused atomic.Int64
	first := make(chan struct{})
	answer := func(reply *pb.CommitReply, err error) {
		switch {
		case err == nil && reply.CommitTs > 0:
			if committed.Add(1) == 1 {
				close(first)
			}
		case fault.ClassOf(err) == fault.Unknown || fault.ClassOf(err) == fault.Unavailable:
			refused.Add(1)
		default:
			t.Errorf("answered %v, %v", reply, err)
		}
	}
	if s.Ask(&pb.CommitRequest{}, answer) {
		t.Error("a transaction without a start was taken")
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for !ended(s) {
				ts, _, err := s.Timestamps(context.Background(), 1)
				if err == nil && s.Ask(&pb.CommitRequest{StartTs: uint64(ts), Keys: []uint64{uint64(i)<<32 | uint64(ts)}}, answer) {
					taken.Add(1)
				}
			}
		})
	}
	<-first
	stop()
	wg.Wait()
	if s.Ask(&pb.CommitRequest{StartTs: 1}, answer) {
		t.Error("asked after the end")
	}
	if answered := committed.Load() + refused.Load(); answered != taken.Load() {
		t.Errorf("%d were asked for and %d answered", taken.Load(), answered)
	}
}

// ended reports whether s has stopped.
func ended(s *Server) bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

// Whoever waits for a verdict when Zero stops learns that the outcome is unknown, and who comes later that nobody leads.
func TestStopAnswersEverybody(t *testing.T) {
	s, stop := start(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for ts := uint64(i + 1); ; ts += 50 {
				_, err := s.Commit(context.Background(), &pb.CommitRequest{StartTs: ts})
				switch fault.ClassOf(err) {
				case fault.Unknown, fault.Unavailable:
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	stop()
	wg.Wait()
	if _, err := s.Commit(context.Background(), &pb.CommitRequest{StartTs: 1}); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}
