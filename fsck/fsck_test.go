package fsck

// Goal: every kind of damage is found and named, and nothing is said of a store without damage. Method: a replica in memory
// is filled through its own Apply; then single keys are written past it, or through a definition that leaves something out.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/raftgroup/fsm"
	"dragg/schema"
	"dragg/storage"
	"dragg/storage/memkv"
	"dragg/zero/oracle"
	"dragg/zero/state"
)

const testSchema = `
name: string @index(exact, term, trigram) @lang .
age: int @index(int) @count .
tags: [string] @index(term) @count .
born: datetime @index(year) .
friend: [uid] @reverse @count .
boss: uid @reverse .
plain: string .
`

// replica is a shard without a Raft group.
type replica struct {
	t      *testing.T
	engine *memkv.Engine
	shard  *shard.Shard
	index  uint64
	seq    uint64
	ts     graph.Timestamp
}

// ProposeThen implements shard.Proposer.
func (r *replica) ProposeThen(_ context.Context, cmd []byte, _ func(any, func(any)) bool) (any, error) {
	r.index++
	res, err := r.shard.Apply([]fsm.Command{{Index: r.index, Term: 1, Data: cmd}})
	if err != nil {
		return nil, err
	}
	return res[0], nil
}

func (r *replica) event(e *pb.Event) {
	r.t.Helper()
	r.seq++
	e.Seq = r.seq
	b := &pb.StreamBatch{Events: []*pb.Event{e}, Watermark: uint64(r.ts)}
	if err := r.shard.Deliver(r.t.Context(), b); err != nil {
		r.t.Fatal(err)
	}
}

func newReplica(t *testing.T) *replica {
	t.Helper()
	r := &replica{t: t, engine: memkv.New(memkv.Config{}), ts: 10}
	r.open()
	u, err := schema.Parse(testSchema)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range u.Predicates {
		r.define(p, uint64(i+1))
	}
	return r
}

func (r *replica) open() {
	r.t.Helper()
	var err error
	if r.shard, err = shard.Open(shard.Config{Group: 1}, r.engine); err != nil {
		r.t.Fatal(err)
	}
	r.shard.Attach(r)
}

func (r *replica) define(p *schema.Predicate, inc uint64) {
	r.t.Helper()
	r.ts++
	r.event(&pb.Event{TabletSet: &pb.TabletSet{Ts: uint64(r.ts), Tablet: &pb.Tablet{
		Predicate: p.Name.Name, Schema: p.AppendBinary(nil), Group: 1, Incarnation: inc, Epoch: 1,
	}}})
}

// edges parses "1 friend 2 weight=3; 1 name Ada@en; -1 name *".
func (r *replica) edges(text string) (out []graph.Edge) {
	r.t.Helper()
	for line := range strings.SplitSeq(text, ";") {
		f := strings.Fields(line)
		op := graph.Set
		if s, ok := strings.CutPrefix(f[0], "-"); ok {
			f[0], op = s, graph.Delete
		}
		var subject uint64
		if _, err := fmt.Sscan(f[0], &subject); err != nil {
			r.t.Fatal(err)
		}
		def, ok := r.shard.Schema().Predicate(graph.Pred(f[1]))
		if !ok {
			r.t.Fatalf("no predicate %s", f[1])
		}
		e := graph.Edge{Subject: graph.UID(subject), Predicate: def.Name, Op: op}
		object, lang, _ := strings.Cut(f[2], "@")
		e.Lang = lang
		switch {
		case object == "*":
			e.Op = graph.DeleteAll
		case def.IsUID():
			var to uint64
			if _, err := fmt.Sscan(object, &to); err != nil {
				r.t.Fatal(err)
			}
			e.Object = graph.UID(to)
		default:
			v, err := types.Parse(strings.ReplaceAll(object, "_", " "), def.Type)
			if err != nil {
				r.t.Fatal(err)
			}
			e.Value = v
		}
		if len(f) > 3 {
			key, value, _ := strings.Cut(f[3], "=")
			e.Facets = []graph.Facet{{Key: key, Value: types.OfString(value)}}
		}
		out = append(out, e)
	}
	return out
}

