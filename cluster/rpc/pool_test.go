package rpc

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

// One connection an address, shared; calls fail at once while nobody is there; nothing works after Close.
func TestPool(t *testing.T) {
	wire := bufconn.Listen(1 << 16)
	dials := map[string]int{}
	p := NewPool(Config{Dial: func(ctx context.Context, address string) (net.Conn, error) {
		if address != "there" {
			return nil, errors.New("nobody there")
		}
		dials[address]++
		return wire.DialContext(ctx)
	}})
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(wire) }() // ends with Stop
	defer s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 3 {
		c, err := p.Conn("there")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := grpc_health_v1.NewHealthClient(c).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
	}
	if dials["there"] != 1 {
		t.Errorf("connected %v", dials)
	}
	c, err := p.Conn("away")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grpc_health_v1.NewHealthClient(c).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.Conn("there"); err == nil {
		t.Error("a closed pool connects")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
