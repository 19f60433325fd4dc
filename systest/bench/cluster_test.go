//go:build systest

package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/protos/pb"
	"dragg/systest"
)

var (
	kills    = flag.Int("kills", 50, "how many leaders BenchmarkFailover kills")
	joinMiB  = flag.Int("join-mib", 1024, "how much data the group of BenchmarkJoin holds")
	moveSize = flag.Int("move-edges", 1_000_000, "how many edges the predicate of BenchmarkMove has")
)

// startCluster starts a cluster that ends with the benchmark.
func startCluster(b *testing.B, zeros, alphas, replicas int) *systest.Cluster {
	b.Helper()
	bin, err := systest.Binary(2)
	must(b, err)
	c, err := systest.NewCluster(bin, b.TempDir(), zeros, alphas, replicas)
	must(b, err)
	b.Cleanup(func() { _ = c.Kill() }) // some have ended already
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	must(b, c.Run(ctx))
	return c
}

// BenchmarkReplicas compares a group of three with one of a single Alpha: commits with 1 and 64 clients, reads at all replicas.
func BenchmarkReplicas(b *testing.B) {
	for b.Loop() {
		var commit1, commit64, reads [2]float64
		for i, replicas := range []int{1, 3} {
			c := startCluster(b, 1, replicas, replicas)
			await(b, "the replicas vote", func() bool { return voters(b, c) == replicas })
			cs := spread(b, c, 64)
			must(b, cs[0].Alter(context.Background(), &api.Operation{Schema: "name: string @index(exact) .\nage: int .\nemail: string ."}))
			uids := seed(b, cs[0], 10_000)
			commit1[i], commit64[i] = throughput(b, cs[:1], commitThree), throughput(b, cs, commitThree)
			reads[i] = throughput(b, cs[:16], func(cl *systest.Client, w, k int) error {
				return query(fmt.Sprintf(`{ q(func: uid(%s)) { name } }`, uids[(w*7919+k)%len(uids)]))(cl, w, k)
			})
			must(b, c.Kill())
		}
		b.ReportMetric(0, "ns/op")
		for i, name := range []string{"one", "three"} {
			b.ReportMetric(commit1[i], name+"-commit-1/s")
			b.ReportMetric(commit64[i], name+"-commit-64/s")
			b.ReportMetric(reads[i], name+"-read-16/s")
		}
		b.ReportMetric(100*commit64[1]/commit64[0], "commit-64-%")
		b.ReportMetric(100*reads[1]/reads[0], "read-%")
	}
}

// spread returns n clients, one at each Alpha in turn.
func spread(b *testing.B, c *systest.Cluster, n int) (out []*systest.Client) {
	b.Helper()
	for i := range n {
		out = append(out, clients(b, c.Alphas[i%len(c.Alphas)].Dragg, 1)...)
	}
	return out
}

// voters returns how many members of the group vote, as the first Alpha that runs knows.
func voters(b *testing.B, c *systest.Cluster) int {
	b.Helper()
	for _, n := range c.Alphas {
		resp, err := http.Get(n.HTTP() + "/metrics")
		if err != nil {
			continue // it does not run
		}
		text, err := io.ReadAll(resp.Body)
		must(b, errors.Join(err, resp.Body.Close()))
		for line := range strings.Lines(string(text)) {
			if number, ok := strings.CutPrefix(line, `dragg_raft_members{group="1",role="voter"} `); ok {
				n, err := strconv.Atoi(strings.TrimSpace(number))
				must(b, err)
				return n
			}
		}
	}
	return 0
}

func await(b *testing.B, what string, holds func() bool) {
	b.Helper()
	for end := time.Now().Add(5 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("waited in vain until %s", what)
		}
	}
}

// latencies are how long calls took.
type latencies struct {
	mu   sync.Mutex
	took []time.Duration // guarded by mu
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, d)
}

