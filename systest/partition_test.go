//go:build systest

package systest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"

	"dragg/systest/mesh"
)

// startMeshCluster starts a cluster whose links can be cut, with a client of each Alpha; both end with the test.
func startMeshCluster(t *testing.T, size Size) (*Cluster, []*Client) {
	t.Helper()
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewMeshCluster(t.Context(), bin, t.TempDir(), size)
	if err != nil {
		t.Fatal(err)
	}
	endCluster(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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

// insertName writes one node within a second.
func insertName(ctx context.Context, c *Client, name string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := c.Stub.Query(ctx, &api.Request{
		Mutations: []*api.Mutation{{SetNquads: fmt.Appendf(nil, "_:n <name> %q .", name)}}, CommitNow: true,
	})
	return err
}

// Goal: all that nodes say to each other goes through the mesh, or its partitions would show nothing; and a replica that is cut off
// serves nobody, while the others go on, and catches up. Method: three Zeros and three Alphas; every way is cut, then those of one
// Alpha, in one direction at a time.
func TestCutOff(t *testing.T) {
	c, clients := startMeshCluster(t, Size{Zeros: 3, Alphas: 3, Replicas: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := clients[0].Alter(ctx, &api.Operation{Schema: "name: string @index(exact) ."}); err != nil {
		t.Fatal(err)
	}
	write := func(at int, name string) {
		t.Helper()
		eventually(ctx, t, "a write at "+c.Alphas[at].Name, func() error { return insertName(ctx, clients[at], name) })
	}
	write(1, "before")
	nodes := c.Nodes()
	for _, a := range nodes {
		for _, b := range nodes {
			c.Mesh.Set(a.Name, b.Name, mesh.Condition{Cut: true})
		}
	}
	for i, client := range clients {
		if err := insertName(ctx, client, "alone"); err == nil {
			t.Errorf("%s committed a write though it reaches nobody", c.Alphas[i].Name)
		}
	}
	c.Mesh.Heal()
	write(2, "after")
	for _, outwards := range []bool{true, false} {
		for _, n := range nodes {
			if from, to := "alpha1", n.Name; outwards {
				c.Mesh.Set(from, to, mesh.Condition{Cut: true})
			} else {
				c.Mesh.Set(to, from, mesh.Condition{Cut: true})
			}
		}
		write(1, fmt.Sprint("one way ", outwards))
		if err := insertName(ctx, clients[0], "cut off"); err == nil {
			t.Errorf("alpha1 committed a write though it is cut off, outwards: %v", outwards)
		}
		c.Mesh.Heal()
		write(0, fmt.Sprint("healed ", outwards))
	}
	if n := c.Mesh.Carried(); n < len(nodes) {
		t.Errorf("the mesh carried %d connections between %d nodes", n, len(nodes))
	}
}
