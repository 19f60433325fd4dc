package rpc

import (
	"context"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"dragg/internal/fault"
)

// A call that failed because of its connection may have been carried out or not, unless nothing of it was ever sent: then it
// surely was not, and may be made elsewhere. gRPC gives both the same code; whether headers went out tells them apart.

type sentKey struct{}

// sentWatch notes for each call whether anything of it was sent.
type sentWatch struct{}

var _ stats.Handler = sentWatch{}

// TagRPC implements stats.Handler.
func (sentWatch) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (sentWatch) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.OutHeader); !ok {
		return
	}
	if sent, ok := ctx.Value(sentKey{}).(*atomic.Bool); ok {
		sent.Store(true)
	}
}

// TagConn implements stats.Handler.
func (sentWatch) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (sentWatch) HandleConn(context.Context, stats.ConnStats) {}

// neverSent gives a call of which nothing was sent an error of class fault.Unavailable.
func neverSent(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	sent := &atomic.Bool{}
	err := invoke(context.WithValue(ctx, sentKey{}, sent), method, req, reply, cc, opts...)
	if status.Code(err) != codes.Unavailable || sent.Load() {
		return err
	}
	address := strings.TrimPrefix(cc.Target(), scheme)
	return fault.ToPeer(fault.New(fault.Unavailable, "%s is not reached: %s", address, status.Convert(err).Message()))
}
