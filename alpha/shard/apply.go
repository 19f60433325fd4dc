package shard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/protos/pb"
	"dragg/raftgroup/fsm"
	"dragg/schema"
	"dragg/storage"
)

var _ fsm.Machine = (*Shard)(nil)

// Refusals that Apply answers with; they are the same on every replica.
var (
	errStaleEpoch = fault.New(fault.Aborted, "the schema or the place of a predicate has changed since the transaction wrote to it; "+
		"please retry")
	errEnded = fault.New(fault.Aborted, "the transaction has ended already; please retry with a new one")
)

// Apply implements fsm.Machine.
func (s *Shard) Apply(cmds []fsm.Command) ([]any, error) {
	s.batch.Lock()
	defer s.batch.Unlock()
	b := &applying{s: s, commits: s.store.Begin(), next: *s.view.Load()}
	results := make([]any, len(cmds))
	for i, c := range cmds {
		var e pb.GroupEntry
		if err := proto.Unmarshal(c.Data, &e); err != nil {
			return nil, fmt.Errorf("entry %d of the group's log cannot be decoded: %w", c.Index, err)
		}
		var err error
		switch {
		case e.Prewrite != nil:
			results[i], err = b.prewrite(e.Prewrite)
		case e.Stream != nil:
			results[i], err = b.stream(e.Stream)
		case e.Close != 0:
			results[i] = b.close(graph.Timestamp(e.Close))
		case e.Ingest != nil:
			results[i], err = b.ingest(e.Ingest)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := b.flush(); err != nil {
		return nil, err
	}
	b.handOver()
	s.applied = cmds[len(cmds)-1].Index
	if b.ownTablets || b.ownSchema {
		b.next.settle()
	}
	s.publish(&b.next)
	if b.work {
		s.wake()
	}
	return results, nil
}

// publish shows readers a new state and wakes those who wait for one.
func (s *Shard) publish(next *published) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.Store(next)
	close(s.moved)
	s.moved = make(chan struct{})
}

// applying is one batch of entries on its way into the state. It runs under Shard.batch.
type applying struct {
	s          *Shard
	commits    *posting.Committer
	next       published
	ownTablets bool // next.tablets is a copy already
	ownSchema  bool // next.schema changed otherwise
	retired    []*pb.TabletDrop
	work       bool // there is work in the background, for those who see the new state
}

// prewrite keeps a transaction's changes until its verdict.
func (b *applying) prewrite(p *pb.Prewrite) (any, error) {
	s, start := b.s, graph.Timestamp(p.StartTs)
	old := s.txn(start)
	if old != nil && old.closed || s.ended.set[start] {
		return errEnded, nil
	}
	if !b.next.current(p.Epochs) {
		return errStaleEpoch, nil
	}
	changes, err := posting.DecodePending(p.Pending)
	if err != nil {
		return nil, fmt.Errorf("the prewrite of transaction %d: %w", start, err)
	}
	if old == nil {
		old = &txn{}
	}
	merged, err := old.pending.Merge(changes)
	if err != nil {
		return nil, fmt.Errorf("the prewrite of transaction %d: %w", start, err)
	}
	next := &txn{pending: merged, epochs: p.Epochs, keys: p.Keys, closed: p.Last}
	if len(old.keys)+len(old.epochs) > 0 {
		next.epochs, next.keys = union(old.epochs, p.Epochs), slices.Concat(old.keys, p.Keys)
	}
	s.keep(start, old, next)
	for _, e := range p.Epochs {
		b.next.byEpoch[e].used.writes.Add(1)
	}
	return next.written(), nil
}

// close ends the writing of a transaction, and answers with what it wrote here; with nil if that is nothing.
func (b *applying) close(start graph.Timestamp) any {
	s := b.s
	t := s.txn(start)
	if t == nil {
		s.ended.add(start)
		return nil
	}
	next := *t
	next.closed = true
	s.keep(start, t, &next)
	return next.written()
}

// txn returns what is pending of a transaction, nil if nothing is.
func (s *Shard) txn(start graph.Timestamp) *txn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending[start]
}

// keep replaces what is pending of a transaction; a nil next ends it.
func (s *Shard) keep(start graph.Timestamp, old, next *txn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil {
		s.pendingB -= old.pending.Bytes()
	}
	if next == nil {
		delete(s.pending, start)
		delete(s.touched, start)
		return
	}
	s.pendingB += next.pending.Bytes()
	s.pending[start] = next
}