// report reports the median, the 99th percentile and the longest, in milliseconds.
func (l *latencies) report(b *testing.B, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.took) == 0 {
		b.Fatalf("no %s", what)
	}
	slices.Sort(l.took)
	at := func(share float64) float64 {
		return float64(l.took[int(share*float64(len(l.took)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), what+"-p50-ms")
	b.ReportMetric(at(0.99), what+"-p99-ms")
	b.ReportMetric(at(1), what+"-max-ms")
}

// BenchmarkFailover kills the leader of a group of three again and again, and measures how long it takes until a write is
// acknowledged.
func BenchmarkFailover(b *testing.B) {
	c := startCluster(b, 3, 3, 3)
	cs := spread(b, c, 3)
	ctx := context.Background()
	must(b, cs[0].Alter(ctx, &api.Operation{Schema: "name: string .\nage: int .\nemail: string ."}))
	for b.Loop() {
		var times latencies
		for k := range *kills {
			await(b, "all vote", func() bool { return voters(b, c) == 3 })
			leader := leaderOf(b, c)
			must(b, leader.Kill())
			killed := time.Now()
			for acked, i := false, 0; !acked; i++ {
				at := cs[i%3]
				if c.Alphas[i%3] == leader {
					continue
				}
				limited, cancel := context.WithTimeout(ctx, 10*time.Second)
				_, err := at.Stub.Query(limited, &api.Request{
					Mutations: []*api.Mutation{{SetNquads: fmt.Appendf(nil, "_:n <name> \"kill %d\" .", k)}}, CommitNow: true,
				})
				cancel()
				acked = err == nil
			}
			times.add(time.Since(killed))
			must(b, leader.Run())
			must(b, c.Await(ctx))
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(*kills), "kills")
		times.report(b, "failover")
	}
}

// leaderOf returns the Alpha that leads group 1.
func leaderOf(b *testing.B, c *systest.Cluster) *systest.Node {
	b.Helper()
	st, err := c.Zero().State(context.Background())
	must(b, err)
	for _, m := range st.Members {
		if m.Group == 1 && m.Id == st.Leaders[1] {
			for _, n := range c.Alphas {
				if m.Address == n.NodeAddress() {
					return n
				}
			}
		}
	}
	b.Fatalf("nobody leads group 1: %v", st.Leaders)
	return nil
}

// BenchmarkMove moves a predicate of a million edges to another group while it is written and read.
func BenchmarkMove(b *testing.B) {
	c := startCluster(b, 1, 2, 1)
	cs := spread(b, c, 8)
	ctx := context.Background()
	must(b, cs[0].Alter(ctx, &api.Operation{Schema: "follows: [uid] @reverse @count .\nname: string ."}))
	z := c.Zero()
	first, err := z.LeaseUIDs(ctx, uint64(2**moveSize))
	must(b, err)
	for from := 0; from < *moveSize; from += 10_000 {
		var text strings.Builder
		for i := from; i < from+10_000; i++ {
			fmt.Fprintf(&text, "<0x%x> <follows> <0x%x> .\n", uint64(first)+uint64(i)/10, uint64(first)+uint64(*moveSize)+uint64(i)%100_000)
		}
		_, err := cs[0].NewTxn().Mutate(ctx, &api.Mutation{SetNquads: []byte(text.String()), CommitNow: true})
		must(b, err)
	}
	for b.Loop() {
		var before, during [2]latencies // of writes and reads
		load(b, cs, uint64(first), uint64(*moveSize), &before, func() { time.Sleep(window) })
		var took time.Duration
		load(b, cs, uint64(first), uint64(*moveSize), &during, func() { took = moveAway(b, c, "follows") })
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(took.Seconds(), "move-s")
		before[0].report(b, "write-before")
		before[1].report(b, "read-before")
		during[0].report(b, "write-during")
		during[1].report(b, "read-during")
	}
}

// load has four clients write edges and four read some while fn runs.
func load(b *testing.B, cs []*systest.Client, first, size uint64, took *[2]latencies, fn func()) {
	ctx, stop := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			for ctx.Err() == nil {
				node := first + rng.Uint64N(size/10)
				began := time.Now()
				var err error
				if w%2 == 0 {
					text := fmt.Sprintf("<0x%x> <follows> <0x%x> .", node, first+size+rng.Uint64N(size))
					_, err = cs[w].NewTxn().Mutate(context.Background(), &api.Mutation{SetNquads: []byte(text), CommitNow: true})
				} else {
					_, err = cs[w].NewReadOnlyTxn().Query(context.Background(), fmt.Sprintf(`{ q(func: uid(0x%x)) { follows { uid } } }`, node))
				}
				if err != nil {
					b.Error(err)
					return
				}
				took[w%2].add(time.Since(began))
			}
		})
	}
	fn()
	stop()
	workers.Wait()
}

