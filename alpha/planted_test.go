package alpha

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/protobuf/proto"

	"dragg/cluster"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/storage"
	"dragg/systest/history"
)

// The Zeros below are wrong on purpose, each in one way. They stand between an honest Zero and an honest Alpha.

// editing passes Zero's stream on after edit has changed a copy of it.
type editing struct {
	cluster.Zero
	edit func(e *pb.Event)
}

func (z editing) Stream(ctx context.Context, g graph.GroupID, seq uint64, deliver func(*pb.StreamBatch) error) error {
	return z.Zero.Stream(ctx, g, seq, func(b *pb.StreamBatch) error {
		b = proto.CloneOf(b)
		for _, e := range b.Events {
			z.edit(e)
		}
		return deliver(b)
	})
}

// lateVerdicts delivers its stream a little later than it might.
type lateVerdicts struct{ cluster.Zero }

func (z lateVerdicts) Stream(ctx context.Context, g graph.GroupID, seq uint64, deliver func(*pb.StreamBatch) error) error {
	return z.Zero.Stream(ctx, g, seq, func(b *pb.StreamBatch) error {
		time.Sleep(3 * time.Millisecond)
		return deliver(b)
	})
}

// noWait tells readers that they need no verdict at all.
type noWait struct{ cluster.Zero }

func (z noWait) Timestamps(ctx context.Context, n uint32) (first, after graph.Timestamp, err error) {
	first, _, err = z.Zero.Timestamps(ctx, n)
	return first, 0, err
}

// noConflicts decides without looking at conflict keys.
type noConflicts struct{ cluster.Zero }

func (z noConflicts) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	r = proto.CloneOf(r)
	r.Keys = nil
	return z.Zero.Commit(ctx, r)
}

// stubborn commits what shall be discarded, and says it did not.
type stubborn struct{ cluster.Zero }

func (z stubborn) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	if !r.Abort {
		return z.Zero.Commit(ctx, r)
	}
	r = proto.CloneOf(r)
	r.Abort = false
	_, err := z.Zero.Commit(ctx, r)
	return &pb.CommitReply{Reason: pb.AbortReason_DISCARDED}, err
}

// forgetful forgets conflicts too early: a key means another thing after a few timestamps.
type forgetful struct{ cluster.Zero }

func (z forgetful) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	r = proto.CloneOf(r)
	for i := range r.Keys {
		r.Keys[i] ^= r.StartTs >> 4
	}
	return z.Zero.Commit(ctx, r)
}

// repeating gives out every tenth timestamp twice.
type repeating struct {
	cluster.Zero
	mu           sync.Mutex
	calls        int             // guarded by mu
	first, after graph.Timestamp // guarded by mu: the last answer
}

func (z *repeating) Timestamps(ctx context.Context, n uint32) (first, after graph.Timestamp, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.calls++; z.calls%10 == 0 && n == 1 && z.first != 0 {
		return z.first, z.after, nil
	}
	z.first, z.after, err = z.Zero.Timestamps(ctx, n)
	return z.first, z.after, err
}

// hoarding draws start timestamps ahead, before those who get them have asked.
type hoarding struct {
	cluster.Zero
	mu    sync.Mutex
	next  graph.Timestamp // guarded by mu
	left  int             // guarded by mu
	after graph.Timestamp // guarded by mu
}

func (z *hoarding) Timestamps(ctx context.Context, n uint32) (first, after graph.Timestamp, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if n > 1 {
		return z.Zero.Timestamps(ctx, n)
	}
	if z.left == 0 {
		if z.next, z.after, err = z.Zero.Timestamps(ctx, 20); err != nil {
			return 0, 0, err
		}
		z.left = 20
	}
	z.next, z.left = z.next+1, z.left-1
	return z.next - 1, z.after, nil
}

// noIndex loses what is written to index keys.
type noIndex struct{ storage.Engine }

