//go:build systest

package systest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// patient is a client as applications write it: what is refused is tried again at the next Alpha.
type patient struct {
	clients []*Client

	mu      sync.Mutex
	longest time.Duration // guarded by mu: from the first try to the answer
	done    int           // guarded by mu
	tries   int           // guarded by mu: that failed
	unsure  int           // guarded by mu: writes of which the client did not learn whether they were made
	last    error         // guarded by mu: why
}

// write commits a value, whatever it takes.
func (p *patient) write(ctx context.Context, n int) {
	began := time.Now()
	for at := n; ctx.Err() == nil; at++ {
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		_, err := p.clients[at%len(p.clients)].Stub.Query(limited, &api.Request{
			Mutations: []*api.Mutation{{SetNquads: fmt.Appendf(nil, "_:n <value> \"%d\" .", n)}}, CommitNow: true,
		})
		cancel()
		p.mu.Lock()
		if err == nil {
			p.done++
			p.longest = max(p.longest, time.Since(began))
			p.mu.Unlock()
			return
		}
		p.tries++
		if code := status.Code(err); code != codes.Aborted && code != codes.Unavailable && ctx.Err() == nil {
			p.unsure++
			p.last = err
		}
		p.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
}

// Goal: every process of a cluster is restarted, one after the other, and nobody notices more than a short pause: nothing is lost, and
// every request that is refused succeeds when it is sent again. Method: Ctrl-C and a new start of each, as for an upgrade, under load.
func TestRollingRestart(t *testing.T) {
	c, clients := startCluster(t, 3, 3, 3)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	eventually(ctx, t, "uids", func() error { return c.Zeros[0].AssignUIDs(ctx, 100) })
	if err := clients[0].Alter(ctx, &api.Operation{Schema: "value: int @index(int) @upsert ."}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "three voters", func() bool { return len(groupState(t, c)) == 3 })
	p := &patient{clients: clients}
	working, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for n := w; working.Err() == nil; n += 8 {
				p.write(ctx, n)
			}
		})
	}
	for _, n := range c.Nodes() {
		p.mu.Lock()
		before := p.longest
		p.longest = 0
		p.mu.Unlock()
		if _, err := n.Stop(); err != nil {
			t.Fatalf("%s: %v", n.Name, err)
		}
		if err := n.Run(); err != nil {
			t.Fatal(err)
		}
		for _, a := range c.Alphas {
			await(ctx, t, a.Dragg)
		}
		time.Sleep(time.Second)
		p.mu.Lock()
		t.Logf("%s: the longest write took %v", n.Name, p.longest.Round(time.Millisecond))
		p.longest = max(p.longest, before)
		p.mu.Unlock()
	}
	stop()
	workers.Wait()
	t.Logf("%d writes, %d refused and sent again, %d of unknown outcome, the longest pause %v", p.done, p.tries, p.unsure, p.longest)
	if p.longest > 5*time.Second || p.unsure > 0 {
		t.Errorf("the longest pause was %v, %d outcomes unknown: %v", p.longest, p.unsure, p.last)
	}
	for i, client := range clients {
		var rows struct {
			Q []struct{ Value int }
		}
		eventually(ctx, t, "a read", func() error {
			r, err := client.NewReadOnlyTxn().Query(ctx, `{ q(func: has(value)) { value } }`)
			if err == nil {
				err = json.Unmarshal(r.Json, &rows)
			}
			return err
		})
		seen := map[int]bool{}
		for _, r := range rows.Q {
			seen[r.Value] = true
		}
		if len(seen) != p.done {
			t.Errorf("%s has %d values, %d were acknowledged", c.Alphas[i].Name, len(seen), p.done)
		}
	}
}
