package raftgroup

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dragg/internal/fault"
)

// Goal: leaders fail under load and nothing that was acknowledged is lost, nothing applied twice, all members agree. Method:
// stop and restart or cut off whoever leads, over a network that loses, repeats, delays and reorders.
func TestFailover(t *testing.T) {
	c := newCluster(t, 3, Config{CheckpointBytes: 64 << 10})
	c.everyLink(link{drop: 0.02, repeat: 0.02, jitter: 2 * time.Millisecond})
	l := c.writeOn(8, 100)
	for round := range 8 {
		was := c.leader()
		before := l.progress()
		if round%2 == 0 {
			c.stop(was.id)
		} else {
			c.isolate(was.id)
		}
		c.leader(was.id)
		c.await("writes after the leader failed", func() bool { return l.progress() > before+20 })
		if round%2 == 0 {
			c.start(was.id)
		} else {
			c.heal()
			c.everyLink(link{drop: 0.02, repeat: 0.02, jitter: 2 * time.Millisecond})
		}
		before = l.progress()
		c.await("writes after it came back", func() bool { return l.progress() > before+20 })
	}
	l.end()
	c.heal()
	c.check(l, 1, 2, 3)
}

// Goal: the same for a group of five with two members failing at a time.
func TestTwoOfFiveFail(t *testing.T) {
	c := newCluster(t, 5, Config{CheckpointBytes: 64 << 10})
	l := c.writeOn(4, 50)
	for round := range uint64(4) {
		a, b := c.leader().id, 1+round
		if a == b {
			b = 5
		}
		c.stop(a)
		c.isolate(b)
		before := l.progress()
		c.await("writes with two members gone", func() bool { return l.progress() > before+20 })
		c.start(a)
		c.heal()
		before = l.progress()
		c.await("writes with all members", func() bool { return l.progress() > before+20 })
	}
	l.end()
	c.check(l, 1, 2, 3, 4, 5)
}

