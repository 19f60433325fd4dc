package alpha

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/alpha/shard"
	"dragg/cluster"
	"dragg/graph"
	"dragg/raftgroup"
	"dragg/storage"
	"dragg/storage/badgerkv"
	"dragg/storage/memkv"
	"dragg/zero"
)

// inProcess is a whole database within the test: a Zero and an Alpha with real Raft logs, calling each other directly.
type inProcess struct {
	*Node
	zero *zero.Server
	// kill stops both without a goodbye to the data: the folders stay.
	kill func()
}

// plan says how a database for a test differs from the one that is shipped.
type plan struct {
	dir   string                              // default: a new folder of the test
	cfg   Config                              // Dir is set by start
	zero  func(cluster.Zero) cluster.Zero     // stands between Alpha and Zero
	store func(storage.Engine) storage.Engine // stands between the shard and its engine
	disk  bool                                // keep posting lists on disk, not in memory
	cold  bool                                // without a cache of decoded lists

	zeroCfg zero.Config // Dir is set by start
}

// start runs a database until the test ends.
func (p plan) start(t testing.TB) *inProcess {
	t.Helper()
	if p.dir == "" {
		p.dir = t.TempDir()
	}
	p.zeroCfg.Dir = filepath.Join(p.dir, "zero")
	z, err := zero.Open(context.Background(), p.zeroCfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- z.Run(ctx) }()
	var seen cluster.Zero = z
	if p.zero != nil {
		seen = p.zero(z)
	}
	p.cfg.Dir = filepath.Join(p.dir, "alpha")
	n, err := p.open(ctx, seen)
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- n.Run(ctx) }()
	stopped := false
	kill := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ended, <-ended); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(kill)
	wait(t, "the node to be ready", n.Ready)
	return &inProcess{Node: n, zero: z, kill: kill}
}

// open opens a node as Open does, over an engine of the plan.
func (p plan) open(ctx context.Context, z cluster.Zero) (*Node, error) {
	if p.disk && p.store == nil {
		return Open(ctx, p.cfg, z)
	}
	n := newNode(ctx, p.cfg, z)
	if err := os.MkdirAll(p.cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := n.join(ctx); err != nil {
		return nil, err
	}
	n.engine = memkv.New(memkv.Config{})
	var err error
	if p.disk {
		if n.engine, err = badgerkv.Open(filepath.Join(p.cfg.Dir, "p"), badgerkv.Config{}); err != nil {
			return nil, err
		}
	}
	if p.store != nil {
		n.engine = p.store(n.engine)
	}
	cfg := shard.Config{Group: n.group, Horizon: p.cfg.TxnAbortAfter, Logger: n.lg}
	if p.cold {
		cfg.CacheBytes = -1
	}
	n.shard, err = shard.Open(cfg, n.engine)
	if err != nil {
		return nil, err
	}
	n.raft, err = raftgroup.Open(raftgroup.Config{
		Dir: n.walDir(), Identity: n.id, OnStatus: n.noteStatus,
	}, n.shard)
	if err != nil {
		return nil, err
	}
	n.shard.Attach(n.raft)
	return n, n.cfg.Metrics.Register(n.metrics(), n.raft.Metrics())
}

// wait returns when holds does, and fails the test when it does not in time.
func wait(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (p *inProcess) alter(t testing.TB, schema string) {
	t.Helper()
	if err := p.Alter(context.Background(), &api.Operation{Schema: schema}); err != nil {
		t.Fatal(err)
	}
}

// ask answers a query in a transaction of its own.
func (p *inProcess) ask(t testing.TB, query string) string {
	t.Helper()
	resp, err := p.Do(context.Background(), &api.Request{Query: query, ReadOnly: true}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return string(resp.Json)
}

// set commits N-Quads in a transaction of its own.
func (p *inProcess) set(t testing.TB, nquads string) {
	t.Helper()
	if _, err := p.Do(context.Background(), setting(0, nquads, true), Options{}); err != nil {
		t.Fatal(err)
	}
}

func setting(start uint64, nquads string, commit bool) *api.Request {
	return &api.Request{StartTs: start, Mutations: []*api.Mutation{{SetNquads: []byte(nquads)}}, CommitNow: commit}
}

// leaseUIDs makes the uids below n usable by name.
func (p *inProcess) leaseUIDs(t testing.TB, n uint64) {
	t.Helper()
	if _, err := p.zero.LeaseUIDs(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	wait(t, "the lease to be known", func() bool { return p.shard.MaxUID() > graph.UID(n) })
}

func unmarshal(t testing.TB, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
}
