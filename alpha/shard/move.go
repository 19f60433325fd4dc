package shard

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/storage"
)

// incoming is a tablet copy on its way here, as the stream and the log have told. It is immutable.
type incoming struct {
	name     graph.Predicate
	move     uint64          // also the incarnation of the copy
	base     graph.Timestamp // of the lists in whole
	complete graph.Timestamp // everything up to here is there; 0: not even the lists
	upto     graph.Timestamp // what the round under way brings
	next     []byte          // where it goes on; nil: no round is under way
}

func (in *incoming) incarnation() graph.Incarnation { return graph.Incarnation(in.move) }

// former is a copy that moved away. Readers below until still read it. It is immutable.
type former struct {
	*tablet
	until graph.Timestamp
}

// errMoveOver is what everybody gets who still works on a move that was ended.
var errMoveOver = fault.New(fault.Aborted, "the move of the predicate is over")

// Incoming is a tablet that moves to this group, as far as this replica has applied.
type Incoming struct {
	Predicate graph.Predicate
	Move      *pb.Move
	Epoch     uint64          // of the tablet
	From      graph.GroupID   // who serves it
	Complete  graph.Timestamp // everything up to here has arrived; 0: nothing has
	Upto      graph.Timestamp // what the round under way brings, 0 where none is
	Next      []byte          // the key where it goes on
}

// Incoming returns the tablets that move here, by move.
func (s *Shard) Incoming() []Incoming {
	v := s.view.Load()
	var out []Incoming
	for name, in := range v.incoming {
		t := v.remote[name]
		out = append(out, Incoming{
			Predicate: name, Move: t.set.Tablet.Move, Epoch: t.set.Tablet.Epoch, From: graph.GroupID(t.set.Tablet.Group),
			Complete: in.complete, Upto: in.upto, Next: in.next,
		})
	}
	slices.SortFunc(out, func(a, b Incoming) int { return int(a.Move.Id) - int(b.Move.Id) })
	return out
}

// CopyPart names a part of a tablet that moves: what came after Since, or with 0 the lists as of the move's base and what came
// after it; up to Upto.
type CopyPart struct {
	Predicate   graph.Predicate
	Move        uint64
	Since, Upto graph.Timestamp
	From        []byte // the key of the list to begin with; nil: the first
}

// chunkChanges is how many bytes of changes a chunk has, about.
const chunkChanges = 1 << 20

// Copy sends a part of a tablet that moves, in chunks: from the side that serves it or, as far as it has come, from the other one.
func (s *Shard) Copy(ctx context.Context, part CopyPart, send func(*pb.CopyChunk) error) error {
	chunk := &pb.CopyChunk{}
	var last []byte
	err := s.export(ctx, part, func(op storage.Op) error {
		if len(chunk.Changes) >= chunkChanges {
			chunk.Next = bytes.Clone(keys.List(op.Key))
			if err := send(chunk); err != nil {
				return err
			}
			chunk, last = &pb.CopyChunk{}, nil
		}
		chunk.Changes = appendChange(chunk.Changes, op, last)
		chunk.Count++
		last = op.Key
		return nil
	})
	if err != nil {
		return err
	}
	return send(chunk)
}

// Digest returns the digest of a part of a tablet that moves, as this replica has it on its disk.
func (s *Shard) Digest(ctx context.Context, part CopyPart) (d posting.Digest, err error) {
	err = s.export(ctx, part, func(op storage.Op) error {
		d.Add(op)
		return nil
	})
	return d, err
}

