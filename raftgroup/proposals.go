package raftgroup

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dragg/internal/fault"
)

// ErrNotLeader says that the proposal was surely not carried out, since this node does not lead its group.
var ErrNotLeader = fault.New(fault.Unavailable, "this node does not lead its group")

// What a proposal gets whose outcome cannot be learned here.
var (
	errStopped = fault.New(fault.Unknown, "the group stopped before the outcome was known")
	errDeposed = fault.New(fault.Unknown, "this node lost the leadership of its group before the outcome was known")
	errSkipped = fault.New(fault.Unknown, "this node took over the state of another one; the outcome is in there")
)

type outcome struct {
	result any
	err    error
}

// proposal is a command on its way into the log.
type proposal struct {
	cmd   []byte
	seq   uint64
	state *proposed
}

// Then is called with the result of a proposal by the goroutine that applies, which it must not hold up. Where it returns true the
// proposer goes on waiting, for what settle is called with, once; where it returns false the proposer has the result.
type Then = func(result any, settle func(result any)) bool

// proposed is one who waits for a proposal.
type proposed struct {
	done  chan outcome // capacity 1
	then  Then         // nil: the result is what is waited for
	began time.Time
	term  uint64 // guarded by proposals.mu: in which Raft took it; 0 while it did not, anyTerm once it is applied
}

// anyTerm is the term of a proposal that cannot be lost any more, but whose outcome is not there yet.
const anyTerm = math.MaxUint64

// proposals matches applied entries with those who wait for them.
type proposals struct {
	node    uint64
	seconds prometheus.Observer // of those that are applied

	mu      sync.Mutex
	seq     uint64               // guarded by mu
	waiting map[uint64]*proposed // guarded by mu
	stopped bool                 // guarded by mu
}

func newProposals(node uint64, seconds prometheus.Observer) *proposals {
	return &proposals{node: node, seconds: seconds, seq: rand.Uint64(), waiting: map[uint64]*proposed{}}
}

// add registers a command, which is kept. The channel receives exactly one outcome.
func (p *proposals) add(cmd []byte, then Then) (proposal, error) {
	state := &proposed{done: make(chan outcome, 1), then: then, began: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return proposal{}, ErrNotLeader
	}
	p.seq++
	p.waiting[p.seq] = state
	return proposal{cmd: cmd, seq: p.seq, state: state}, nil
}

// admitted notes that Raft took the proposals in term. From now on only the log says what became of them.
func (p *proposals) admitted(batch []proposal, term uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range batch {
		one.state.term = term
	}
}

// len returns how many proposals wait.
func (p *proposals) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// settle gives the proposal its outcome, if anybody on this node waits for it.
func (p *proposals) settle(seq uint64, o outcome) {
	p.mu.Lock()
	one := p.waiting[seq]
	delete(p.waiting, seq)
	p.mu.Unlock()
	if one == nil {
		return
	}
	if o.err == nil {
		p.seconds.Observe(time.Since(one.began).Seconds())
		if one.then != nil && one.then(o.result, one.settle) {
			return
		}
	}
	one.done <- o
}

func (p *proposed) settle(result any) { p.done <- outcome{result: result} }

// settleOwner gives the proposer of what is applied its result.
func (p *proposals) settleOwner(by owner, result any) {
	if by.node == p.node {
		p.settle(by.seq, outcome{result: result})
	}
}

// hold keeps the proposer of an applied entry waiting: more is to come.
func (p *proposals) hold(by owner) {
	if by.node != p.node {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.waiting[by.seq]; one != nil {
		one.term = anyTerm
	}
}

// overtaken answers proposals of earlier terms that were not settled although an entry of term is applied: the log holds
// entries in the order of their terms, so theirs cannot be in it and were surely not carried out.
func (p *proposals) overtaken(term uint64) {
	p.fail(ErrNotLeader, func(one *proposed) bool { return one.term > 0 && one.term < term })
}

// unknown answers those whose proposals Raft took in term or before, as the outcome is not learned here in time.
func (p *proposals) unknown(term uint64, err error) {
	p.fail(err, func(one *proposed) bool { return one.term > 0 && (one.term <= term || one.term == anyTerm) })
}

// stop answers everybody who waits: those that Raft did not take were surely not carried out.
func (p *proposals) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.unknown(anyTerm, errStopped)
	p.fail(ErrNotLeader, func(*proposed) bool { return true })
}

func (p *proposals) fail(err error, which func(*proposed) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for seq, one := range p.waiting {
		if which(one) {
			delete(p.waiting, seq)
			one.done <- outcome{err: err}
		}
	}
}

// wait returns the outcome, or that it is unknown when ctx ends first.
func wait(ctx context.Context, p proposal) (any, error) {
	select {
	case o := <-p.state.done:
		return o.result, o.err
	case <-ctx.Done():
		return nil, fault.New(fault.Unknown, "gave up waiting for the outcome: %w", ctx.Err())
	}
}
