package shard

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/posting"
	"dragg/protos/pb"
	"dragg/raftgroup/fsm"
)

// descriptor names a state of the replica: what a reader needs to find exactly this state among newer and older versions.
type descriptor struct {
	group   graph.GroupID
	applied uint64          // index of the last entry
	horizon graph.Timestamp // readers below are refused
	bound   graph.Timestamp // every commit that is applied is at or below, every later one above
}

const (
	streamMagic     = "DRAGGS"
	streamVersion   = 2 // 1 knew no positions
	descriptorBytes = len(streamMagic) + 2 + 4 + 8 + 8 + 8 + 4
)

// appendBinary appends magic ‖ version ‖ group ‖ applied ‖ horizon ‖ bound ‖ CRC-32C; see docs/format/snapshots.md.
func (d descriptor) appendBinary(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(append(b, streamMagic...), streamVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(d.group))
	b = binary.BigEndian.AppendUint64(b, d.applied)
	b = binary.BigEndian.AppendUint64(b, uint64(d.horizon))
	b = binary.BigEndian.AppendUint64(b, uint64(d.bound))
	return binary.BigEndian.AppendUint32(b, checksum(b[start:]))
}

func decodeDescriptor(b []byte) (descriptor, error) {
	if len(b) != descriptorBytes || string(b[:len(streamMagic)]) != streamMagic {
		return descriptor{}, fmt.Errorf("this is no descriptor of a group's state: %d bytes", len(b))
	}
	rest := b[len(streamMagic):]
	if v := binary.BigEndian.Uint16(rest); v != streamVersion {
		return descriptor{}, fmt.Errorf("a descriptor of version %d, this program reads %d", v, streamVersion)
	}
	end := len(b) - 4
	if checksum(b[:end]) != binary.BigEndian.Uint32(b[end:]) {
		return descriptor{}, errors.New("the descriptor is damaged: its checksum does not match")
	}
	return descriptor{
		group: graph.GroupID(binary.BigEndian.Uint32(rest[2:])), applied: binary.BigEndian.Uint64(rest[6:]),
		horizon: graph.Timestamp(binary.BigEndian.Uint64(rest[14:])), bound: graph.Timestamp(binary.BigEndian.Uint64(rest[22:])),
	}, nil
}

// capture is the replica's state between two batches. It shares what is immutable.
type capture struct {
	descriptor
	meta    *pb.ShardMeta // without the pending transactions
	pending []pendingTxn
	copies  []posting.Export // of the tablets, by incarnation
	streams int              // guarded by Shard.mu: how many replicas are sent it right now
}

type pendingTxn struct {
	start graph.Timestamp
	*txn
}

// record returns everything but the lists.
func (c *capture) record() *pb.ShardMeta {
	meta := proto.CloneOf(c.meta)
	for _, t := range c.pending {
		meta.Pending = append(meta.Pending, &pb.Prewrite{
			StartTs: uint64(t.start), Pending: t.pending.AppendBinary(nil), Epochs: t.epochs, Keys: t.keys, Last: t.closed,
		})
	}
	return meta
}

// fingerprint differs where the record would say something else.
func (c *capture) fingerprint() []byte {
	b := binary.BigEndian.AppendUint64(nil, c.applied)
	for _, l := range c.meta.Local {
		b = fmt.Appendf(b, " %v", l)
	}
	for _, set := range c.meta.Left { // those that may be deleted once the record says so
		if set.Ts <= uint64(c.horizon) {
			b = fmt.Appendf(b, " %d", set.Tablet.Incarnation)
		}
	}
	return b
}

// holds reports whether the capture needs the lists of a tablet copy.
func (c *capture) holds(inc graph.Incarnation) bool {
	return slices.ContainsFunc(c.copies, func(e posting.Export) bool { return e.Incarnation == inc })
}

