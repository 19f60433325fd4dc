package raftgroup

import (
	"errors"
	"sync"
	"testing"
	"time"

	"dragg/internal/fault"
)

// hold makes the next sync of a member wait until release is called; waiting is closed when it does.
func (c *cluster) hold(n *node) (waiting <-chan struct{}, release func()) {
	c.t.Helper()
	held, begun := make(chan struct{}), make(chan struct{})
	var once sync.Once
	before := func() {
		once.Do(func() { close(begun) })
		<-held
	}
	set := make(chan struct{})
	if err := n.call(c.ctx, func() { n.disk.before = before; close(set) }); err != nil {
		c.t.Fatal(err)
	}
	<-set // a call returns before it was carried out
	return begun, func() { close(held) }
}

// Goal: who waits for a leader whose disk does not answer is told so within seconds, and then at once, while the others go on with
// another; when it answers again the member is one of them, and nothing is lost or there twice. Method: a sync of the leader is held up.
func TestHungDisk(t *testing.T) {
	c := newCluster(t, 3, Config{TickInterval: slowTick})
	l := c.writeOn(2, 10)
	c.await("writes", func() bool { return l.progress() > 100 })
	sick := c.leader()
	waiting, release := c.hold(sick)
	asked, proposing := make(chan error, 2), make(chan struct{})
	go func() { close(proposing); _, err := sick.Propose(c.ctx, command(c.writer(), 1, 0)); asked <- err }()
	<-proposing
	<-waiting // a read that comes before needs no disk
	go func() { _, err := sick.ReadIndex(c.ctx); asked <- err }()
	classes := map[fault.Class]bool{}
	var errs []error
	for range 2 {
		select {
		case err := <-asked:
			classes[fault.ClassOf(err)] = true
			errs = append(errs, err)
		case <-time.After(patience):
			t.Fatal("a member whose disk does not answer lets its callers wait")
		}
	}
	if !classes[fault.Unknown] || !classes[fault.Unavailable] {
		t.Errorf("a proposal and a read ended with %v: %v", classes, errs)
	}
	began := time.Now()
	_, err := sick.Propose(c.ctx, command(c.writer(), 1, 0))
	_, err2 := sick.ReadIndex(c.ctx)
	if st := sick.Status(); !errors.Is(err, errHangs) || !errors.Is(err2, errHangs) || st.Leading || st.Leader != 0 || time.Since(began) > time.Second {
		t.Errorf("%v, %v after %v, status %v", err, err2, time.Since(began), st)
	}
	before := l.progress()
	c.await("the others to go on", func() bool { return l.progress() > before+100 })
	release()
	c.await("the member to follow again", func() bool { return sick.Status().Leader != 0 })
	l.end()
	c.check(l, 1, 2, 3)
}

// A member that is its whole group makes everybody wait: nobody could do better.
func TestHungDiskOfOne(t *testing.T) {
	c := newCluster(t, 1, Config{TickInterval: slowTick})
	n := c.node(1)
	c.write(c.writer(), 1, 1, 0)
	_, release := c.hold(n)
	time.AfterFunc(4*leastLook, release)
	if _, err := n.Propose(c.ctx, command(c.writer(), 1, 0)); err != nil {
		t.Errorf("a proposal that took a while: %v", err)
	}
}
