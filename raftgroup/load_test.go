package raftgroup

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dragg/internal/fault"
)

// load is writers that go on until they are stopped.
type load struct {
	stop   context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	acked  map[uint64]uint64 // guarded by mu: writer → its last number that was acknowledged
	count  int               // guarded by mu
	lost   int               // guarded by mu: surely not carried out
	unsure int               // guarded by mu
}

// writeOn starts writers. A number whose outcome is unknown is never used again.
func (c *cluster) writeOn(writers, padding int) *load {
	ctx, cancel := context.WithCancel(c.ctx)
	l := &load{stop: cancel, acked: map[uint64]uint64{}}
	for range writers {
		l.wg.Go(func() {
			w := c.writer()
			for n := uint64(1); ctx.Err() == nil; n++ {
				l.one(ctx, c, w, n, padding)
			}
		})
	}
	return l
}

func (l *load) one(ctx context.Context, c *cluster, w, n uint64, padding int) {
	for ctx.Err() == nil {
		var to *node
		for _, id := range c.up() {
			if m := c.node(id); m != nil && m.Status().Leading && c.rng1(3) > 0 {
				to = m
			}
		}
		if to == nil {
			time.Sleep(time.Millisecond)
			continue
		}
		one, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		_, err := to.Propose(one, command(w, n, padding))
		cancel()
		l.mu.Lock()
		class := fault.ClassOf(err)
		switch {
		case err == nil:
			l.acked[w] = n
			l.count++
		case class == fault.Unknown:
			l.unsure++
		default:
			l.lost++
		}
		l.mu.Unlock()
		if err == nil || class == fault.Unknown {
			return
		}
	}
}

func (c *cluster) rng1(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// end stops the writers.
func (l *load) end() {
	l.stop()
	l.wg.Wait()
}

func (l *load) progress() int { l.mu.Lock(); defer l.mu.Unlock(); return l.count }

// check waits until the members agree, and checks that they have everything that was acknowledged.
func (c *cluster) check(l *load, members ...uint64) {
	c.t.Helper()
	if l != nil {
		c.t.Logf("%d acknowledged, %d surely lost and repeated, %d unknown", l.count, l.lost, l.unsure)
	}
	c.write(c.writer(), 1, 1, 0)
	c.agree(members...)
	m := c.node(members[0]).machine
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.wrong != nil {
		c.t.Error(m.wrong)
	}
	if l == nil {
		return
	}
	for w, n := range l.acked {
		if m.state.last[w] < n {
			c.t.Errorf("writer %d: number %d was acknowledged, the group has %d", w, n, m.state.last[w])
		}
	}
}

// agree waits until the members have the same state.
func (c *cluster) agree(members ...uint64) {
	c.t.Helper()
	c.await(fmt.Sprintf("members %v have the same state", members), func() bool {
		first := c.node(members[0])
		if first == nil {
			return false
		}
		total, h := first.machine.sum()
		for _, id := range members[1:] {
			n := c.node(id)
			if n == nil {
				return false
			}
			if t, g := n.machine.sum(); t != total || g != h {
				return false
			}
		}
		return true
	})
}

// writer returns a number that no other writer of the test has.
func (c *cluster) writer() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writers++
	return c.writers
}

// write has the leader acknowledge count commands of a writer.
func (c *cluster) write(writer, first uint64, count, padding int) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for n := first; n < first+uint64(count); {
		l := c.leader()
		ctx, cancel := context.WithTimeout(c.ctx, time.Second)
		_, err := l.Propose(ctx, command(writer, n, padding))
		cancel()
		switch {
		case err == nil:
			n++
		case time.Now().After(deadline):
			c.t.Fatalf("writing in vain: %v\n%s", err, c.describe())
		case fault.ClassOf(err) == fault.Unknown:
			c.t.Fatalf("an unknown outcome without a fault: %v", err)
		}
	}
}
