// Package rpc keeps the connections between the nodes of one cluster: one for each address, shared by all who call there.
//
// A connection is made on first use and mends itself; calls fail at once while it is down, and soon when the node is there but
// answers nothing, so that callers can turn to another node. It is not the client API's: those connections are the clients'.
//
// Threading: the pool owns the goroutines that ask silent nodes whether they are there; Close waits for them.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Config says how connections are made. Zero values take the defaults.
type Config struct {
	// MessageBytes bounds one message either way. Default 64 MiB.
	MessageBytes int
	// Patience is how long a node may leave the question whether it is there unanswered. Default 2 s.
	Patience time.Duration
	// Dial opens a connection; nil for TCP. Tests put their own network here.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// The pauses between two attempts to reconnect, and how a peer that has vanished is noticed.
const (
	firstPause     = 50 * time.Millisecond
	longestPause   = time.Second
	connectTimeout = 2 * time.Second
	keepaliveTime  = 10 * time.Second
	keepaliveWait  = 5 * time.Second
)

// Pool is the connections of one process. It is safe for concurrent use.
type Pool struct {
	options  []grpc.DialOption
	patience time.Duration
	probers  sync.WaitGroup
	closed   chan struct{}

	mu    sync.Mutex
	links map[string]*link // guarded by mu; nil when closed
}

// NewPool returns a pool without connections.
func NewPool(cfg Config) *Pool {
	if cfg.MessageBytes == 0 {
		cfg.MessageBytes = 64 << 20
	}
	if cfg.Patience == 0 {
		cfg.Patience = 2 * time.Second
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(cfg.MessageBytes), grpc.MaxCallSendMsgSize(cfg.MessageBytes)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 1.6, Jitter: 0.2, MaxDelay: longestPause},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithStatsHandler(sentWatch{}), grpc.WithChainUnaryInterceptor(neverSent),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveWait, PermitWithoutStream: true}),
	}
	if cfg.Dial != nil {
		options = append(options, grpc.WithContextDialer(cfg.Dial))
	}
	return &Pool{options: options, patience: cfg.Patience, closed: make(chan struct{}), links: map[string]*link{}}
}

// scheme has gRPC take an address as it stands.
const scheme = "passthrough:///"

var errClosed = errors.New("the connections of this node are closed")

// Conn returns the connection to address, which stays the pool's.
func (p *Pool) Conn(address string) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.links == nil {
		return nil, errClosed
	}
	if l := p.links[address]; l != nil {
		return l.conn, nil
	}
	l := &link{patient: p.patience, probers: &p.probers, closed: p.closed, calls: map[*call]struct{}{}}
	options := append(slices.Clone(p.options), grpc.WithUnaryInterceptor(l.unary), grpc.WithStreamInterceptor(l.stream))
	c, err := grpc.NewClient(scheme+address, options...)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	l.conn = c
	p.links[address] = l
	return c, nil
}

// Close ends all connections and the calls on them.
func (p *Pool) Close() error {
	p.mu.Lock()
	links := p.links
	p.links = nil
	p.mu.Unlock()
	if links == nil {
		return nil
	}
	close(p.closed)
	var errs []error
	for _, l := range links {
		errs = append(errs, l.conn.Close())
	}
	p.probers.Wait()
	return errors.Join(errs...)
}
