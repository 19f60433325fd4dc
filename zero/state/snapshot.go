package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// snapshotVersion is the version of the snapshot file; see docs/format/snapshots.md.
const snapshotVersion = 1

// snapshotFile keeps the newest state of Zero: magic ‖ version ‖ crc32c of the rest ‖ pb.ZeroState.
type snapshotFile struct{ dir string }

const (
	snapshotName  = "zero.snapshot"
	snapshotMagic = "DRAGGZ"
	headerBytes   = len(snapshotMagic) + 2 + 4
)

// load returns the stored state, an empty one if there is none.
func (f snapshotFile) load() (*pb.ZeroState, error) {
	path := filepath.Join(f.dir, snapshotName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &pb.ZeroState{}, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := decodeSnapshot(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func decodeSnapshot(b []byte) (*pb.ZeroState, error) {
	if len(b) < headerBytes || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return nil, errors.New("this is not a snapshot of Zero")
	}
	if v := binary.BigEndian.Uint16(b[len(snapshotMagic):]); v != snapshotVersion {
		return nil, fmt.Errorf("snapshot version %d, this program reads %d", v, snapshotVersion)
	}
	body := b[headerBytes:]
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(b[headerBytes-4:]) {
		return nil, errors.New("the snapshot is damaged: its checksum does not match")
	}
	s := &pb.ZeroState{}
	if err := proto.Unmarshal(body, s); err != nil {
		return nil, fmt.Errorf("the snapshot cannot be decoded: %w", err)
	}
	o := s.GetOracle()
	if len(o.GetKeys()) != len(o.GetKeyTs()) || len(o.GetStartTs()) != len(o.GetCommitTs()) {
		return nil, errors.New("the snapshot contradicts itself: columns of the oracle differ in length")
	}
	return s, nil
}

func encodeSnapshot(s *pb.ZeroState) ([]byte, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(s)
	if err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, headerBytes+len(body)), snapshotMagic...)
	b = binary.BigEndian.AppendUint16(b, snapshotVersion)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return append(b, body...), nil
}

// store replaces the stored state: temporary file, sync, rename, sync of the folder. A full disk leaves the old one.
func (f snapshotFile) store(s *pb.ZeroState) error {
	b, err := encodeSnapshot(s)
	if err != nil {
		return err
	}
	err = f.replace(b)
	if errors.Is(err, syscall.ENOSPC) {
		return fault.New(fault.Exhausted, "writing Zero's snapshot: %w", err)
	}
	return err
}

func (f snapshotFile) replace(b []byte) error {
	path := filepath.Join(f.dir, snapshotName)
	tmp, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := tmp.Write(b); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Sync(); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	dir, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// save returns the whole state as a message of its own.
func (c *cluster) save() *pb.ZeroState {
	p := c.describe()
	for _, g := range slices.Sorted(maps.Keys(c.streams)) {
		s := c.streams[g]
		p.Streams = append(p.Streams, &pb.GroupStream{Group: uint32(g), NextSeq: s.next, Events: slices.Clone(s.events)})
	}
	o := &pb.OracleState{Floor: uint64(c.oracle.Floor())}
	c.oracle.Dump(func(k graph.ConflictKey, ts graph.Timestamp) {
		o.Keys, o.KeyTs = append(o.Keys, uint64(k)), append(o.KeyTs, uint64(ts))
	}, func(start, commit graph.Timestamp) {
		o.StartTs, o.CommitTs = append(o.StartTs, uint64(start)), append(o.CommitTs, uint64(commit))
	})
	p.Oracle = o
	return p
}

// describe returns the state without the streams and the oracle.
func (c *cluster) describe() *pb.ZeroState {
	p := &pb.ZeroState{
		Version: snapshotVersion, Applied: c.applied, ClusterId: c.clusterID,
		TsBound: c.tsBound, UidBound: c.uidBound, Decided: c.decided, NextIncarnation: c.nextID, NextNode: c.nextNode,
	}
	p.Policy = c.policy
	c.ended.save(p)
	p.Replicas, p.Members, p.Removed = c.replicas, slices.Clone(c.members), slices.Clone(c.removed)
	for _, name := range c.sortedPredicates() {
		p.Tablets = append(p.Tablets, c.tablets[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.types)) {
		p.Types = append(p.Types, c.types[name])
	}
	return p
}
