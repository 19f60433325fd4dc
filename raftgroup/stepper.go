package raftgroup

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"dragg/internal/fault"
	"dragg/raftgroup/raftlog"
)

// electionTicks is how many ticks without a leader make a follower stand for election.
const electionTicks = 10

// stepper is the pure part of a group: Raft, its log in memory, and what this package decides beyond Raft. Ticks, messages and
// requests go in; next says what is to be written and sent, stored takes note that it was. It is used by one goroutine, except
// that tail is safe for concurrent use.
type stepper struct {
	id   uint64
	node *raft.RawNode
	tail *tail

	view     view
	conf     *raftpb.ConfState // after the last change that is applied
	out      []*raftpb.Message // what this package says, besides what Raft says
	peers    peers
	removed  []removedMember
	quiet    int // ticks since anybody was heard of
	reads    reads
	handing  *handing
	fetching *raftpb.Message // the snapshot whose data is being fetched
}

// view is what a member knows of its group, as of the last work that was stored.
type view struct {
	term    uint64
	lead    uint64 // 0 when unknown
	leading bool
	commit  uint64
}

// work is what Raft wants done: send early, write the mark (if there is one), the hard state and the entries, sync, call
// stored, send late.
type work struct {
	rd          raft.Ready
	early, late []*raftpb.Message
	mark        *raftlog.Mark // of a snapshot that takes the place of the log; the machine has its data
	sync        bool          // the hard state must be on disk although Raft alone would not ask for it
}

// commit is a committed entry on its way to the machine.
type commit struct {
	entry *raftpb.Entry
	conf  *raftpb.ConfState // for a change of the membership: what it led to
	owner owner             // for a change of the membership: who proposed it; nobody for its second step
	gone  bool              // the change removed this member
	fetch *raftpb.Message   // instead of an entry: a snapshot whose data is to be fetched and restored
}

