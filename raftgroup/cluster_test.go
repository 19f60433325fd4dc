package raftgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"dragg/internal/fault"
	"dragg/raftgroup/raftlog"
)

// tickInterval of the groups under test: an election takes 20 to 40 ms.
const tickInterval = 2 * time.Millisecond

// cluster is a group over a network in memory.
type cluster struct {
	t       testing.TB
	cfg     Config // what the members have in common
	ctx     context.Context
	mu      sync.Mutex
	nodes   map[uint64]*node // guarded by mu: those that run
	disks   map[uint64]*counterState
	dirs    map[uint64]string
	links   map[[2]uint64]link      // guarded by mu: from, to
	streams map[*io.PipeWriter]bool // guarded by mu: snapshots under way
	always  link                    // guarded by mu: of every link
	rng     *rand.Rand              // guarded by mu
	network sync.WaitGroup          // messages under way
	writers uint64                  // guarded by mu
	cancel  context.CancelFunc
}

// link is what a connection does to messages.
type link struct {
	cut           bool
	drop, repeat  float64
	delay, jitter time.Duration
	dropSnapshots bool
}

type node struct {
	*Group
	id      uint64
	machine *counters
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // of Run, when done is closed
}

// newCluster starts a group of the members 1 to n.
func newCluster(t testing.TB, n int, cfg Config) *cluster {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &cluster{
		t: t, cfg: cfg, ctx: ctx, cancel: cancel, nodes: map[uint64]*node{}, disks: map[uint64]*counterState{}, dirs: map[uint64]string{},
		links: map[[2]uint64]link{}, streams: map[*io.PipeWriter]bool{}, rng: rand.New(rand.NewPCG(uint64(n), 1)),
	}
	def(&c.cfg.TickInterval, tickInterval)
	def(&c.cfg.KeepBytes, 64<<10)
	def(&c.cfg.HoldBytes, 512<<10)
	for i := range n {
		c.cfg.Members = append(c.cfg.Members, uint64(i+1))
	}
	for _, id := range c.cfg.Members {
		c.start(id)
	}
	t.Cleanup(c.close)
	return c
}

func (c *cluster) close() {
	for _, id := range c.up() {
		c.stop(id)
	}
	c.cancel()
	c.network.Wait()
}

// start starts a member with what is on its disk; one that the group does not start with joins.
func (c *cluster) start(id uint64) *node {
	c.t.Helper()
	n := c.tryStart(id)
	if n == nil {
		c.t.Fatalf("member %d knows that it was removed", id)
	}
	return n
}

// tryStart is start, but for a member that may know that it was removed.
func (c *cluster) tryStart(id uint64) *node {
	c.t.Helper()
	cfg := c.cfg
	if !slices.Contains(cfg.Members, id) {
		cfg.Members, cfg.Join = nil, true
	}
	if c.dirs[id] == "" {
		c.dirs[id], c.disks[id] = filepath.Join(c.t.TempDir(), fmt.Sprint(id)), &counterState{}
	}
	cfg.Dir, cfg.Identity = c.dirs[id], raftlog.Identity{Cluster: "c", Group: 1, Node: id}
	cfg.Transport, cfg.Fetch = sender{c, id}, func(ctx context.Context, from uint64, desc, after []byte) (io.ReadCloser, error) {
		return c.fetch(ctx, id, from, desc, after)
	}
	m := openCounters(c.disks[id])
	g, err := Open(cfg, m)
	if errors.Is(err, ErrRemoved) {
		return nil
	}
	if err != nil {
		c.t.Fatalf("member %d: %v", id, err)
	}
	ctx, cancel := context.WithCancel(c.ctx)
	n := &node{Group: g, id: id, machine: m, cancel: cancel, done: make(chan struct{})}
	go func() {
		n.err = g.Run(ctx)
		c.mu.Lock()
		delete(c.nodes, id)
		c.mu.Unlock()
		close(n.done)
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[id] = n
	return n
}

// stop ends a member; what its machine did not make durable is lost.
func (c *cluster) stop(id uint64) {
	n := c.node(id)
	if n == nil {
		return
	}
	n.cancel()
	<-n.done
	if n.err != nil && !errors.Is(n.err, ErrRemoved) {
		c.t.Errorf("member %d ended with %v", id, n.err)
	}
	if n.machine.wrong != nil {
		c.t.Errorf("member %d: %v", id, n.machine.wrong)
	}
}

func (c *cluster) node(id uint64) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[id]
}

// up returns the ids of those that run.
func (c *cluster) up() []uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.nodes))
}

// sender is the transport of a member.
type sender struct {
	c    *cluster
	from uint64
}

func (s sender) Send(msgs []*raftpb.Message) {
	for _, m := range msgs {
		s.c.send(s.from, m)
	}
}

