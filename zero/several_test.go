package zero

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"dragg/cluster"
	"dragg/cluster/rpc"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/raftgroup/raftlog"
)

// world is several Zeros on a network of its own, which come and go.
type world struct {
	t     *testing.T
	dirs  map[uint64]string
	zeros map[uint64]string // addresses

	mu    sync.Mutex
	wires map[string]*bufconn.Listener // guarded by mu: by address, of those that are there
}

func newWorld(t *testing.T, n uint64) *world {
	w := &world{t: t, dirs: map[uint64]string{}, zeros: map[uint64]string{}, wires: map[string]*bufconn.Listener{}}
	for id := uint64(1); id <= n; id++ {
		w.dirs[id], w.zeros[id] = t.TempDir(), fmt.Sprintf("zero%d", id)
	}
	return w
}

func (w *world) dial(ctx context.Context, address string) (net.Conn, error) {
	w.mu.Lock()
	wire := w.wires[address]
	w.mu.Unlock()
	if wire == nil {
		return nil, errors.New("nobody there")
	}
	return wire.DialContext(ctx)
}

// running is one Zero of the world.
type running struct {
	*Server
	kill func() // ends it, as abruptly as a process can be within a test
}

func (w *world) start(id uint64) *running {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	pool := rpc.NewPool(rpc.Config{Dial: w.dial})
	s, err := Open(ctx, Config{Dir: w.dirs[id], My: w.zeros[id], ID: id, Zeros: w.zeros, Replicas: 3, Pool: pool, TickInterval: 20 * time.Millisecond})
	if err != nil {
		w.t.Fatal(err)
	}
	server, wire := grpc.NewServer(), bufconn.Listen(1<<20)
	s.Register(server)
	w.mu.Lock()
	w.wires[w.zeros[id]] = wire
	w.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	go func() { _ = server.Serve(wire) }() // ends with kill
	kill := sync.OnceFunc(func() {
		w.mu.Lock()
		delete(w.wires, w.zeros[id])
		w.mu.Unlock()
		server.Stop()
		cancel()
		if err := errors.Join(<-ended, pool.Close()); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(kill)
	return &running{s, kill}
}

// pool returns connections over the network of the world.
func (w *world) pool() *rpc.Pool {
	pool := rpc.NewPool(rpc.Config{Dial: w.dial})
	w.t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return pool
}

// client returns what an Alpha would use.
func (w *world) client(patience time.Duration) *cluster.Client {
	var addresses []string
	for id := range uint64(len(w.zeros)) {
		addresses = append(addresses, w.zeros[id+1])
	}
	return cluster.NewClient(cluster.ClientConfig{Addresses: addresses, Pool: w.pool(), Patience: patience})
}

// startAll starts every Zero: the others wait for the first to name the cluster, so they start at the same time.
func (w *world) startAll() map[uint64]*running {
	var mu sync.Mutex
	all := map[uint64]*running{}
	var starting sync.WaitGroup
	for id := range w.zeros {
		starting.Go(func() {
			r := w.start(id)
			mu.Lock()
			defer mu.Unlock()
			all[id] = r
		})
	}
	starting.Wait()
	return all
}

func leaderOf(t *testing.T, all map[uint64]*running) uint64 {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for id, r := range all {
			if r.Leading() {
				return id
			}
		}
	}
	t.Fatal("no Zero leads")
	return 0
}

// Goal: groups follow the Zero that leads. One that did and does no longer, or never did, ends their streams at once: it may be behind
// the others without knowing, and readers would wait. Method: the leadership is handed over under a stream.
func TestStreamEndsWithTheLeadership(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	leader := leaderOf(t, all)
	streaming, ended := make(chan struct{}), make(chan error, 1)
	begun := sync.OnceFunc(func() { close(streaming) })
	go func() {
		ended <- all[leader].Stream(t.Context(), 1, 0, func(*pb.StreamBatch) error { begun(); return nil })
	}()
	select {
	case <-streaming:
	case err := <-ended:
		t.Fatal(err)
	}
	for all[leader].group.TransferLeadership(t.Context(), 0) != nil { // until it has heard of the others
		time.Sleep(10 * time.Millisecond)
	}
	select {
	case err := <-ended:
		if fault.ClassOf(err) != fault.Unavailable {
			t.Errorf("the stream ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the stream of a Zero that does not lead any more goes on")
	}
	next := leaderOf(t, all)
	for id, z := range all {
		err := z.Stream(t.Context(), 1, 0, func(*pb.StreamBatch) error { return errEnough })
		if id == next && !errors.Is(err, errEnough) || id != next && fault.ClassOf(err) != fault.Unavailable {
			t.Errorf("Zero %d, where %d leads: %v", id, next, err)
		}
	}
}

var errEnough = errors.New("enough")

// define makes a predicate in group 1, and returns its epoch.
func define(ctx context.Context, t *testing.T, c *cluster.Client) uint64 {
	t.Helper()
	r, err := c.ChangeSchema(ctx, &pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "p", Schema: []byte("s"), Group: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Tablets[0].Epoch
}

// Goal: three Zeros lose nothing when their leader goes, again and again: timestamps never repeat and never fall behind a commit
// that was acknowledged, verdicts stay, conflicts are still found. Method: two clients draw and commit all the time while the
// leader is stopped and started again.
func TestLeaderGoes(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	first := leaderOf(t, all)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := w.client(20 * time.Second)
	epoch := define(ctx, t, c)
	var mu sync.Mutex
	starts, commits := map[graph.Timestamp]bool{}, map[uint64]uint64{} // by start
	var newest uint64                                                  // the highest commit acknowledged
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				mu.Lock()
				acked := newest
				mu.Unlock()
				ts, after, err := c.Timestamps(ctx, 1)
				if err != nil {
					t.Error("drawing:", err)
					return
				}
				mu.Lock()
				if starts[ts] || uint64(ts) <= acked || uint64(after) < acked {
					t.Errorf("start %d (again: %v), after %d, although %d was acknowledged", ts, starts[ts], after, acked)
				}
				starts[ts] = true
				mu.Unlock()
				v, err := c.Commit(ctx, &pb.CommitRequest{StartTs: uint64(ts), Keys: []uint64{uint64(ts)}, Epochs: []uint64{epoch}, Groups: []uint32{1}})
				if err != nil {
					t.Error("committing:", err)
					return
				}
				if v.CommitTs != 0 {
					mu.Lock()
					commits[uint64(ts)], newest = v.CommitTs, max(newest, v.CommitTs)
					mu.Unlock()
				}
			}
		})
	}
	leader := first
	for range 3 {
		time.Sleep(200 * time.Millisecond)
		all[leader].kill()
		old := leader
		delete(all, old)
		leader = leaderOf(t, all)
		time.Sleep(100 * time.Millisecond)
		all[old] = w.start(old)
	}
	close(done)
	clients.Wait()
	if len(commits) < 100 {
		t.Errorf("only %d commits", len(commits))
	}
	seen := map[uint64]bool{}
	for start, commit := range commits {
		got, known, err := c.Outcome(ctx, graph.Timestamp(start))
		if err != nil || !known || uint64(got) != commit || seen[commit] {
			t.Fatalf("transaction %d committed at %d, and now %d %v %v (again: %v)", start, commit, got, known, err, seen[commit])
		}
		seen[commit] = true
	}
	st, err := c.State(ctx)
	if err != nil || st.Replicas != 3 || len(st.Members) != 3 || st.Leaders[0] == 0 {
		t.Errorf("%v %v", st, err)
	}
	t.Logf("%d timestamps, %d commits over three leaders", len(starts), len(commits))
}

