package state

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/protos/pb"
	"dragg/raftgroup/fsm"
	"dragg/zero/oracle"
)

// Machine is Zero's state. It implements fsm.Machine.
type Machine struct {
	file   snapshotFile
	limits oracle.Limits

	saving sync.Mutex // held while the snapshot file is replaced, from the capture on; it comes before mu

	mu      sync.Mutex
	s       *cluster      // guarded by mu
	changed chan struct{} // guarded by mu: closed and replaced after every batch of entries
	durable uint64        // guarded by mu
}

var _ fsm.Machine = (*Machine)(nil)

// Open loads the newest snapshot from dir, or starts empty.
func Open(dir string, limits oracle.Limits) (*Machine, error) {
	m := &Machine{file: snapshotFile{dir: dir}, limits: limits, changed: make(chan struct{})}
	saved, err := m.file.load()
	if err != nil {
		return nil, err
	}
	m.s = newCluster(saved, limits)
	m.durable = m.s.applied
	return m, nil
}

// Apply carries out log entries. The result of each is *pb.AlterReply, *pb.JoinReply, []*pb.CommitReply, *pb.LeaseReply,
// *pb.RemoveReply or *pb.MoveReply, or an error value for a refused join, removal or step of a move.
func (m *Machine) Apply(cmds []fsm.Command) ([]any, error) {
	results := make([]any, len(cmds))
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, c := range cmds {
		var e pb.ZeroEntry
		if err := proto.Unmarshal(c.Data, &e); err != nil {
			return nil, fmt.Errorf("entry %d of Zero's log cannot be decoded: %w", c.Index, err)
		}
		results[i] = m.s.apply(&e)
		m.s.applied = c.Index
	}
	close(m.changed)
	m.changed = make(chan struct{})
	return results, nil
}

// Durable implements fsm.Machine.
func (m *Machine) Durable() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.durable
}

// Snapshot implements fsm.Machine: it writes the whole state to the snapshot file.
func (m *Machine) Snapshot() ([]byte, error) {
	m.saving.Lock()
	defer m.saving.Unlock()
	m.mu.Lock()
	applied, durable := m.s.applied, m.durable
	var saved *pb.ZeroState
	if applied != durable {
		saved = m.s.save()
	}
	m.mu.Unlock()
	if saved == nil {
		return descriptor(applied), nil
	}
	if err := m.file.store(saved); err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.durable = applied
	m.mu.Unlock()
	return descriptor(applied), nil
}

// State returns a copy of the state without what the oracle and the streams remember: what /state shows.
func (m *Machine) State() *pb.ZeroState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.s.describe()
}

// Moving returns the tablets that move. They are not changed any more.
func (m *Machine) Moving() []*pb.Tablet {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*pb.Tablet
	for _, t := range m.s.tablets {
		if t.Move != nil {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *pb.Tablet) int { return cmp.Compare(a.Move.Id, b.Move.Id) })
	return out
}

// Ended returns how a move ended, nil if it has not or that is forgotten. It is not changed any more.
func (m *Machine) Ended(move uint64) *pb.MoveEnd {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.s.ended.moves, func(e *pb.MoveEnd) bool { return e.Id == move })
	if i < 0 {
		return nil
	}
	return m.s.ended.moves[i]
}

// MoveCounts returns how many moves were begun, and how many ended, by outcome.
func (m *Machine) MoveCounts() (begun uint64, ended []uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.s.ended.begun, slices.Clone(m.s.ended.counts)
}

// Tablet returns what is known of a predicate, nil if there is none. It is not changed any more.
func (m *Machine) Tablet(p graph.Predicate) *pb.Tablet {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.s.tablets[p]
}

// Members returns the nodes of the cluster. They are not changed any more.
func (m *Machine) Members() []*pb.Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.s.members)
}

// Outcome returns how the transaction that started at start ended; see oracle.Outcome.
func (m *Machine) Outcome(start graph.Timestamp) (graph.Timestamp, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.s.oracle.Outcome(start)
}

// Bounds returns the leased bounds: timestamps and uids at or above them are not given out yet. decided is the highest
// commit timestamp below which nothing is open.
func (m *Machine) Bounds() (ts graph.Timestamp, uid graph.UID, decided graph.Timestamp) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return graph.Timestamp(m.s.tsBound), graph.UID(m.s.uidBound), graph.Timestamp(m.s.decided)
}

// maxBatchEvents bounds one StreamBatch.
const maxBatchEvents = 4096

// Events returns what the group's stream holds after seq, and the watermark. changed is closed when there may be more.
// An error means that events after seq are forgotten already: the group is behind its own acknowledgement.
func (m *Machine) Events(group graph.GroupID, seq uint64) (b *pb.StreamBatch, changed <-chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.s.streams[group]
	if st == nil && m.s.gone(uint32(group)) {
		return nil, nil, fmt.Errorf("group %d is no more: all its nodes were removed from cluster %s", group, m.s.clusterID)
	}
	if st == nil {
		st = &stream{next: 1} // it begins when the group has something to learn
	}
	first := st.next - uint64(len(st.events))
	if seq+1 < first {
		return nil, nil, fmt.Errorf("the stream of group %d starts at %d, but the group has only %d", group, first, seq)
	}
	if seq >= st.next {
		return nil, nil, fmt.Errorf("the stream of group %d ends before %d, but the group claims to have %d: is it of another cluster?",
			group, st.next, seq)
	}
	events := st.events[seq+1-first:]
	b = &pb.StreamBatch{MaxUid: m.s.uidBound}
	if len(events) > maxBatchEvents {
		b.Events = events[:maxBatchEvents:maxBatchEvents]
		b.Watermark = watermarkBefore(events[maxBatchEvents:], m.s.decided)
	} else {
		b.Events, b.Watermark = events[:len(events):len(events)], m.s.decided
	}
	return b, m.changed, nil
}

// watermarkBefore returns a timestamp that is decided once everything before rest is known.
func watermarkBefore(rest []*pb.Event, decided uint64) uint64 {
	for _, e := range rest {
		if c := e.GetVerdict().GetCommitTs(); c > 0 {
			return c - 1
		}
	}
	return decided
}
