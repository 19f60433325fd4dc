package raftgroup

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/fnv"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
)

func (s *sim) remove(m *simMember) {
	s.trace("%d: member %d learns that it was removed", s.step, m.id)
	m.step, m.gone = nil, true
	s.counts.Removed++
}

func (s *sim) crash(m *simMember) {
	s.trace("%d: member %d crashes", s.step, m.id)
	m.disk.crash(s.rng)
	m.step = nil
	s.counts.Crashes++
}

// send puts messages into the network.
func (s *sim) send(msgs []*raftpb.Message) {
	for _, m := range msgs {
		if s.chance(s.drop) {
			continue
		}
		times := 1
		if s.chance(s.repeat) {
			times = 2
		}
		for range times {
			delay := 1
			if !s.calm {
				delay = 1 + s.rng.IntN(s.delay)
			}
			s.network = append(s.network, simMessage{s.step + delay, m})
		}
	}
}

// work carries out what the stepper says, as Group.carryOut does; it may crash in between.
func (s *sim) work(m *simMember) {
	for m.step != nil && m.step.hasWork() {
		w := m.step.next()
		s.send(w.early)
		if s.chance(3) || votes(w.rd.Messages) && s.chance(100) {
			s.crash(m)
			if s.chance(700) {
				s.start(m) // at once: would it vote again?
			}
			return
		}
		s.save(m, &w)
		if s.chance(3) {
			s.crash(m)
			return
		}
		commits, err := m.step.stored(w)
		if err != nil {
			s.fail("member %d: %v", m.id, err)
			return
		}
		s.send(w.late)
		s.look(m)
		for _, c := range commits {
			s.noteCommitted(m, c.entry)
		}
		m.queue = append(m.queue, commits...)
		if m.step.tail.takeWanted() {
			s.checkpoint(m)
		}
	}
}

func votes(msgs []*raftpb.Message) bool {
	return slices.ContainsFunc(msgs, func(m *raftpb.Message) bool { return m.GetType() == raftpb.MsgVoteResp })
}

func (s *sim) save(m *simMember, w *work) {
	d := m.disk
	if w.mark != nil {
		mark := *w.mark
		if d.state.index < mark.Index {
			s.fail("member %d: the log would begin at %d, the data covers %d", m.id, mark.Index, d.state.index)
		}
		d.write(func() { d.mark, d.entries = mark, nil })
	}
	if hard := w.rd.HardState; hard != nil {
		d.write(func() { d.hard = hard })
	}
	if list := w.rd.Entries; len(list) > 0 {
		d.write(func() { d.append(list) })
	}
	if w.rd.MustSync || w.sync || w.mark != nil {
		d.sync()
	}
	for _, e := range w.rd.CommittedEntries {
		if isChange(e) && d.hard.GetCommit() < e.GetIndex() {
			s.fail("member %d acts on the change at %d, and a crash could make it forget that it is committed", m.id, e.GetIndex())
		}
	}
}

// look checks that each term has one leader, and that a leader has everything that is committed.
func (s *sim) look(m *simMember) {
	v := m.step.view
	if !v.leading {
		return
	}
	was, ok := s.leaders[v.term]
	if ok && was != m.id {
		s.fail("term %d has the leaders %d and %d", v.term, was, m.id)
	}
	if ok {
		return
	}
	s.trace("%d: member %d leads term %d", s.step, m.id, v.term)
	s.leaders[v.term] = m.id
	s.counts.Elections++
	first, _ := m.step.tail.FirstIndex()
	last, _ := m.step.tail.LastIndex()
	if last < s.top {
		s.fail("member %d leads term %d with a log that ends at %d, but %d is committed", m.id, v.term, last, s.top)
	}
	for i := first; i <= s.top; i++ {
		if term, err := m.step.tail.Term(i); err != nil || term != s.committed[i].term {
			s.fail("member %d leads term %d with another entry %d than the one committed: term %d (%v)", m.id, v.term, i, term, err)
		}
	}
}