// Goal: an Alpha that is started with the addresses of Zeros that do not lead finds the one that does: it may have taken the place of
// another one, and stand in no list. Method: a client that knows one follower.
func TestLeaderIsFoundThroughOthers(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	leader := leaderOf(t, all)
	for id := range w.zeros {
		if id == leader {
			continue
		}
		c := cluster.NewClient(cluster.ClientConfig{Addresses: []string{w.zeros[id]}, Pool: w.pool(), Patience: time.Second})
		p := cluster.Patience{Peer: "the leader", Logger: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := p.Do(ctx, func(ctx context.Context) error { _, err := c.State(ctx); return err }); err != nil {
			t.Errorf("through Zero %d, where %d leads: %v", id, leader, err)
		}
	}
}

// One of three cannot decide anything, and says so.
func TestMinorityDecidesNothing(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	leader := leaderOf(t, all)
	for id, r := range all {
		if id != leader {
			r.kill()
		}
	}
	c := w.client(300 * time.Millisecond)
	if ts, _, err := c.Timestamps(t.Context(), 1); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("drew %d, %v", ts, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	v, err := c.Commit(ctx, &pb.CommitRequest{StartTs: 1})
	if class := fault.ClassOf(err); err == nil || class != fault.Unknown && class != fault.Unavailable {
		t.Errorf("%v, %v", v, err)
	}
}

// A Zero that lost its log does not begin another cluster under the old name's Zeros.
func TestLostFirstZero(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	leaderOf(t, all)
	all[1].kill()
	w.dirs[1] = t.TempDir()
	pool := rpc.NewPool(rpc.Config{Dial: w.dial})
	defer func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	}()
	_, err := Open(t.Context(), Config{Dir: w.dirs[1], ID: 1, Zeros: w.zeros, Pool: pool})
	if fault.ClassOf(err) != fault.Invalid {
		t.Errorf("it began anew: %v", err)
	}
}

// awaitStarted waits until the cluster knows that all Zeros have their logs.
func (w *world) awaitStarted(all map[uint64]*running) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		started := 0
		for _, r := range all {
			for _, m := range r.machine.Members() {
				if m.Group == 0 && m.Started {
					started++
				}
			}
		}
		if started == len(all)*len(w.zeros) {
			return
		}
	}
	w.t.Fatal("not all Zeros said that they have started")
}