// Goal: a minority acknowledges nothing and serves no reads; what was under way on the leader in it ends unknown, or is proved
// lost when it hears of the others again. Method: cut the leader off with proposals in flight, and read on both sides.
func TestMinority(t *testing.T) {
	c := newCluster(t, 3, Config{})
	writer := c.writer()
	c.write(writer, 1, 5, 0)
	old := c.leader()
	c.isolate(old.id)
	type result struct {
		err error
		n   uint64
	}
	results := make(chan result, 8)
	for n := range uint64(8) {
		go func() {
			_, err := old.Propose(c.ctx, command(100+n, 1, 0))
			results <- result{err, n}
		}()
	}
	ctx, cancel := context.WithTimeout(c.ctx, 20*tickInterval)
	defer cancel()
	if _, err := old.ReadIndex(ctx); err == nil {
		t.Error("a leader that is cut off served a read")
	}
	for range 8 {
		switch r := <-results; {
		case r.err == nil:
			t.Errorf("proposal %d was acknowledged by a minority", r.n)
		case fault.ClassOf(r.err) != fault.Unknown && !errors.Is(r.err, ErrNotLeader):
			t.Errorf("proposal %d: %v", r.n, r.err)
		}
	}
	c.await("the leader steps down", func() bool { return !old.Status().Leading })
	if _, err := old.Propose(c.ctx, command(200, 1, 0)); !errors.Is(err, ErrNotLeader) {
		t.Errorf("a proposal in a minority got %v", err)
	}
	fresh := c.leader(old.id)
	if _, err := fresh.Propose(c.ctx, command(writer, 6, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := old.ReadIndex(c.ctx); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("a read in a minority got %v", err)
	}
	c.heal()
	c.check(nil, 1, 2, 3)
}

// What the log says of proposals whose leader was deposed: an entry of a later term proves that those of earlier terms which
// are not settled were lost.
func TestLostProposalIsProvedLost(t *testing.T) {
	p := newProposals(1, newMeters().proposalSeconds)
	a, err := p.add([]byte("a"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := p.add([]byte("b"), nil)
	fresh, _ := p.add([]byte("not taken yet"), nil)
	p.admitted([]proposal{a}, 3)
	p.admitted([]proposal{b}, 5)
	p.overtaken(4)
	if o := <-a.state.done; !errors.Is(o.err, ErrNotLeader) {
		t.Errorf("an entry of term 4 is applied: the proposal of term 3 got %v", o.err)
	}
	p.overtaken(5)
	select {
	case o := <-b.state.done:
		t.Errorf("an entry of term 5 is applied: the proposal of term 5 got %v", o)
	default:
	}
	p.unknown(5, errDeposed)
	if o := <-b.state.done; fault.ClassOf(o.err) != fault.Unknown {
		t.Errorf("got %v", o.err)
	}
	p.stop()
	if o := <-fresh.state.done; !errors.Is(o.err, ErrNotLeader) {
		t.Errorf("what Raft never took got %v", o.err)
	}
}

// Goal: reads see every write acknowledged before, on whatever member, also while leaders change. Method: a writer notes what
// was acknowledged; readers on all members ask for an index, then look into the machine.
func TestReadIndexIsLinearizable(t *testing.T) {
	c := newCluster(t, 3, Config{})
	c.everyLink(link{drop: 0.02, repeat: 0.05, jitter: time.Millisecond})
	writer := c.writer()
	c.write(writer, 1, 1, 0)
	var acked atomic.Uint64
	acked.Store(1)
	ctx, cancel := context.WithCancel(c.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := uint64(2); ctx.Err() == nil; n++ {
			for _, id := range c.up() {
				m := c.node(id)
				if m == nil || !m.Status().Leading {
					continue
				}
				one, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				if _, err := m.Propose(one, command(writer, n, 0)); err == nil {
					acked.Store(n)
				}
				cancel()
				n++ // whatever became of it
			}
		}
	}()
	var reads [4]atomic.Int64
	var readers sync.WaitGroup
	for id := range uint64(3) {
		for range 3 {
			readers.Go(func() {
				for ctx.Err() == nil {
					m := c.node(id + 1)
					if m == nil {
						continue
					}
					before := acked.Load()
					one, cancel := context.WithTimeout(ctx, time.Second)
					_, err := m.ReadIndex(one)
					cancel()
					if err != nil {
						continue
					}
					m.machine.mu.Lock()
					if got := m.machine.state.last[writer]; got < before {
						t.Errorf("a read on member %d saw %d, but %d was acknowledged before", m.id, got, before)
					}
					m.machine.mu.Unlock()
					reads[m.id].Add(1)
				}
			})
		}
	}
	for range 6 {
		var before [4]int64
		for i := range before {
			before[i] = reads[i].Load()
		}
		was := c.leader()
		c.isolate(was.id)
		c.leader(was.id)
		c.await("reads without the old leader", func() bool {
			for i := 1; i <= 3; i++ {
				if uint64(i) != was.id && reads[i].Load() < before[i]+3 {
					return false
				}
			}
			return true
		})
		c.heal()
		c.everyLink(link{drop: 0.02, repeat: 0.05, jitter: time.Millisecond})
	}
	cancel()
	<-done
	readers.Wait()
	t.Logf("reads on members: %d, %d, %d", reads[1].Load(), reads[2].Load(), reads[3].Load())
}

// Goal: leadership goes where it is sent, without an election's wait, and no proposal's outcome is unknown for it.
func TestTransferLeadership(t *testing.T) {
	c := newCluster(t, 3, Config{})
	l := c.writeOn(4, 0)
	c.await("writes", func() bool { return l.progress() > 100 })
	for range 6 {
		lead := c.leader()
		to := lead.id%3 + 1
		c.await("the transfer", func() bool { return c.leader().TransferLeadership(c.ctx, to) == nil })
		if got := c.leader(); got.id != to {
			t.Errorf("member %d leads, want %d", got.id, to)
		}
		before := l.progress()
		c.await("writes", func() bool { return l.progress() > before+50 })
	}
	lead := c.leader()
	if err := lead.TransferLeadership(c.ctx, 0); err != nil {
		t.Errorf("to the best: %v", err)
	}
	c.await("another leader", func() bool { return c.leader().id != lead.id })
	if err := lead.TransferLeadership(c.ctx, 0); !errors.Is(err, ErrNotLeader) {
		t.Errorf("on a follower: %v", err)
	}
	lead = c.leader()
	if err := lead.TransferLeadership(c.ctx, 77); fault.ClassOf(err) != fault.NotFound {
		t.Errorf("to nobody: %v", err)
	}
	if err := lead.TransferLeadership(c.ctx, lead.id); err != nil {
		t.Errorf("to itself: %v", err)
	}
	away := lead.id%3 + 1
	c.isolate(away)
	if err := lead.TransferLeadership(c.ctx, away); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("to one that is away: %v", err)
	}
	c.heal()
	l.end()
	c.check(l, 1, 2, 3)
}

// All members stop, lose what they did not make durable, and come back with everything that was acknowledged.
func TestWholeGroupRestarts(t *testing.T) {
	c := newCluster(t, 3, Config{CheckpointBytes: 8 << 10})
	l := c.writeOn(4, 100)
	for range 4 {
		before := l.progress()
		c.await("writes", func() bool { return l.progress() > before+100 })
		for _, id := range c.up() {
			c.stop(id)
		}
		for id := range uint64(3) {
			c.start(id + 1)
		}
	}
	before := l.progress()
	c.await("writes", func() bool { return l.progress() > before+100 })
	l.end()
	c.check(l, 1, 2, 3)
}
