package shard

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/query/task"
	"dragg/raftgroup/fsm"
	"dragg/storage"
	"dragg/storage/memkv"
)

// replica opens another replica of the group on an engine. Nothing is applied to it yet.
func replica(t testing.TB, e storage.Engine) *rig {
	t.Helper()
	s, err := Open(Config{Group: 1}, e)
	if err != nil {
		t.Fatal(err)
	}
	s.sizes = smallSizes
	return &rig{t: t, s: s, engine: e}
}

// follow applies what the group has agreed on and the replica has not applied.
func (r *rig) follow(log [][]byte) {
	r.t.Helper()
	for i := int(r.s.applied); i < len(log); i++ {
		if _, err := r.s.Apply([]fsm.Command{{Index: uint64(i + 1), Data: log[i]}}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// sent returns a snapshot of the replica. Before each piece of it goes out, meanwhile is called.
func (r *rig) sent(meanwhile func()) (desc, stream []byte) {
	r.t.Helper()
	desc, err := r.s.Snapshot()
	if err != nil {
		r.t.Fatal(err)
	}
	return desc, r.stream(desc, meanwhile)
}

func (r *rig) stream(desc []byte, meanwhile func()) []byte {
	r.t.Helper()
	w := &hooked{before: meanwhile}
	if err := r.s.WriteSnapshot(r.t.Context(), desc, nil, w); err != nil {
		r.t.Fatal(err)
	}
	return w.Bytes()
}

type hooked struct {
	bytes.Buffer
	before func()
}

func (h *hooked) Write(p []byte) (int, error) {
	if h.before != nil {
		h.before()
	}
	return h.Buffer.Write(p)
}

func (r *rig) take(desc, stream []byte) {
	r.t.Helper()
	if err := r.s.Restore(r.t.Context(), desc, bytes.NewReader(stream)); err != nil {
		r.t.Fatal(err)
	}
}

// smallParts gives the shard lists that are split early, and the rig the means to roll everything up.
func (r *rig) smallParts() {
	r.s.store = posting.NewStore(r.engine, posting.Config{
		SplitBytes: 24, OldestReader: func() graph.Timestamp { return graph.Timestamp(r.s.inUse.Load()) },
	})
}

// rollup rolls up every list.
func (r *rig) rollup() {
	r.t.Helper()
	reader := r.engine.ReaderAt(graph.MaxTimestamp)
	defer reader.Close()
	it := reader.Scan(keys.Prefix(1), nil)
	var all [][]byte
	for it.Next() {
		if keys.KindOf(it.Key()) != keys.KindPart {
			all = append(all, bytes.Clone(it.Key()))
		}
	}
	if err := errors.Join(it.Close(), r.s.store.Rollup(r.t.Context(), all...)); err != nil {
		r.t.Fatal(err)
	}
}

// age has what is current now become the horizon after some more calls.
func (r *rig) age(now *time.Time) {
	*now = now.Add(time.Second)
	r.s.noteInUse()
	r.s.horizon.note(*now, r.s.Watermark(), 3*time.Second)
}

// Goal: what is sent is the state as of the descriptor, with every version that readers from the horizon on may ask for, whatever
// happens on the source meanwhile: commits, rollups that split and join lists, newer snapshots that let versions go. And it is the
// same each time. Method: random commits with all of that in between and before each frame; the receiver, which had another state,
// must then answer as one that only applied the log, at every timestamp from its horizon on, also with the rest of the log and when it has rolled
// up everything.
func TestSendBesideEverything(t *testing.T) {
	moved, split := 0, 0
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 4))
		r := newRig(t, memkv.New(memkv.Config{}), fullSchema)
		r.smallParts()
		r.s.sizes = transferSizes{markBytes, keepBytes} // much happens between two frames
		now := time.Unix(0, 0)
		other := randomLog(t, seed+20, 40)
		busy := func(n int) {
			for range n {
				var text []string
				for range 1 + rng.IntN(3) {
					text = append(text, randomEdge(rng))
				}
				for i := rng.IntN(30); i > 0; i-- { // large lists, and small ones again
					text = append(text, []string{"", "del "}[rng.IntN(2)]+fmt.Sprintf("%d knows %d", 1+rng.IntN(2), 10+rng.IntN(60)))
				}
				r.do(strings.Join(slices.Compact(text), ";"))
				switch rng.IntN(3) {
				case 0:
					r.age(&now)
				case 1:
					r.rollup()
				}
			}
		}
		busy(30)
		if err := r.write(r.begin(), "3 name pending; 3 knows 4"); err != nil {
			t.Fatal(err)
		}
		if seed%2 == 0 {
			if err := r.write(r.ts, "4 name more"); err != nil {
				t.Fatal(err)
			}
		}
		r.age(&now)
		desc, stream := r.sent(func() {
			busy(3)
			if seed%4 == 3 { // newer snapshots let go what this one does not hold
				for range 5 {
					r.age(&now)
				}
				if _, err := r.s.Snapshot(); err != nil {
					t.Fatal(err)
				}
			}
		})
		d, err := decodeDescriptor(desc)
		if err != nil {
			t.Fatal(err)
		}
		if d.horizon > 0 {
			moved++
		}
		if bytes.Contains(stream, []byte{0, 6, 1}) {
			split++
		}
		if seed%4 != 3 {
			if again := r.stream(desc, func() { busy(1) }); !bytes.Equal(stream, again) {
				t.Errorf("seed %d: the stream is not the same each time", seed)
			}
		}
		straight := replica(t, memkv.New(memkv.Config{})) // it keeps every version
		straight.follow(r.log)
		next := replica(t, other.engine)
		next.s = other.s
		floor := max(d.horizon, other.s.forgettable)
		next.smallParts()
		for uid := range graph.UID(7) { // what is cached is of the old state
			next.value(next.s.Watermark(), "name", uid)
		}
		next.take(desc, stream)
		for uid := range graph.UID(7) {
			if got, want := next.value(d.bound, "name", uid), straight.value(d.bound, "name", uid); got != want {
				t.Errorf("seed %d: node %d is called %q, want %q", seed, uid, got, want)
			}
		}
		check := func(when string, from, upTo graph.Timestamp) {
			t.Helper()
			for ts := from; ts <= upTo; ts++ {
				if got, want := next.show(ts), straight.show(ts); got != want {
					t.Fatalf("seed %d, horizon %d, bound %d, %s, at %d:\n%s\nwant\n%s", seed, d.horizon, d.bound, when, ts, got, want)
				}
			}
		}
		check("restored", floor, d.bound)
		next.follow(r.log)
		check("with the rest of the log", floor, r.ts)
		if _, err := next.ask(d.horizon-1, task.Task{Kind: task.Values, Predicate: graph.Pred("name"), Src: []graph.UID{1}}); d.horizon > 0 &&
			fault.ClassOf(err) != fault.Aborted {
			t.Errorf("seed %d: a reader below the horizon: %v", seed, err)
		}
		next.s.noteInUse()
		next.rollup()
		check("rolled up", floor, r.ts)
		if got, want := next.s.capture().record().String(), r.s.capture().record(); len(want.Pending) != len(next.s.pending) {
			t.Errorf("seed %d: record %s", seed, got)
		}
	}
	if moved < 3 || split < 2 {
		t.Errorf("the horizon moved in %d of 4 runs, lists were split in %d: the test is too weak", moved, split)
	}
}

