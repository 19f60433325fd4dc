package shard

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/schema"
	"dragg/storage"
)

// metaVersion is the version of the replica's record; see docs/format/snapshots.md.
const metaVersion = 3

// The record is stored in chunks, so that many pending transactions do not make one huge value:
//
//	"shard"       chunks (4) ‖ length (8) ‖ crc32c of the whole (4)
//	"shard/0001"  bytes …
const (
	metaName   = "shard"
	chunkBytes = 512 << 10
	metaTs     = graph.Timestamp(1) // the record has one version, overwritten
)

// Durable implements fsm.Machine.
func (s *Shard) Durable() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.durable
}

// Snapshot implements fsm.Machine: barrier, record, barrier.
func (s *Shard) Snapshot() ([]byte, error) {
	c, err := s.checkpoint()
	if err != nil {
		return nil, err
	}
	s.store.SetDiscardTs(s.offer(c))
	s.dropKept(c.applied)
	return c.appendBinary(nil), nil
}

// checkpoint makes everything that was applied durable, and what the replica knows of its builds.
func (s *Shard) checkpoint() (*capture, error) {
	s.recording.Lock()
	defer s.recording.Unlock()
	ctx := context.Background()
	c := s.capture()
	if bytes.Equal(s.recorded, c.fingerprint()) {
		return c, nil
	}
	if err := s.engine.Sync(ctx); err != nil {
		return nil, fullClass(err)
	}
	batch, err := encodeMeta(c.record())
	if err != nil {
		return nil, err
	}
	if err := s.engine.Write(ctx, batch); err != nil {
		return nil, fullClass(err)
	}
	if err := s.engine.Sync(ctx); err != nil {
		return nil, fullClass(err)
	}
	s.recorded = c.fingerprint()
	s.mu.Lock()
	s.durable = max(s.durable, c.applied)
	s.recordedHorizon = c.horizon
	s.mu.Unlock()
	return c, nil
}

func fullClass(err error) error {
	if errors.Is(err, storage.ErrFull) {
		return fault.As(fault.Exhausted, err)
	}
	return err
}

func encodeMeta(meta *pb.ShardMeta) (*storage.Batch, error) {
	whole, err := proto.Marshal(meta)
	if err != nil {
		return nil, err
	}
	batch := &storage.Batch{Owed: true} // it makes room: the log can be trimmed
	chunks := 0
	for chunk := range slices.Chunk(whole, chunkBytes) {
		chunks++
		batch.SetComplete(chunkKey(chunks), bytes.Clone(chunk), metaTs)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(chunks))
	head = binary.BigEndian.AppendUint64(head, uint64(len(whole)))
	head = binary.BigEndian.AppendUint32(head, checksum(whole))
	batch.SetComplete(keys.Meta(metaName), head, metaTs)
	return batch, nil
}