// moveAway moves a predicate to the group that does not serve it and returns how long that took.
func moveAway(b *testing.B, c *systest.Cluster, predicate string) time.Duration {
	b.Helper()
	z, ctx := c.Zero(), context.Background()
	tablet := func() *pb.Tablet {
		st, err := z.State(ctx)
		must(b, err)
		for _, t := range st.Tablets {
			if t.Predicate == predicate {
				return t
			}
		}
		b.Fatalf("no predicate %s", predicate)
		return nil
	}
	from := tablet().Group
	began := time.Now()
	_, err := z.Move(ctx, &pb.MoveStep{Predicate: predicate, Kind: pb.MoveKind_MOVE_BEGIN, To: 3 - from})
	must(b, err)
	await(b, "the tablet has moved", func() bool {
		t := tablet()
		if t.Move == nil && t.Group == from {
			b.Fatal("the move was given up")
		}
		return t.Group != from
	})
	return time.Since(began)
}

// BenchmarkJoin adds an empty replica to a group that holds much, and measures how long it takes until it votes.
func BenchmarkJoin(b *testing.B) {
	for b.Loop() {
		c := startClusterWithSpare(b)
		spare := c.Alphas[1]
		c.Alphas = c.Alphas[:1]
		ctx := context.Background()
		must(b, c.Run(ctx))
		cs := spread(b, c, 1)
		must(b, cs[0].Alter(ctx, &api.Operation{Schema: "body: string ."}))
		fill(b, cs[0], *joinMiB)
		began := time.Now()
		must(b, spare.Run())
		await(b, "the new replica votes", func() bool { return spare.Healthy(ctx) && voters(b, c) == 2 })
		took := time.Since(began)
		c.Alphas = append(c.Alphas, spare)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(took.Seconds(), "join-s")
		b.ReportMetric(float64(*joinMiB)/took.Seconds(), "MiB/s")
		must(b, c.Kill())
	}
}

// startClusterWithSpare prepares a Zero and two Alphas of one group.
func startClusterWithSpare(b *testing.B) *systest.Cluster {
	b.Helper()
	bin, err := systest.Binary(2)
	must(b, err)
	c, err := systest.NewCluster(bin, b.TempDir(), 1, 2, 2)
	must(b, err)
	b.Cleanup(func() { _ = c.Kill() }) // some have ended already
	return c
}

// fill writes values that hardly compress, one KiB each.
func fill(b *testing.B, c *systest.Client, mib int) {
	b.Helper()
	rng := rand.New(rand.NewPCG(3, 3))
	value := make([]byte, 512)
	for range mib {
		var text strings.Builder
		for n := range 1024 {
			for i := range value {
				value[i] = byte(rng.Uint32())
			}
			fmt.Fprintf(&text, "_:n%d <body> \"%x\" .\n", n, value)
		}
		_, err := c.NewTxn().Mutate(context.Background(), &api.Mutation{SetNquads: []byte(text.String()), CommitNow: true})
		must(b, err)
	}
}
