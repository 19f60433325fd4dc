package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"dragg/protos/pb"
	"dragg/raftgroup/fsm"
)

// A descriptor is version (2) ‖ applied index (8); a stream is length (8) ‖ what the snapshot file holds. See
// docs/format/snapshots.md.
const (
	descriptorVersion = 1
	descriptorBytes   = 2 + 8
	lengthBytes       = 8
)

func descriptor(applied uint64) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, descriptorBytes), descriptorVersion)
	return binary.BigEndian.AppendUint64(b, applied)
}

func appliedOf(desc []byte) (uint64, error) {
	if len(desc) != descriptorBytes {
		return 0, fmt.Errorf("a descriptor of Zero's state has %d bytes, this has %d", descriptorBytes, len(desc))
	}
	if v := binary.BigEndian.Uint16(desc); v != descriptorVersion {
		return 0, fmt.Errorf("a descriptor of Zero's state of version %d, this program reads %d", v, descriptorVersion)
	}
	return binary.BigEndian.Uint64(desc[2:]), nil
}

// writeStep is how much of a stream is written at once.
const writeStep = 256 << 10

// Progress implements fsm.Machine: Zero's state is small, and always sent from the start.
func (m *Machine) Progress([]byte) []byte { return nil }

// WriteSnapshot implements fsm.Machine: it streams what the snapshot file holds, once more verified.
func (m *Machine) WriteSnapshot(ctx context.Context, desc, _ []byte, w io.Writer) error {
	applied, err := appliedOf(desc)
	if err != nil {
		return err
	}
	saved, err := m.file.load() // a file is replaced as a whole: this is the one before or the one after
	if err != nil {
		return fmt.Errorf("reading the state to be sent: %w", err)
	}
	if saved.Applied != applied {
		return fmt.Errorf("the state of Zero as of entry %d was asked for, the newest snapshot is as of %d: %w",
			applied, saved.Applied, fsm.ErrSnapshotGone)
	}
	body, err := encodeSnapshot(saved)
	if err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, lengthBytes), uint64(len(body)))
	for _, part := range [][]byte{b, body} {
		for len(part) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := min(len(part), writeStep)
			if _, err := w.Write(part[:n]); err != nil {
				return fmt.Errorf("sending the state of Zero: %w", err)
			}
			part = part[n:]
		}
	}
	return nil
}

// Restore implements fsm.Machine. Nothing is replaced before all of the stream is verified, and then the snapshot file first:
// after a crash the machine has the old state or the new one. Readers of a stream go on in the new state, where they left off.
func (m *Machine) Restore(ctx context.Context, desc []byte, r io.Reader) error {
	applied, err := appliedOf(desc)
	if err != nil {
		return err
	}
	received, err := readStream(ctx, applied, r)
	if err != nil {
		return fmt.Errorf("the state of Zero as of entry %d cannot be restored: %w", applied, err)
	}
	next := newCluster(received, m.limits)
	m.saving.Lock()
	defer m.saving.Unlock()
	if err := m.file.store(received); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.s, m.durable = next, applied
	close(m.changed)
	m.changed = make(chan struct{})
	return nil
}

// readStream reads and verifies a stream up to its end.
func readStream(ctx context.Context, applied uint64, r io.Reader) (*pb.ZeroState, error) {
	r = &cancelledReader{ctx, r}
	var head [lengthBytes]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("the stream broke off in its length, after %d bytes: %w", n, noEOF(err))
	}
	length := binary.BigEndian.Uint64(head[:])
	var body bytes.Buffer
	// One byte more than announced, to see that there is none. The length is not believed before the bytes are here.
	n, err := io.Copy(&body, io.LimitReader(r, int64(min(length, maxStream)+1)))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the stream broke off after %d of %d bytes: %w", n, length, err)
	case uint64(n) < length:
		return nil, fmt.Errorf("the stream broke off after %d of %d bytes: %w", n, length, io.ErrUnexpectedEOF)
	case uint64(n) > length:
		return nil, fmt.Errorf("the stream goes on after the %d bytes that it announced: it is damaged", length)
	}
	s, err := decodeSnapshot(body.Bytes())
	if err != nil {
		return nil, err
	}
	if s.Applied != applied {
		return nil, fmt.Errorf("the stream holds the state as of entry %d", s.Applied)
	}
	return s, nil
}

// maxStream bounds what is taken from a stream.
const maxStream = 4 << 30

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cancelledReader ends with its context.
type cancelledReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelledReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