func (s *sim) noteCommitted(m *simMember, e *raftpb.Entry) {
	h := fnv.New64a()
	h.Write(e.GetData())
	is := simEntry{e.GetTerm(), h.Sum64()}
	if was, ok := s.committed[e.GetIndex()]; ok && was != is {
		s.fail("entry %d was committed with term %d, and on member %d with term %d", e.GetIndex(), was.term, m.id, is.term)
	}
	s.committed[e.GetIndex()] = is
	s.top = max(s.top, e.GetIndex())
}

// apply is the applier: everything that waits, in order.
func (s *sim) apply(m *simMember) {
	for len(m.queue) > 0 && m.step != nil {
		c := m.queue[0]
		m.queue = m.queue[1:]
		if c.fetch != nil {
			s.fetch(m, c.fetch)
			return
		}
		if c.conf != nil {
			s.counts.Changes++
			s.trace("%d: member %d has the members %v at %d", s.step, m.id, c.conf, c.entry.GetIndex())
		}
		e := c.entry
		m.passed = e.GetIndex()
		if e.GetIndex() > m.machine.index && (isChange(e) || len(e.GetData()) > 0) {
			m.machine.apply(e)
			if !isChange(e) {
				s.settle(m, e)
			}
		}
		for cmd, term := range m.waiting {
			if term < e.GetTerm() {
				s.lost(m, cmd)
			}
		}
		if c.gone {
			s.remove(m)
		}
	}
}

func (st *simState) apply(e *raftpb.Entry) {
	st.index = e.GetIndex()
	if isChange(e) {
		return
	}
	cmd := binary.BigEndian.Uint64(e.GetData())
	if st.seen == nil {
		st.seen = map[uint64]uint64{}
	}
	st.seen[cmd] += e.GetIndex() // a command that is applied twice shows in the sum
	st.hash = sha256.Sum256(binary.BigEndian.AppendUint64(st.hash[:], cmd))
}

func (s *sim) settle(m *simMember, e *raftpb.Entry) {
	cmd := binary.BigEndian.Uint64(e.GetData())
	if m.machine.seen[cmd] != e.GetIndex() {
		s.fail("command %d was applied twice", cmd)
	}
	if _, ok := m.waiting[cmd]; ok {
		delete(m.waiting, cmd)
		s.acked[cmd], s.maxAcked = true, max(s.maxAcked, e.GetIndex())
		s.counts.Acknowledged++
	}
}

// lost is what the proposer was told, so it must be true.
func (s *sim) lost(m *simMember, cmd uint64) {
	delete(m.waiting, cmd)
	s.acked[cmd] = false
	s.counts.Lost++
}

// fetch gets the data of a snapshot, or does not.
func (s *sim) fetch(m *simMember, msg *raftpb.Message) {
	index := msg.GetSnapshot().GetMetadata().GetIndex()
	if m.machine.index >= index {
		m.step.fetched(true)
		s.work(m)
		return
	}
	from := s.member(msg.GetFrom())
	state, ok := from.serving[string(msg.GetSnapshot().GetData())]
	ok = ok && from.step != nil && !s.chance(200)
	if ok {
		clear(m.waiting)
		m.machine, m.disk.state = state.clone(), state.clone()
		s.counts.Snapshots++
		if s.chance(50) {
			s.crash(m)
			return
		}
	} else {
		s.counts.FailedFetches++
	}
	s.trace("%d: member %d fetches the state at %d: %v", s.step, m.id, index, ok)
	m.step.fetched(ok)
	s.work(m)
}

// checkpoint is Group.Checkpoint; it may crash in between.
func (s *sim) checkpoint(m *simMember) {
	m.disk.state = m.machine.clone()
	desc := binary.BigEndian.AppendUint64(nil, m.machine.index)
	m.serving = map[string]simState{string(desc): m.machine.clone()}
	if s.chance(20) {
		s.crash(m)
		return
	}
	mark, newer, err := m.step.tail.markAt(min(m.machine.index, m.passed))
	if err != nil {
		s.fail("a mark on member %d: %v", m.id, err)
		return
	}
	if mark.Index == 0 {
		return
	}
	if newer {
		m.disk.write(func() { m.disk.begin(mark) })
		m.disk.sync()
	}
	keep := s.rng.IntN(3000)
	if err := m.step.tail.marked(mark, desc, keep); err != nil {
		s.fail("trimming the log of member %d: %v", m.id, err)
	}
}