func (c *cluster) send(from uint64, m *raftpb.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.links[[2]uint64{from, m.GetTo()}]
	if c.ctx.Err() != nil || l.cut || c.rng.Float64() < l.drop+c.always.drop || l.dropSnapshots && m.GetType() == raftpb.MsgSnap {
		return
	}
	times := 1
	if c.rng.Float64() < l.repeat+c.always.repeat {
		times = 2
	}
	for range times {
		delay := l.delay + c.always.delay
		if j := l.jitter + c.always.jitter; j > 0 {
			delay += time.Duration(c.rng.Int64N(int64(j)))
		}
		b, err := proto.Marshal(m)
		if err != nil {
			c.t.Error(err)
			return
		}
		if delay == 0 {
			c.deliver(b, c.nodes[m.GetTo()])
			continue
		}
		c.network.Add(1)
		time.AfterFunc(delay, func() {
			defer c.network.Done()
			c.mu.Lock()
			defer c.mu.Unlock()
			if !c.links[[2]uint64{from, m.GetTo()}].cut {
				c.deliver(b, c.nodes[m.GetTo()])
			}
		})
	}
}

// deliver hands over what arrived. A full inbox loses it.
func (c *cluster) deliver(b []byte, to *node) {
	if to == nil {
		return
	}
	m := &raftpb.Message{}
	if err := proto.Unmarshal(b, m); err != nil {
		c.t.Error(err)
		return
	}
	now, cancel := context.WithCancel(c.ctx)
	cancel()
	if err := to.Step(now, m); err != nil && fault.ClassOf(err) == fault.Invalid {
		c.t.Error(err)
	}
}

// fetch is the stream of a snapshot over the same network.
func (c *cluster) fetch(ctx context.Context, to, from uint64, desc, after []byte) (io.ReadCloser, error) {
	c.mu.Lock()
	source, cut := c.nodes[from], c.links[[2]uint64{from, to}].cut
	c.mu.Unlock()
	if source == nil || cut {
		return nil, errors.New("the source cannot be reached")
	}
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	c.streams[w] = true
	c.mu.Unlock()
	c.network.Go(func() {
		defer cancel()
		defer func() { c.mu.Lock(); defer c.mu.Unlock(); delete(c.streams, w) }()
		if err := source.WriteSnapshot(ctx, desc, after, w); err != nil {
			w.CloseWithError(err)
			return
		}
		w.Close()
	})
	return r, nil
}

// cut cuts a member off, in both directions.
func (c *cluster) cut(id uint64, others ...uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range others {
		c.links[[2]uint64{id, o}], c.links[[2]uint64{o, id}] = link{cut: true}, link{cut: true}
	}
}

// isolate cuts a member off from everybody.
func (c *cluster) isolate(id uint64) {
	var others []uint64
	for o := range uint64(12) {
		if o != id {
			others = append(others, o)
		}
	}
	c.cut(id, others...)
}

func (c *cluster) heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.links, c.always = map[[2]uint64]link{}, link{}
}

func (c *cluster) everyLink(l link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.always = l
}

// patience is how long a test waits for what should take milliseconds.
const patience = 20 * time.Second

// await returns when cond holds.
func (c *cluster) await(what string, cond func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			c.t.Fatalf("waited in vain: %s\n%s", what, c.describe())
		}
		time.Sleep(time.Millisecond)
	}
}

// ended waits until a member has stopped by itself.
func (c *cluster) ended(n *node) {
	c.t.Helper()
	c.await(fmt.Sprintf("member %d stops", n.id), func() bool {
		select {
		case <-n.done:
			return true
		default:
			return false
		}
	})
}

func (c *cluster) describe() string {
	var b bytes.Buffer
	for _, id := range c.up() {
		if n := c.node(id); n != nil {
			total, h := n.machine.sum()
			fmt.Fprintf(&b, "member %d: %+v total %d hash %x\n", id, n.Status(), total, h[:4])
		}
	}
	return b.String()
}

// leader returns the member that leads, and that those in its group follow.
func (c *cluster) leader(except ...uint64) *node {
	c.t.Helper()
	var found *node
	c.await("a leader", func() bool {
		found = nil
		for _, id := range c.up() {
			n := c.node(id)
			if n == nil || slices.Contains(except, id) {
				continue
			}
			if s := n.Status(); s.Leading && (found == nil || s.Term > found.Status().Term) {
				found = n
			}
		}
		return found != nil
	})
	return found
}

// change has the leader change the members, trying again where that is the answer.
func (c *cluster) change(changes ...*raftpb.ConfChangeSingle) {
	c.t.Helper()
	var err error
	c.await("a change of the members", func() bool {
		ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
		defer cancel()
		err = c.leader().ChangeMembers(ctx, &raftpb.ConfChangeV2{Changes: changes})
		if err != nil && fault.ClassOf(err) != fault.Unavailable {
			c.t.Fatalf("changing the members: %v", err)
		}
		return err == nil
	})
}

func addLearner(id uint64) *raftpb.ConfChangeSingle {
	return &raftpb.ConfChangeSingle{Type: raftpb.ConfChangeAddLearnerNode.Enum(), NodeId: &id}
}

func addVoter(id uint64) *raftpb.ConfChangeSingle {
	return &raftpb.ConfChangeSingle{Type: raftpb.ConfChangeAddNode.Enum(), NodeId: &id}
}

func remove(id uint64) *raftpb.ConfChangeSingle {
	return &raftpb.ConfChangeSingle{Type: raftpb.ConfChangeRemoveNode.Enum(), NodeId: &id}
}

var errCut = errors.New("the connection was cut")

// breakStreams breaks every snapshot that is under way, and returns how many there were.
func (c *cluster) breakStreams() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.streams {
		w.CloseWithError(errCut)
	}
	return len(c.streams)
}
