package raftgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"testing/cryptotest"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"dragg/raftgroup/raftlog"
)

// Goal: what Raft promises holds for what this package makes of it: one leader a term, committed entries are never lost or
// changed, logs match, acknowledged commands are there once, and a healed group agrees and goes on. Method: steppers of up to
// five members in one goroutine, driven by one seed, over a network that loses, repeats, delays and cuts off, with crashes at
// every step of a write that lose what was not synced, with snapshots, changes of members, reads and transfers.
//
// A failing seed is replayed, with a trace, by:
//
//	DRAGG_RAFT_SEED=n go test -run TestSimulation ./raftgroup -v
func TestSimulation(t *testing.T) {
	first, count := uint64(0), uint64(250)
	if testing.Short() || underRace {
		count = 20
	}
	if s := os.Getenv("DRAGG_RAFT_SEEDS"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		count = n
	}
	trace := false
	if s := os.Getenv("DRAGG_RAFT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, count, trace = n, 1, true
	}
	total := simCounts{}
	for seed := first; seed < first+count; seed++ {
		cryptotest.SetGlobalRandom(t, seed) // Raft's election timeouts
		s := newSim(seed)
		if trace {
			s.trace = t.Logf
		}
		if err := s.run(); err != nil {
			t.Fatalf("seed %d, step %d: %v\nreplay: DRAGG_RAFT_SEED=%d go test -run TestSimulation ./raftgroup -v", seed, s.step, err, seed)
		}
		total.add(s.counts)
	}
	t.Logf("%d seeds: %+v", count, total)
	if count >= 200 {
		for what, n := range total.all() {
			if n == 0 {
				t.Errorf("no %s in %d seeds: the simulation does not reach it", what, count)
			}
		}
	}
}

// simCounts says what came to pass.
type simCounts struct {
	Elections, Proposed, Acknowledged, Crashes, Snapshots, FailedFetches, Changes, Removed, Reads, Transfers, Lost int
}

func (c *simCounts) all() map[string]int {
	return map[string]int{
		"election": c.Elections, "acknowledgement": c.Acknowledged, "crash": c.Crashes, "snapshot": c.Snapshots,
		"failed fetch": c.FailedFetches, "change of members": c.Changes, "removal": c.Removed, "read": c.Reads,
		"transfer": c.Transfers, "proposal proved lost": c.Lost,
	}
}

func (c *simCounts) add(o simCounts) {
	c.Elections += o.Elections
	c.Proposed += o.Proposed
	c.Acknowledged += o.Acknowledged
	c.Crashes += o.Crashes
	c.Snapshots += o.Snapshots
	c.FailedFetches += o.FailedFetches
	c.Changes += o.Changes
	c.Removed += o.Removed
	c.Reads += o.Reads
	c.Transfers += o.Transfers
	c.Lost += o.Lost
}

// simDisk is what of a member survives a crash.
type simDisk struct {
	mark    raftlog.Mark
	hard    *raftpb.HardState
	entries []*raftpb.Entry // after the mark
	pending []func()        // written and not synced: what a sync does to the fields above
	state   simState        // the machine's durable state
}

func (d *simDisk) write(f func()) { d.pending = append(d.pending, f) }

func (d *simDisk) sync() {
	for _, f := range d.pending {
		f()
	}
	d.pending = nil
}

// crash loses what was not synced, or some of it.
func (d *simDisk) crash(rng *rand.Rand) {
	for _, f := range d.pending[:rng.IntN(len(d.pending)+1)] {
		f()
	}
	d.pending = nil
}

func (d *simDisk) append(list []*raftpb.Entry) {
	for _, e := range list {
		if e.GetIndex() > d.mark.Index {
			d.entries = append(d.entries[:e.GetIndex()-d.mark.Index-1], e)
		}
	}
}

func (d *simDisk) begin(m raftlog.Mark) { // a checkpoint
	drop := min(m.Index-d.mark.Index, uint64(len(d.entries)))
	d.mark, d.entries = m, slices.Clone(d.entries[drop:])
}

// simState is the machine: a hash over all commands in order, and which there were.
type simState struct {
	index uint64
	hash  [32]byte
	seen  map[uint64]uint64 // command → index
}

func (s simState) clone() simState {
	seen := make(map[uint64]uint64, len(s.seen))
	for k, v := range s.seen {
		seen[k] = v
	}
	s.seen = seen
	return s
}

// simMember is one member, up or down.
type simMember struct {
	id      uint64
	disk    *simDisk
	step    *stepper // nil while it is down
	machine simState
	queue   []commit
	passed  uint64 // the last entry that went through apply
	gone    bool   // it learned that it was removed
	serving map[string]simState
	waiting map[uint64]uint64 // command → term in which it was proposed
}

type simMessage struct {
	at int
	m  *raftpb.Message
}

