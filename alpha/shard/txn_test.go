package shard

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dragg/alpha/lookup"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/query/task"
	"dragg/storage/memkv"
)

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
			}, nil)
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
	_, err := r.s.Reader(0, new(lookup.Memory)).Run(t.Context(), start, names)
	aborted(t, "the read", err)
	aborted(t, "a further write", r.write(start, "3 name x"))
	if _, err := r.s.Reader(0, new(lookup.Memory)).Run(t.Context(), r.begin(), names); err != nil {
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

// The edges of a step are parted by tablet, few or many, in the order of the keys that they will have, and stay in their own order.
func TestEdgesByTablet(t *testing.T) {
	var text strings.Builder
	const predicates = 3 * fewParts
	for i := range predicates {
		fmt.Fprintf(&text, "p%d: int .\n", i)
	}
	r := newRig(t, memkv.New(memkv.Config{}), text.String())
	state := r.s.view.Load()
	rng := rand.New(rand.NewPCG(1, 1))
	for _, used := range []int{1, 3, fewParts, fewParts + 1, predicates} {
		var edges []graph.Edge
		want := map[graph.Predicate][]graph.UID{}
		for uid := range graph.UID(500) {
			p := graph.Pred(fmt.Sprintf("p%d", rng.IntN(used)))
			edges = append(edges, graph.Edge{Subject: uid + 1, Predicate: p})
			want[p] = append(want[p], uid+1)
		}
		before := slices.Clone(edges)
		parts, err := state.byTablet(edges, r.s.view.Load().watermark)
		if err != nil || len(parts) != len(want) {
			t.Fatalf("%d parts of %d, %v", len(parts), len(want), err)
		}
		for i, part := range parts {
			if i > 0 && parts[i-1].t.incarnation() >= part.t.incarnation() {
				t.Errorf("%d predicates: part %d is out of order", used, i)
			}
			var got []graph.UID
			for _, e := range part.edges {
				got = append(got, e.Subject)
			}
			if name := part.t.def.Name; !slices.Equal(got, want[name]) {
				t.Errorf("%d predicates: %s has %v, want %v", used, name, got, want[name])
			}
		}
		for i := range edges {
			if edges[i].Subject != before[i].Subject || edges[i].Predicate != before[i].Predicate {
				t.Fatal("the edges were changed")
			}
		}
	}
	if _, err := state.byTablet([]graph.Edge{{Subject: 1, Predicate: graph.Pred("unknown")}}, 1<<30); fault.ClassOf(err) != fault.Aborted {
		t.Errorf("an unknown predicate: %v", err)
	}
}
