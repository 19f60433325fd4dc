package rpc

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"dragg/internal/fault"
	"dragg/protos/pb"
)

// dropping is a Zero that ends its connections as soon as it has heard a call.
type dropping struct {
	pb.UnimplementedZeroServer
	heard chan struct{}
	stop  func()
}

func (d *dropping) Identify(context.Context, *pb.IdentifyRequest) (*pb.IdentifyReply, error) {
	d.heard <- struct{}{}
	go d.stop()
	time.Sleep(time.Second) // until the connection is gone
	return &pb.IdentifyReply{}, nil
}

// Goal: a call that nobody heard is known not to have been carried out; one that was heard and not answered is not.
func TestWhatWasNeverSent(t *testing.T) {
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	d := &dropping{heard: make(chan struct{}, 1), stop: s.Stop}
	pb.RegisterZeroServer(s, d)
	served := make(chan error, 1)
	go func() { served <- s.Serve(on) }()
	pool := NewPool(Config{})
	defer func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	}()
	call := func() fault.Class {
		conn, err := pool.Conn(on.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = pb.NewZeroClient(conn).Identify(t.Context(), &pb.IdentifyRequest{})
		if err = fault.FromPeer(err); strings.Contains(err.Error(), scheme) {
			t.Errorf("an address as nobody wrote it: %v", err)
		}
		return fault.ClassOf(err)
	}
	if class := call(); class != fault.Unknown || len(d.heard) != 1 {
		t.Errorf("a call that was heard: class %d, heard %d times", class, len(d.heard))
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if class := call(); class != fault.Unavailable {
			t.Errorf("a call to nobody: class %d", class)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
