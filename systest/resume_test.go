//go:build systest

package systest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/systest/mesh"
)

// metric returns the value of one line of a node's /metrics; 0 where it does not answer.
func metric(n *Node, line string) int64 {
	body, err := tryGet(n.HTTP() + "/metrics")
	if err != nil {
		return 0
	}
	for text := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(text, line+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err == nil {
				return int64(v)
			}
		}
	}
	return 0
}

// longTexts writes about so many bytes of values that do not shrink.
func longTexts(ctx context.Context, t *testing.T, c *Client, bytes int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for written := 0; written < bytes; {
		var b strings.Builder
		for range 500 {
			text := make([]byte, 1000)
			for i := range text {
				text[i] = byte('!' + 2 + rng.IntN(57)) // neither quotes nor backslashes
			}
			fmt.Fprintf(&b, "_:n%d <text> \"%s\" .\n", written, text)
			written += len(text)
		}
		nquads := b.String()
		eventually(ctx, t, "a load", func() error {
			_, err := c.Stub.Query(ctx, &api.Request{Mutations: []*api.Mutation{{SetNquads: []byte(nquads)}}, CommitNow: true})
			return err
		})
	}
}

// Goal: a new replica is sent the state of its group over a bad way, and each piece about once: it goes on where it was after the way
// broke, silently or with a reset, and after it was killed; and then it holds what the others hold. Method: three replicas, the third
// of which comes when there are some 40 MiB, over narrow ways, while the others are written to; the way breaks after each further part
// of the state; the bytes that were sent are counted.
func TestSnapshotGoesOn(t *testing.T) {
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewMeshCluster(t.Context(), bin, t.TempDir(), Size{Zeros: 1, Alphas: 3, Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	endCluster(t, c)
	spare, all := c.Alphas[2], c.Alphas
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c.Alphas = all[:2]
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	client := connect(t, c.Alphas[0].Dragg)
	eventually(ctx, t, "a schema", func() error {
		return client.Alter(ctx, &api.Operation{Schema: "name: string @index(exact) .\ntext: string ."})
	})
	longTexts(ctx, t, client, 40<<20)

	writing, stop := context.WithCancel(ctx)
	defer stop()
	var writers sync.WaitGroup
	var written atomic.Int64
	for i := range 2 {
		client := connect(t, all[i].Dragg)
		writers.Go(func() {
			for n := 0; writing.Err() == nil; n++ {
				if insertName(writing, client, fmt.Sprintf("w%d-%d", i, n)) == nil {
					written.Add(1)
				}
			}
		})
	}
	ways := func(condition mesh.Condition) {
		for _, n := range c.Alphas {
			c.Mesh.Set(n.Name, spare.Name, condition)
		}
	}
	narrow := mesh.Condition{BytesPerSecond: 4 << 20}
	ways(narrow)
	if err := spare.Run(); err != nil {
		t.Fatal(err)
	}
	sent := func() (sum int64) {
		for _, n := range all[:2] {
			sum += metric(n, `dragg_raft_snapshot_sent_bytes_total{group="1"}`)
		}
		return sum
	}
	received := func() int64 { return metric(spare, `dragg_raft_snapshot_received_bytes_total{group="1"}`) }
	restored := func() bool { return strings.Contains(spare.Log(), "took over the state") }
	breaks := []func(){
		func() { ways(mesh.Condition{Refuse: true}); time.Sleep(time.Second); ways(narrow) },
		func() { ways(mesh.Condition{Cut: true}); time.Sleep(4 * time.Second); ways(narrow) },
		func() { ways(mesh.Condition{Refuse: true}); time.Sleep(4 * time.Second); ways(narrow) },
		func() {
			ways(mesh.Condition{Refuse: true})
			time.Sleep(time.Second)
			if err := spare.Kill(); err != nil {
				t.Fatal(err)
			}
			ways(narrow)
			if err := spare.Run(); err != nil {
				t.Fatal(err)
			}
		},
	}
	for i, breakIt := range breaks {
		waitFor(t, fmt.Sprintf("part %d of the state", i), func() bool { return restored() || received() > int64(i+1)*8<<20 })
		if restored() {
			t.Fatalf("the state was there after %d breaks: the test is too weak", i)
		}
		breakIt()
	}
	waitFor(t, "the state", restored)
	ways(mesh.Condition{})
	c.Alphas = all
	await(ctx, t, spare.Dragg)
	waitFor(t, "three voters", func() bool { return metric(all[0], `dragg_raft_members{group="1",role="voter"}`) == 3 })
	stop()
	writers.Wait()
	size, total := stateBytes(t, spare.Log()), sent()
	wentOn := strings.Count(spare.Log(), "goes_on=true")
	t.Logf("%.1f MiB were sent of a state of %.1f MiB, in %d transfers that went on; %d writes meanwhile",
		float64(total)/(1<<20), float64(size)/(1<<20), wentOn, written.Load())
	// What was on its way when it broke is lost: the narrow way holds some MiB.
	if anew := size + (8+16+24+32)<<20; total > size+4*8<<20 || total > anew*2/3 {
		t.Errorf("%d bytes were sent of a state of %d; %d had it begun anew each time", total, size, anew)
	}
	if resumed := metric(spare, `dragg_raft_snapshots_resumed_total{group="1"}`); resumed < 1 || wentOn < 3 || written.Load() < 50 {
		t.Errorf("the last process went on %d times, %d went on in all, %d writes meanwhile", resumed, wentOn, written.Load())
	}
	sameReplicas(ctx, t, c)
}

var tookOver = regexp.MustCompile(`took over the state of another replica.* bytes=(\d+)`)

// stateBytes returns how large the state was that a node says that it took over.
func stateBytes(t *testing.T, log string) int64 {
	t.Helper()
	m := tookOver.FindStringSubmatch(log)
	if m == nil {
		t.Fatal("it does not say how large the state is")
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
