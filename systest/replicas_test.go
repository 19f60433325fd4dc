//go:build systest

package systest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
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
	return c, runCluster(t, c)
}

// runCluster runs a cluster, which ends with the test, and returns a client of each Alpha.
func runCluster(t *testing.T, c *Cluster) (clients []*Client) {
	t.Helper()
	endCluster(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Alphas {
		clients = append(clients, connect(t, n.Dragg))
	}
	return clients
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
