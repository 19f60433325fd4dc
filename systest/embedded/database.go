// Package embedded runs a whole database within the test's process: a Zero and an Alpha that call each other directly, with real
// Raft logs, and posting lists in memory. It serves what does not need processes, ports or a disk: language tests and oracles.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250"
	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"dragg/alpha"
	"dragg/graph"
	"dragg/storage/memkv"
	"dragg/zero"
)

// Database is a database in this process. Close ends it.
type Database struct {
	*alpha.Node
	zero  *zero.Server
	stop  context.CancelFunc
	ended chan error // gets what each of the two nodes ended with
}

// Start opens a database with its logs in dir, and returns once it answers.
func Start(ctx context.Context, dir string) (*Database, error) {
	z, err := zero.Open(ctx, zero.Config{Dir: filepath.Join(dir, "zero")})
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &Database{zero: z, stop: stop, ended: make(chan error, 2)}
	go func() { d.ended <- z.Run(life) }()
	d.Node, err = alpha.Open(ctx, alpha.Config{Dir: filepath.Join(dir, "alpha"), Engine: memkv.New(memkv.Config{})}, z)
	if err != nil {
		stop()
		return nil, errors.Join(err, <-d.ended)
	}
	go func() { d.ended <- d.Run(life) }()
	if err := until(ctx, "the database to be ready", d.Ready); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// ForTest starts a database that ends with the test.
func ForTest(tb testing.TB) *Database {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := Start(ctx, tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// Close ends both nodes.
func (d *Database) Close() error {
	d.stop()
	return errors.Join(<-d.ended, <-d.ended)
}

// until returns when holds does.
func until(ctx context.Context, what string, holds func() bool) error {
	for ; !holds(); time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// Lease makes n uids usable by name, and returns the first of them. It returns when mutations may use them.
func (d *Database) Lease(ctx context.Context, n uint64) (uint64, error) {
	first, err := d.zero.LeaseUIDs(ctx, n)
	if err != nil {
		return 0, err
	}
	last := first + graph.UID(n-1)
	// The lease reaches the Alpha in the order of everything else that Zero decides.
	return uint64(first), until(ctx, "the lease", func() bool {
		_, err := d.Do(ctx, &api.Request{CommitNow: true, Mutations: []*api.Mutation{{
			DelNquads: fmt.Appendf(nil, "<%s> <dgraph.type> * .", last),
		}}}, alpha.Options{})
		return err == nil
	})
}

// Serve offers the client API over a connection in memory, and its HTTP surface at url. Close ends both.
func (d *Database) Serve() (client *dgo.Dgraph, url string, closeServers func(), err error) {
	pipe := bufconn.Listen(1 << 20)
	server := grpc.NewServer(alpha.ServerOptions()...)
	d.Register(server)
	go func() { _ = server.Serve(pipe) }() // ends with Stop
	web := httptest.NewServer(d.Handler())
	client, err = dgo.NewClient("passthrough:///embedded",
		dgo.WithGrpcOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		dgo.WithGrpcOption(grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) })))
	return client, web.URL, func() { web.Close(); server.Stop() }, err
}
