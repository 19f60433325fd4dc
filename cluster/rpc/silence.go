package rpc

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"dragg/internal/fault"
)

// link is the connection to one peer. While calls are under way it asks the peer now and then whether it is there: a process that is
// frozen, or behind a network that drops everything, keeps its connections open and says nothing, and gRPC's own keepalive notices no
// sooner than after 10 s. Once the peer has left such a question unanswered its calls end as if the connection had broken, and new
// ones fail at once until it answers again. A peer that is merely slow with its work answers.
type link struct {
	conn    *grpc.ClientConn
	patient time.Duration
	probers *sync.WaitGroup // of the pool, which waits for them
	closed  <-chan struct{} // when the pool is

	mu      sync.Mutex
	calls   map[*call]struct{} // guarded by mu
	probing bool               // guarded by mu
	silent  bool               // guarded by mu
}

// call is one that is under way.
type call struct{ cancel context.CancelCauseFunc }

// probeInterval is how often a peer is asked while calls are under way.
const probeInterval = time.Second

var errSilent = errors.New("the node does not answer")

// begin notes a call, which is over with the context's end or when end is called.
func (l *link) begin(ctx context.Context) (_ context.Context, end func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent {
		return nil, nil, fault.ToPeer(fault.As(fault.Unavailable, errSilent)) // nothing is sent: it is surely not carried out
	}
	ctx, cancel := context.WithCancelCause(ctx)
	c := &call{cancel}
	l.calls[c] = struct{}{}
	if !l.probing {
		l.probing = true
		apart := context.WithoutCancel(ctx)
		l.probers.Go(func() { l.probe(apart) })
	}
	return ctx, func() {
		cancel(nil)
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.calls, c)
	}, nil
}

// probe asks the peer until there is nobody left who waits for it.
func (l *link) probe(ctx context.Context) {
	ticker := time.NewTicker(min(probeInterval, l.patient))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-l.closed:
			return
		}
		l.mu.Lock()
		if len(l.calls) == 0 && !l.silent {
			l.probing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		l.heard(l.answers(ctx))
	}
}

// answers asks the peer. Any answer will do, a refusal too, and so will the news that the connection is broken: then calls end without
// help.
func (l *link) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, l.patient)
	defer cancel()
	_, err := grpc_health_v1.NewHealthClient(l.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return status.Code(err) != codes.DeadlineExceeded
}

// heard notes whether the peer answered, and ends the calls to one that did not.
func (l *link) heard(answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = !answered
	if answered {
		return
	}
	for c := range l.calls {
		c.cancel(errSilent)
		delete(l.calls, c)
	}
}

// explain returns the error of a call; one that was ended because of silence was cut off.
func explain(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return status.Error(codes.Unavailable, errSilent.Error())
	}
	return err
}

func (l *link) unary(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if method == grpc_health_v1.Health_Check_FullMethodName {
		return invoke(ctx, method, req, reply, conn, opts...)
	}
	ctx, end, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return explain(ctx, invoke(ctx, method, req, reply, conn, opts...))
}

func (l *link) stream(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx, end, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, desc, conn, method, opts...)
	if err != nil {
		end()
		return nil, explain(ctx, err)
	}
	context.AfterFunc(s.Context(), end)
	return &watched{s, ctx}, nil
}

// watched is a stream whose errors are explained.
type watched struct {
	grpc.ClientStream
	ctx context.Context
}

// RecvMsg implements grpc.ClientStream.
func (w *watched) RecvMsg(m any) error { return explain(w.ctx, w.ClientStream.RecvMsg(m)) }

// SendMsg implements grpc.ClientStream.
func (w *watched) SendMsg(m any) error { return explain(w.ctx, w.ClientStream.SendMsg(m)) }