// union returns the epochs of both, each once. Of two epochs of one tablet both stay: Zero will refuse one of them.
func union(a, b []uint64) []uint64 {
	out := a[:len(a):len(a)]
	for _, e := range b {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// stream carries out a piece of Zero's stream. What is known already is passed over, a gap is refused.
func (b *applying) stream(batch *pb.StreamBatch) (any, error) {
	for _, e := range batch.Events {
		switch {
		case e.Seq <= b.next.seq:
			continue
		case e.Seq != b.next.seq+1:
			return fault.New(fault.Internal, "event %d of Zero's stream follows %d: events are missing", e.Seq, b.next.seq), nil
		}
		if err := b.event(e); err != nil {
			return nil, fmt.Errorf("event %d of Zero's stream: %w", e.Seq, err)
		}
		b.next.seq = e.Seq
	}
	b.next.watermark = max(b.next.watermark, graph.Timestamp(batch.Watermark))
	b.next.maxUID = max(b.next.maxUID, graph.UID(batch.MaxUid))
	return nil, nil
}

func (b *applying) event(e *pb.Event) error {
	switch {
	case e.Verdict != nil:
		return b.verdict(graph.Timestamp(e.Verdict.StartTs), graph.Timestamp(e.Verdict.CommitTs))
	case e.TabletSet != nil:
		return b.setTablet(e.TabletSet)
	case e.TabletDrop != nil:
		b.dropTablet(e.TabletDrop)
	case e.TypeChange != nil:
		return b.changeType(e.TypeChange)
	case e.Member != nil:
		b.next.members = b.next.withMember(e.Member, false)
	case e.MemberGone != nil:
		b.next.members = b.next.withMember(e.MemberGone, true)
	}
	return nil
}

// verdict ends a transaction. One that is not pending has ended before, or never wrote here.
func (b *applying) verdict(start, commit graph.Timestamp) error {
	s := b.s
	t := s.txn(start)
	s.keep(start, t, nil)
	s.ended.add(start)
	if t == nil || commit == 0 {
		return nil
	}
	// Commits come in order, so that what is applied never goes beyond the watermark.
	b.next.watermark = max(b.next.watermark, commit)
	if err := b.commits.Commit(commit, t.pending, b.definition); err != nil || b.commits.Bytes() < flushBytes {
		return err
	}
	return b.flush()
}

// flushBytes bounds what is stored at once. Nobody sees the commits of a batch before all of it is stored.
const flushBytes = 4 << 20

// definition returns the definition of the predicate whose copy is inc, nil if that copy is gone. Counts are kept of what is whole
// on this replica.
func (b *applying) definition(inc graph.Incarnation) *schema.Predicate {
	for _, t := range b.next.tablets {
		if t.incarnation() == inc {
			return t.local
		}
	}
	return nil
}

func (b *applying) setTablet(set *pb.TabletSet) error {
	t, err := newTablet(set)
	if err != nil {
		return err
	}
	b.expect(t)
	if graph.GroupID(set.Tablet.Group) != b.s.cfg.Group {
		b.leave(t)
		b.setRemote(t)
		return nil
	}
	b.forgetRemote(t.def.Name)
	b.copyTablets()
	old := b.next.tablets[t.def.Name]
	if since := t.derivedSince(old); since != set.DerivedSince {
		set = proto.CloneOf(set)
		set.DerivedSince = since
		t.set = set
	}
	if old != nil && old.incarnation() != t.incarnation() {
		b.retire(&pb.TabletDrop{
			Namespace: set.Tablet.Namespace, Predicate: set.Tablet.Predicate, Incarnation: uint64(old.incarnation()), Ts: set.Ts,
		})
	}
	t.inherit(old)
	b.next.keep(t)
	b.next.schema = b.next.schema.With(schema.Update{Predicates: []*schema.Predicate{t.def}})
	b.work = b.work || len(t.owed) > 0
	return nil
}

// setRemote notes a tablet that another group serves.
func (b *applying) setRemote(t *tablet) {
	b.next.remote = maps.Clone(b.next.remote)
	b.next.remote[t.def.Name] = t
	b.next.schema = b.next.schema.With(schema.Update{Predicates: []*schema.Predicate{t.def}})
	b.ownSchema = true
}

func (b *applying) forgetRemote(name graph.Predicate) {
	if b.next.remote[name] != nil {
		b.next.remote = maps.Clone(b.next.remote)
		delete(b.next.remote, name)
	}
}

func newTablet(set *pb.TabletSet) (*tablet, error) {
	def, err := schema.DecodePredicate(set.Tablet.Schema)
	if err != nil {
		return nil, fmt.Errorf("the schema of predicate %s: %w", set.Tablet.Predicate, err)
	}
	return &tablet{set: set, def: def, used: &usage{}}, nil
}

// derivedSince returns the timestamp below which readers find the tablet's derived keys incomplete, now that it follows old.
func (t *tablet) derivedSince(old *tablet) uint64 {
	switch {
	case old == nil || old.incarnation() != t.incarnation():
		return 0
	case len(t.def.Building) < len(old.def.Building): // a build, or one stage of it, is complete
		return max(old.set.Ts, old.set.DerivedSince)
	}
	return old.set.DerivedSince
}

func (b *applying) dropTablet(d *pb.TabletDrop) {
	name := nameOf(d.Namespace, d.Predicate)
	if r := b.next.remote[name]; r != nil && r.incarnation() == graph.Incarnation(d.Incarnation) {
		if in := b.next.incoming[name]; in != nil {
			b.setIncoming(name, nil)
			b.retire(&pb.TabletDrop{Namespace: d.Namespace, Predicate: d.Predicate, Incarnation: in.move, Ts: d.Ts})
		}
		b.forgetRemote(name)
		b.next.schema = b.next.schema.With(schema.Update{DropPredicates: []graph.Predicate{name}})
		b.ownSchema = true
		return
	}
	t := b.next.tablets[name]
	if t == nil || t.incarnation() != graph.Incarnation(d.Incarnation) {
		return
	}
	b.copyTablets()
	b.next.forget(name)
	b.next.schema = b.next.schema.With(schema.Update{DropPredicates: []graph.Predicate{name}})
	b.retire(d)
}

// retire notes a copy that nobody reads any more. Commits of this batch may still be written under it.
func (b *applying) retire(d *pb.TabletDrop) { b.retired = append(b.retired, d) }

// handOver hands the retired copies to the janitor, now that nothing is written under them any more.
func (b *applying) handOver() {
	if len(b.retired) == 0 {
		return
	}
	for _, d := range b.retired {
		b.s.store.Retire(graph.Incarnation(d.Incarnation))
	}
	b.s.mu.Lock()
	b.s.dropped = append(b.s.dropped, b.retired...)
	b.s.mu.Unlock()
	b.work = true
}

func (b *applying) changeType(c *pb.TypeChange) error {
	if len(c.Definition) == 0 {
		delete(b.s.types, c.Name)
		b.next.schema = b.next.schema.With(schema.Update{DropTypes: []string{c.Name}})
		return nil
	}
	t, err := schema.DecodeType(c.Definition)
	if err != nil {
		return fmt.Errorf("type %s: %w", c.Name, err)
	}
	b.s.types[c.Name] = c
	b.next.schema = b.next.schema.With(schema.Update{Types: []*schema.Type{t}})
	return nil
}

// copyTablets makes next's tablets this batch's own before they are changed.
func (b *applying) copyTablets() {
	if !b.ownTablets {
		b.next.tablets, b.next.byEpoch = maps.Clone(b.next.tablets), maps.Clone(b.next.byEpoch)
		b.ownTablets = true
	}
}

// fullRetry is how long Apply waits on a full disk before it looks again.
const fullRetry = time.Second

// errStopped says that the process stopped while what was committed waited for room on the disk. The log has it.
var errStopped = errors.New("stopped while the disk was full")

// flush stores what was committed.
func (b *applying) flush() error {
	return b.storing(func(ctx context.Context) error { return b.commits.Flush(ctx) })
}

// storing stores something that was agreed on. A full disk holds the group up until there is room: nothing is lost, reads go on.
func (b *applying) storing(store func(context.Context) error) error {
	for told := false; ; told = true {
		err := store(context.Background())
		if !errors.Is(err, storage.ErrFull) {
			return err
		}
		if !told {
			b.s.lg.Error("the disk is full: commits wait until there is room", "err", err)
		}
		select {
		case <-time.After(fullRetry):
		case <-b.s.stopped:
			return errors.Join(errStopped, err)
		}
	}
}
