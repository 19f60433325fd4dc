package raftgroup

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"dragg/internal/fault"
)

// Goal: a member that was away for long is sent the state while writes go on, also when the first attempts fail, are slow or
// get lost, and the log stays short all the while. Method: stop a follower, write many checkpoints' worth, start it.
func TestFollowerIsSentSnapshot(t *testing.T) {
	c := newCluster(t, 3, Config{CheckpointBytes: 32 << 10, KeepBytes: 4 << 10})
	l := c.writeOn(4, 200)
	lead := c.leader()
	away := lead.id%3 + 1
	c.stop(away)
	before := l.progress()
	c.await("many writes", func() bool { return l.progress() > before+1500 })
	lead.machine.mu.Lock()
	lead.machine.failing, lead.machine.slow = 2, time.Millisecond
	lead.machine.mu.Unlock()
	c.mu.Lock()
	for from := range uint64(3) { // another one may lead meanwhile
		c.links[[2]uint64{from + 1, away}] = link{dropSnapshots: true}
	}
	c.mu.Unlock()
	n := c.start(away)
	c.await("a snapshot is under way", func() bool {
		return slices.ContainsFunc(c.leader().Status().Progress, func(p Progress) bool { return p.ID == away && p.Snapshotting })
	})
	c.heal()
	c.await("the snapshot is restored", func() bool { return n.machine.restores() > 0 })
	c.await("the member has caught up", func() bool {
		return slices.ContainsFunc(c.leader().Status().Progress, func(p Progress) bool {
			return p.ID == away && !p.Snapshotting && p.Active && p.Match+50 > c.leader().Status().Commit
		})
	})
	l.end()
	c.check(l, 1, 2, 3)
	for _, id := range c.up() {
		first, err := c.node(id).step.tail.FirstIndex()
		if err != nil {
			t.Fatal(err)
		}
		if kept := c.node(id).Applied() - first; kept > 1500 {
			t.Errorf("member %d holds %d entries in memory", id, kept)
		}
	}
	c.stop(away)
	n = c.start(away)
	c.check(l, 1, 2, 3)
	if n.machine.restores() > 0 {
		t.Error("a member that was away for a moment was sent the whole state")
	}
}

// A source that stops in the middle does not hold a member for ever, and the member answers heartbeats meanwhile.
func TestStalledSnapshot(t *testing.T) {
	c := newCluster(t, 3, Config{TickInterval: slowTick, CheckpointBytes: 16 << 10, KeepBytes: 1 << 10})
	lead := c.leader()
	away := lead.id%3 + 1
	c.stop(away)
	c.write(c.writer(), 1, 300, 200)
	lead.machine.mu.Lock()
	lead.machine.slow = time.Hour
	lead.machine.mu.Unlock()
	n := c.start(away)
	term := lead.Status().Term
	stalled := time.Now()
	for time.Since(stalled) < 60*slowTick {
		c.await("the member is seen", func() bool {
			return slices.ContainsFunc(lead.Status().Progress, func(p Progress) bool { return p.ID == away && p.Active })
		})
		time.Sleep(slowTick)
	}
	if got := n.Status(); got.Leader != lead.id || got.Term != term {
		t.Errorf("while the data is being fetched the member sees leader %d in term %d, it was %d in term %d", got.Leader, got.Term, lead.id, term)
	}
	lead.machine.mu.Lock()
	lead.machine.slow = 0
	lead.machine.mu.Unlock()
	c.check(nil, 1, 2, 3)
	if n.machine.restores() == 0 {
		t.Error("the member was not sent the state")
	}
}

// Goal: what lags is served from memory within bounds.
func TestCutAt(t *testing.T) {
	var entries []*raftpb.Entry
	for i := uint64(11); i <= 110; i++ {
		entries = append(entries, &raftpb.Entry{Index: new(i), Data: make([]byte, 1000-entryOverhead)})
	}
	for _, c := range []struct {
		keepBytes   int
		floor, want uint64
	}{
		{1 << 20, 0, 0},        // everything fits
		{10_000, 0, 100},       // ten entries fit
		{10_000, 105, 100},     // nobody needs more
		{10_000, 90, 89},       // somebody needs a little more
		{10_000, 20, 70},       // somebody needs too much
		{500, 0, 110},          // nothing fits
		{0, 1, 110},            // nothing is kept
		{10_000, 1 << 40, 100}, // somebody is ahead of the mark
	} {
		if got := cutAt(entries, c.keepBytes, c.floor); got != c.want {
			t.Errorf("keep %d bytes, needed from %d: cut at %d, want %d", c.keepBytes, c.floor, got, c.want)
		}
	}
}

// A member that is asked for its state by many serves some, and refuses the others.
func TestSendingIsBounded(t *testing.T) {
	c := newCluster(t, 1, Config{})
	n := c.node(1)
	c.write(c.writer(), 1, 1, 0)
	if err := n.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	n.machine.mu.Lock()
	n.machine.slow = time.Hour
	desc := binary.BigEndian.AppendUint64(nil, n.machine.disk.index)
	n.machine.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range maxSending {
		wg.Go(func() {
			if err := n.WriteSnapshot(ctx, desc, nil, io.Discard); !errors.Is(err, context.Canceled) {
				t.Errorf("a transfer that was given up ended with %v", err)
			}
		})
	}
	c.await("transfers are under way", func() bool { return len(n.sending) == maxSending })
	if err := n.WriteSnapshot(ctx, desc, nil, io.Discard); fault.ClassOf(err) != fault.Exhausted {
		t.Errorf("one more: %v", err)
	}
	cancel()
	wg.Wait()
}
