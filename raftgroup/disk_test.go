package raftgroup

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// Goal: a leader whose disk has become slow lets another member lead, and writes are quick again; one whose disk is fine stays.
func TestSlowDiskGivesUpLeadership(t *testing.T) {
	c := newCluster(t, 3, Config{TickInterval: 50 * time.Millisecond, SlowSync: 80 * time.Millisecond})
	first := c.leader()
	slow := &atomic.Bool{}
	if err := first.call(t.Context(), func() {
		first.disk.before = func() {
			if slow.Load() {
				time.Sleep(200 * time.Millisecond) // an election takes longer
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	writer, n := c.writer(), uint64(0)
	write := func() {
		n++
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, _ = c.leader().Propose(ctx, command(writer, n, 0)) // while leadership changes some are not carried out
	}
	for range 20 {
		write()
	}
	if c.leader() != first {
		t.Fatal("leadership changed without a reason")
	}
	slow.Store(true)
	for end := time.Now().Add(20 * time.Second); ; {
		now := c.leader()
		if now != first {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the leader with the slow disk still leads")
		}
		write()
	}
}

func TestDiskWatch(t *testing.T) {
	d := diskWatch{}
	for range 100 {
		d.noted(time.Millisecond)
		if d.tick(300 * time.Millisecond) {
			t.Fatal("a quick disk is slow")
		}
	}
	d.noted(time.Second) // once
	if d.tick(300 * time.Millisecond) {
		t.Error("one slow sync is enough")
	}
	given := 0
	for range restTicks + 10 {
		d.noted(time.Second)
		if d.tick(300 * time.Millisecond) {
			given++
		}
	}
	if given != 2 {
		t.Errorf("gave up %d times, want 2: at once, and after a rest", given)
	}
}
