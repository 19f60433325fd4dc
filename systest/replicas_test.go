//go:build systest

package systest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
)

var (
	chaosTime     = flag.Duration("chaos-time", 20*time.Second, "how long the replicated cluster is disturbed")
	chaosReplicas = flag.Int("chaos-replicas", 1, "replicas of each of two groups that are disturbed")
	chaosSeed     = flag.Uint64("chaos-seed", 0, "seed of the disturbances; 0 for one of its own")
)

// startCluster starts a cluster that ends with the test, and returns a client of each Alpha.
func startCluster(t *testing.T, zeros, alphas, replicas int) (*Cluster, []*Client) {
	t.Helper()
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCluster(bin, t.TempDir(), zeros, alphas, replicas)
	if err != nil {
		t.Fatal(err)
	}
	endCluster(t, c)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var clients []*Client
	for _, n := range c.Alphas {
		clients = append(clients, connect(t, n.Dragg))
	}
	return c, clients
}

// endCluster ends a cluster with the test, and shows what its nodes said if it failed.
func endCluster(t *testing.T, c *Cluster) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
		for _, n := range c.Nodes() {
			if strings.Contains(n.Log(), "panic") {
				t.Errorf("%s panicked", n.Name)
			}
			if t.Failed() {
				lines := strings.Split(n.Log(), "\n")
				t.Logf("%s:\n%s", n.Name, strings.Join(lines[max(0, len(lines)-25):], "\n"))
			}
		}
	})
}

// Goal: a cluster keeps its word while its processes die and freeze: no acknowledged write is lost, every snapshot holds the same
// money, and the whole history is strong snapshot isolation. Method: three Zeros and a group of three Alphas; clients transfer,
// insert and audit at all Alphas while one process at a time is killed and started again, or paused for a while; then everything
// is read at every Alpha.
func TestReplicas(t *testing.T) { chaos(t, 3, 3, 3, *chaosTime) }

// The same over two groups, each of one replica or as many as -chaos-replicas says, while tablets move between them: transfers write
// to both, snapshots span both.
func TestGroups(t *testing.T) { chaos(t, 3, 2**chaosReplicas, *chaosReplicas, *chaosTime) }

// chaos disturbs a cluster for the given time.
func chaos(t *testing.T, zeros, alphas, replicas int, lasting time.Duration) {
	t.Helper()
	c, clients := startCluster(t, zeros, alphas, replicas)
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to see this again: -chaos-seed %d", seed)
	ctx, cancel := context.WithTimeout(context.Background(), lasting+3*time.Minute)
	defer cancel()
	eventually(ctx, t, "uids", func() error { return c.Zeros[0].AssignUIDs(ctx, 100) })
	b, err := newBank(ctx, clients[0])
	if err != nil {
		t.Fatal(err)
	}
	working, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	for p := range 6 {
		workers.Go(func() { b.client(working, p+1, clients, seed) })
	}
	m := &mover{z: c.Zero(), groups: []uint32{1, 2}}
	if alphas > replicas {
		workers.Go(func() { m.run(working, rand.New(rand.NewPCG(seed, 1)), time.Second, "amount", "value") })
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	faults := map[string]int{}
	for end := time.Now().Add(lasting); time.Now().Before(end); {
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		n := c.Nodes()[rng.IntN(len(c.Nodes()))]
		if err := disturb(ctx, n, rng, faults); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range c.Alphas {
		await(ctx, t, n.Dragg)
	}
	quiet, done := b.transfers.Load(), b.inserts.Load()
	eventually(ctx, t, "work to go on after the last fault", func() error {
		if b.transfers.Load() == quiet || b.inserts.Load() == done {
			return fmt.Errorf("%d transfers, %d inserts", quiet, done)
		}
		return nil
	})
	stop()
	workers.Wait()
	for i, n := range c.Alphas {
		b.verify(ctx, t, n.Name, clients[i])
	}
	b.check(ctx, t, c)
	sameReplicas(ctx, t, c)
	t.Logf("faults: %v; %v", faults, m)
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Alphas {
		if err := fsckData(n.Dragg); err != nil {
			t.Errorf("%s: %v", n.Name, err)
		}
	}
}

// disturb kills a process and starts it again after a while, or pauses it.
func disturb(ctx context.Context, n *Node, rng *rand.Rand, faults map[string]int) error {
	kind := strings.TrimRight(n.Name, "0123456789")
	if rng.IntN(3) == 0 {
		faults["pause "+kind]++
		if err := n.Pause(); err != nil {
			return err
		}
		time.Sleep(time.Duration(100+rng.IntN(4000)) * time.Millisecond)
		return n.Resume()
	}
	faults["kill "+kind]++
	if err := n.Kill(); err != nil {
		return err
	}
	time.Sleep(time.Duration(rng.IntN(2500)) * time.Millisecond)
	return n.Run()
}

// A write to predicates that nobody has seen before succeeds at whatever replica it comes in, and is read at every other one.
func TestNewPredicatesAnywhere(t *testing.T) {
	c, clients := startCluster(t, 1, 4, 2)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	eventually(ctx, t, "uids", func() error { return c.Zeros[0].AssignUIDs(ctx, 100) })
	for i := range 40 {
		text := fmt.Sprintf("<0x1> <a%d> \"x\" .\n<0x1> <b%d> <0x2> .\n<0x1> <c%d> \"1\" .\n", i, i, i)
		at := clients[i%len(clients)]
		if _, err := at.NewTxn().Mutate(ctx, &api.Mutation{SetNquads: []byte(text), CommitNow: true}); err != nil {
			t.Errorf("at %s: %v", c.Alphas[i%len(clients)].Name, err)
			continue
		}
		for j, other := range clients {
			q := fmt.Sprintf(`{ q(func: has(a%d)) { a%d b%d { uid } c%d } }`, i, i, i, i)
			want := fmt.Sprintf(`{"q":[{"a%d":"x","b%d":[{"uid":"0x2"}],"c%d":"1"}]}`, i, i, i)
			r, err := other.NewReadOnlyTxn().Query(ctx, q)
			if err != nil || string(r.Json) != want {
				t.Errorf("at %s: %s %v", c.Alphas[j].Name, r.GetJson(), err)
			}
		}
	}
}
