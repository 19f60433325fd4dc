package raftgroup

import (
	"fmt"
	"log/slog"
	"math"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"dragg/raftgroup/raftlog"
)

// stepper is the pure part of a group: Raft and its in-memory log tail. It is used by one goroutine, except that tail is
// safe for concurrent use.
type stepper struct {
	node *raft.RawNode
	tail *raft.MemoryStorage
}

// newStepper starts Raft from what the log held. durable is the index that the machine's storage covers.
func newStepper(id uint64, st *raftlog.State, durable uint64, lg *slog.Logger) (*stepper, error) {
	tail := raft.NewMemoryStorage()
	err := tail.ApplySnapshot(&raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
		ConfState: st.Mark.ConfState, Index: &st.Mark.Index, Term: &st.Mark.Term,
	}})
	if err != nil {
		return nil, fmt.Errorf("starting from the mark at %d: %w", st.Mark.Index, err)
	}
	if err := tail.SetHardState(st.HardState); err != nil {
		return nil, err
	}
	if err := tail.Append(st.Entries); err != nil {
		return nil, err
	}
	// The commit index is written lazily and may lag behind what was applied before a crash.
	applied := min(max(durable, st.Mark.Index), max(st.HardState.GetCommit(), st.Mark.Index))
	node, err := raft.NewRawNode(&raft.Config{
		ID:                        id,
		ElectionTick:              electionTicks,
		HeartbeatTick:             1,
		Storage:                   tail,
		Applied:                   applied,
		MaxSizePerMsg:             1 << 20,
		MaxCommittedSizePerReady:  16 << 20,
		MaxUncommittedEntriesSize: 256 << 20,
		MaxInflightMsgs:           256,
		MaxInflightBytes:          64 << 20,
		CheckQuorum:               true,
		PreVote:                   true,
		ReadOnlyOption:            raft.ReadOnlySafe,
		Logger:                    raftLogger{lg},
		DisableProposalForwarding: true,
		StepDownOnRemoval:         true,
	})
	if err != nil {
		return nil, err
	}
	return &stepper{node: node, tail: tail}, nil
}

// electionTicks is how many ticks without a leader make a follower stand for election.
const electionTicks = 10

// propose appends entries to the log, all or none.
func (s *stepper) propose(entries []*raftpb.Entry) error {
	typ := raftpb.MsgProp
	return s.node.Step(&raftpb.Message{Type: &typ, From: new(uint64), Entries: entries})
}

// trim forgets entries of the tail below the mark, but keeps those that fit into keepBytes for followers that lag a little.
func (s *stepper) trim(mark raftlog.Mark, keepBytes int) error {
	first, err := s.tail.FirstIndex()
	if err != nil {
		return err
	}
	if mark.Index < first {
		return nil
	}
	if _, err := s.tail.CreateSnapshot(mark.Index, mark.ConfState, nil); err != nil {
		return fmt.Errorf("marking the log tail at %d: %w", mark.Index, err)
	}
	entries, err := s.tail.Entries(first, mark.Index+1, math.MaxUint64)
	if err != nil {
		return err
	}
	cut := mark.Index
	for i := len(entries) - 1; i >= 0; i-- {
		if keepBytes -= len(entries[i].GetData()); keepBytes < 0 {
			break
		}
		cut = entries[i].GetIndex() - 1
	}
	if cut < first {
		return nil
	}
	return s.tail.Compact(cut)
}