// capture captures the state between two batches. It fixes the horizon below which versions may be forgotten once the capture is
// durable; that never moves back.
func (s *Shard) capture() *capture {
	s.batch.Lock()
	defer s.batch.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.view.Load()
	s.forgettable = max(s.forgettable, s.discardable(v))
	c := &capture{
		descriptor: descriptor{s.cfg.Group, s.applied, s.forgettable, v.watermark},
		meta: &pb.ShardMeta{
			Version: metaVersion, Applied: s.applied, Seq: v.seq, Watermark: uint64(v.watermark), MaxUid: uint64(v.maxUID),
			Dropped: slices.Clone(s.dropped), Horizon: uint64(s.forgettable), Members: v.members,
		},
	}
	for _, t := range v.tablets {
		c.meta.Tablets = append(c.meta.Tablets, t.set)
		if b := t.saveLocal(); b != nil {
			c.meta.Local = append(c.meta.Local, b)
		}
		c.copy(t.incarnation(), graph.Timestamp(t.set.Tablet.Base), t.since)
	}
	for _, in := range v.incoming {
		c.meta.Incoming = append(c.meta.Incoming, &pb.Incoming{
			Namespace: uint64(in.name.Namespace), Predicate: in.name.Name, Complete: uint64(in.complete), Upto: uint64(in.upto), Next: in.next,
		})
		c.copy(in.incarnation(), in.base, 0)
	}
	for _, f := range v.left {
		c.meta.Left = append(c.meta.Left, &pb.TabletSet{Tablet: f.set.Tablet, Ts: uint64(f.until), DerivedSince: f.set.DerivedSince})
		if b := f.saveLocal(); b != nil {
			c.meta.Local = append(c.meta.Local, b)
		}
		c.copy(f.incarnation(), graph.Timestamp(f.set.Tablet.Base), f.since)
	}
	for _, t := range v.remote {
		c.meta.Tablets = append(c.meta.Tablets, t.set)
	}
	for _, t := range s.types {
		c.meta.Types = append(c.meta.Types, t)
	}
	for start, t := range s.pending {
		c.pending = append(c.pending, pendingTxn{start, t})
	}
	for _, ts := range s.ended.order {
		c.meta.Ended = append(c.meta.Ended, uint64(ts))
	}
	c.sort()
	return c
}

// copy adds a tablet copy that holds the lists as of base in whole, and derived keys that were built from the data as of since.
// Readers below since do not use them in any case, and what is owed is built above.
func (c *capture) copy(inc graph.Incarnation, base, since graph.Timestamp) {
	floor := max(c.horizon, base)
	c.copies = append(c.copies, posting.Export{Incarnation: inc, Floor: floor, DerivedFloor: max(floor, since), Upto: c.bound})
}

// sort gives what came from maps an order.
func (c *capture) sort() {
	slices.SortFunc(c.meta.Incoming, func(a, b *pb.Incoming) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Predicate, b.Predicate))
	})
	slices.SortFunc(c.meta.Left, func(a, b *pb.TabletSet) int { return cmp.Compare(a.Tablet.Incarnation, b.Tablet.Incarnation) })
	slices.SortFunc(c.meta.Tablets, func(a, b *pb.TabletSet) int {
		return cmp.Compare(a.Tablet.Incarnation, b.Tablet.Incarnation)
	})
	slices.SortFunc(c.meta.Local, func(a, b *pb.LocalBuild) int { return cmp.Compare(a.Incarnation, b.Incarnation) })
	slices.SortFunc(c.copies, func(a, b posting.Export) int { return cmp.Compare(a.Incarnation, b.Incarnation) })
	slices.SortFunc(c.meta.Types, func(a, b *pb.TypeChange) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.pending, func(a, b pendingTxn) int { return cmp.Compare(a.start, b.start) })
}

// send returns the capture that desc describes and holds what it needs until release is called: no version that it needs is
// forgotten, no tablet copy of it deleted.
func (s *Shard) send(desc []byte) (c *capture, release func(), err error) {
	want, err := decodeDescriptor(desc)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest != nil && s.newest.descriptor == want {
		c = s.newest
	}
	for other := range s.sending {
		if other.descriptor == want {
			c = other
		}
	}
	if c == nil {
		return nil, nil, fmt.Errorf("group %d as of entry %d: %w", want.group, want.applied, fsm.ErrSnapshotGone)
	}
	c.streams++
	s.sending[c] = true
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if c.streams--; c.streams == 0 {
			delete(s.sending, c)
		}
	}, nil
}

// offer makes c what other replicas may be sent, and returns the timestamp below which versions may be forgotten now.
func (s *Shard) offer(c *capture) graph.Timestamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.durable, s.newest = c.applied, c
	return s.unneeded()
}

// unneeded returns the timestamp below which versions may be forgotten: up to the newest record's horizon, and what is being sent
// stays. The caller holds mu.
func (s *Shard) unneeded() graph.Timestamp {
	low := s.newest.horizon
	for c := range s.sending {
		low = min(low, c.horizon)
	}
	return low
}

// deletable returns a retired copy that nobody is being sent; nil if there is none. The newest snapshot cannot be sent any more
// where it needs it.
func (s *Shard) deletable() *pb.TabletDrop {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dropped {
		inc := graph.Incarnation(d.Incarnation)
		held := false
		for c := range s.sending {
			held = held || c.holds(inc)
		}
		if held {
			continue
		}
		if s.newest != nil && s.newest.holds(inc) {
			s.newest = nil
		}
		return d
	}
	return nil
}