// sim is a group in one goroutine.
type sim struct {
	seed    uint64
	rng     *rand.Rand
	step    int
	members []*simMember
	network []simMessage
	cut     map[[2]uint64]bool // from, to
	calm    bool               // no faults any more
	drop    int                // in 1000
	repeat  int
	delay   int

	leaders   map[uint64]uint64   // term → id
	committed map[uint64]simEntry // index → what
	top       uint64              // highest committed index
	acked     map[uint64]bool     // commands that were acknowledged
	maxAcked  uint64              // highest index that was acknowledged
	next      uint64              // the next command
	nextID    uint64
	counts    simCounts
	trace     func(string, ...any)
	err       error
}

type simEntry struct{ term, hash uint64 }

func newSim(seed uint64) *sim {
	s := &sim{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), cut: map[[2]uint64]bool{}, leaders: map[uint64]uint64{},
		committed: map[uint64]simEntry{}, acked: map[uint64]bool{}, trace: func(string, ...any) {},
	}
	s.drop, s.repeat, s.delay = s.rng.IntN(150), s.rng.IntN(100), 1+s.rng.IntN(8)
	n := 3 + 2*s.rng.IntN(2)
	var voters []uint64
	for i := range n {
		voters = append(voters, uint64(i+1))
	}
	s.nextID = uint64(n + 1)
	for _, id := range voters {
		s.join(id, raftlog.Mark{Index: 1, Term: 1, ConfState: &raftpb.ConfState{Voters: voters}})
	}
	return s
}

// join adds a member with an empty log.
func (s *sim) join(id uint64, mark raftlog.Mark) *simMember {
	m := &simMember{id: id, disk: &simDisk{
		mark: mark, hard: &raftpb.HardState{Term: new(mark.Term), Vote: new(uint64), Commit: new(mark.Index)},
	}}
	s.members = append(s.members, m)
	s.start(m)
	return m
}

func (s *sim) start(m *simMember) {
	d := m.disk
	st := &raftlog.State{Mark: d.mark, HardState: proto.Clone(d.hard).(*raftpb.HardState), Entries: slices.Clone(d.entries)}
	step, err := newStepper(m.id, st, s.rng.Uint64()>>1, slog.New(slog.DiscardHandler))
	if err != nil {
		s.fail("starting %d: %v", m.id, err)
		return
	}
	m.passed = d.mark.Index
	m.step, m.machine, m.queue, m.waiting = step, d.state.clone(), nil, map[uint64]uint64{}
	s.trace("%d: member %d starts at mark %d, durable %d", s.step, m.id, d.mark.Index, d.state.index)
}

func (s *sim) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

