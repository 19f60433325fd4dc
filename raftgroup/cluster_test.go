package raftgroup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
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
	"dragg/raftgroup/fsm"
	"dragg/raftgroup/raftlog"
)

// tickInterval of the groups under test: an election takes 20 to 40 ms.
const tickInterval = 2 * time.Millisecond

// counters is a machine of registers that count. A command is a writer (8 bytes) and its number (8): the numbers of a writer
// must come in order, so that one that is lost after a later one was acknowledged, or applied twice, is found. The result is
// the index.
type counters struct {
	mu      sync.Mutex
	disk    *counterState // survives
	state   counterState
	serving map[string][]byte // what WriteSnapshot writes
	slow    time.Duration     // for each part of a snapshot that is written
	failing int               // so many more snapshots break off
	wrong   error
	applied uint64 // commands since it was opened
	restore int    // how many times it was restored
}

type counterState struct {
	index uint64
	last  map[uint64]uint64 // writer → its last number
	total uint64
	hash  [32]byte // over all commands
	kept  *partial // of another member's state; survives, and is no part of what is sent
}

// partial is what came of a stream that broke.
type partial struct {
	desc, bytes []byte
}

func (s *counterState) clone() counterState {
	c := *s
	c.last = maps.Clone(s.last)
	return c
}

func openCounters(disk *counterState) *counters {
	if disk.kept == nil {
		disk.kept = &partial{}
	}
	return &counters{disk: disk, state: disk.clone(), serving: map[string][]byte{}}
}

func (m *counters) Apply(cmds []fsm.Command) ([]any, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]any, len(cmds))
	for i, c := range cmds {
		if c.Index <= m.state.index {
			return nil, fmt.Errorf("entry %d after entry %d", c.Index, m.state.index)
		}
		m.state.index = c.Index
		if len(c.Data) == 0 {
			continue
		}
		writer, n := binary.BigEndian.Uint64(c.Data), binary.BigEndian.Uint64(c.Data[8:])
		if m.state.last == nil {
			m.state.last = map[uint64]uint64{}
		}
		if n <= m.state.last[writer] {
			m.wrong = fmt.Errorf("writer %d: number %d at entry %d comes after %d", writer, n, c.Index, m.state.last[writer])
		}
		m.state.last[writer] = n
		m.state.total++
		m.applied++
		m.state.hash = sha256.Sum256(append(m.state.hash[:], c.Data[:16]...))
		out[i] = c.Index
	}
	return out, nil
}

func (m *counters) Durable() uint64 { m.mu.Lock(); defer m.mu.Unlock(); return m.disk.index }

func (m *counters) Snapshot() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*m.disk = m.state.clone()
	desc := binary.BigEndian.AppendUint64(nil, m.state.index)
	m.serving = map[string][]byte{string(desc): m.state.encode()}
	return desc, nil
}

func (s *counterState) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, s.index)
	b = binary.BigEndian.AppendUint64(b, s.total)
	b = append(b, s.hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(s.last)))
	for _, w := range slices.Sorted(maps.Keys(s.last)) {
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, w), s.last[w])
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func (m *counters) WriteSnapshot(ctx context.Context, desc, after []byte, w io.Writer) error {
	m.mu.Lock()
	b, ok := m.serving[string(desc)]
	slow := m.slow
	if m.failing > 0 {
		m.failing--
		b = b[:len(b)/2]
	}
	m.mu.Unlock()
	if !ok {
		return fsm.ErrSnapshotGone
	}
	from := uint64(0)
	if len(after) == 8 {
		from = binary.BigEndian.Uint64(after)
	}
	b = append(binary.BigEndian.AppendUint64(nil, from), b[min(from, uint64(len(b))):]...)
	for part := range slices.Chunk(b, 16) {
		if slow > 0 {
			select {
			case <-time.After(slow):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// Progress returns how many bytes came before the stream broke.
func (m *counters) Progress(desc []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.disk.kept; len(k.bytes) > 0 && bytes.Equal(desc, k.desc) {
		return binary.BigEndian.AppendUint64(nil, uint64(len(k.bytes)))
	}
	return nil
}

// collect returns the stream, with what was kept of it before it, and keeps what came when it breaks.
func (m *counters) collect(desc []byte, r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(r)
	if len(b) < 8 {
		return nil, errors.Join(errors.New("the stream broke off"), err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	from, b := binary.BigEndian.Uint64(b), b[8:]
	k := m.disk.kept
	if from > 0 {
		if !bytes.Equal(desc, k.desc) || from != uint64(len(k.bytes)) {
			return nil, errors.New("the stream goes on with something else")
		}
		b = append(k.bytes, b...)
	}
	*k = partial{}
	if err != nil {
		*k = partial{bytes.Clone(desc), b}
	}
	return b, err
}

func (m *counters) Restore(_ context.Context, desc []byte, r io.Reader) error {
	b, err := m.collect(desc, r)
	if err != nil {
		return err
	}
	if len(b) < 88 {
		return errors.New("the stream broke off")
	}
	body, sum := b[:len(b)-32], sha256.Sum256(b[:len(b)-32])
	if !bytes.Equal(sum[:], b[len(b)-32:]) {
		return errors.New("the stream is damaged")
	}
	s := counterState{index: binary.BigEndian.Uint64(body), total: binary.BigEndian.Uint64(body[8:]), last: map[uint64]uint64{}, kept: m.disk.kept}
	copy(s.hash[:], body[16:])
	for b := body[56:]; len(b) > 0; b = b[16:] {
		s.last[binary.BigEndian.Uint64(b)] = binary.BigEndian.Uint64(b[8:])
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	*m.disk, m.state = s.clone(), s
	m.restore++
	return nil
}

func (m *counters) sum() (total uint64, hash [32]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.total, m.state.hash
}

func (m *counters) restores() int { m.mu.Lock(); defer m.mu.Unlock(); return m.restore }

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

// writer returns a number that no other writer of the test has.
func (c *cluster) writer() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writers++
	return c.writers
}

func command(writer, n uint64, padding int) []byte {
	return append(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, writer), n), make([]byte, padding)...)
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