// commit commits a transaction as the server does.
func (r *replica) commit(text string) {
	r.t.Helper()
	r.ts += 2
	start := r.ts - 1
	if _, err := r.shard.Prewrite(r.t.Context(), shard.Writing{Start: start, Steps: [][]graph.Edge{r.edges(text)}}); err != nil {
		r.t.Fatal(err)
	}
	r.event(&pb.Event{Verdict: &pb.Verdict{StartTs: uint64(start), CommitTs: uint64(r.ts)}})
}

// forge commits changes that are derived under another definition of the predicate: what that one lacks is not maintained.
func (r *replica) forge(change func(p *schema.Predicate), text string) {
	r.t.Helper()
	r.ts++
	for _, e := range r.edges(text) {
		for _, c := range r.shard.Copies() {
			if c.Predicate.Name != e.Predicate {
				continue
			}
			def := *c.Predicate
			change(&def)
			view := r.shard.Store().View(r.ts, nil)
			d, err := posting.Derive(view, &def, c.Incarnation, []graph.Edge{e})
			view.Close()
			if err != nil {
				r.t.Fatal(err)
			}
			w := r.shard.Store().Begin()
			if err := w.Commit(r.ts, d.Pending, func(graph.Incarnation) *schema.Predicate { return &def }); err != nil {
				r.t.Fatal(err)
			}
			if err := w.Flush(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	if err := r.shard.Deliver(r.t.Context(), &pb.StreamBatch{Watermark: uint64(r.ts)}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) write(key, value []byte) {
	r.t.Helper()
	b := &storage.Batch{}
	b.SetComplete(key, value, r.ts)
	if err := r.engine.Write(r.t.Context(), b); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) incarnation(name string) graph.Incarnation {
	r.t.Helper()
	for _, c := range r.shard.Copies() {
		if c.Predicate.Name.Name == name {
			return c.Incarnation
		}
	}
	r.t.Fatalf("no predicate %s", name)
	return 0
}

func (r *replica) fill() {
	r.t.Helper()
	r.commit("1 name Ada_Lovelace; 1 name Ada@en; 1 age 36; 1 born 1815-12-10; 1 plain x")
	r.commit("2 name Charles_Babbage; 2 age 79; 1 friend 2 since=1833; 2 boss 1")
	r.commit("1 tags red_apple; 1 tags red_pear; 3 tags red_apple; 3 friend 2; 1 friend 3")
	r.commit("-1 tags red_pear; 1 name Ada_King; -1 friend 3; 2 boss 3")
	for i := 10; i < 200; i++ {
		r.commit(fmt.Sprintf("%d name node_%d_of_many; %d friend %d weight=%d; %d tags tag_%d", i, i, i, i%7+1, i, i, i%5))
	}
}

func (r *replica) check(cfg Config) (Summary, []string) {
	r.t.Helper()
	var lines []string
	cfg.Report = func(f Finding) { lines = append(lines, f.String()) }
	sum, err := Check(r.t.Context(), cfg, r.shard, r.engine)
	if err != nil {
		r.t.Fatal(err)
	}
	return sum, lines
}

func TestCleanStore(t *testing.T) {
	r := newReplica(t)
	r.fill()
	sum, lines := r.check(Config{})
	if sum.Findings != 0 || len(lines) != 0 {
		t.Errorf("findings in a clean store: %v", lines)
	}
	if sum.Tablets != 7 || sum.Nodes < 500 || sum.Elements < sum.Nodes || sum.Derived < 1000 || sum.Keys == 0 {
		t.Errorf("the summary is off: %+v", sum)
	}
	if !strings.Contains(sum.String(), "no damage found") {
		t.Errorf("%s", sum)
	}
}

func TestDamageIsFound(t *testing.T) {
	noIndex := func(p *schema.Predicate) { p.Index = nil }
	noReverse := func(p *schema.Predicate) { p.Reverse = false }
	noCount := func(p *schema.Predicate) { p.Count = false }
	for _, c := range []struct {
		name  string
		plant func(r *replica)
		want  []string
	}{
		{"token missing", func(r *replica) { r.forge(noIndex, "500 born 1999-01-01") }, []string{
			`missing: predicate born: index year: token "\x87\xcf": uid 0x1f4`,
		}},
		{"token of a language missing", func(r *replica) {
			r.forge(func(p *schema.Predicate) { p.Index = p.Index[:1] }, "500 name Eva@de")
		}, []string{
			`missing: predicate name: index term@de: token "eva": uid 0x1f4`,
			`missing: predicate name: index trigram@de: token "Eva": uid 0x1f4`,
		}},
		{"token stray", func(r *replica) { r.forge(noIndex, "-1 age 36") }, []string{
			`stray: predicate age: index int: token "\x80\x00\x00\x00\x00\x00\x00$": uid 0x1`,
		}},
		{"token of a list value stray", func(r *replica) { r.forge(noIndex, "-3 tags red_apple") }, []string{
			`stray: predicate tags: index term: token "apple": uid 0x3`,
			`stray: predicate tags: index term: token "red": uid 0x3`,
		}},
		{"reverse edge missing", func(r *replica) {
			r.forge(func(p *schema.Predicate) { p.Reverse = false }, "500 boss 9")
		}, []string{`missing: predicate boss: reverse edges of 0x9: uid 0x1f4`}},
		{"reverse edge stray", func(r *replica) { r.forge(noReverse, "-2 boss 3") }, []string{
			`stray: predicate boss: reverse edges of 0x3: uid 0x2`,
		}},
		{"facets differ", func(r *replica) { r.forge(noReverse, "1 friend 2 since=1900") }, []string{
			`facets: predicate friend: reverse edges of 0x2: uid 0x1: the edge carries since=string "1900", the reverse edge since=string "1833"`,
		}},
		{"counts missing and stray", func(r *replica) { r.forge(noCount, "1 tags blue") }, []string{
			`stray: predicate tags: count 1: uid 0x1`,
			`missing: predicate tags: count 2: uid 0x1`,
		}},
		{"reverse count", func(r *replica) { r.forge(noCount, "500 friend 501") }, []string{
			`missing: predicate friend: count 1: uid 0x1f4`,
			`missing: predicate friend: reverse count 1: uid 0x1f5`,
		}},
		{"data cannot be read", func(r *replica) {
			r.write(keys.Data(r.incarnation("plain"), 1), []byte{1, 1, 0xFF, 0xFF, 0xFF})
		}, []string{`unreadable: predicate plain: data of 0x1: key`}},
		{"index cannot be read", func(r *replica) {
			r.write(keys.Index(r.incarnation("age"), 1, "", "\x80\x00\x00\x00\x00\x00\x00$"), []byte{9, 9, 9})
		}, []string{
			`unreadable: predicate age: index int: token "\x80\x00\x00\x00\x00\x00\x00$": key`,
			`missing: predicate age: index int: token "\x80\x00\x00\x00\x00\x00\x00$": uid 0x1`,
		}},
		{"nobody's keys", func(r *replica) {
			for i := range graph.UID(100) {
				r.write(keys.Data(99, i+1), []byte{1, 1, 0})
			}
		}, []string{`orphan: keys under incarnation 0x63, which is neither served nor dropped`}},
		{"no key of ours", func(r *replica) { r.write(append(keys.Prefix(1), 77, 1, 2, 3), []byte{1, 1, 0}) }, []string{
			`malformed: keys: malformed key: kind 77 with 12 bytes`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReplica(t)
			r.fill()
			c.plant(r)
			sum, lines := r.check(Config{})
			if len(lines) != len(c.want) || sum.Findings != int64(len(c.want)) {
				t.Fatalf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(c.want, "\n"))
			}
			for i := range lines {
				if !strings.HasPrefix(lines[i], c.want[i]) {
					t.Errorf("got  %s\nwant %s", lines[i], c.want[i])
				}
			}
		})
	}
}

// A whole index that is gone is counted, but only as much of it named as the bounds allow.
func TestMuchDamageIsBounded(t *testing.T) {
	r := newReplica(t)
	for i := range 3000 {
		r.forge(func(p *schema.Predicate) { p.Index = nil }, fmt.Sprintf("%d age %d", i+1, i))
	}
	sum, lines := r.check(Config{MaxFindings: 10, Entries: 500})
	if len(lines) != 10 || sum.Findings < 400 || sum.Findings > 501 {
		t.Errorf("%d lines, %d findings", len(lines), sum.Findings)
	}
	sum, _ = r.check(Config{})
	if sum.Findings != 3000 {
		t.Errorf("%d findings, want 3000", sum.Findings)
	}
}

// What is not complete is not compared, and what the schema does not have any more is passed over.
func TestBuildingAndOldKeysArePassedOver(t *testing.T) {
	r := newReplica(t)
	r.fill()
	age, _ := r.shard.Schema().Predicate(graph.Pred("age"))
	without := *age
	without.Index, without.Count = nil, false
	r.define(&without, uint64(r.incarnation("age")))
	r.commit("1 age 37; 900 age 5")
	if sum, lines := r.check(Config{}); sum.Findings > 0 {
		t.Errorf("with the index dropped: %v", lines)
	}
	building := *age
	building.Building = []string{"int", schema.BuildingCount}
	r.define(&building, uint64(r.incarnation("age")))
	sum, lines := r.check(Config{})
	if sum.Findings > 0 || len(sum.Skipped) != 2 {
		t.Errorf("while it is built: %v, skipped %v", lines, sum.Skipped)
	}
	r.define(age, uint64(r.incarnation("age"))) // another replica has built it, this one has not
	if sum, lines := r.check(Config{}); sum.Findings > 0 || len(sum.Skipped) != 2 {
		t.Errorf("published, but not built here: %v, skipped %v", lines, sum.Skipped)
	}
	r.define(&without, uint64(r.incarnation("age")))
	r.define(age, uint64(r.incarnation("age")))
	if sum, _ := r.check(Config{}); sum.Findings == 0 {
		t.Error("stale keys pass for a complete index")
	}
}

// A dropped predicate waits for its deletion without being damage.
func TestDroppedPredicateIsNoOrphan(t *testing.T) {
	r := newReplica(t)
	r.fill()
	r.event(&pb.Event{TabletDrop: &pb.TabletDrop{Predicate: "age", Incarnation: uint64(r.incarnation("age")), Ts: uint64(r.ts)}})
	sum, lines := r.check(Config{})
	if sum.Findings != 0 || sum.Retired != 1 || sum.Tablets != 6 {
		t.Errorf("%+v %v", sum, lines)
	}
}

func TestPendingWithVerdictIsFound(t *testing.T) {
	r := newReplica(t)
	r.fill()
	r.ts += 2
	if _, err := r.shard.Prewrite(t.Context(), shard.Writing{Start: r.ts - 1, Steps: [][]graph.Edge{r.edges("1 plain y")}}); err != nil {
		t.Fatal(err)
	}
	if sum, lines := r.check(Config{}); sum.Findings != 0 || sum.Pending != 1 {
		t.Errorf("an open transaction is no damage: %v", lines)
	}
	r.endInRecord(r.ts - 1)
	r.open()
	sum, lines := r.check(Config{})
	if want := fmt.Sprintf("unsettled: the transaction that started at %d is pending", r.ts-1); sum.Findings != 1 ||
		!strings.HasPrefix(lines[0], want) {
		t.Errorf("got %v, want %s", lines, want)
	}
}

// endInRecord makes a checkpoint and adds to its record that a transaction has ended.
func (r *replica) endInRecord(start graph.Timestamp) {
	r.t.Helper()
	if _, err := r.shard.Snapshot(); err != nil {
		r.t.Fatal(err)
	}
	read := func(name string) (value []byte) {
		reader := r.engine.ReaderAt(graph.MaxTimestamp)
		defer reader.Close()
		err := reader.Versions(keys.Meta(name), func(_ graph.Timestamp, v storage.Version) bool {
			value = slices.Clone(v.Value)
			return false
		})
		if err != nil {
			r.t.Fatal(err)
		}
		return value
	}
	head, whole := read("shard"), read("shard/0001")
	meta := &pb.ShardMeta{}
	if err := proto.Unmarshal(whole, meta); err != nil {
		r.t.Fatal(err)
	}
	meta.Ended = append(meta.Ended, uint64(start))
	whole, err := proto.Marshal(meta)
	if err != nil {
		r.t.Fatal(err)
	}
	binary.BigEndian.PutUint64(head[4:], uint64(len(whole)))
	binary.BigEndian.PutUint32(head[12:], crc32.Checksum(whole, crc32.MakeTable(crc32.Castagnoli)))
	b := &storage.Batch{}
	b.SetComplete(keys.Meta("shard/0001"), whole, 1)
	b.SetComplete(keys.Meta("shard"), head, 1)
	if err := r.engine.Write(r.t.Context(), b); err != nil {
		r.t.Fatal(err)
	}
}

// zero is Zero's state without its group.
type zero struct {
	t     *testing.T
	m     *state.Machine
	index uint64
}

func (z *zero) apply(e *pb.ZeroEntry) {
	z.t.Helper()
	b, err := proto.Marshal(e)
	if err != nil {
		z.t.Fatal(err)
	}
	z.index++
	if _, err := z.m.Apply([]fsm.Command{{Index: z.index, Term: 1, Data: b}}); err != nil {
		z.t.Fatal(err)
	}
}

func TestZeroAndReplicaAgree(t *testing.T) {
	m, err := state.Open(t.TempDir(), oracle.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	z := &zero{t: t, m: m}
	z.apply(&pb.ZeroEntry{Bootstrap: &pb.Bootstrap{ClusterId: "c"}})
	z.apply(&pb.ZeroEntry{Term: &pb.Term{TsBound: 1000}})
	z.apply(&pb.ZeroEntry{Join: &pb.Join{}})
	def := &schema.Predicate{Name: graph.Pred("plain"), Type: types.String}
	z.apply(&pb.ZeroEntry{Alter: &pb.Alter{Predicates: []*pb.PredicateChange{
		{Predicate: "plain", Schema: def.AppendBinary(nil), Group: 1},
	}}})
	r := &replica{t: t, engine: memkv.New(memkv.Config{})}
	r.open()
	deliver := func() {
		t.Helper()
		b, _, err := m.Events(1, r.shard.Seq())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.shard.Deliver(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	findings := func() (lines []string) {
		t.Helper()
		cfg := Config{Report: func(f Finding) { lines = append(lines, f.String()) }}
		if _, err := check(t.Context(), cfg, r.shard, r.engine, m, 1); err != nil {
			t.Fatal(err)
		}
		return lines
	}
	if lines := findings(); len(lines) != 0 {
		t.Errorf("what the stream has not delivered yet is on its way: %v", lines)
	}
	deliver()
	w, err := r.shard.Prewrite(t.Context(), shard.Writing{Start: 1500, Steps: [][]graph.Edge{r.edges("1 plain x")}})
	if err != nil {
		t.Fatal(err)
	}
	if lines := findings(); len(lines) != 0 {
		t.Errorf("an open transaction: %v", lines)
	}
	commit := &pb.CommitRequest{StartTs: 1500, CommitTs: 1501, Keys: w.Keys, Epochs: w.Epochs, Groups: []uint32{1}}
	z.apply(&pb.ZeroEntry{Commits: &pb.CommitBatch{Requests: []*pb.CommitRequest{commit}}})
	if lines := findings(); len(lines) != 0 {
		t.Errorf("a verdict on its way: %v", lines)
	}
	next := r.shard.Seq() + 1
	stolen := &pb.StreamBatch{Events: []*pb.Event{{Seq: next}}} // the verdict's number without the verdict
	if err := r.shard.Deliver(t.Context(), stolen); err != nil {
		t.Fatal(err)
	}
	if lines := findings(); len(lines) != 1 || !strings.HasPrefix(lines[0], "unsettled: the transaction that started at 1500") {
		t.Errorf("a lost verdict: %v", lines)
	}
	ahead := &pb.StreamBatch{Events: []*pb.Event{{Seq: next + 1}}}
	if err := r.shard.Deliver(t.Context(), ahead); err != nil {
		t.Fatal(err)
	}
	if lines := findings(); len(lines) != 1 || !strings.HasPrefix(lines[0], "disagreement: ") {
		t.Errorf("a replica ahead of Zero: %v", lines)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	if _, err := Find(dir); !errors.Is(err, ErrNoData) {
		t.Errorf("an empty folder: %v", err)
	}
	mk := func(parts ...string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(append([]string{dir}, parts...)...), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mk("p")
	if f, err := Find(dir); err != nil || f != (Folder{Alpha: dir}) {
		t.Errorf("an alpha's folder: %+v %v", f, err)
	}
	mk("alpha", "p")
	if f, err := Find(dir); err != nil || f != (Folder{Alpha: filepath.Join(dir, "alpha")}) {
		t.Errorf("up without Zero's data: %+v %v", f, err)
	}
	mk("zero", "wal")
	if f, err := Find(dir); err != nil || f != (Folder{filepath.Join(dir, "alpha"), filepath.Join(dir, "zero")}) {
		t.Errorf("up: %+v %v", f, err)
	}
	_, err := Run(t.Context(), Config{}, Folder{Alpha: dir}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "there is no log") {
		t.Errorf("a folder without a log: %v", err)
	}
}
