package oracle

import (
	"math/rand/v2"
	"slices"
	"testing"

	"dragg/graph"
)

// naive keeps every commit ever made and compares with all of them.
type naive struct{ commits []naiveTxn }

type naiveTxn struct {
	commit graph.Timestamp
	keys   map[uint64]bool
}

func (n *naive) decide(start, commit graph.Timestamp, keys []uint64) bool {
	set := map[uint64]bool{}
	for _, k := range keys {
		set[k] = true
		for _, c := range n.commits {
			if c.commit > start && c.keys[k] {
				return false
			}
		}
	}
	n.commits = append(n.commits, naiveTxn{commit, set})
	return true
}

// Goal: the oracle agrees with the definition of first committer wins, and where it forgot it only ever refuses more.
// Method: random transactions with overlapping lifetimes against naive, under several limits.
func TestAgreesWithDefinition(t *testing.T) {
	for _, limit := range []int{1 << 20, 40, 7} {
		rnd := rand.New(rand.NewPCG(1, uint64(limit)))
		o, n := New(Limits{Keys: limit, Outcomes: 100}), &naive{}
		committed := 0
		for ts := graph.Timestamp(10); ts < 3000; ts++ {
			start := ts - graph.Timestamp(1+rnd.IntN(9))
			keys := make([]uint64, 1+rnd.IntN(3))
			for i := range keys {
				keys[i] = uint64(rnd.IntN(12))
			}
			if start < o.Floor() {
				if o.Decide(start, ts, keys) != TooOld {
					t.Fatalf("start %d below the floor %d was not refused", start, o.Floor())
				}
				continue
			}
			want := n.decide(start, ts, keys)
			if got := o.Decide(start, ts, keys) == Committed; got != want {
				t.Fatalf("limit %d: start %d commit %d keys %v: committed %v, want %v", limit, start, ts, keys, got, want)
			}
			if want {
				committed++
			}
			if o.Keys() > limit {
				t.Fatalf("%d keys remembered, the limit is %d", o.Keys(), limit)
			}
		}
		if committed < 100 {
			t.Errorf("limit %d: only %d commits: the test is too weak", limit, committed)
		}
	}
}

// Dump and Load give the same oracle: it answers alike for ever after.
func TestDumpLoad(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	limits := Limits{Keys: 50, Outcomes: 20}
	a := New(limits)
	for ts := graph.Timestamp(10); ts < 500; ts++ {
		a.Decide(ts-graph.Timestamp(1+rnd.IntN(9)), ts, []uint64{uint64(rnd.IntN(30)), uint64(rnd.IntN(30))})
		if ts == 300 {
			a.ForgetBelow(295)
		}
	}
	var keys, commits, starts, outcomes []uint64
	a.Dump(func(k graph.ConflictKey, c graph.Timestamp) {
		keys, commits = append(keys, uint64(k)), append(commits, uint64(c))
	}, func(s, c graph.Timestamp) { starts, outcomes = append(starts, uint64(s)), append(outcomes, uint64(c)) })
	b := Load(limits, a.Floor(), keys, commits, starts, outcomes)
	same := func(x, y *recent) bool { return slices.Equal(slices.Collect(x.all()), slices.Collect(y.all())) }
	if !same(&a.writes, &b.writes) || !same(&a.outcomes, &b.outcomes) || a.floor != b.floor {
		t.Fatal("the loaded oracle differs")
	}
	for ts := graph.Timestamp(500); ts < 900; ts++ {
		start, keys := ts-graph.Timestamp(1+rnd.IntN(9)), []uint64{uint64(rnd.IntN(30)), uint64(rnd.IntN(30))}
		if x, y := a.Decide(start, ts, keys), b.Decide(start, ts, keys); x != y {
			t.Fatalf("at %d: %d and %d", ts, x, y)
		}
	}
}

// The first outcome of a transaction stays, whoever asks again.
func TestOutcome(t *testing.T) {
	o := New(Limits{Keys: 10, Outcomes: 2})
	o.Decide(1, 5, []uint64{1})
	o.End(1, 0)
	if c, ok := o.Outcome(1); !ok || c != 5 {
		t.Errorf("outcome of 1 is %d %v, want 5", c, ok)
	}
	o.End(2, 0)
	o.End(3, 0)
	if _, ok := o.Outcome(1); ok {
		t.Error("the oldest outcome was to be forgotten")
	}
}

func BenchmarkDecide(b *testing.B) {
	o := New(DefaultLimits)
	ts := graph.Timestamp(1)
	b.ReportAllocs()
	for b.Loop() {
		ts += 2
		o.Decide(ts-1, ts, []uint64{uint64(ts), uint64(ts) << 20, uint64(ts) << 40})
	}
}