// newStepper starts Raft from what the log held. Attempt makes the contexts of its read requests unlike those of any other
// process that ran for this member.
//
// Raft hands out everything after the mark once more, also what the machine has already: changes of the membership among that
// must be applied again, since the mark holds an older one.
func newStepper(id uint64, st *raftlog.State, attempt uint64, lg *slog.Logger) (*stepper, error) {
	tail, err := newTail(st)
	if err != nil {
		return nil, err
	}
	node, err := raft.NewRawNode(&raft.Config{
		ID:                        id,
		ElectionTick:              electionTicks,
		HeartbeatTick:             1,
		Storage:                   tail,
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
	s := &stepper{id: id, node: node, tail: tail, conf: raftpb.EnsureConfState(st.Mark.ConfState), reads: reads{attempt: attempt}}
	s.view = view{term: st.HardState.GetTerm(), commit: max(st.HardState.GetCommit(), st.Mark.Index)}
	return s, nil
}

// sole reports whether nobody else votes.
func (s *stepper) sole() bool {
	return len(s.conf.Voters) == 1 && s.conf.Voters[0] == s.id && len(s.conf.VotersOutgoing) == 0
}

// alone reports whether the member is its whole group.
func (s *stepper) alone() bool { return s.sole() && len(s.conf.Learners) == 0 }

// tick moves Raft's clock and this package's.
func (s *stepper) tick() {
	s.node.Tick()
	s.reads.tick()
	s.askReads()
	s.tickHanding()
	if !s.alone() || len(s.peers)+len(s.removed) > 0 {
		s.tickPeers()
	}
	if s.quiet++; s.quiet%(2*electionTicks) == 0 {
		s.ask()
	}
	if m := s.fetching; m != nil {
		s.say(&raftpb.Message{Type: raftpb.MsgSnapStatus.Enum(), To: m.From})
	}
}

// say sends a message of this package's own: see receive for what they mean.
func (s *stepper) say(m *raftpb.Message) {
	m.From = &s.id
	s.out = append(s.out, m)
}

// errDropped is what a proposal gets that Raft does not take although this member leads.
var errDropped = fault.New(fault.Exhausted, "too much is waiting to be replicated; try again")

// propose appends entries to the log, all or none.
func (s *stepper) propose(entries []*raftpb.Entry) error {
	err := s.node.Step(&raftpb.Message{Type: raftpb.MsgProp.Enum(), From: new(uint64), Entries: entries})
	if !errors.Is(err, raft.ErrProposalDropped) {
		return err
	}
	if b := s.node.BasicStatus(); b.RaftState == raft.StateLeader && b.LeadTransferee == raft.None && s.member(s.id) {
		return errDropped
	}
	return ErrNotLeader
}

// member reports whether id belongs to the group, in whatever role.
func (s *stepper) member(id uint64) bool { return isMember(s.conf, id) }

func isMember(c *raftpb.ConfState, id uint64) bool {
	return slices.Contains(c.Voters, id) || slices.Contains(c.Learners, id) || slices.Contains(c.VotersOutgoing, id)
}

// receive takes a message of another member. Covered is the index up to which the machine has everything. It returns a snapshot
// whose data is to be fetched before Raft may hear of it; fetched says how that went. An error is the end of this member.
//
// Two types that Raft keeps to itself mean something between members: MsgSnapStatus goes from a member that was sent a snapshot
// to the leader, at every tick while the data is being fetched, and once with Reject when that failed. MsgUnreachable says that
// its receiver was removed from the group.
func (s *stepper) receive(m *raftpb.Message, covered uint64) (fetch *raftpb.Message, err error) {
	from := m.GetFrom()
	s.quiet = 0
	switch m.GetType() {
	case raftpb.MsgUnreachable:
		return nil, ErrRemoved
	case raftpb.MsgSnapStatus:
		s.snapshotStatus(from, m.GetReject())
		return nil, nil
	case raftpb.MsgSnap:
		if s.needs(m, covered) {
			if s.fetching != nil {
				return nil, nil // the leader asks again when it hears no more of that one
			}
			s.fetching = m
			return m, nil
		}
	}
	s.peers.heard(from)
	s.answerRemoved(from)
	// Raft refuses what it cannot use: answers of members that are gone. They are lost, as the network might have lost them.
	_ = s.node.Step(m)
	return nil, nil
}

// needs reports whether the data of a snapshot is needed: neither the machine nor the log have what it holds.
func (s *stepper) needs(m *raftpb.Message, covered uint64) bool {
	meta := m.GetSnapshot().GetMetadata()
	return meta.GetIndex() > max(covered, s.view.commit) && m.GetTerm() >= s.view.term
}

// fetched says that the data of the snapshot is in the machine, durably, or that it could not be had.
func (s *stepper) fetched(ok bool) {
	m := s.fetching
	s.fetching = nil
	if !ok {
		s.say(&raftpb.Message{Type: raftpb.MsgSnapStatus.Enum(), To: m.From, Reject: new(true)})
		return
	}
	// If there is a later leader by now, it has everything that this state is made of: what was committed stays so. It is
	// answered as if it had sent the snapshot, and goes on from there if its log does. If there is none yet Raft ignores the
	// message. The machine is ahead of the log then, which does no harm: what it has already is not applied to it again, and the
	// next snapshot needs no data.
	if b := s.node.BasicStatus(); m.GetTerm() < b.GetTerm() && b.Lead != raft.None {
		m = proto.Clone(m).(*raftpb.Message)
		m.From, m.Term = &b.Lead, new(b.GetTerm())
	}
	_ = s.node.Step(m)
}

// hasWork reports whether next has something to do.
func (s *stepper) hasWork() bool { return len(s.out) > 0 || s.node.HasReady() }

// next returns what is to be done. Until stored nothing else may be asked of the stepper, but ticks and messages.
func (s *stepper) next() work {
	rd := s.node.Ready()
	w := work{rd: rd, early: s.out}
	s.out = nil
	for _, e := range rd.CommittedEntries {
		w.sync = w.sync || isChange(e)
	}
	for _, m := range rd.Messages {
		switch m.GetType() {
		case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
			// A leader need not have on disk what it sends: its own disk counts as one voter's, once it is synced. So the
			// followers write at the same time.
			if !w.sync {
				w.early = append(w.early, m)
				continue
			}
		}
		w.late = append(w.late, m)
	}
	if meta := rd.Snapshot.GetMetadata(); meta.GetIndex() > 0 {
		w.mark = &raftlog.Mark{Index: meta.GetIndex(), Term: meta.GetTerm(), ConfState: meta.GetConfState()}
	}
	return w
}

// isChange reports whether the entry changes the membership. That it is committed is synced before it is acted upon, or others
// are told: else a crash could take the member back to a configuration whose other members are gone.
func isChange(e *raftpb.Entry) bool { return e.GetType() != raftpb.EntryNormal }

// stored takes note that w is on disk, and returns what is committed.
func (s *stepper) stored(w work) ([]commit, error) {
	if w.mark != nil {
		if err := s.tail.replace(*w.mark); err != nil {
			return nil, fmt.Errorf("beginning the log anew at %d: %w", w.mark.Index, err)
		}
		s.setConf(w.mark.ConfState)
	}
	if w.rd.HardState != nil {
		if err := s.tail.SetHardState(w.rd.HardState); err != nil {
			return nil, err
		}
	}
	if err := s.tail.Append(w.rd.Entries); err != nil {
		return nil, err
	}
	s.look(w.rd)
	commits := make([]commit, len(w.rd.CommittedEntries))
	for i, e := range w.rd.CommittedEntries {
		commits[i].entry = e
		if isChange(e) {
			if err := s.applyChange(&commits[i]); err != nil {
				return nil, err
			}
		}
	}
	s.node.Advance(w.rd)
	for _, r := range w.rd.ReadStates {
		s.reads.answer(r)
	}
	s.askReads()
	s.lookHanding()
	return commits, nil
}

// look notes leader, term and commit index.
func (s *stepper) look(rd raft.Ready) {
	was := s.view
	if rd.HardState != nil {
		s.view.term, s.view.commit = rd.HardState.GetTerm(), rd.HardState.GetCommit()
	}
	if rd.SoftState != nil {
		s.view.lead, s.view.leading = rd.SoftState.Lead, rd.SoftState.RaftState == raft.StateLeader
	}
	if was.term != s.view.term || was.lead != s.view.lead {
		s.reads.again()
		s.peers = peers{}
		s.tail.setFloor(0)
	}
}

// applyChange makes the change of the membership that the entry holds take effect in Raft.
func (s *stepper) applyChange(c *commit) error {
	var cc raftpb.ConfChangeI
	if v1, v2 := (&raftpb.ConfChange{}), (&raftpb.ConfChangeV2{}); c.entry.GetType() == raftpb.EntryConfChange {
		if err := proto.Unmarshal(c.entry.GetData(), v1); err != nil {
			return fmt.Errorf("the change of the membership at %d: %w", c.entry.GetIndex(), err)
		}
		cc = v1
	} else {
		if err := proto.Unmarshal(c.entry.GetData(), v2); err != nil {
			return fmt.Errorf("the change of the membership at %d: %w", c.entry.GetIndex(), err)
		}
		cc = v2
	}
	c.owner = ownerOf(cc.AsV2().GetContext())
	was := s.member(s.id)
	state := s.node.ApplyConfChange(cc)
	s.setConf(state)
	s.tail.noteConf(c.entry.GetIndex(), state)
	c.conf, c.gone = state, was && !s.member(s.id)
	return nil
}

// setConf moves to another membership, and notes who is not part of it any more.
func (s *stepper) setConf(state *raftpb.ConfState) {
	was := s.conf
	s.conf = raftpb.EnsureConfState(state)
	for _, ids := range [][]uint64{was.Voters, was.VotersOutgoing, was.Learners} {
		for _, id := range ids {
			if !s.member(id) {
				s.remove(id)
			}
		}
	}
}
