package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress what they send
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"dragg/internal/pings"
)

// stopTimeout bounds how long requests may take to end when the process stops.
const stopTimeout = time.Second

// free returns nil if the ports can be opened. It is asked before anything else: a node that has joined a cluster, and then finds its
// port taken, is a member that nobody reaches.
func free(addresses ...string) error {
	for _, address := range addresses {
		on, err := net.Listen("tcp", address)
		if err == nil {
			err = on.Close()
		}
		if err != nil {
			return fmt.Errorf("opening a port: %w (--port-offset shifts all ports)", err)
		}
	}
	return nil
}

// listeners are the open ports of a process.
type listeners struct {
	lg    *slog.Logger
	serve []func(ctx context.Context) error
	open  []net.Listener
}

// listen opens a port and remembers what to serve on it.
func (l *listeners) listen(what, address string, serve func(ctx context.Context, on net.Listener) error) error {
	on, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("opening the port for %s: %w (--port-offset shifts all ports)", what, err)
	}
	l.open = append(l.open, on)
	l.serve = append(l.serve, func(ctx context.Context) error {
		l.lg.Info("serving", "what", what, "address", on.Addr().String())
		return serve(ctx, on)
	})
	return nil
}

// run serves on all ports until ctx ends.
func (l *listeners) run(ctx context.Context) error {
	eg, ctx := errgroup.WithContext(ctx)
	for _, serve := range l.serve {
		eg.Go(func() error { return serve(ctx) })
	}
	return eg.Wait()
}

// close closes ports that were never served.
func (l *listeners) close() error {
	var errs []error
	for _, on := range l.open {
		errs = append(errs, on.Close())
	}
	return errors.Join(errs...)
}

// httpOn returns what serves a handler until ctx ends.
func httpOn(h http.Handler) func(ctx context.Context, on net.Listener) error {
	return func(ctx context.Context, on net.Listener) error {
		s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
		failed := make(chan error, 1)
		go func() { failed <- s.Serve(on) }() // ends by Shutdown or Close below
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if s.Shutdown(stopping) != nil {
			return s.Close()
		}
		return nil
	}
}

// streamWorkers is how many goroutines answer calls one after the other; beyond them each call has its own. Their stacks have grown
// to what a query needs, which takes a new goroutine a quarter of the time that a small query takes in all.
const streamWorkers = 64

// windowBytes is how much of requests may be on its way to a server without its leave: a window of its own choice, because gRPC
// would measure each connection by a ping with every request, which costs a small one as much as its answer, on both sides. A
// request that is larger is given more as soon as its length is known.
const windowBytes = 1 << 20

// pingPatience is how long a client waits for the acknowledgement of a ping while nothing else is sent to it.
const pingPatience = 10 * time.Millisecond

// grpcOptions are those of every gRPC server.
func grpcOptions(lg *slog.Logger, requestBytes int) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(requestBytes),
		grpc.MaxConcurrentStreams(1024),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.Creds(pings.Held(insecure.NewCredentials(), pingPatience)),
		grpc.StaticStreamWindowSize(windowBytes),
		grpc.StaticConnWindowSize(windowBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(recovering(lg)),
	}
}

// recovering turns a panic of one request into an error of that request, and says that it is a bug.
func recovering(lg *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
		defer func() {
			if p := recover(); p != nil {
				lg.Error("a request panicked; this is a bug, please report it", "method", info.FullMethod, "panic", p,
					"stack", string(debug.Stack()))
				err = status.Errorf(codes.Internal, "internal error: %v", p)
			}
		}()
		return next(ctx, req)
	}
}

// grpcOn returns what serves s, with health and reflection, until ctx ends. ready tells whether it serves.
func grpcOn(s *grpc.Server, ready func() bool) func(ctx context.Context, on net.Listener) error {
	h := health.NewServer()
	grpc_health_v1.RegisterHealthServer(s, h)
	reflection.Register(s)
	return func(ctx context.Context, on net.Listener) error {
		failed := make(chan error, 1)
		go func() { failed <- s.Serve(on) }() // ends by Stop below
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			state := grpc_health_v1.HealthCheckResponse_NOT_SERVING
			if ready() {
				state = grpc_health_v1.HealthCheckResponse_SERVING
			}
			h.SetServingStatus("", state)
			select {
			case err := <-failed:
				return err
			case <-ticker.C:
			case <-ctx.Done():
				h.Shutdown()
				stopGracefully(s)
				return nil
			}
		}
	}
}

func stopGracefully(s *grpc.Server) {
	done := make(chan struct{})
	go func() { s.GracefulStop(); close(done) }() // Stop ends it
	select {
	case <-done:
	case <-time.After(stopTimeout):
		s.Stop()
		<-done
	}
}
