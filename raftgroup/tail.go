package raftgroup

import (
	"bytes"
	"fmt"
	"math"
	"sync"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"dragg/raftgroup/raftlog"
)

// tail is the part of the log that is in memory, and what a member says of its state to those that the tail cannot serve. It
// is safe for concurrent use: Raft reads it, the checkpointer trims it.
type tail struct {
	*raft.MemoryStorage // entries after the mark, and as many below it as lagging members may want

	mu     sync.Mutex
	mark   uint64           // guarded by mu: index of the newest mark
	confs  []confAt         // guarded by mu: the membership at the mark, then each change of it after the mark
	offer  *raftpb.Snapshot // guarded by mu: the machine's state at the mark or above, nil where it must be described first
	wanted bool             // guarded by mu: Raft asked for a snapshot, and the offer did not do
	floor  uint64           // guarded by mu: live members need the entries from here on; 0 where none does
}

// confAt is the membership from the entry at index on.
type confAt struct {
	index uint64
	state *raftpb.ConfState
}

func newTail(st *raftlog.State) (*tail, error) {
	t := &tail{MemoryStorage: raft.NewMemoryStorage()}
	if err := t.replace(st.Mark); err != nil {
		return nil, fmt.Errorf("starting from the mark at %d: %w", st.Mark.Index, err)
	}
	if err := t.SetHardState(st.HardState); err != nil {
		return nil, err
	}
	return t, t.Append(st.Entries)
}

// replace begins the tail anew behind mark.
func (t *tail) replace(mark raftlog.Mark) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mark, t.confs, t.offer = mark.Index, []confAt{{mark.Index, mark.ConfState}}, nil
	return t.ApplySnapshot(snapshotOf(mark, nil))
}

func snapshotOf(mark raftlog.Mark, desc []byte) *raftpb.Snapshot {
	return &raftpb.Snapshot{Data: desc, Metadata: &raftpb.SnapshotMetadata{
		ConfState: mark.ConfState, Index: &mark.Index, Term: &mark.Term,
	}}
}

// noteConf records what the change at index made of the membership.
func (t *tail) noteConf(index uint64, state *raftpb.ConfState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.confs = append(t.confs, confAt{index, state})
}

// Snapshot implements raft.Storage. A snapshot does for another member if the log goes on from it and if it knows of the newest
// change of the membership: that may be what made the receiver a member.
func (t *tail) Snapshot() (*raftpb.Snapshot, error) {
	first, err := t.FirstIndex()
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.does(first) {
		t.wanted = true
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return proto.Clone(t.offer).(*raftpb.Snapshot), nil
}

// does reports whether the offer does while the log begins at first. The caller holds mu.
func (t *tail) does(first uint64) bool {
	return t.offer != nil && t.offer.GetMetadata().GetIndex()+1 >= first && t.offer.GetMetadata().GetIndex() >= t.confs[len(t.confs)-1].index
}

// offering reports whether other members can be offered a snapshot.
func (t *tail) offering() (bool, error) {
	first, err := t.FirstIndex()
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.does(first), nil
}

// withdraw offers what desc describes no more; it reports whether it was the offer.
func (t *tail) withdraw(desc []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.offer == nil || !bytes.Equal(t.offer.GetData(), desc) {
		return false
	}
	t.offer = nil
	return true
}

// takeWanted reports whether a snapshot was asked for in vain since the last call.
func (t *tail) takeWanted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	wanted := t.wanted
	t.wanted = false
	return wanted
}

// setFloor says from which entry on the log is needed by live members; 0 is none.
func (t *tail) setFloor(index uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.floor = index
}

// markAt returns the mark at index, and whether it is newer than the newest. An index below the newest has no mark.
func (t *tail) markAt(index uint64) (mark raftlog.Mark, newer bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if index < t.mark {
		return raftlog.Mark{}, false, nil
	}
	term, err := t.Term(index)
	if err != nil {
		return raftlog.Mark{}, false, fmt.Errorf("the term of log entry %d: %w", index, err)
	}
	mark = raftlog.Mark{Index: index, Term: term}
	for _, c := range t.confs {
		if c.index <= index {
			mark.ConfState = c.state
		}
	}
	return mark, index > t.mark, nil
}

// marked moves to a mark that is recorded, offers the state there to other members, and trims the tail.
func (t *tail) marked(mark raftlog.Mark, desc []byte, keepBytes int) error {
	first, err := t.FirstIndex()
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mark, t.offer = mark.Index, snapshotOf(mark, desc)
	for len(t.confs) > 1 && t.confs[1].index <= mark.Index {
		t.confs = t.confs[1:]
	}
	if mark.Index < first {
		return nil
	}
	entries, err := t.Entries(first, mark.Index+1, math.MaxUint64)
	if err != nil {
		return err
	}
	if t.alone() {
		keepBytes = 0 // a member that joins begins with a snapshot
	}
	if cut := cutAt(entries, keepBytes, t.floor); cut >= first {
		return t.Compact(cut)
	}
	return nil
}

// alone reports whether the group has one member. The caller holds mu.
func (t *tail) alone() bool {
	now := t.confs[len(t.confs)-1].state
	return len(now.GetVoters())+len(now.GetVotersOutgoing())+len(now.GetLearners())+len(now.GetLearnersNext()) <= 1
}

// How much of the log below the mark is kept for members that lag.
const (
	// entryOverhead is what an entry takes in memory besides its data.
	entryOverhead = 160
	// keepForLive is how many times Config.KeepBytes are kept where a live member needs them.
	keepForLive = 4
)

// cutAt returns the index of the last of the entries that need not be kept, 0 where all are: what fits into keepBytes is kept,
// and what live members need from floor on, but not without bound.
func cutAt(entries []*raftpb.Entry, keepBytes int, floor uint64) uint64 {
	kept := 0
	for i := len(entries) - 1; i >= 0; i-- {
		index := entries[i].GetIndex()
		kept += len(entries[i].GetData()) + entryOverhead
		needed := floor > 0 && index >= floor && kept <= keepForLive*keepBytes
		if kept > keepBytes && !needed {
			return index
		}
	}
	return 0
}
