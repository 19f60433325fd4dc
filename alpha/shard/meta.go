package shard

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

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
const metaVersion = 1

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
	ctx := context.Background()
	meta, watermark := s.describe()
	if meta.Applied == s.Durable() {
		return nil, nil
	}
	if err := s.engine.Sync(ctx); err != nil {
		return nil, fullClass(err)
	}
	batch, err := encodeMeta(meta)
	if err != nil {
		return nil, err
	}
	if err := s.engine.Write(ctx, batch); err != nil {
		return nil, fullClass(err)
	}
	if err := s.engine.Sync(ctx); err != nil {
		return nil, fullClass(err)
	}
	s.mu.Lock()
	s.durable = meta.Applied
	s.mu.Unlock()
	s.store.SetDiscardTs(s.discardable(watermark))
	return binary.BigEndian.AppendUint64(nil, uint64(watermark)), nil
}

func fullClass(err error) error {
	if errors.Is(err, storage.ErrFull) {
		return fault.As(fault.Exhausted, err)
	}
	return err
}

// describe captures the replica's record between two batches.
func (s *Shard) describe() (*pb.ShardMeta, graph.Timestamp) {
	s.batch.Lock()
	defer s.batch.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.view.Load()
	meta := &pb.ShardMeta{
		Version: metaVersion, Applied: s.applied, Seq: v.seq, Watermark: uint64(v.watermark), MaxUid: uint64(v.maxUID),
		Members: v.members,
		Dropped: slices.Clone(s.dropped),
	}
	for _, t := range v.tablets {
		meta.Tablets = append(meta.Tablets, t.set)
	}
	for _, t := range s.types {
		meta.Types = append(meta.Types, t)
	}
	for start, t := range s.pending {
		meta.Pending = append(meta.Pending, &pb.Prewrite{
			StartTs: uint64(start), Pending: t.pending.AppendBinary(nil), Epochs: t.epochs, Keys: t.keys, Last: t.closed,
		})
	}
	for _, ts := range s.ended.order {
		meta.Ended = append(meta.Ended, uint64(ts))
	}
	return meta, v.watermark
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

// loadMeta restores the replica's record; an engine without one is new.
func (s *Shard) loadMeta() error {
	r := s.engine.ReaderAt(graph.MaxTimestamp)
	defer r.Close()
	meta, err := readMeta(r)
	if err != nil {
		return fmt.Errorf("the replica's record: %w", err)
	}
	v := &published{
		tablets: map[graph.Predicate]*tablet{}, byEpoch: map[uint64]*tablet{},
		members: meta.Members, watermark: graph.Timestamp(meta.Watermark), maxUID: graph.UID(meta.MaxUid), seq: meta.Seq,
	}
	var update schema.Update
	for _, set := range meta.Tablets {
		t, err := newTablet(set)
		if err != nil {
			return err
		}
		v.keep(t)
		update.Predicates = append(update.Predicates, t.def)
	}
	v.findDerivedSince()
	for _, c := range meta.Types {
		t, err := schema.DecodeType(c.Definition)
		if err != nil {
			return fmt.Errorf("type %s: %w", c.Name, err)
		}
		s.types[c.Name] = c
		update.Types = append(update.Types, t)
	}
	for _, p := range meta.Pending {
		changes, err := posting.DecodePending(p.Pending)
		if err != nil {
			return fmt.Errorf("pending transaction %d: %w", p.StartTs, err)
		}
		s.pending[graph.Timestamp(p.StartTs)] = &txn{pending: changes, epochs: p.Epochs, keys: p.Keys, closed: p.Last}
		s.pendingB += changes.Bytes()
	}
	for _, ts := range meta.Ended {
		s.ended.add(graph.Timestamp(ts))
	}
	for _, d := range meta.Dropped {
		s.store.Retire(graph.Incarnation(d.Incarnation))
	}
	v.schema = v.schema.With(update)
	s.applied, s.durable, s.dropped = meta.Applied, meta.Applied, meta.Dropped
	s.view.Store(v)
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
	if meta.Version != metaVersion {
		return nil, fmt.Errorf("it has version %d, this program reads %d", meta.Version, metaVersion)
	}
	return meta, nil
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

var errOneReplica = errors.New("a group of one replica has nobody to send its state to")

// WriteSnapshot implements fsm.Machine.
func (s *Shard) WriteSnapshot(context.Context, []byte, io.Writer) error { return errOneReplica }

// Restore implements fsm.Machine.
func (s *Shard) Restore(context.Context, []byte, io.Reader) error { return errOneReplica }