func (e noIndex) Write(ctx context.Context, b *storage.Batch) error {
	kept := &storage.Batch{}
	for _, op := range b.Ops {
		if k, err := keys.Parse(op.Key); err != nil || k.Kind != keys.KindIndex {
			kept.Ops = append(kept.Ops, op)
		}
	}
	return e.Engine.Write(ctx, kept)
}

// halfCommits loses every seventh change of data.
type halfCommits struct {
	storage.Engine
	writes *atomic.Uint64
}

func (e halfCommits) Write(ctx context.Context, b *storage.Batch) error {
	kept := &storage.Batch{}
	for _, op := range b.Ops {
		if k, err := keys.Parse(op.Key); err != nil || k.Kind != keys.KindData || e.writes.Add(1)%7 != 0 {
			kept.Ops = append(kept.Ops, op)
		}
	}
	return e.Engine.Write(ctx, kept)
}

// plantedRuns bounds how often the workload runs until a planted bug shows.
const plantedRuns = 5

// Goal: the test above would find the bugs that matter. Method: the same workload on databases with one bug planted each; the
// check must find it and name it.
func TestPlantedBugsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		plan
		want []history.Kind // any of them
	}{
		"reads do not wait for verdicts": {
			plan{zero: func(z cluster.Zero) cluster.Zero { return lateVerdicts{noWait{z}} }},
			[]history.Kind{history.StaleRead},
		},
		"conflict keys are ignored": {
			plan{zero: func(z cluster.Zero) cluster.Zero { return noConflicts{z} }},
			[]history.Kind{history.LostUpdate},
		},
		"conflicts are forgotten too early": {
			plan{zero: func(z cluster.Zero) cluster.Zero { return forgetful{z} }},
			[]history.Kind{history.LostUpdate},
		},
		"commits are stored too early": {
			plan{zero: func(z cluster.Zero) cluster.Zero {
				last := uint64(0)
				return editing{z, func(e *pb.Event) {
					if v := e.Verdict; v.GetCommitTs() != 0 {
						last, v.CommitTs = v.CommitTs, last+1
					}
				}}
			}},
			[]history.Kind{history.FutureRead},
		},
		"discarded transactions commit": {
			plan{zero: func(z cluster.Zero) cluster.Zero { return stubborn{z} }},
			[]history.Kind{history.DirtyRead},
		},
		"a verdict is lost on its way": {
			plan{zero: func(z cluster.Zero) cluster.Zero {
				return editing{z, func(e *pb.Event) {
					if v := e.Verdict; v != nil && e.Seq%10 == 0 {
						v.CommitTs = 0
					}
				}}
			}},
			[]history.Kind{history.StaleRead},
		},
		"start timestamps are given out twice": {
			plan{zero: func(z cluster.Zero) cluster.Zero { return &repeating{Zero: z} }},
			[]history.Kind{history.DuplicateTimestamp},
		},
		"start timestamps are drawn ahead": {
			plan{zero: func(z cluster.Zero) cluster.Zero { return &hoarding{Zero: z} }},
			[]history.Kind{history.StaleStart},
		},
		"index entries are not stored": {
			plan{cold: true, store: func(e storage.Engine) storage.Engine { return noIndex{e} }},
			[]history.Kind{history.StaleRead},
		},
		"a part of a commit is not stored": {
			plan{cold: true, store: func(e storage.Engine) storage.Engine { return halfCommits{e, new(atomic.Uint64)} }},
			[]history.Kind{history.StaleRead},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for run := range uint64(plantedRuns) {
				w := &workload{nodes: 4, seed: run, rough: true}
				w.n = c.start(t)
				found := w.run(t, 6, 25).Kinds()
				t.Log(found)
				if slices.ContainsFunc(c.want, func(k history.Kind) bool { return found[k] > 0 }) {
					return
				}
			}
			t.Errorf("none of %q was found", c.want)
		})
	}
}

// anyEpoch takes every writer's view of a tablet for the newest one.
type anyEpoch struct{ cluster.Zero }