// A Zero that is away is said to be, as an Alpha is, and not any more when it is back.
func TestSilentZero(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	leader := leaderOf(t, all)
	w.awaitStarted(all)
	await := func(want ...uint64) {
		t.Helper()
		var got []uint64
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			st, err := all[leader].State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = nil
			for _, m := range st.Silent {
				got = append(got, m.Id)
			}
			if slices.Equal(got, want) {
				return
			}
		}
		t.Fatalf("silent are %v, want %v", got, want)
	}
	await()
	other := leader%3 + 1
	all[other].kill()
	await(other)
	alive := 6 - leader - other
	if _, err := all[leader].RemoveMember(t.Context(), &pb.RemoveNode{Id: alive}); fault.ClassOf(err) != fault.Conflict {
		t.Errorf("one of two that are left was removed: %v", err)
	}
	all[other] = w.start(other)
	await()
}

// Goal: a Zero that lost its log does not come back under its number, whichever it is: it would vote a second time, and has not what it
// acknowledged. It crashed in Raft, or not at all. Method: the folder of a follower that is not the first is emptied.
func TestLostZero(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	leaderOf(t, all)
	w.awaitStarted(all)
	all[2].kill()
	_, err := Open(t.Context(), Config{Dir: t.TempDir(), My: w.zeros[2], ID: 2, Zeros: w.zeros, Pool: w.pool()})
	if fault.ClassOf(err) != fault.Invalid || !strings.Contains(err.Error(), "remove it from the cluster") {
		t.Errorf("it began anew: %v", err)
	}
}

// Goal: a Zero that does not lead is started on another machine with its folder, and the others reach it there. Method: two followers,
// one after the other, so that the second could not do without the first.
func TestZeroMoves(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	leader := leaderOf(t, all)
	w.awaitStarted(all)
	for id := range maps.Clone(w.zeros) {
		if id == leader {
			continue
		}
		all[id].kill()
		w.zeros = maps.Clone(w.zeros)
		w.zeros[id] = fmt.Sprintf("moved%d", id)
		all[id] = w.start(id)
		for deadline := time.Now().Add(20 * time.Second); !all[id].Healthy(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("nobody reaches Zero %d where it is now: %v", id, all[id].Readiness())
			}
		}
	}
	st, err := w.client(20 * time.Second).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range st.Members {
		if m.Address != w.zeros[m.Id] {
			t.Errorf("%v, it is at %s", m, w.zeros[m.Id])
		}
	}
}

// Whoever starts a Zero on a folder that is another's, or of another cluster, is told so.
func TestFolderOfAnother(t *testing.T) {
	w, o := newWorld(t, 3), newWorld(t, 3)
	all, others := w.startAll(), o.startAll()
	leaderOf(t, all)
	leaderOf(t, others)
	all[3].kill()
	others[3].kill()
	log := raftlog.Identity{Cluster: "c", Group: 2, Node: 5}
	alphas := t.TempDir()
	l, _, err := raftlog.Create(filepath.Join(alphas, "wal"), log, raftlog.Mark{})
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir  string
		id   uint64
		want string
	}{
		{w.dirs[3], 2, "holds the log of Zero 3, not of Zero 2"},
		{o.dirs[3], 3, "the other Zeros are of"},
		{alphas, 3, "holds the log of Alpha 5 of group 2"},
	} {
		_, err := Open(t.Context(), Config{Dir: c.dir, My: w.zeros[c.id], ID: c.id, Zeros: w.zeros, Pool: w.pool()})
		if fault.ClassOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// Fact 129: a transaction survives a change of Zero's leader, which need not abort it: what was decided is in the log, so that the
// new leader finds the conflicts of older ones, and no others.
func TestFact129TransactionsSurviveALeader(t *testing.T) {
	w := newWorld(t, 3)
	all := w.startAll()
	leader := leaderOf(t, all)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := w.client(20 * time.Second)
	epoch := define(ctx, t, c)
	first, _, err := c.Timestamps(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	commit := func(start graph.Timestamp, key uint64) *pb.CommitReply {
		v, err := c.Commit(ctx, &pb.CommitRequest{
			StartTs: uint64(start), Keys: []uint64{key}, Epochs: []uint64{epoch}, Groups: []uint32{1},
		})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := commit(first, 7); v.CommitTs == 0 {
		t.Fatalf("before: %v", v)
	}
	all[leader].kill()
	delete(all, leader)
	leaderOf(t, all)
	if v := commit(first+1, 8); v.CommitTs == 0 {
		t.Errorf("begun under the old leader, without a conflict: %v", v)
	}
	if v := commit(first+2, 7); v.CommitTs != 0 {
		t.Errorf("begun under the old leader, with a conflict from then: %v", v)
	}
}
