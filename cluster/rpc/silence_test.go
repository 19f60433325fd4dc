package rpc

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"

	"dragg/internal/fault"
)

const (
	workMethod = "/test.Node/Work" // takes its time
	feedMethod = "/test.Node/Feed" // a stream without an end
)

// node is a peer that works on everything for as long as busy says, and answers nothing at all while it is frozen.
type node struct {
	*Pool
	frozen atomic.Bool
	busy   time.Duration
}

func startNode(t *testing.T, busy time.Duration) *node {
	t.Helper()
	n := &node{busy: busy}
	wire := bufconn.Listen(1 << 16)
	s := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, in grpc.ServerStream) error {
		ctx := in.Context()
		for ctx.Err() == nil && n.frozen.Load() {
			time.Sleep(time.Millisecond)
		}
		switch method, _ := grpc.MethodFromServerStream(in); method {
		case workMethod:
			time.Sleep(n.busy)
			return in.SendMsg(&emptypb.Empty{})
		case feedMethod:
			if err := in.SendMsg(&emptypb.Empty{}); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}
		return status.Error(codes.Unimplemented, "as servers answer that know no health service")
	}))
	go func() { _ = s.Serve(wire) }() // ends with Stop
	n.Pool = NewPool(Config{
		Patience: 200 * time.Millisecond,
		Dial:     func(ctx context.Context, _ string) (net.Conn, error) { return wire.DialContext(ctx) },
	})
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		s.Stop()
	})
	return n
}

func (n *node) conn(t *testing.T) *grpc.ClientConn {
	t.Helper()
	c, err := n.Conn("there")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (n *node) work(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return n.conn(t).Invoke(ctx, workMethod, &emptypb.Empty{}, &emptypb.Empty{})
}

func (n *node) feed(t *testing.T) grpc.ClientStream {
	t.Helper()
	in, err := n.conn(t).NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, feedMethod)
	if err == nil {
		err = in.SendMsg(&emptypb.Empty{})
	}
	if err == nil {
		err = in.RecvMsg(&emptypb.Empty{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// Calls and streams to a node that freezes end soon, as unavailable; later ones fail at once; when it is back all is well.
func TestFrozenNode(t *testing.T) {
	n := startNode(t, 0)
	in := n.feed(t)
	n.frozen.Store(true)
	if err := n.work(t); status.Code(err) != codes.Unavailable || fault.ClassOf(fault.FromPeer(err)) != fault.Unknown {
		t.Errorf("a call: %v", err)
	}
	if err := in.RecvMsg(&emptypb.Empty{}); status.Code(err) != codes.Unavailable {
		t.Errorf("a stream: %v", err)
	}
	began := time.Now()
	if err := n.work(t); fault.ClassOf(fault.FromPeer(err)) != fault.Unavailable || time.Since(began) > 100*time.Millisecond {
		t.Errorf("a later call: %v after %v", err, time.Since(began))
	}
	if _, err := n.conn(t).NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, feedMethod); status.Code(err) != codes.Unavailable {
		t.Errorf("a later stream: %v", err)
	}
	n.frozen.Store(false)
	for began := time.Now(); n.work(t) != nil; time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the node is back, and nobody notices")
		}
	}
	n.feed(t)
}

// A node that is slow is left alone: it says that it is there. So is a stream on which nothing comes.
func TestSlowNode(t *testing.T) {
	n := startNode(t, time.Second)
	in := n.feed(t)
	if err := n.work(t); err != nil {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- in.RecvMsg(&emptypb.Empty{}) }() // ends with the pool
	select {
	case err := <-ended:
		t.Errorf("the stream ended: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
}

// Nobody asks a node for which nobody waits.
func TestNobodyAsksInVain(t *testing.T) {
	n := startNode(t, 0)
	if err := n.work(t); err != nil {
		t.Fatal(err)
	}
	l := n.links["there"]
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		probing := l.probing
		l.mu.Unlock()
		if !probing {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("the node is still asked")
		}
	}
}