func (z anyEpoch) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	r = proto.CloneOf(r)
	r.Epochs = nil
	return z.Zero.Commit(ctx, r)
}

// Goal: what was written before an index was asked for cannot commit after, without its entry. Method: the same steps on an honest
// database, and on one that ignores epochs: there the check must find the value that the index misses.
func TestIndexOnTheWay(t *testing.T) {
	for name, c := range map[string]struct {
		zero func(cluster.Zero) cluster.Zero
		bad  bool
	}{
		"honest":             {nil, false},
		"epochs are ignored": {func(z cluster.Zero) cluster.Zero { return anyEpoch{z} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, rec := context.Background(), history.NewRecorder()
			n := plan{zero: c.zero}.start(t)
			n.alter(t, `p: string .`)
			n.leaseUIDs(t, 10)
			writer := rec.Begin(1)
			resp, err := n.Do(ctx, setting(0, `<0x1> <p> "v" .`, false), Options{})
			if err != nil {
				t.Fatal(err)
			}
			writer.Start = graph.Timestamp(resp.Txn.StartTs)
			writer.Write("p/1", "v")
			n.alter(t, `p: string @index(exact) .`)
			out, err := n.CommitOrAbort(ctx, resp.Txn)
			switch {
			case fault.ClassOf(err) == fault.Aborted:
				rec.End(writer, history.Fail, 0)
			case err != nil:
				t.Fatal(err)
			default:
				rec.End(writer, history.OK, graph.Timestamp(out.CommitTs))
			}
			for _, q := range []string{`{q(func: eq(p, "v")) {uid}}`, `{q(func: uid(0x1)) @filter(has(p)) {uid}}`} {
				reader := rec.Begin(2)
				resp, err := n.Do(ctx, &api.Request{Query: q, ReadOnly: true}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				var answer struct{ Q []found }
				unmarshal(t, resp.Json, &answer)
				reader.Start = graph.Timestamp(resp.Txn.StartTs)
				reader.Match([]string{"p/1"}, []string{"v"}, len(answer.Q))
				rec.End(reader, history.OK, 0)
			}
			r := history.Check(rec.History())
			if bad := r.Kinds()[history.StaleRead] > 0; bad != c.bad || bad != (r.Committed > 0) {
				t.Errorf("%v", r)
			}
		})
	}
}

// losing loses replies of Commit: the verdict is given, but nobody here learns it. What it says of outcomes it says only while tell is
// true.
type losing struct {
	cluster.Zero
	calls *atomic.Uint64
	tell  *atomic.Bool
}

func (z losing) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitReply, error) {
	reply, err := z.Zero.Commit(ctx, r)
	if err == nil && z.calls.Add(1)%4 == 0 {
		return nil, fault.New(fault.Unknown, "the reply was lost")
	}
	return reply, err
}

func (z losing) Outcome(ctx context.Context, start graph.Timestamp) (graph.Timestamp, bool, error) {
	if !z.tell.Load() {
		return 0, false, fmt.Errorf("no reply either")
	}
	return z.Zero.Outcome(ctx, start)
}

// Goal: a lost reply is asked for again, and only when that fails too the client hears that the outcome is unknown; either way the
// history holds. Method: the workload with a quarter of the verdicts lost.
func TestHistoryWithLostReplies(t *testing.T) {
	for name, tell := range map[string]bool{"asked again": true, "unknown": false} {
		t.Run(name, func(t *testing.T) {
			lost := losing{calls: new(atomic.Uint64), tell: new(atomic.Bool)}
			lost.tell.Store(tell)
			w := &workload{nodes: 5, seed: 3}
			w.n = plan{zero: func(z cluster.Zero) cluster.Zero { lost.Zero = z; return lost }}.start(t)
			r := w.run(t, 6, 25)
			if len(r.Violations) > 0 {
				t.Error(r)
			}
			if heard := w.seen[string(history.Unknown)]; (heard == 0) != tell {
				t.Errorf("%d transactions ended in the dark", heard)
			}
		})
	}
}
