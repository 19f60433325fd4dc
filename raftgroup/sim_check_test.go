package raftgroup

// checkLogs checks that logs which agree at an index agree below it.
func (s *sim) checkLogs() {
	for i, a := range s.members {
		for _, b := range s.members[:i] {
			if a.step != nil && b.step != nil {
				s.checkTwo(a, b)
			}
		}
	}
}

func (s *sim) checkTwo(a, b *simMember) {
	firstA, _ := a.step.tail.FirstIndex()
	firstB, _ := b.step.tail.FirstIndex()
	lastA, _ := a.step.tail.LastIndex()
	lastB, _ := b.step.tail.LastIndex()
	agree := false
	for i := min(lastA, lastB); i >= max(firstA, firstB) && i > 0; i-- {
		termA, _ := a.step.tail.Term(i)
		termB, _ := b.step.tail.Term(i)
		agree = agree || termA == termB
		if agree && termA != termB {
			s.fail("the logs of %d and %d agree above entry %d, and not there", a.id, b.id, i)
			return
		}
	}
}

// current returns the members that the newest configuration has.
func (s *sim) current() []*simMember {
	l := s.leader()
	if l == nil {
		return nil
	}
	var out []*simMember
	for _, m := range s.members {
		if l.step.member(m.id) {
			out = append(out, m)
		}
	}
	return out
}

// agreed reports whether all members have the same state.
func (s *sim) agreed() bool {
	members := s.current()
	for _, m := range members {
		if m.step == nil || m.machine.hash != members[0].machine.hash || len(m.waiting) > 0 || len(m.step.conf.VotersOutgoing) > 0 {
			return false
		}
	}
	return len(members) > 0
}

// checkEnd checks a group that had time to heal.
func (s *sim) checkEnd() {
	s.checkLogs()
	if !s.agreed() {
		for _, m := range s.current() {
			s.trace("member %d: up %v, index %d, hash %x, waiting %v", m.id, m.step != nil, m.machine.index, m.machine.hash[:4], m.waiting)
		}
		s.fail("the members do not agree after all faults were healed")
		return
	}
	state := s.current()[0].machine
	for cmd, acked := range s.acked {
		if _, there := state.seen[cmd]; there != acked {
			s.fail("command %d was acknowledged: %v, but is in the state: %v", cmd, acked, there)
		}
	}
}
