package raftgroup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"dragg/raftgroup/fsm"
)

// counters is a machine of registers that count. A command is a writer (8 bytes) and its number (8): the numbers of a writer
// must come in order, so that one that is lost after a later one was acknowledged, or applied twice, is found. The result is
// the index.
type counters struct {
	mu      sync.Mutex
	disk    *counterState // survives
	state   counterState
	serving map[string][]byte // what WriteSnapshot writes
	slow    time.Duration     // for each part of a snapshot that is written
	failing int               // so many more snapshots break off
	wrong   error
	applied uint64 // commands since it was opened
	restore int    // how many times it was restored
}

type counterState struct {
	index uint64
	last  map[uint64]uint64 // writer → its last number
	total uint64
	hash  [32]byte // over all commands
	kept  *partial // of another member's state; survives, and is no part of what is sent
}

func (s *counterState) clone() counterState {
	c := *s
	c.last = maps.Clone(s.last)
	return c
}

func openCounters(disk *counterState) *counters {
	if disk.kept == nil {
		disk.kept = &partial{}
	}
	return &counters{disk: disk, state: disk.clone(), serving: map[string][]byte{}}
}

func (m *counters) Apply(cmds []fsm.Command) ([]any, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]any, len(cmds))
	before := m.state.index // an entry comes whole
	for i, c := range cmds {
		if c.Index <= before || c.Index < m.state.index {
			return nil, fmt.Errorf("entry %d after entry %d", c.Index, m.state.index)
		}
		m.state.index = c.Index
		if len(c.Data) == 0 {
			continue
		}
		writer, n := binary.BigEndian.Uint64(c.Data), binary.BigEndian.Uint64(c.Data[8:])
		if m.state.last == nil {
			m.state.last = map[uint64]uint64{}
		}
		if n <= m.state.last[writer] {
			m.wrong = fmt.Errorf("writer %d: number %d at entry %d comes after %d", writer, n, c.Index, m.state.last[writer])
		}
		m.state.last[writer] = n
		m.state.total++
		m.applied++
		m.state.hash = sha256.Sum256(append(m.state.hash[:], c.Data[:16]...))
		out[i] = c.Index
	}
	return out, nil
}

func (m *counters) Durable() uint64 { m.mu.Lock(); defer m.mu.Unlock(); return m.disk.index }

func (m *counters) Snapshot() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*m.disk = m.state.clone()
	desc := binary.BigEndian.AppendUint64(nil, m.state.index)
	m.serving = map[string][]byte{string(desc): m.state.encode()}
	return desc, nil
}

func (s *counterState) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, s.index)
	b = binary.BigEndian.AppendUint64(b, s.total)
	b = append(b, s.hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(s.last)))
	for _, w := range slices.Sorted(maps.Keys(s.last)) {
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, w), s.last[w])
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func (m *counters) WriteSnapshot(ctx context.Context, desc, after []byte, w io.Writer) error {
	m.mu.Lock()
	b, ok := m.serving[string(desc)]
	slow := m.slow
	if m.failing > 0 {
		m.failing--
		b = b[:len(b)/2]
	}
	m.mu.Unlock()
	if !ok {
		return fsm.ErrSnapshotGone
	}
	from := uint64(0)
	if len(after) == 8 {
		from = binary.BigEndian.Uint64(after)
	}
	b = append(binary.BigEndian.AppendUint64(nil, from), b[min(from, uint64(len(b))):]...)
	for part := range slices.Chunk(b, 16) {
		if slow > 0 {
			select {
			case <-time.After(slow):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (m *counters) Restore(_ context.Context, desc []byte, r io.Reader) error {
	b, err := m.collect(desc, r)
	if err != nil {
		return err
	}
	if len(b) < 88 {
		return errors.New("the stream broke off")
	}
	body, sum := b[:len(b)-32], sha256.Sum256(b[:len(b)-32])
	if !bytes.Equal(sum[:], b[len(b)-32:]) {
		return errors.New("the stream is damaged")
	}
	s := counterState{index: binary.BigEndian.Uint64(body), total: binary.BigEndian.Uint64(body[8:]), last: map[uint64]uint64{}, kept: m.disk.kept}
	copy(s.hash[:], body[16:])
	for b := body[56:]; len(b) > 0; b = b[16:] {
		s.last[binary.BigEndian.Uint64(b)] = binary.BigEndian.Uint64(b[8:])
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	*m.disk, m.state = s.clone(), s
	m.restore++
	return nil
}

func (m *counters) sum() (total uint64, hash [32]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.total, m.state.hash
}

func (m *counters) restores() int { m.mu.Lock(); defer m.mu.Unlock(); return m.restore }

func command(writer, n uint64, padding int) []byte {
	return append(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, writer), n), make([]byte, padding)...)
}

// partial is what came of a stream that broke.
type partial struct {
	desc, bytes []byte
}

// Progress returns how many bytes came before the stream broke.
func (m *counters) Progress(desc []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.disk.kept; len(k.bytes) > 0 && bytes.Equal(desc, k.desc) {
		return binary.BigEndian.AppendUint64(nil, uint64(len(k.bytes)))
	}
	return nil
}

// collect returns the stream, with what was kept of it before it, and keeps what came when it breaks.
func (m *counters) collect(desc []byte, r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(r)
	if len(b) < 8 {
		return nil, errors.Join(errors.New("the stream broke off"), err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	from, b := binary.BigEndian.Uint64(b), b[8:]
	k := m.disk.kept
	if from > 0 {
		if !bytes.Equal(desc, k.desc) || from != uint64(len(k.bytes)) {
			return nil, errors.New("the stream goes on with something else")
		}
		b = append(k.bytes, b...)
	}
	*k = partial{}
	if err != nil {
		*k = partial{bytes.Clone(desc), b}
	}
	return b, err
}
