package transport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"dragg/cluster/rpc"
	"dragg/internal/fault"
)

// inbox is a member that keeps what it gets.
type inbox struct {
	mu   sync.Mutex
	got  []uint64 // guarded by mu: indexes, in order of arrival
	data []byte   // its snapshot
}

func (m *inbox) Step(_ context.Context, msg *raftpb.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got = append(m.got, msg.GetIndex())
	return nil
}

func (m *inbox) WriteSnapshot(_ context.Context, desc, after []byte, w io.Writer) error {
	if string(desc) != "desc" {
		return fault.New(fault.NotFound, "no such snapshot")
	}
	rest, ok := bytes.CutPrefix(m.data, after)
	if !ok {
		return fault.New(fault.Invalid, "no such part")
	}
	for len(rest) > 0 {
		n := min(len(rest), 300_000)
		if _, err := w.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (m *inbox) seen() []uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.got)
}

// world is one receiving process that can go away, and links to it.
type world struct {
	t      *testing.T
	member *inbox
	links  *Links

	mu          sync.Mutex
	wire        *bufconn.Listener // guarded by mu: nil while the process is away
	server      *grpc.Server      // guarded by mu
	unreachable int               // guarded by mu
}

func newWorld(t *testing.T, cluster string) *world {
	w := &world{t: t, member: &inbox{}}
	pool := rpc.NewPool(rpc.Config{Dial: func(ctx context.Context, _ string) (net.Conn, error) {
		w.mu.Lock()
		wire := w.wire
		w.mu.Unlock()
		if wire == nil {
			return nil, errors.New("nobody there")
		}
		return wire.DialContext(ctx)
	}})
	w.links = NewLinks(Config{
		Cluster: cluster, Group: 3, Pool: pool, Logger: slog.New(slog.DiscardHandler),
		Address: func(id uint64) (string, bool) { return "peer", id == 2 },
		Unreachable: func(uint64) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.unreachable++
		},
	})
	w.start()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.links.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		w.stop()
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wire, w.server = bufconn.Listen(1<<20), grpc.NewServer()
	NewServer(func(group uint32) (string, uint64, Member, bool) { return "c", 2, w.member, group == 3 }).Register(w.server)
	s, wire := w.server, w.wire
	go func() { _ = s.Serve(wire) }() // ends with stop
}

func (w *world) stop() {
	w.mu.Lock()
	s := w.server
	w.wire, w.server = nil, nil
	w.mu.Unlock()
	if s != nil {
		s.Stop()
	}
}

func message(to, index uint64) *raftpb.Message {
	typ := raftpb.MsgApp
	return &raftpb.Message{Type: &typ, To: &to, Index: &index}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Messages arrive whole and in order.
func TestOrder(t *testing.T) {
	w := newWorld(t, "c")
	const n = 2000
	for i := range uint64(n) {
		w.links.Send([]*raftpb.Message{message(2, 2*i), message(2, 2*i+1)})
		if i%100 == 99 { // no more than Raft would leave without an answer
			eventually(t, "messages", func() bool { return len(w.member.seen()) == int(2*i+2) })
		}
	}
	for i, got := range w.member.seen() {
		if got != uint64(i) {
			t.Fatalf("message %d is %d", i, got)
		}
	}
}

// A peer that goes away does not block the sender, which is told; when it is back, new messages reach it.
func TestPeerGoesAway(t *testing.T) {
	w := newWorld(t, "c")
	w.links.Send([]*raftpb.Message{message(2, 1)})
	eventually(t, "the first", func() bool { return len(w.member.seen()) == 1 })
	w.stop()
	began := time.Now()
	for range 10 * queueBatches {
		w.links.Send([]*raftpb.Message{message(2, 2)})
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the sender was held up for %v", took)
	}
	eventually(t, "the report", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.unreachable > 0 })
	w.start()
	eventually(t, "the peer to be reached again", func() bool {
		w.links.Send([]*raftpb.Message{message(2, 7)})
		return slices.Contains(w.member.seen(), 7)
	})
}

// Goal: members that had nothing to say to each other while one of them was started again lose nothing when they have: the first message
// may be what an election hangs on. Method: one message, a restart of the peer, and just one more.
func TestFirstMessageAfterARestart(t *testing.T) {
	w := newWorld(t, "c")
	w.links.Send([]*raftpb.Message{message(2, 1)})
	eventually(t, "the first", func() bool { return len(w.member.seen()) == 1 })
	w.stop()
	time.Sleep(2 * retryPause) // the way breaks
	w.start()
	w.links.Send([]*raftpb.Message{message(2, 2)})
	eventually(t, "the second", func() bool { return slices.Contains(w.member.seen(), 2) })
}

// A node of another cluster, of another group, or one that is not meant takes nothing.
func TestWrongReceiver(t *testing.T) {
	w := newWorld(t, "another")
	for range 3 {
		w.links.Send([]*raftpb.Message{message(2, 1), message(9, 1)})
		time.Sleep(retryPause)
	}
	if got := w.member.seen(); len(got) > 0 {
		t.Errorf("it took %v", got)
	}
	if _, err := NewServer(func(uint32) (string, uint64, Member, bool) { return "c", 2, nil, true }).member("c", 3, 4); fault.ClassOf(err) != fault.Invalid {
		t.Errorf("a message for another member: %v", err)
	}
}

// A snapshot arrives byte by byte, an error with its text.
func TestSnapshot(t *testing.T) {
	w := newWorld(t, "c")
	w.member.data = make([]byte, 5<<20+17)
	rng := rand.NewChaCha8([32]byte{1})
	if _, err := rng.Read(w.member.data); err != nil {
		t.Fatal(err)
	}
	r, err := w.links.Fetch(t.Context(), 2, []byte("desc"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(got) != sha256.Sum256(w.member.data) || !bytes.Equal(got, w.member.data) {
		t.Errorf("%d bytes arrived, not those that were sent", len(got))
	}
	r, err = w.links.Fetch(t.Context(), 2, []byte("desc"), got[:10_000])
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(rest, got[10_000:]) {
		t.Errorf("%d bytes are the rest of %d behind 10,000: %v", len(rest), len(got), err)
	}
	r, err = w.links.Fetch(t.Context(), 2, []byte("gone"), nil)
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if err == nil || !strings.Contains(err.Error(), "no such snapshot") {
		t.Errorf("a snapshot that is not there: %v", err)
	}
	if _, err := w.links.Fetch(t.Context(), 5, nil, nil); err == nil {
		t.Error("a member whose address is not known has a snapshot")
	}
}
