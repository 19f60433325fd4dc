package cluster_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"dragg/cluster"
	"dragg/cluster/rpc"
	"dragg/internal/fault"
	"dragg/protos/pb"
	"dragg/zero"
)

// far is a Zero behind a network of its own, which can be cut.
type far struct {
	*zero.Server
	wire *bufconn.Listener
	stop func() // ends the gRPC server, not the Zero
}

func startFar(t *testing.T) *far {
	t.Helper()
	z, err := zero.Open(context.Background(), zero.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- z.Run(ctx) }()
	select {
	case <-z.Ready():
	case <-time.After(10 * time.Second):
		t.Fatal("Zero did not become ready")
	}
	s, wire := grpc.NewServer(), bufconn.Listen(1<<20)
	z.Register(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(wire) }()
	f := &far{Server: z, wire: wire, stop: sync.OnceFunc(func() { s.Stop(); <-served })}
	t.Cleanup(func() {
		f.stop()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return f
}

// clientOf returns a client of the Zeros, whose addresses are their numbers.
func clientOf(t *testing.T, patience time.Duration, zeros ...*far) *cluster.Client {
	t.Helper()
	var addresses []string
	for i := range zeros {
		addresses = append(addresses, strconv.Itoa(i))
	}
	pool := rpc.NewPool(rpc.Config{Dial: func(ctx context.Context, address string) (net.Conn, error) {
		i, err := strconv.Atoi(address)
		if err != nil {
			return nil, err
		}
		return zeros[i].wire.DialContext(ctx)
	}})
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return cluster.NewClient(cluster.ClientConfig{Addresses: addresses, Pool: pool, Patience: patience})
}

// remote starts a Zero and returns it twice: as it is, and through gRPC. stop ends the server, not the Zero.
func remote(t *testing.T) (direct, away cluster.Zero, stop func()) {
	t.Helper()
	f := startFar(t)
	return f.Server, clientOf(t, 200*time.Millisecond, f), f.stop
}

// A client finds the Zero that is there among those that are not, and stays with it; it learns of more while it looks.
func TestClientFindsTheLeader(t *testing.T) {
	gone, there := startFar(t), startFar(t)
	gone.stop()
	c := clientOf(t, 10*time.Second, gone, there)
	for range 3 {
		if _, _, err := c.Timestamps(t.Context(), 1); err != nil {
			t.Error(err)
		}
	}
	only := clientOf(t, 100*time.Millisecond, gone, there)
	there.stop()
	if _, err := only.Commit(t.Context(), &pb.CommitRequest{StartTs: 1}); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("a commit that nobody hears: %v", err)
	}
	if _, err := only.State(t.Context()); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("a question that nobody answers: %v", err)
	}
	only.Learn("")
	only.Learn("0")
}

// Goal: a Zero over the wire answers as the same Zero in the process: values, refusals and their classes.
func TestClientAnswersLikeTheServer(t *testing.T) {
	direct, far, _ := remote(t)
	ctx := t.Context()
	var tablet *pb.Tablet
	for _, z := range []cluster.Zero{far, direct} {
		if _, _, err := z.Timestamps(ctx, 3); err != nil {
			t.Error(err)
		}
		if _, err := z.LeaseUIDs(ctx, 0); fault.ClassOf(err) != fault.Invalid {
			t.Errorf("a lease of nothing: %v", err)
		}
		if tablet == nil {
			r, err := z.ChangeSchema(ctx, &pb.Alter{Predicates: []*pb.PredicateChange{{Predicate: "p", Schema: []byte("s")}}})
			if err != nil || len(r.Tablets) != 1 || r.Seqs[1] != 1 {
				t.Fatalf("%v %v", r, err)
			}
			tablet = r.Tablets[0]
		}
		start, _, err := z.Timestamps(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		r := &pb.CommitRequest{StartTs: uint64(start), Keys: []uint64{7}, Epochs: []uint64{tablet.Epoch}, Groups: []uint32{1}}
		if _, known, err := z.Outcome(ctx, start); known || err != nil {
			t.Errorf("the outcome before the end: %v %v", known, err)
		}
		v, err := z.Commit(ctx, r)
		if err != nil || v.CommitTs == 0 {
			t.Fatalf("%v %v", v, err)
		}
		if commit, known, err := z.Outcome(ctx, start); !known || err != nil || uint64(commit) != v.CommitTs {
			t.Errorf("the outcome: %d %v %v", commit, known, err)
		}
		if _, err := z.Commit(ctx, &pb.CommitRequest{}); fault.ClassOf(err) != fault.Invalid {
			t.Errorf("a commit without a start: %v", err)
		}
		if _, err := z.Connect(ctx, &pb.Join{ClusterId: "another"}); fault.ClassOf(err) != fault.Invalid {
			t.Errorf("a node of another cluster: %v", err)
		}
		if st, err := z.State(ctx); err != nil || len(st.Tablets) != 1 || st.ClusterId == "" {
			t.Errorf("state %v %v", st, err)
		}
		if err := z.Acknowledge(ctx, &pb.Ack{Group: 1, Seq: 1}); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := far.Timestamps(ctx, 1<<20); fault.ClassOf(err) != fault.Invalid {
		t.Errorf("too many timestamps: %v", err)
	}
}

// The stream comes whole over the wire, ends with what deliver returns, and with the context.
func TestClientStreams(t *testing.T) {
	direct, far, stop := remote(t)
	if _, err := direct.ChangeSchema(t.Context(), &pb.Alter{Predicates: []*pb.PredicateChange{
		{Predicate: "a", Schema: []byte("s")}, {Predicate: "b", Schema: []byte("s")},
	}}); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	var got []*pb.Event
	err := far.Stream(t.Context(), 1, 0, func(b *pb.StreamBatch) error {
		if got = append(got, b.Events...); len(got) == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || got[0].TabletSet.GetTablet().GetPredicate() != "a" || got[1].Seq != 2 {
		t.Errorf("%v %v", got, err)
	}
	if err := far.Stream(t.Context(), 1, 99, func(*pb.StreamBatch) error { return nil }); fault.ClassOf(err) != fault.Invalid {
		t.Errorf("a stream that goes on after its end: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := far.Stream(ctx, 1, 2, func(*pb.StreamBatch) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a stream that nobody wants any more: %v", err)
	}
	broken := make(chan error, 1)
	go func() {
		broken <- far.Stream(context.Background(), 1, 2, func(*pb.StreamBatch) error { go stop(); return nil })
	}()
	if err := <-broken; fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("a stream that breaks: %v", err)
	}
}

// A commit of which it is not known whether anybody heard it has an unknown outcome; all else, and one that surely nobody heard, is
// merely unavailable.
func TestClientWithoutServer(t *testing.T) {
	_, far, stop := remote(t)
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	if _, err := far.Commit(given, &pb.CommitRequest{StartTs: 1}); fault.ClassOf(err) != fault.Unknown {
		t.Errorf("a commit that was given up: %v", err)
	}
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := far.Commit(ctx, &pb.CommitRequest{StartTs: 1}); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("a commit: %v", err)
	}
	if _, _, err := far.Timestamps(ctx, 1); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("timestamps: %v", err)
	}
	if _, _, err := far.Outcome(ctx, 1); fault.ClassOf(err) != fault.Unavailable {
		t.Errorf("an outcome: %v", err)
	}
}
