package state

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/protos/pb"
	"dragg/raftgroup/fsm"
)

// driver applies entries one by one.
type driver struct {
	t     *testing.T
	m     *Machine
	index uint64
}

func drive(t *testing.T) *driver {
	d := &driver{t: t, m: open(t, t.TempDir())}
	d.apply(&pb.ZeroEntry{Bootstrap: &pb.Bootstrap{ClusterId: "c"}})
	d.apply(&pb.ZeroEntry{Term: &pb.Term{TsBound: 1000}})
	return d
}

func (d *driver) apply(e *pb.ZeroEntry) any {
	d.t.Helper()
	d.index++
	res, err := d.m.Apply([]fsm.Command{{Index: d.index, Data: encode(d.t, e)}})
	if err != nil {
		d.t.Fatal(err)
	}
	return res[0]
}

func (d *driver) alter(a *pb.Alter) *pb.AlterReply {
	d.t.Helper()
	return d.apply(&pb.ZeroEntry{Alter: a}).(*pb.AlterReply)
}

// claim makes or changes a predicate and returns its tablet.
func (d *driver) claim(name string) *pb.Tablet {
	d.t.Helper()
	r := d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: name, Schema: []byte("s"), Force: true}}})
	return r.Tablets[0]
}

func (d *driver) commit(r *pb.CommitRequest) *pb.CommitReply {
	d.t.Helper()
	return d.apply(&pb.ZeroEntry{Commits: &pb.CommitBatch{Requests: []*pb.CommitRequest{r}}}).([]*pb.CommitReply)[0]
}

// events returns what the stream of group 1 holds after seq.
func (d *driver) events(seq uint64) *pb.StreamBatch {
	d.t.Helper()
	b, _, err := d.m.Events(1, seq)
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

// An alter is all or nothing, and only what it was made for.
func TestStaleAlterChangesNothing(t *testing.T) {
	d := drive(t)
	p := d.claim("p")
	before := describe(t, d.m)
	r := d.alter(&pb.Alter{
		DropData: true,
		Predicates: []*pb.PredicateChange{
			{Predicate: "q", Schema: []byte("new")},
			{Predicate: "p", Schema: []byte("new"), IfEpoch: p.Epoch + 7},
		},
		Types: []*pb.TypeChange{{Name: "T", Definition: []byte("d")}},
	})
	if !r.Stale || r.StalePredicate != "p" || r.Seqs[1] != 1 {
		t.Errorf("reply %v", r)
	}
	d.m.s.applied-- // all else must be as before
	if string(before) != string(describe(t, d.m)) {
		t.Error("a stale alter left traces")
	}
	if r := d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "p", Schema: []byte("x")}}}); !r.Stale {
		t.Error("a predicate that exists was made anew")
	}
	if r := d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "gone", IfEpoch: 3, Schema: []byte("x")}}}); !r.Stale {
		t.Error("a predicate that is gone was changed")
	}
}

// Epochs change with every change of what writers derive, and only then; incarnations with every loss of data. Neither comes back.
func TestEpochsAndIncarnations(t *testing.T) {
	d := drive(t)
	seen := map[uint64]string{}
	note := func(what string, t2 *pb.Tablet) {
		t.Helper()
		for _, id := range []uint64{t2.Incarnation<<1 | 1, t2.Epoch << 1} {
			if was, ok := seen[id]; ok {
				t.Errorf("%s: %v has what %s had", what, t2, was)
			}
			seen[id] = what
		}
	}
	p := d.claim("p")
	note("first", p)
	kept := d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "p", Schema: []byte("x"), IfEpoch: p.Epoch, KeepEpoch: true}}})
	if got := kept.Tablets[0]; got.Epoch != p.Epoch || got.Incarnation != p.Incarnation || string(got.Schema) != "x" {
		t.Errorf("a change that keeps the epoch: %v after %v", got, p)
	}
	changed := d.claim("p")
	if changed.Epoch == p.Epoch || changed.Incarnation != p.Incarnation {
		t.Errorf("a change of schema: %v after %v", changed, p)
	}
	d.alter(&pb.Alter{DropData: true})
	emptied := d.m.State().Tablets[0]
	note("emptied", emptied)
	if string(emptied.Schema) != "s" {
		t.Errorf("dropping data changed the schema: %v", emptied)
	}
	d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "p", Force: true}}})
	note("dropped and made again", d.claim("p"))
	d.alter(&pb.Alter{DropAll: true, Predicates: []*pb.PredicateChange{{Predicate: "p", Schema: []byte("s"), Force: true}}})
	note("after drop all", d.m.State().Tablets[0])
	if r := d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "never", Force: true}}}); len(r.Tablets) > 0 || r.Stale {
		t.Errorf("dropping what is not there: %v", r)
	}
}

