package shard

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"dragg/alpha/lookup"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/query/task"
	"dragg/raftgroup/fsm"
	"dragg/schema"
	"dragg/storage"
	"dragg/storage/memkv"
	"dragg/zero/oracle"
	"dragg/zero/state"
)

// rig is a shard with a real Zero machine beside it, and logs that are slices. Nothing happens by itself: the test says when
// Zero's stream is delivered.
type rig struct {
	t      testing.TB
	s      *Shard
	engine storage.Engine
	zero   *state.Machine
	zlog   uint64
	ts     graph.Timestamp

	mu  sync.Mutex
	log [][]byte // guarded by mu: what the group has agreed on
}

func newRig(t testing.TB, engine storage.Engine, schemaText string) *rig {
	t.Helper()
	z, err := state.Open(t.TempDir(), oracle.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, engine: engine, zero: z}
	r.open()
	r.entry(&pb.ZeroEntry{Bootstrap: &pb.Bootstrap{ClusterId: "c"}})
	r.entry(&pb.ZeroEntry{Lease: &pb.Lease{TsBound: 1 << 40, UidCount: 1000}})
	if schemaText != "" {
		r.alter(schemaText)
	}
	return r
}

// open opens the shard on the engine and replays the log.
func (r *rig) open() {
	r.t.Helper()
	s, err := Open(Config{Group: 1}, r.engine)
	if err != nil {
		r.t.Fatal(err)
	}
	r.s = s
	s.sizes = smallSizes
	s.Attach(r)
	for i := int(s.Durable()); i < len(r.log); i++ {
		if _, err := s.Apply([]fsm.Command{{Index: uint64(i + 1), Data: r.log[i]}}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// crash loses what was not synced, opens the shard again and replays.
func (r *rig) crash(loss memkv.Loss, seed uint64) {
	r.t.Helper()
	r.engine = r.engine.(*memkv.Engine).Crash(loss, seed)
	r.open()
}

// ProposeThen implements Proposer: the group of one agrees at once.
func (r *rig) ProposeThen(_ context.Context, cmd []byte, _ func(any, func(any)) bool) (any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, bytes.Clone(cmd))
	res, err := r.s.Apply([]fsm.Command{{Index: uint64(len(r.log)), Data: cmd}})
	if err != nil {
		return nil, err
	}
	return res[0], nil
}

func (r *rig) entry(e *pb.ZeroEntry) any {
	r.t.Helper()
	data, err := proto.Marshal(e)
	if err != nil {
		r.t.Fatal(err)
	}
	r.zlog++
	res, err := r.zero.Apply([]fsm.Command{{Index: r.zlog, Data: data}})
	if err != nil {
		r.t.Fatal(err)
	}
	return res[0]
}

// deliver brings the shard up to date with Zero.
func (r *rig) deliver() {
	r.t.Helper()
	b, _, err := r.zero.Events(1, r.s.Seq())
	if err == nil {
		err = r.s.Deliver(r.t.Context(), b)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// change has Zero make a schema change, as Alpha does, and delivers it.
func (r *rig) change(a *pb.Alter) *pb.AlterReply {
	r.t.Helper()
	reply := r.entry(&pb.ZeroEntry{Alter: a}).(*pb.AlterReply)
	r.deliver()
	return reply
}

// alter sets definitions. What must be built from data is marked as being built.
func (r *rig) alter(text string, building ...string) {
	r.t.Helper()
	u, err := schema.Parse(text)
	if err != nil {
		r.t.Fatal(err)
	}
	a := &pb.Alter{}
	for _, def := range u.Predicates {
		def.Building = building
		a.Predicates = append(a.Predicates, &pb.PredicateChange{Predicate: def.Name.Name, Schema: def.AppendBinary(nil), Force: true})
	}
	for _, t := range u.Types {
		a.Types = append(a.Types, &pb.TypeChange{Name: t.Name, Definition: t.AppendBinary(nil)})
	}
	r.change(a)
}

// built is what Alpha does when a build is complete.
func (r *rig) built(_ context.Context, t *pb.Tablet, def *schema.Predicate) error {
	reply := r.change(&pb.Alter{Predicates: []*pb.PredicateChange{{
		Predicate: t.Predicate, Schema: def.AppendBinary(nil), IfEpoch: t.Epoch, KeepEpoch: true,
	}}})
	if reply.Stale {
		return fmt.Errorf("stale")
	}
	return nil
}

func (r *rig) begin() graph.Timestamp { r.ts++; return r.ts }

// edges reads "1 name ada; 1 knows 0x2; del 1 name ada; clear 1 name": objects of uid predicates are numbers.
func (r *rig) edges(text string) (out []graph.Edge) {
	r.t.Helper()
	for _, line := range strings.Split(text, ";") {
		f := strings.Fields(line)
		e := graph.Edge{Op: graph.Set}
		switch f[0] {
		case "del":
			e.Op, f = graph.Delete, f[1:]
		case "clear":
			e.Op, f = graph.DeleteAll, f[1:]
		}
		subject, err := strconv.ParseUint(f[0], 0, 64)
		if err != nil {
			r.t.Fatal(err)
		}
		e.Subject, e.Predicate = graph.UID(subject), graph.Pred(f[1])
		def, ok := r.s.Schema().Predicate(e.Predicate)
		switch {
		case e.Op == graph.DeleteAll:
		case ok && def.IsUID():
			object, err := strconv.ParseUint(f[2], 0, 64)
			if err != nil {
				r.t.Fatal(err)
			}
			e.Object = graph.UID(object)
		case ok:
			if e.Value, err = types.Parse(f[2], def.Type); err != nil {
				r.t.Fatal(err)
			}
		}
		out = append(out, e)
	}
	return out
}

// write prewrites edges in a transaction.
func (r *rig) write(start graph.Timestamp, text string) error {
	_, err := r.s.Prewrite(r.t.Context(), Writing{Start: start, Steps: [][]graph.Edge{r.edges(text)}})
	return err
}

// end asks Zero for the verdict, which is not delivered yet.
func (r *rig) end(start graph.Timestamp, abort bool) *pb.CommitReply {
	r.t.Helper()
	w, _ := r.s.Written(start)
	r.ts++
	return r.entry(&pb.ZeroEntry{Commits: &pb.CommitBatch{Requests: []*pb.CommitRequest{{
		StartTs: uint64(start), CommitTs: uint64(r.ts), Keys: w.Keys, Epochs: w.Epochs, Groups: []uint32{1}, Abort: abort,
	}}}}).([]*pb.CommitReply)[0]
}

// do commits edges and delivers the verdict. It returns the commit timestamp.
func (r *rig) do(text string) graph.Timestamp {
	r.t.Helper()
	start := r.begin()
	if err := r.write(start, text); err != nil {
		r.t.Fatal(err)
	}
	reply := r.end(start, false)
	if reply.CommitTs == 0 {
		r.t.Fatalf("%s: %v", text, reply)
	}
	r.deliver()
	return graph.Timestamp(reply.CommitTs)
}

// show returns every list of every tablet as of ts, one a line.
func (r *rig) show(ts graph.Timestamp) string {
	r.t.Helper()
	var out []string
	for _, c := range r.s.Copies() {
		v := r.s.store.View(ts, nil)
		it := v.Scan(keys.Prefix(c.Incarnation), keys.KindPrefix(c.Incarnation, keys.KindPart))
		for it.Next() {
			k, err := keys.Parse(it.Key())
			if err != nil {
				r.t.Fatal(err)
			}
			l, err := it.List()
			if err != nil {
				r.t.Fatal(err)
			}
			line := fmt.Sprintf("%s %d %s %q %d:", c.Predicate.Name, k.Kind, k.UID, k.Token, k.Count)
			for u := range l.UIDs().All() {
				line += " " + strconv.FormatUint(uint64(u), 16)
			}
			for p, err := range l.Postings() {
				if err == nil && k.Kind == keys.KindData && !c.Predicate.IsUID() {
					line += " " + p.Value.Text()
				}
			}
			if l.Len() > 0 {
				out = append(out, line)
			}
		}
		if err := it.Close(); err != nil {
			r.t.Fatal(err)
		}
		v.Close()
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// ask answers one task at ts, without waiting for verdicts.
func (r *rig) ask(ts graph.Timestamp, x task.Task) (task.Result, error) {
	res, err := r.s.Reader(0, new(lookup.Memory)).Run(r.t.Context(), ts, []task.Task{x})
	if err != nil {
		return task.Result{}, err
	}
	return res[0], nil
}

// eq returns the nodes whose value an index says is value.
func (r *rig) eq(ts graph.Timestamp, pred, value string) ([]graph.UID, error) {
	res, err := r.ask(ts, task.Task{
		Kind: task.Match, AtRoot: true, Predicate: graph.Pred(pred), Func: task.Func{Name: task.Eq, Args: []string{value}},
	})
	return res.Set.AppendTo(nil), err
}

// value returns the value of a node as text.
func (r *rig) value(ts graph.Timestamp, pred string, uid graph.UID) string {
	r.t.Helper()
	res, err := r.ask(ts, task.Task{Kind: task.Values, Predicate: graph.Pred(pred), Src: []graph.UID{uid}})
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, v := range res.Values {
		out = append(out, v.Text())
	}
	return strings.Join(out, " ")
}

// dump returns all there is to know of a shard: its record, and every stored version of the copies that live.
func dump(t testing.TB, s *Shard) []byte {
	t.Helper()
	meta := s.capture().record()
	meta.Applied = 0 // entries at the end of a log may change nothing
	byText := func(list []string) string { slices.Sort(list); return strings.Join(list, "\n") }
	var tablets, typesText, pending []string
	live := map[graph.Incarnation]bool{}
	for _, set := range meta.Tablets {
		tablets = append(tablets, set.String())
		live[graph.Incarnation(set.Tablet.Incarnation)] = true
	}
	for _, c := range meta.Types {
		typesText = append(typesText, c.String())
	}
	for _, p := range meta.Pending {
		pending = append(pending, p.String())
	}
	var dropped []string
	for _, d := range meta.Dropped {
		dropped = append(dropped, d.String())
	}
	out := fmt.Sprintf("seq %d watermark %d uid %d derived %d ended %v\ntablets\n%s\ntypes\n%s\npending\n%s\ndropped\n%s\n", meta.Seq, meta.Watermark,
		meta.MaxUid, s.view.Load().derivedSince, meta.Ended, byText(tablets), byText(typesText), byText(pending), byText(dropped))
	r := s.engine.ReaderAt(graph.MaxTimestamp)
	defer r.Close()
	it := r.Scan(nil, nil)
	for it.Next() {
		key := bytes.Clone(it.Key())
		if !live[keys.IncarnationOf(key)] {
			continue
		}
		out += fmt.Sprintf("%x", key)
		err := it.Versions(func(ts graph.Timestamp, v storage.Version) bool {
			out += fmt.Sprintf(" %d:%v:%x", ts, v.Complete, v.Value)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		out += "\n"
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(out)
}

// buildTablet builds what a tablet owes next and tells it.
func (s *Shard) buildTablet(ctx context.Context, t *tablet, done Built) error {
	if err := s.buildNext(ctx, t); err != nil {
		return err
	}
	if now, ok := s.view.Load().tablets[t.def.Name]; ok && now.built() {
		return s.tell(ctx, now, done)
	}
	return nil
}
