package raftgroup

import (
	"encoding/binary"
	"slices"

	"go.etcd.io/raft/v3"

	"dragg/internal/fault"
)

// Bounds of read requests, in ticks and in number.
const (
	readAgain    = electionTicks / 2 // an unanswered request is asked anew: messages get lost
	readPatience = 5 * electionTicks // then those who wait are told that no majority answers
	maxReads     = 1 << 16
)

var (
	errNoQuorum = fault.New(fault.Unavailable, "no majority of the group answers; is this node cut off?")
	errReads    = fault.New(fault.Exhausted, "too many reads wait for the group")
)

// read is one who wants an index that every write acknowledged before is at or below.
type read struct {
	done func(index uint64, err error)
	age  int
}

// reads collects read requests: one request to Raft is under way at a time, and it serves all that came before it was made
// (Ongaro §6.4). Each has a context of its own, so that a late answer to an earlier one is told from its own.
type reads struct {
	attempt uint64 // of the newest request
	waiting []*read
	asked   []*read // those that the request under way is for
	age     int     // of that request, in ticks
}

// readContext is 16 bytes that no other request has: whose it is, and which.
func readContext(node, attempt uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, node), attempt)
}

// read asks for a read index. done is called once, by whatever the stepper is asked later.
func (s *stepper) read(r *read) {
	if len(s.reads.waiting) >= maxReads {
		r.done(0, errReads)
		return
	}
	s.reads.waiting = append(s.reads.waiting, r)
	s.askReads()
}

// askReads makes a request for those that wait, if none is under way and there is a leader to ask. A leader that has not yet
// committed an entry of its own term does not know what is committed.
func (s *stepper) askReads() {
	if len(s.reads.asked) > 0 || len(s.reads.waiting) == 0 || s.view.lead == raft.None || s.view.leading && !s.settled() {
		return
	}
	s.reads.asked, s.reads.waiting, s.reads.age = s.reads.waiting, nil, 0
	s.reads.attempt++
	s.node.ReadIndex(readContext(s.id, s.reads.attempt))
}

// settled reports whether an entry of this term is committed.
func (s *stepper) settled() bool {
	term, err := s.tail.Term(s.view.commit)
	return err == nil && term == s.view.term
}

// answer gives those that the request is for their index.
func (r *reads) answer(rs raft.ReadState) {
	if len(rs.RequestCtx) != 16 || binary.BigEndian.Uint64(rs.RequestCtx[8:]) != r.attempt {
		return
	}
	for _, one := range r.asked {
		one.done(rs.Index, nil)
	}
	r.asked = nil
}

// again gives up the request under way: another leader must be asked.
func (r *reads) again() {
	if len(r.asked) > 0 {
		r.waiting = append(r.asked, r.waiting...)
		r.asked = nil
	}
}

func (r *reads) tick() {
	if len(r.asked) > 0 {
		if r.age++; r.age >= readAgain {
			r.again()
		}
	}
	old := func(one *read) bool {
		if one.age++; one.age <= readPatience {
			return false
		}
		one.done(0, errNoQuorum)
		return true
	}
	r.waiting = slices.DeleteFunc(r.waiting, old)
	r.asked = slices.DeleteFunc(r.asked, old)
}