// Drop all tells the group of every tablet and type that goes, and what comes in the same entry stays.
func TestDropAll(t *testing.T) {
	d := drive(t)
	d.claim("p")
	d.claim("q")
	d.alter(&pb.Alter{Types: []*pb.TypeChange{{Name: "T", Definition: []byte("d")}}})
	seq := d.m.s.stream(1).next - 1
	d.alter(&pb.Alter{
		DropAll:    true,
		Predicates: []*pb.PredicateChange{{Predicate: "q", Schema: []byte("s"), Force: true}},
		Types:      []*pb.TypeChange{{Name: "U", Definition: []byte("d")}},
	})
	var got []string
	for _, e := range d.events(seq).Events {
		switch {
		case e.TabletDrop != nil:
			got = append(got, "-"+e.TabletDrop.Predicate)
		case e.TabletSet != nil:
			got = append(got, "+"+e.TabletSet.Tablet.Predicate)
		case len(e.TypeChange.GetDefinition()) == 0:
			got = append(got, "-"+e.TypeChange.GetName())
		default:
			got = append(got, "+"+e.TypeChange.GetName())
		}
	}
	if want := []string{"-p", "-q", "-T", "+q", "+U"}; !slices.Equal(got, want) {
		t.Errorf("the group was told %q, want %q", got, want)
	}
	if st := d.m.State(); len(st.Tablets) != 1 || len(st.Types) != 1 {
		t.Errorf("left: %v", st)
	}
}

// Verdicts: the reason for each abort, the same answer when asked again, and what the group is told.
func TestVerdicts(t *testing.T) {
	d := drive(t)
	p := d.claim("p")
	seq := d.m.s.stream(1).next - 1
	for _, c := range []struct {
		name   string
		r      *pb.CommitRequest
		commit uint64
		reason pb.AbortReason
		told   int // events
	}{
		{"commits", &pb.CommitRequest{StartTs: 10, CommitTs: 20, Keys: []uint64{1}, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}}, 20, 0, 1},
		{"again", &pb.CommitRequest{StartTs: 10, CommitTs: 21, Keys: []uint64{1}, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}}, 20, 0, 0},
		{"conflicts", &pb.CommitRequest{StartTs: 15, CommitTs: 22, Keys: []uint64{1}, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}}, 0, pb.AbortReason_CONFLICT, 1},
		{"lost, again", &pb.CommitRequest{StartTs: 15, CommitTs: 23, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}}, 0, pb.AbortReason_DISCARDED, 1},
		{"begins after", &pb.CommitRequest{StartTs: 22, CommitTs: 24, Keys: []uint64{1}, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}}, 24, 0, 1},
		{"discarded", &pb.CommitRequest{StartTs: 25, CommitTs: 26, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}, Abort: true}, 0, pb.AbortReason_DISCARDED, 1},
		{"discarded after its commit", &pb.CommitRequest{StartTs: 22, CommitTs: 27, Abort: true}, 24, 0, 0},
		{"unknown predicate", &pb.CommitRequest{
			StartTs: 28, CommitTs: 29, Epochs: []uint64{0}, Groups: []uint32{1},
		}, 0, pb.AbortReason_STALE_TABLET, 1},
		{"old epoch", &pb.CommitRequest{
			StartTs: 30, CommitTs: 31, Epochs: []uint64{p.Epoch - 1}, Groups: []uint32{1},
		}, 0, pb.AbortReason_STALE_TABLET, 1},
		{"one of two is old", &pb.CommitRequest{
			StartTs: 32, CommitTs: 33, Epochs: []uint64{p.Epoch, p.Epoch + 1}, Groups: []uint32{1, 2},
		}, 0, pb.AbortReason_STALE_TABLET, 1},
		{"a timestamp that is decided", &pb.CommitRequest{StartTs: 34, CommitTs: 24, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}}, 0, pb.AbortReason_STALE_TABLET, 1},
		{"reaped after its commit", &pb.CommitRequest{StartTs: 10, CommitTs: 35, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}, Abort: true}, 20, 0, 1},
		{"wrote nothing", &pb.CommitRequest{StartTs: 36, CommitTs: 37}, 37, 0, 0},
	} {
		r := d.commit(c.r)
		if r.CommitTs != c.commit || r.Reason != c.reason {
			t.Errorf("%s: %v", c.name, r)
		}
		b := d.events(seq)
		seq += uint64(len(b.Events))
		if len(b.Events) != c.told {
			t.Errorf("%s: the group was told %v", c.name, b.Events)
		}
		for _, e := range b.Events {
			told := c.commit
			if c.r.Abort {
				told = 0
			}
			if e.Verdict.StartTs != c.r.StartTs || e.Verdict.CommitTs != told {
				t.Errorf("%s: the group was told %v", c.name, e)
			}
		}
		if commit, known := d.m.Outcome(graph.Timestamp(c.r.StartTs)); !known || uint64(commit) != c.commit {
			t.Errorf("%s: asked again: %d %v", c.name, commit, known)
		}
	}
	// What began before the oracle's memory cannot be judged.
	d.apply(&pb.ZeroEntry{Commits: &pb.CommitBatch{ForgetBelow: 50}})
	if r := d.commit(&pb.CommitRequest{StartTs: 49, CommitTs: 60, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}}); r.Reason != pb.AbortReason_TOO_OLD {
		t.Errorf("a transaction from before the memory: %v", r)
	}
	if r := d.commit(&pb.CommitRequest{StartTs: 50, CommitTs: 61, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}}); r.CommitTs != 61 {
		t.Errorf("the oldest transaction that can be judged: %v", r)
	}
	if _, known := d.m.Outcome(70); known {
		t.Error("the outcome of a transaction that has not ended is known")
	}
}

