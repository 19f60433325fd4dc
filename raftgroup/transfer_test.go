package raftgroup

import (
	"testing"
	"time"
)

// slowTick is for tests that follow one leader: a machine that is busy does not depose it.
const slowTick = 10 * time.Millisecond

// bigState writes as much state as a transfer takes a while for, and returns how many bytes that is.
func (c *cluster) bigState() (bytes int64) {
	for range 400 {
		c.write(c.writer(), 1, 1, 0)
	}
	lead := c.leader()
	if err := lead.Checkpoint(); err != nil {
		c.t.Fatal(err)
	}
	lead.machine.mu.Lock()
	defer lead.machine.mu.Unlock()
	lead.machine.slow = time.Millisecond
	return int64(len(lead.machine.state.encode()))
}

// Goal: a transfer that breaks goes on where it was, also when the receiver is started again, while the group goes on writing and
// checkpoints are due all the time; it is not begun anew. Method: the stream is broken, the member cut off or stopped, after each
// further quarter or so of the state; the bytes are counted.
func TestSnapshotGoesOn(t *testing.T) {
	c := newCluster(t, 3, Config{TickInterval: slowTick, CheckpointBytes: 1 << 20, CheckpointInterval: 5 * time.Millisecond, KeepBytes: 1 << 10})
	c.write(c.writer(), 1, 1, 0)
	lead := c.leader()
	away := lead.id%3 + 1
	c.stop(away)
	size := c.bigState()
	l := c.writeOn(1, 10)
	n := c.start(away)
	breaks, before := 0, int64(0)
	for breaks < 3 && n.machine.restores() == 0 {
		sent := lead.meters.sentBytes.Load()
		if sent < before+size/4 {
			time.Sleep(slowTick / 5)
			continue
		}
		before = sent
		switch breaks {
		case 0:
			c.breakStreams()
		case 1:
			c.cut(away, 1, 2, 3)
			c.breakStreams()
			time.Sleep(50 * slowTick)
			c.heal()
		case 2:
			c.stop(away)
			n = c.start(away)
		}
		breaks++
	}
	c.await("the state is restored", func() bool { return n.machine.restores() > 0 })
	l.end()
	c.check(l, 1, 2, 3)
	sent := lead.meters.sentBytes.Load()
	if resumed := n.meters.resumed.Load(); breaks != 3 || resumed != 1 || lead.meters.sent.Load() != 1 || sent > size*3/2 {
		t.Errorf("%d breaks, the last process went on %d times, %d bytes were sent of a state of %d, %d times whole",
			breaks, resumed, sent, size, lead.meters.sent.Load())
	}
	t.Logf("%d bytes sent of a state of %d", sent, size)
}

// A source that dies in the middle is replaced by the next leader: its state comes from the start, and nothing of the other is in it.
func TestSourceDies(t *testing.T) {
	c := newCluster(t, 3, Config{TickInterval: slowTick, CheckpointBytes: 1 << 20, CheckpointInterval: time.Hour, KeepBytes: 1 << 10})
	c.write(c.writer(), 1, 1, 0)
	lead := c.leader()
	away := lead.id%3 + 1
	c.stop(away)
	size := c.bigState()
	n := c.start(away)
	c.await("half of the state is there", func() bool { return n.meters.receivedBytes.Load() > size/2 })
	if n.machine.restores() > 0 {
		t.Fatal("all of the state is there: the test is too weak")
	}
	c.stop(lead.id)
	c.await("the state is restored", func() bool { return n.machine.restores() > 0 })
	c.start(lead.id)
	c.check(nil, 1, 2, 3)
	if n.meters.resumed.Load() > 0 || n.machine.disk.kept.bytes != nil {
		t.Error("a part of a state that nobody has was gone on with, or is still kept")
	}
}

// A source that loses what it offers makes something new to offer at once; nobody waits for the state that was.
func TestOfferThatIsGone(t *testing.T) {
	c := newCluster(t, 3, Config{TickInterval: slowTick, CheckpointBytes: 1 << 20, CheckpointInterval: time.Hour, KeepBytes: 1 << 10})
	c.write(c.writer(), 1, 1, 0)
	lead := c.leader()
	away := lead.id%3 + 1
	c.stop(away)
	c.bigState()
	n := c.start(away)
	c.await("a snapshot is under way", func() bool { return lead.meters.sentBytes.Load() > 0 })
	lead.machine.mu.Lock()
	clear(lead.machine.serving)
	lead.machine.slow = 0
	lead.machine.mu.Unlock()
	c.breakStreams()
	c.await("the state is restored", func() bool { return n.machine.restores() > 0 })
	c.check(nil, 1, 2, 3)
}

// Goal: a state whose transfer outlasts the term of its source is not sent again where the next leader's log goes on from there.
// Method: the leadership is handed over before all of the data is there.
func TestSnapshotOutlastsItsLeader(t *testing.T) {
	c := newCluster(t, 3, Config{TickInterval: slowTick, CheckpointBytes: 1 << 20, CheckpointInterval: time.Hour, KeepBytes: 16 << 10})
	c.write(c.writer(), 1, 1, 0)
	lead := c.leader()
	away := lead.id%3 + 1
	other := 6 - lead.id - away
	c.stop(away)
	c.bigState()
	c.write(c.writer(), 1, 20, 0) // so that what the next leader offers is newer
	c.await("the other one has it", func() bool { return c.node(other).Applied() >= lead.Applied() })
	if err := c.node(other).Checkpoint(); err != nil {
		t.Fatal(err)
	}
	n := c.start(away)
	c.await("a snapshot is under way", func() bool { return lead.meters.sentBytes.Load() > 0 })
	if err := lead.TransferLeadership(c.ctx, other); err != nil {
		t.Fatal(err)
	}
	c.write(c.writer(), 1, 10, 0)
	c.await("the state is restored", func() bool { return n.machine.restores() > 0 })
	c.check(nil, 1, 2, 3)
	if got := n.machine.restores(); got != 1 || c.node(other).meters.sentBytes.Load() > 0 {
		t.Errorf("%d states were restored, the next leader sent %d bytes", got, c.node(other).meters.sentBytes.Load())
	}
}