// DigestAt returns the digest of the lists of a predicate as of ts: the same on every replica of the group. An error of class
// fault.Unavailable says that this one cannot tell, because it has not built all of them.
func (s *Shard) DigestAt(ctx context.Context, name graph.Predicate, ts graph.Timestamp) (d posting.Digest, err error) {
	err = s.working(ctx, func(ctx context.Context) error {
		if err := s.WaitTimestamp(ctx, ts); err != nil {
			return err
		}
		if err := s.horizon.enter(ts); err != nil { // what is needed is not forgotten meanwhile
			return err
		}
		defer s.horizon.leave(ts)
		t := s.view.Load().copyAt(name, ts)
		if t == nil || len(t.owed) > 0 || ts < t.derivedFrom() {
			return fault.New(fault.Unavailable, "predicate %s cannot be summed up at %d by this replica", name, ts)
		}
		what := posting.Export{Incarnation: t.incarnation(), Floor: ts, DerivedFloor: ts, Upto: ts}
		return s.store.Export(ctx, what, func(op storage.Op) error {
			op.Ts = 0 // replicas fold at other timestamps
			d.Add(op)
			return nil
		})
	})
	return d, err
}

// export visits a part of a tablet that moves. Nothing that it needs is forgotten as long as the move lasts, see held.
func (s *Shard) export(ctx context.Context, part CopyPart, visit func(storage.Op) error) error {
	return s.working(ctx, func(ctx context.Context) error {
		if err := s.WaitTimestamp(ctx, part.Upto); err != nil {
			return err
		}
		what, err := s.view.Load().exportOf(part)
		if err != nil {
			return err
		}
		if err := s.store.Export(ctx, what, visit); err != nil {
			return err
		}
		_, err = s.view.Load().exportOf(part) // it lasted
		return err
	})
}

func (p *published) exportOf(part CopyPart) (posting.Export, error) {
	what := posting.Export{Since: part.Since, Upto: part.Upto, From: part.From}
	if in := p.incoming[part.Predicate]; in != nil && in.move == part.Move {
		what.Incarnation, what.Floor, what.DerivedFloor = in.incarnation(), in.base, in.base
		return what, nil
	}
	t := p.tablets[part.Predicate]
	if t == nil || t.set.Tablet.Move.GetId() != part.Move {
		return what, errMoveOver
	}
	base := graph.Timestamp(t.set.Tablet.Move.Base)
	if len(t.owed) > 0 || t.since > base {
		return what, fault.New(fault.Unavailable, "this replica is still building an index of predicate %s", part.Predicate)
	}
	what.Incarnation, what.Floor, what.DerivedFloor = t.incarnation(), base, base
	return what, nil
}

// Ingest replicates a chunk that was received. An error of class fault.Aborted says that it does not go on from what is there.
func (s *Shard) Ingest(ctx context.Context, in *pb.Ingest) error {
	if err := s.Room(int64(len(in.Changes))); err != nil {
		return err
	}
	_, err := s.propose(ctx, &pb.GroupEntry{Ingest: in})
	return err
}

var errNotNext = fault.New(fault.Aborted, "this piece of a tablet does not follow what is there")

// goesOn reports whether a piece begins where the ones before it stopped.
func (in *incoming) goesOn(p *pb.Ingest) bool {
	if graph.Timestamp(p.Since) != in.complete || !bytes.Equal(p.From, in.next) {
		return false
	}
	return len(in.next) == 0 || graph.Timestamp(p.Upto) == in.upto
}

