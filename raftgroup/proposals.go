package raftgroup

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"

	"go.etcd.io/raft/v3/raftpb"

	"dragg/internal/fault"
)

// Every entry that a node proposes starts with a header, so that the proposer recognises it when it is applied:
//
//	node id (8 bytes, big endian) ‖ sequence number of the process (8 bytes) ‖ the command
//
// Sequence numbers start at a random one, so that an entry of the same node's earlier life that is replayed after a restart
// is not taken for a proposal of this one.
const headerBytes = 16

// ErrNotLeader says that the proposal was surely not carried out, since this node does not lead its group.
var ErrNotLeader = fault.New(fault.Unavailable, "this node does not lead its group")

// errStopped is what a proposal gets that was in flight when the group stopped or changed its leader.
var errStopped = fault.New(fault.Unknown, "the group stopped before the outcome was known")

type outcome struct {
	result any
	err    error
}

// proposal is a command on its way into the log.
type proposal struct {
	entry *raftpb.Entry
	seq   uint64
}

// proposals matches applied entries with those who wait for them.
type proposals struct {
	node uint64

	mu      sync.Mutex
	seq     uint64                  // guarded by mu
	waiting map[uint64]chan outcome // guarded by mu
	stopped bool                    // guarded by mu
}

func newProposals(node uint64) *proposals {
	return &proposals{node: node, seq: rand.Uint64(), waiting: map[uint64]chan outcome{}}
}

// add registers a command. The channel receives exactly one outcome.
func (p *proposals) add(cmd []byte) (proposal, <-chan outcome, error) {
	data := make([]byte, headerBytes, headerBytes+len(cmd))
	done := make(chan outcome, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return proposal{}, nil, ErrNotLeader
	}
	p.seq++
	p.waiting[p.seq] = done
	binary.BigEndian.PutUint64(data, p.node)
	binary.BigEndian.PutUint64(data[8:], p.seq)
	return proposal{entry: &raftpb.Entry{Data: append(data, cmd...)}, seq: p.seq}, done, nil
}

// settle gives the proposal its outcome, if anybody on this node waits for it.
func (p *proposals) settle(seq uint64, o outcome) {
	p.mu.Lock()
	done := p.waiting[seq]
	delete(p.waiting, seq)
	p.mu.Unlock()
	if done != nil {
		done <- o
	}
}

// settleEntry gives the proposer of an applied entry its result.
func (p *proposals) settleEntry(data []byte, result any) {
	if binary.BigEndian.Uint64(data) == p.node {
		p.settle(binary.BigEndian.Uint64(data[8:]), outcome{result: result})
	}
}

// failAll answers everybody who waits, as the outcome cannot be learned here any more.
func (p *proposals) failAll(err error, stop bool) {
	p.mu.Lock()
	waiting := p.waiting
	p.waiting = map[uint64]chan outcome{}
	p.stopped = p.stopped || stop
	p.mu.Unlock()
	for _, done := range waiting {
		done <- outcome{err: err}
	}
}

// wait returns the outcome, or that it is unknown when ctx ends first.
func wait(ctx context.Context, done <-chan outcome) (any, error) {
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
		return nil, fault.New(fault.Unknown, "gave up waiting for the outcome: %w", ctx.Err())
	}
}
