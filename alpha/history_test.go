package alpha

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/internal/fault"
	"dragg/systest/history"
)

// Goal: whatever concurrent transactions do, what they see is strong snapshot isolation, own writes included, through every kind
// of index. Method: a recorded history of random transactions, checked; commits, conflicts and every kind of question must
// have come up often enough for that to mean something.
func TestHistoryIsSnapshotIsolation(t *testing.T) {
	w := &workload{nodes: 7, abandon: true, seed: uint64(time.Now().UnixNano())}
	t.Logf("seed %d", w.seed)
	w.n = plan{disk: true, cfg: Config{TxnAbortAfter: 2 * time.Second}}.start(t)
	r := w.run(t, 8, 60)
	t.Log(r, w.seen)
	if len(r.Violations) > 0 {
		t.Error(r)
	}
	if r.Committed < 100 || r.Failed < 20 || r.Unknown > 0 || r.Own < 15 {
		t.Errorf("too little happened: %v", r)
	}
	for _, what := range []string{
		"commit now", "discarded", "abandoned", "read only", "best effort", "node", "eq", "eq upsert", "range", "between", "has",
		"count", "element", "uid_in",
	} {
		if w.seen[what] < 3 {
			t.Errorf("%s came up %d times", what, w.seen[what])
		}
	}
	wait(t, "abandoned transactions to be aborted", func() bool { n, _ := w.n.shard.Pending(); return n == 0 })
}

// Goal: the same while indexes come and go under the transactions. Method: one goroutine drops and rebuilds indexes, reverse edges
// and counts all the time; queries that need what is not there are refused, but no answer is wrong.
func TestHistoryWhileIndexesAreBuilt(t *testing.T) {
	w := &workload{nodes: 5, rough: true, seed: 5}
	w.n = plan{}.start(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.prepare(t, ctx)
	done, built := make(chan struct{}), atomic.Int64{}
	var altering sync.WaitGroup
	altering.Go(func() {
		for {
			for _, text := range []string{"name: string .\nage: int .\nknows: [uid] .", workloadSchema} {
				select {
				case <-done:
					return
				case <-time.After(15 * time.Millisecond):
				}
				err := w.n.Alter(ctx, &api.Operation{Schema: text})
				if err != nil && fault.ClassOf(err) != fault.Unavailable {
					t.Error(err)
				}
				if err == nil {
					built.Add(1)
				}
			}
		}
	})
	for few := true; few && ctx.Err() == nil; few = built.Load() < 6 {
		w.clients(t, 6, 100)
	}
	close(done)
	altering.Wait()
	w.n.alter(t, workloadSchema)
	w.rough = false
	r := w.check(t)
	t.Log(r, w.seen, built.Load(), "schema changes")
	if len(r.Violations) > 0 {
		t.Error(r)
	}
	if r.Committed < 60 || built.Load() < 6 || w.seen["eq"] < 3 || w.seen["count"] < 3 {
		t.Errorf("too little happened: %v, %d schema changes", r, built.Load())
	}
}

// Goal: a restart loses nothing that was acknowledged and shows nothing that was not. Method: the database is stopped in the middle
// of the workload, several times, and started again on its folders; one history over all lives.
func TestHistoryAcrossRestarts(t *testing.T) {
	w := &workload{nodes: 5, abandon: true, seed: 11}
	p := plan{dir: t.TempDir(), disk: true, cfg: Config{TxnAbortAfter: time.Minute}}
	w.n = p.start(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.prepare(t, ctx)
	for life := range 3 {
		if life > 0 {
			w.n = p.start(t)
		}
		running, stop := context.WithCancel(ctx)
		w.ctx, w.rough = running, true
		var stopping sync.WaitGroup
		before := w.count(string(history.OK))
		stopping.Go(func() {
			for w.count(string(history.OK)) < before+40 && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			w.n.kill()
			stop()
		})
		w.clients(t, 6, 1000)
		stopping.Wait()
	}
	w.n, w.ctx, w.rough = p.start(t), ctx, false
	w.clients(t, 4, 20)
	r := w.check(t)
	t.Log(r, w.seen)
	if len(r.Violations) > 0 {
		t.Error(r)
	}
	if r.Committed < 40 || w.seen[string(history.Unknown)] == 0 {
		t.Errorf("too little happened: %v", r)
	}
}