// ingest stores a piece of a tablet that moves here.
func (b *applying) ingest(in *pb.Ingest) (any, error) {
	name := nameOf(in.Namespace, in.Predicate)
	cur := b.next.incoming[name]
	switch {
	case cur == nil || cur.move != in.Move:
		return errMoveOver, nil
	case !cur.goesOn(in), graph.Timestamp(in.Upto) > b.next.watermark: // nothing above the watermark is ever stored
		return errNotNext, nil
	}
	batch := &storage.Batch{Owed: true}
	err := eachChange(in.Changes, in.Count, func(op storage.Op) error {
		keys.MoveTo(op.Key, cur.incarnation())
		batch.Ops = append(batch.Ops, op)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("a piece of predicate %s that moves here: %w", name, err)
	}
	if err := b.storing(func(ctx context.Context) error { return b.s.engine.Write(ctx, batch) }); err != nil {
		return nil, err
	}
	next := *cur
	if len(in.Next) == 0 {
		next.complete, next.upto, next.next = graph.Timestamp(in.Upto), 0, nil
	} else {
		next.upto, next.next = graph.Timestamp(in.Upto), in.Next
	}
	b.setIncoming(name, &next)
	return nil, nil
}

func (b *applying) setIncoming(name graph.Predicate, in *incoming) {
	b.next.incoming = maps.Clone(b.next.incoming)
	if in == nil {
		delete(b.next.incoming, name)
		return
	}
	b.next.incoming[name] = in
}

// expect takes note that t begins to move here, or ends to: then what has arrived is either served from now on, or dropped.
func (b *applying) expect(t *tablet) {
	tb, cur := t.set.Tablet, b.next.incoming[t.def.Name]
	here := graph.GroupID(tb.Move.GetTo()) == b.s.cfg.Group
	if cur != nil && (!here || cur.move != tb.Move.GetId()) {
		b.setIncoming(t.def.Name, nil)
		if cur.incarnation() == t.incarnation() {
			b.s.store.Forget(t.incarnation()) // it was written past the store
		} else {
			b.retire(&pb.TabletDrop{Namespace: tb.Namespace, Predicate: tb.Predicate, Incarnation: cur.move, Ts: t.set.Ts})
		}
		cur = nil
	}
	if here && cur == nil {
		b.setIncoming(t.def.Name, &incoming{name: t.def.Name, move: tb.Move.Id, base: graph.Timestamp(tb.Move.Base)})
	}
}

// leave takes the copy that this group served out of use, now that t is another group's; readers below the switch go on with it.
func (b *applying) leave(t *tablet) {
	old := b.next.tablets[t.def.Name]
	if old == nil {
		return
	}
	b.copyTablets()
	b.next.forget(t.def.Name)
	for _, f := range t.set.Tablet.Former {
		if graph.Incarnation(f.Incarnation) == old.incarnation() {
			b.next.left = append(slices.Clone(b.next.left), &former{old, graph.Timestamp(f.Until)})
			b.work = true
			return
		}
	}
	b.retire(&pb.TabletDrop{
		Namespace: t.set.Tablet.Namespace, Predicate: t.set.Tablet.Predicate, Incarnation: uint64(old.incarnation()), Ts: t.set.Ts,
	})
}

// release hands copies that moved away to those that are to be deleted, once no reader needs them: not one that is reading now, and
// no later one, also after a restart, since the replica's record refuses snapshots that old.
func (s *Shard) release() error {
	left := s.view.Load().left
	if len(left) == 0 {
		return nil
	}
	s.mu.Lock()
	floor := s.recordedHorizon
	s.mu.Unlock()
	if allowed := s.horizon.snapshots(); slices.ContainsFunc(left, func(f *former) bool { return f.until <= allowed && f.until > floor }) {
		c, err := s.checkpoint()
		if err != nil {
			return err
		}
		floor = c.horizon
	}
	floor = s.horizon.active(floor)
	s.batch.Lock()
	defer s.batch.Unlock()
	next := *s.view.Load()
	var out []*former
	next.left = slices.DeleteFunc(slices.Clone(next.left), func(f *former) bool {
		if f.until > floor {
			return false
		}
		out = append(out, f)
		return true
	})
	if len(out) == 0 {
		return nil
	}
	next.settle()
	s.publish(&next)
	for _, f := range out {
		s.store.Retire(f.incarnation())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range out {
		tb := f.set.Tablet
		s.dropped = append(slices.Clone(s.dropped), &pb.TabletDrop{
			Namespace: tb.Namespace, Predicate: tb.Predicate, Incarnation: tb.Incarnation, Ts: uint64(f.until),
		})
	}
	return nil
}