func (s *sim) member(id uint64) *simMember {
	for _, m := range s.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (s *sim) chance(inThousand int) bool { return !s.calm && s.rng.IntN(1000) < inThousand }

// run is a time of trouble, then a time to heal.
func (s *sim) run() (err error) {
	defer func() {
		if p := recover(); p != nil { // Raft's own invariants
			err = fmt.Errorf("%v\n%s", p, debug.Stack())
		}
	}()
	for s.step = 0; s.step < 300 && s.err == nil; s.step++ {
		s.trouble()
		s.turn()
	}
	s.calm, s.cut = true, map[[2]uint64]bool{}
	for _, m := range s.members {
		if m.step == nil && !m.gone {
			s.start(m)
		}
	}
	for end := s.step + 600; s.step < end && s.err == nil; s.step++ {
		if s.step%5 == 0 {
			s.command()
		}
		s.turn()
		if s.step > end-540 && s.step%10 == 0 && s.agreed() {
			break
		}
	}
	if s.err == nil {
		s.checkEnd()
	}
	return s.err
}

// trouble is what happens besides time passing.
func (s *sim) trouble() {
	for _, m := range s.members {
		if m.step != nil && s.chance(8) {
			s.crash(m)
		} else if m.step == nil && !m.gone && s.chance(60) {
			s.start(m)
		}
		if m.step != nil && s.chance(20) {
			s.checkpoint(m)
		}
	}
	if s.chance(15) {
		s.partition()
	}
	if s.chance(25) {
		s.cut = map[[2]uint64]bool{}
	}
	if s.chance(300) {
		s.command()
	}
	if s.chance(30) {
		s.readIndex()
	}
	if s.chance(30) {
		s.changeMembers()
	}
	if s.chance(10) {
		if l := s.leader(); l != nil {
			l.step.handOver(0, func(err error) {
				if err == nil {
					s.counts.Transfers++
				}
			})
		}
	}
}

// partition cuts links: all of one member, one direction, or between two halves.
func (s *sim) partition() {
	switch s.rng.IntN(3) {
	case 0:
		one := s.members[s.rng.IntN(len(s.members))].id
		for _, m := range s.members {
			s.cut[[2]uint64{one, m.id}], s.cut[[2]uint64{m.id, one}] = true, true
		}
	case 1:
		a, b := s.members[s.rng.IntN(len(s.members))].id, s.members[s.rng.IntN(len(s.members))].id
		s.cut[[2]uint64{a, b}] = true
	case 2:
		side := map[uint64]bool{}
		for _, m := range s.members {
			side[m.id] = s.rng.IntN(2) == 0
		}
		for _, a := range s.members {
			for _, b := range s.members {
				if side[a.id] != side[b.id] {
					s.cut[[2]uint64{a.id, b.id}] = true
				}
			}
		}
	}
}

// turn lets one tick pass: messages arrive, members do what there is to do.
func (s *sim) turn() {
	for _, m := range s.members {
		if m.step != nil {
			m.step.tick()
			s.work(m)
		}
	}
	due := slices.DeleteFunc(slices.Clone(s.network), func(m simMessage) bool { return m.at > s.step })
	s.network = slices.DeleteFunc(s.network, func(m simMessage) bool { return m.at <= s.step })
	if !s.calm {
		s.rng.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	}
	for _, d := range due {
		to := s.member(d.m.GetTo())
		if to == nil || to.step == nil || s.cut[[2]uint64{d.m.GetFrom(), d.m.GetTo()}] {
			continue
		}
		fetch, err := to.step.receive(d.m, to.disk.state.index)
		if errors.Is(err, ErrRemoved) {
			s.remove(to)
			continue
		}
		if fetch != nil {
			to.queue = append(to.queue, commit{fetch: fetch})
		}
		s.work(to)
	}
	for _, m := range s.members {
		if m.step != nil && (s.calm || s.rng.IntN(3) > 0) {
			s.apply(m)
		}
	}
	if s.step%10 == 0 {
		s.checkLogs()
	}
}

func (s *sim) leader() *simMember {
	var best *simMember
	for _, m := range s.members {
		if m.step != nil && m.step.view.leading && (best == nil || m.step.view.term > best.step.view.term) {
			best = m
		}
	}
	return best
}

// command proposes a command to a member that believes that it leads.
func (s *sim) command() {
	for _, m := range s.members {
		if m.step == nil || !m.step.view.leading {
			continue
		}
		s.next++
		data := binary.BigEndian.AppendUint64(nil, s.next)
		if m.step.propose([]*raftpb.Entry{{Data: append(data, make([]byte, s.rng.IntN(200))...)}}) == nil {
			m.waiting[s.next] = m.step.view.term
			s.counts.Proposed++
		}
		s.work(m)
	}
}

// readIndex asks some member; the answer must cover everything that was acknowledged before.
func (s *sim) readIndex() {
	m := s.members[s.rng.IntN(len(s.members))]
	if m.step == nil {
		return
	}
	before := s.maxAcked
	m.step.read(&read{done: func(index uint64, err error) {
		if err != nil {
			return
		}
		s.counts.Reads++
		if index < before {
			s.fail("a read on member %d may miss entry %d, which was acknowledged before: it got %d", m.id, before, index)
		}
	}})
	s.work(m)
}

// changeMembers adds a learner, makes one a voter in place of another, or removes somebody.
func (s *sim) changeMembers() {
	l := s.leader()
	if l == nil {
		return
	}
	single := func(typ raftpb.ConfChangeType, id uint64) *raftpb.ConfChangeSingle {
		return &raftpb.ConfChangeSingle{Type: typ.Enum(), NodeId: &id}
	}
	cc := &raftpb.ConfChangeV2{}
	voters, learners := l.step.conf.Voters, l.step.conf.Learners
	pick := func(ids []uint64) uint64 { return ids[s.rng.IntN(len(ids))] }
	switch r := s.rng.IntN(4); {
	case len(learners) == 0 && len(voters)+len(learners) < 7:
		cc.Changes = append(cc.Changes, single(raftpb.ConfChangeAddLearnerNode, s.nextID))
	case len(learners) > 0 && r < 2:
		cc.Changes = append(cc.Changes, single(raftpb.ConfChangeAddNode, pick(learners)))
		if r == 0 {
			cc.Changes = append(cc.Changes, single(raftpb.ConfChangeRemoveNode, pick(voters)))
		}
	case len(voters) > 3:
		cc.Changes = append(cc.Changes, single(raftpb.ConfChangeRemoveNode, pick(voters)))
	default:
		return
	}
	data, err := proto.Marshal(cc)
	if err != nil {
		s.fail("%v", err)
		return
	}
	if err := l.step.change(&raftpb.Entry{Type: raftpb.EntryConfChangeV2.Enum(), Data: data}, cc); err != nil {
		return
	}
	s.trace("%d: member %d proposes %v", s.step, l.id, cc)
	if cc.Changes[0].GetNodeId() == s.nextID {
		s.nextID++
		s.join(s.nextID-1, raftlog.Mark{})
	}
	s.work(l)
}