// Goal: a resumed stream is a part of the whole one: from any list on, the same changes come. Method: exports from each list on.
func TestExportResumes(t *testing.T) {
	r := randomLog(t, 5, 120)
	c := r.s.capture()
	for _, e := range c.copies {
		var all []storage.Op
		collect := func(into *[]storage.Op) func(storage.Op) error {
			return func(op storage.Op) error { *into = append(*into, op); return nil }
		}
		if err := r.s.store.Export(t.Context(), e, collect(&all)); err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if i > 0 && bytes.Equal(all[i].Key, all[i-1].Key) {
				continue
			}
			var rest []storage.Op
			e.From = all[i].Key
			if err := r.s.store.Export(t.Context(), e, collect(&rest)); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(rest) != fmt.Sprint(all[i:]) {
				t.Fatalf("from %x on: %d changes, want %d", e.From, len(rest), len(all)-i)
			}
		}
	}
}

// Goal: a tablet copy that is dropped meanwhile is sent all the same; one that was deleted before is an error that says what to do.
func TestDropWhileSending(t *testing.T) {
	r := newRig(t, memkv.New(memkv.Config{}), fullSchema)
	for i := range 20 {
		r.do(fmt.Sprintf("%d name v%d; %d age %d", i+1, i, i+1, i))
	}
	want := r.show(r.ts)
	desc, stream := r.sent(func() {
		if _, ok := r.s.Tablet(graph.Pred("name")); ok {
			r.change(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "name", Force: true}}})
		}
		if err := r.s.deleteRetired(t.Context()); err != nil {
			t.Error(err)
		}
	})
	next := replica(t, memkv.New(memkv.Config{}))
	next.take(desc, stream)
	if got := next.show(r.ts); got != want {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
	next.follow(r.log)
	if got, want := next.show(r.ts), r.show(r.ts); got != want || strings.Contains(got, "name") {
		t.Errorf("with the drop\n%s\nwant\n%s", got, want)
	}
	if len(r.s.Retired()) != 1 {
		t.Fatal("the copy that was being sent is deleted")
	}
	if err := r.s.deleteRetired(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.s.WriteSnapshot(t.Context(), desc, nil, new(bytes.Buffer)); !errors.Is(err, fsm.ErrSnapshotGone) {
		t.Errorf("a snapshot of which a part was deleted: %v", err)
	}
	desc, _ = r.sent(nil)
	r.do("1 age 9")
	if _, err := r.s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	if err := r.s.WriteSnapshot(t.Context(), desc, nil, new(bytes.Buffer)); !errors.Is(err, fsm.ErrSnapshotGone) {
		t.Errorf("an old snapshot: %v", err)
	}
}

// failingFilling fails what is kept as well.
type failingFilling struct {
	failing
	next storage.Filling
}

func (e failingFilling) Keep(ctx context.Context, note []byte) error {
	if *e.left--; *e.left < 0 {
		return errDies
	}
	return e.next.Keep(ctx, note)
}

// The bytes of docs/format/snapshots.md.
func TestGoldenStream(t *testing.T) {
	s, err := Open(Config{Group: 1}, memkv.New(memkv.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	desc, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	f := newFrameWriter(&out)
	if err := f.frame(frameHead, 0, desc); err != nil {
		t.Fatal(err)
	}
	for _, op := range []storage.Op{
		{Key: []byte("abc"), Value: []byte("x"), Ts: 300},
		{Key: []byte("abd"), Value: []byte("yz"), Ts: 5, Complete: true, Folded: true},
	} {
		if err := f.change(op); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.end(); err != nil {
		t.Fatal(err)
	}
	const want = "48" + "00000000" + "00000000" + "00000028" + "dcfd6473" + // head
		"445241474753" + "0002" + "00000001" + "0000000000000000" + "0000000000000000" + "0000000000000000" + "6500fd00" +
		"44" + "00000001" + "00000002" + "00000012" + "d36f5bed" + // changes
		"00" + "ac02" + "00" + "03616263" + "0178" +
		"05" + "05" + "02" + "0164" + "02797a" +
		"45" + "00000002" + "00000000" + "00000014" + "27501fa2" + // totals
		"00000002" + "0000000000000002" + "0000000000000012"
	if got := hex.EncodeToString(out.Bytes()); got != want {
		t.Errorf("stream\n%s\nwant\n%s", got, want)
	}
}

// Goal: whatever a stream holds, reading it ends without a panic and without memory for what is not there; and a stream that is not
// the one that was written is refused.
func FuzzRestore(f *testing.F) {
	source := newRig(f, memkv.New(memkv.Config{}), fullSchema)
	source.do("1 name ada; 1 knows 2; 2 boss 1")
	desc, stream := source.sent(nil)
	f.Add(desc, stream)
	f.Add(desc, stream[:len(stream)-3])
	f.Fuzz(func(t *testing.T, d, b []byte) {
		next := replica(t, memkv.New(memkv.Config{}))
		err := next.s.Restore(t.Context(), d, bytes.NewReader(b))
		if err == nil && bytes.Equal(d, desc) && !bytes.Equal(b, stream) {
			t.Error("another stream was taken for the one of this snapshot")
		}
	})
}