// One transaction over several groups tells each of them once.
func TestVerdictReachesEveryGroupOnce(t *testing.T) {
	d := drive(t)
	r := d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{
		{Predicate: "a", Schema: []byte("s")},
		{Predicate: "b", Schema: []byte("s")},
		{Predicate: "c", Schema: []byte("s"), Group: 2},
	}})
	last := &pb.CommitRequest{StartTs: 1, CommitTs: 2}
	for _, x := range r.Tablets {
		last.Epochs, last.Groups = append(last.Epochs, x.Epoch), append(last.Groups, x.Group)
	}
	if v := d.commit(last); v.CommitTs != 2 {
		t.Fatal(v)
	}
	for _, group := range []graph.GroupID{1, 2} {
		b, _, err := d.m.Events(group, 0)
		if err != nil || len(b.Events) != 4 || b.Events[3].Verdict.GetCommitTs() != 2 {
			t.Errorf("group %d: %v %v", group, b, err)
		}
	}
	if d.commit(&pb.CommitRequest{StartTs: 3, CommitTs: 4, Groups: []uint32{1, 77}}); len(d.m.s.streams) != 2 {
		t.Error("a group that is not there is told something")
	}
}

// Every group knows every predicate and type, whoever serves it, and a group that begins late as well.
func TestEveryGroupKnowsAll(t *testing.T) {
	d := drive(t)
	d.alter(&pb.Alter{
		Predicates: []*pb.PredicateChange{{Predicate: "a", Schema: []byte("s")}, {Predicate: "b", Schema: []byte("s"), Group: 1}},
		Types:      []*pb.TypeChange{{Name: "T", Definition: []byte("d")}},
	})
	d.apply(&pb.ZeroEntry{Join: &pb.Join{Address: "a:1"}})
	d.apply(&pb.ZeroEntry{Join: &pb.Join{Address: "b:1"}})
	if r := d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "c", Schema: []byte("s")}}}); r.Tablets[0].Group != 2 {
		t.Errorf("placed in group %d, which has two already", r.Tablets[0].Group)
	}
	d.alter(&pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "a", Force: true}}})
	for _, group := range []graph.GroupID{1, 2} {
		b, _, err := d.m.Events(group, 0)
		if err != nil {
			t.Fatal(err)
		}
		tablets, members, types := map[string]uint32{}, map[uint64]string{}, 0
		for _, e := range b.Events {
			switch {
			case e.TabletSet != nil:
				tablets[e.TabletSet.Tablet.Predicate] = e.TabletSet.Tablet.Group
			case e.TabletDrop != nil:
				delete(tablets, e.TabletDrop.Predicate)
			case e.Member != nil:
				members[e.Member.Id] = e.Member.Address
			case e.TypeChange != nil:
				types++
			}
		}
		if !maps.Equal(tablets, map[string]uint32{"b": 1, "c": 2}) || !maps.Equal(members, map[uint64]string{1: "a:1", 2: "b:1"}) || types != 1 {
			t.Errorf("group %d knows %v %v and %d types", group, tablets, members, types)
		}
	}
}

// A new leader decides what its predecessor drew and did not use; nothing is ever committed there.
func TestNewTermDecidesTheRest(t *testing.T) {
	d := drive(t)
	if r := d.commit(&pb.CommitRequest{StartTs: 1, CommitTs: 2}); r.CommitTs != 2 {
		t.Fatal(r)
	}
	d.apply(&pb.ZeroEntry{Term: &pb.Term{TsBound: 2000}})
	if ts, _, decided := d.m.Bounds(); ts != 2000 || decided != 999 {
		t.Errorf("leased up to %d, decided %d", ts, decided)
	}
	if r := d.commit(&pb.CommitRequest{StartTs: 3, CommitTs: 500}); r.CommitTs != 0 {
		t.Errorf("the old leader's proposal came late and was committed: %v", r)
	}
	if r := d.commit(&pb.CommitRequest{StartTs: 4, CommitTs: 1000}); r.CommitTs != 1000 {
		t.Errorf("%v", r)
	}
}