func chunkKey(n int) []byte { return keys.Meta(fmt.Sprintf("%s/%04d", metaName, n)) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// loaded is a replica's state as its record holds it.
type loaded struct {
	meta     *pb.ShardMeta
	view     *published
	types    map[string]*pb.TypeChange
	pending  map[graph.Timestamp]*txn
	pendingB int
	ended    ended
}

// decodeState makes a state of a record. It changes nothing.
func decodeState(meta *pb.ShardMeta, group graph.GroupID) (*loaded, error) {
	l := &loaded{
		meta: meta, types: map[string]*pb.TypeChange{}, pending: map[graph.Timestamp]*txn{},
		view: &published{
			tablets: map[graph.Predicate]*tablet{}, byEpoch: map[uint64]*tablet{}, remote: map[graph.Predicate]*tablet{},
			watermark: graph.Timestamp(meta.Watermark), maxUID: graph.UID(meta.MaxUid), seq: meta.Seq,
			members: meta.Members, incoming: map[graph.Predicate]*incoming{},
		},
	}
	local := map[uint64]*pb.LocalBuild{}
	for _, b := range meta.Local {
		local[b.Incarnation] = b
	}
	var update schema.Update
	for _, set := range meta.Tablets {
		t, err := newTablet(set)
		if err != nil {
			return nil, err
		}
		update.Predicates = append(update.Predicates, t.def)
		if graph.GroupID(set.Tablet.Group) != group {
			l.view.remote[t.def.Name] = t
			continue
		}
		if meta.Version == 1 { // from when a group had one replica: what it had not built Zero had not published
			t.since = graph.Timestamp(set.DerivedSince)
			t.inherit(nil)
		} else {
			t.loadLocal(local[set.Tablet.Incarnation])
		}
		l.view.keep(t)
	}
	if err := l.loadMoves(meta, local); err != nil {
		return nil, err
	}
	for _, c := range meta.Types {
		t, err := schema.DecodeType(c.Definition)
		if err != nil {
			return nil, fmt.Errorf("type %s: %w", c.Name, err)
		}
		l.types[c.Name] = c
		update.Types = append(update.Types, t)
	}
	for _, p := range meta.Pending {
		changes, err := posting.DecodePending(p.Pending)
		if err != nil {
			return nil, fmt.Errorf("pending transaction %d: %w", p.StartTs, err)
		}
		l.pending[graph.Timestamp(p.StartTs)] = &txn{pending: changes, epochs: p.Epochs, keys: p.Keys, closed: p.Last}
		l.pendingB += changes.Bytes()
	}
	for _, ts := range meta.Ended {
		l.ended.add(graph.Timestamp(ts))
	}
	l.view.schema = l.view.schema.With(update)
	l.view.settle()
	return l, nil
}

// loadMoves restores the copies that are on their way here, and those that moved away.
func (l *loaded) loadMoves(meta *pb.ShardMeta, local map[uint64]*pb.LocalBuild) error {
	for _, in := range meta.Incoming {
		name := nameOf(in.Namespace, in.Predicate)
		t := l.view.remote[name]
		if t == nil || t.set.Tablet.Move == nil {
			return fmt.Errorf("predicate %s is said to move here, but does not move", name)
		}
		m := t.set.Tablet.Move
		l.view.incoming[name] = &incoming{
			name: name, move: m.Id, base: graph.Timestamp(m.Base), complete: graph.Timestamp(in.Complete),
			upto: graph.Timestamp(in.Upto), next: in.Next,
		}
	}
	for _, set := range meta.Left {
		t, err := newTablet(set)
		if err != nil {
			return err
		}
		t.loadLocal(local[set.Tablet.Incarnation])
		l.view.left = append(l.view.left, &former{t, graph.Timestamp(set.Ts)})
	}
	return nil
}

// adopt makes l the state of the replica. The caller holds batch and mu, or is alone.
func (s *Shard) adopt(l *loaded) {
	for _, d := range l.meta.Dropped {
		s.store.Retire(graph.Incarnation(d.Incarnation))
	}
	s.types, s.pending, s.pendingB, s.ended = l.types, l.pending, l.pendingB, l.ended
	s.touched = map[graph.Timestamp]time.Time{}
	s.applied, s.durable, s.dropped = l.meta.Applied, l.meta.Applied, l.meta.Dropped
	s.forgettable = max(s.forgettable, graph.Timestamp(l.meta.Horizon))
	s.recordedHorizon = graph.Timestamp(l.meta.Horizon)
	s.horizon.begin(s.forgettable)
	s.newest = nil
	s.view.Store(l.view)
}

// loadMeta restores the replica's record; an engine without one is new.
func (s *Shard) loadMeta() error {
	r := s.engine.ReaderAt(graph.MaxTimestamp)
	defer r.Close()
	meta, err := readMeta(r)
	if err != nil {
		return fmt.Errorf("the replica's record: %w", err)
	}
	l, err := decodeState(meta, s.cfg.Group)
	if err != nil {
		return fmt.Errorf("the replica's record: %w", err)
	}
	s.adopt(l)
	return nil
}

func readMeta(r storage.Reader) (*pb.ShardMeta, error) {
	meta := &pb.ShardMeta{}
	head, err := readRecord(r, keys.Meta(metaName))
	if err != nil || head == nil {
		return meta, err
	}
	if len(head) != 16 {
		return nil, fmt.Errorf("its head has %d bytes, not 16", len(head))
	}
	var whole []byte
	for n := range int(binary.BigEndian.Uint32(head)) {
		chunk, err := readRecord(r, chunkKey(n+1))
		if err != nil {
			return nil, err
		}
		whole = append(whole, chunk...)
	}
	if uint64(len(whole)) != binary.BigEndian.Uint64(head[4:]) || checksum(whole) != binary.BigEndian.Uint32(head[12:]) {
		return nil, errors.New("it is damaged: length or checksum do not match")
	}
	if err := proto.Unmarshal(whole, meta); err != nil {
		return nil, err
	}
	return meta, checkVersion(meta)
}

func checkVersion(meta *pb.ShardMeta) error {
	if meta.Version < 1 || meta.Version > metaVersion {
		return fmt.Errorf("it has version %d, this program reads up to %d", meta.Version, metaVersion)
	}
	return nil
}

// readRecord returns the newest value of key, nil if there is none.
func readRecord(r storage.Reader, key []byte) (value []byte, err error) {
	err = r.Versions(key, func(_ graph.Timestamp, v storage.Version) bool {
		value = bytes.Clone(v.Value)
		return false
	})
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return value, err
}
