package shard

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"dragg/posting/keys"
)

// captureID tells captures apart whose descriptors are the same: replicas, and one replica at different times, differ in which
// index builds are complete, and so in what they send.
type captureID [16]byte

// idOf returns the id of the capture with that descriptor and record.
func idOf(desc, record []byte) (id captureID) {
	h := sha256.New()
	h.Write(desc)
	h.Write(record)
	copy(id[:], h.Sum(nil))
	return id
}

// position is a place in the stream of a capture, between two lists: where a transfer that broke off goes on.
type position struct {
	capture        captureID
	changes, bytes uint64 // before it
	key            []byte // of the last list before it; nil for the start of the stream
}

const positionBytes = len(captureID{}) + 8 + 8 + 4 // and the key

// appendBinary appends capture ‖ changes ‖ bytes ‖ CRC-32C of that and the key ‖ key; see docs/format/snapshots.md.
func (p position) appendBinary(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint64(append(b, p.capture[:]...), p.changes)
	b = binary.BigEndian.AppendUint64(b, p.bytes)
	sum := checksum(append(b[start:len(b):len(b)], p.key...))
	return append(binary.BigEndian.AppendUint32(b, sum), p.key...)
}

func decodePosition(b []byte) (p position, err error) {
	if len(b) <= positionBytes {
		return position{}, fmt.Errorf("a position of %d bytes", len(b))
	}
	copy(p.capture[:], b)
	numbers := b[len(p.capture):]
	p.changes, p.bytes, p.key = binary.BigEndian.Uint64(numbers), binary.BigEndian.Uint64(numbers[8:]), bytes.Clone(numbers[20:])
	if !bytes.Equal(p.appendBinary(nil), b) {
		return position{}, errors.New("the position is damaged: its checksum does not match")
	}
	if _, err := keys.Parse(p.key); err != nil {
		return position{}, fmt.Errorf("the position: %w", err)
	}
	return p, nil
}

// next returns the key from which on lists come after the position.
func (p position) next() []byte { return append(bytes.Clone(p.key), 0) }

// Progress implements fsm.Machine: what Restore has kept is under a note, the descriptor and the position.
func (s *Shard) Progress(desc []byte) (after []byte) {
	after, ok := bytes.CutPrefix(s.engine.Kept(), desc)
	if len(desc) != descriptorBytes || !ok {
		return nil
	}
	if _, err := decodePosition(after); err != nil {
		return nil
	}
	return after
}

// dropKept removes what is kept of a transfer once it is of no use: this replica has all of it by itself now.
func (s *Shard) dropKept(durable uint64) {
	note := s.engine.Kept()
	if len(note) == 0 {
		return
	}
	if d, err := decodeDescriptor(note[:min(len(note), descriptorBytes)]); err == nil && d.applied > durable {
		return
	}
	s.lg.Info("removing a part of another replica's state that is not needed any more")
	if err := s.engine.Abandon(); err != nil {
		s.lg.Warn("a part of another replica's state was not removed", "err", err)
	}
}