// The stream: windows of bounded size with a watermark that promises no more than they hold; forgotten after the acknowledgement.
func TestStreamWindows(t *testing.T) {
	d := drive(t)
	p := d.claim("p")
	const n = maxBatchEvents + 100
	for i := range uint64(n) {
		d.commit(&pb.CommitRequest{StartTs: 2 * (i + 1), CommitTs: 2*(i+1) + 1, Epochs: []uint64{p.Epoch}, Groups: []uint32{1}})
	}
	window := d.events(0)
	if len(window.Events) != maxBatchEvents {
		t.Fatalf("%d events in a window", len(window.Events))
	}
	last := window.Events[maxBatchEvents-1].Verdict.CommitTs
	if window.Watermark < last || window.Watermark >= last+2 {
		t.Errorf("the last event of the window is of %d, the watermark promises %d", last, window.Watermark)
	}
	rest := d.events(maxBatchEvents)
	if len(rest.Events) != n+1-maxBatchEvents || rest.Events[0].Seq != maxBatchEvents+1 || rest.Watermark != 2*n+1 {
		t.Errorf("the rest: %d events from %d, watermark %d", len(rest.Events), rest.Events[0].Seq, rest.Watermark)
	}
	d.apply(&pb.ZeroEntry{Commits: &pb.CommitBatch{Acks: []*pb.Ack{{Group: 1, Seq: 10}}}})
	if b := d.events(10); b.Events[0].Seq != 11 {
		t.Errorf("after the acknowledgement of 10 the stream goes on at %d", b.Events[0].Seq)
	}
	if _, _, err := d.m.Events(1, 9); err == nil {
		t.Error("events that are forgotten were given out")
	}
	if len(window.Events) != maxBatchEvents || window.Events[0].Seq != 1 {
		t.Error("a window changed under its reader")
	}
	if _, _, err := d.m.Events(1, n+2); err == nil {
		t.Error("a group that is ahead of its stream was not told so")
	}
	d.apply(&pb.ZeroEntry{Commits: &pb.CommitBatch{Acks: []*pb.Ack{{Group: 1, Seq: 3}, {Group: 1, Seq: 1 << 60}, {Group: 5, Seq: 7}}}})
	if b := d.events(n + 1); len(b.Events) != 0 || b.Watermark != 2*n+1 {
		t.Errorf("an idle stream: %v", b)
	}
}

// Whoever waits for news of a stream is woken.
func TestEventsWake(t *testing.T) {
	d := drive(t)
	_, changed, err := d.m.Events(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
		t.Fatal("woken for nothing")
	default:
	}
	d.claim("p")
	select {
	case <-changed:
	default:
		t.Error("not woken")
	}
}

// Leases never overlap and never wrap around.
func TestLeases(t *testing.T) {
	d := drive(t)
	lease := func(n uint64) *pb.LeaseReply {
		return d.apply(&pb.ZeroEntry{Lease: &pb.Lease{UidCount: n}}).(*pb.LeaseReply)
	}
	a, b := lease(10), lease(5)
	if a.First != 1 || a.Count != 10 || b.First != 11 || b.Count != 5 {
		t.Errorf("%v %v", a, b)
	}
	if r := lease(1<<64 - 1); r.Count != 0 {
		t.Errorf("more uids than there are: %v", r)
	}
	if r := lease(1); r.First != 16 {
		t.Errorf("after a refused lease: %v", r)
	}
	if r := lease(uint64(graph.MaxUID) - 17); r.Count == 0 {
		t.Errorf("the rest: %v", r)
	}
	if r := lease(1); r.Count != 0 {
		t.Errorf("one too many: %v", r)
	}
}

// The snapshot file: what is damaged, of another version or no snapshot at all is refused; a half-written one is not looked at.
func TestSnapshotFile(t *testing.T) {
	d := drive(t)
	d.claim("p")
	if _, err := d.m.Snapshot(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.m.file.dir, snapshotName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int) []byte { b := slices.Clone(good); b[at] ^= 1; return b }
	for want, b := range map[string][]byte{
		"not a snapshot": change(0), "version": change(len(snapshotMagic) + 1), "damaged": change(len(good) - 1), "is not": good[:5],
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(d.m.file.dir, small); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: opened with %v", want, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".tmp", good[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	if m := open(t, d.m.file.dir); string(describe(t, m)) != string(describe(t, d.m)) {
		t.Error("the state changed on its way through the file")
	}
	if err := os.RemoveAll(d.m.file.dir); err != nil {
		t.Fatal(err)
	}
	d.claim("q")
	if _, err := d.m.Snapshot(); err == nil {
		t.Error("a snapshot was written into a folder that is gone")
	}
}
