//go:build systest

package systest

import (
	"context"
	"fmt"
	"strings"
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
	return c, runCluster(t, c)
}

// insertName writes one node within a second.
func insertName(ctx context.Context, c *Client, name string) error {
	return insert(ctx, c, fmt.Sprintf("_:n <name> %q .", name))
}

// insert commits N-Quads within a second.
func insert(ctx context.Context, c *Client, nquads string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := c.Stub.Query(ctx, &api.Request{Mutations: []*api.Mutation{{SetNquads: []byte(nquads)}}, CommitNow: true})
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
	waitFor(t, "three voters", func() bool { return metric(c.Alphas[0], `dragg_raft_members{group="1",role="voter"}`) == 3 })
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

// reached returns, for each node, whom it reaches both ways, itself included, as a text of 0 and 1.
func reached(c *Cluster) map[string]string {
	out := map[string]string{}
	for _, a := range c.Nodes() {
		for _, b := range c.Nodes() {
			there, back := c.Mesh.Get(a.Name, b.Name), c.Mesh.Get(b.Name, a.Name)
			if there.Cut || there.Refuse || back.Cut || back.Refuse {
				out[a.Name] += "0"
			} else {
				out[a.Name] += "1"
			}
		}
	}
	return out
}

// Goal: partitions have the shapes that they are named after. Method: three Zeros and two groups of three that do not run; many
// partitions.
func TestShapes(t *testing.T) {
	c, err := NewMeshCluster(t.Context(), "none", t.TempDir(), Size{Zeros: 3, Alphas: 6, Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	n := NewNemesis(c, nil, 1)
	n.roles = roles{group: map[string]string{}, leaders: []*Node{c.Zeros[0], c.Alphas[0], c.Alphas[3]}}
	for i, node := range c.Nodes() {
		n.roles.group[node.Name] = fmt.Sprint(i / 3)
	}
	count := map[string]int{}
	for range 400 {
		shape := n.partition()
		sees := reached(c)
		different := map[string]bool{}
		least, most := 9, 0
		for _, set := range sees {
			different[set] = true
			least, most = min(least, strings.Count(set, "1")), max(most, strings.Count(set, "1"))
		}
		c.Mesh.Heal()
		kind := strings.Fields(strings.TrimPrefix(shape, "leading "))
		what := kind[0]
		if what == "zero" || what == "alpha" {
			what = kind[1]
		}
		count[what]++
		ok := map[string]bool{
			"halves":   len(different) == 2 && least == 4 && most == 5 || strings.HasSuffix(shape, "slow") && least == 9,
			"ring":     len(different) == 9 && least == 5 && most == 5,
			"one":      len(different) == 2 && least == 1 && most == 8,
			"isolated": len(different) == 2 && least == 1 && most == 8,
			"minority": len(different) == 2 && least == 3 && most == 6,
			"bridge":   len(different) == 3 && least == 6 && most == 9,
		}
		if !ok[what] {
			t.Errorf("%s: %v", shape, sees)
		}
	}
	if len(count) != 6 {
		t.Errorf("made %v", count)
	}
}

// Goal: an Alpha that reaches some members of another group, but not its leader, still writes there. Method: two groups of three; every
// way between one Alpha and the other group's leader is cut, and that Alpha writes to both groups in one transaction.
func TestWaysAroundACut(t *testing.T) {
	c, clients := startMeshCluster(t, Size{Zeros: 1, Alphas: 6, Replicas: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for i := range 4 { // both groups serve some
		if err := clients[0].Alter(ctx, &api.Operation{Schema: fmt.Sprintf("p%d: string .", i)}); err != nil {
			t.Fatal(err)
		}
	}
	write := func(at int) error {
		return insert(ctx, clients[at], "_:n <p0> \"x\" .\n_:n <p1> \"x\" .\n_:n <p2> \"x\" .\n_:n <p3> \"x\" .")
	}
	for i := range clients {
		eventually(ctx, t, "a write at "+c.Alphas[i].Name, func() error { return write(i) })
	}
	waitFor(t, "every group to have a leader", func() bool { return len(c.roles(ctx).leaders) == 3 })
	r := c.roles(ctx)
	cut := 0
	for i, n := range c.Alphas {
		for _, l := range r.leaders {
			if r.group[l.Name] == r.group[n.Name] || r.group[l.Name] == "" || strings.HasPrefix(l.Name, "zero") {
				continue
			}
			c.Mesh.Set(n.Name, l.Name, mesh.Condition{Refuse: true})
			c.Mesh.Set(l.Name, n.Name, mesh.Condition{Refuse: true})
			cut++
			eventually(ctx, t, fmt.Sprintf("a write at %s, which does not reach %s", n.Name, l.Name), func() error { return write(i) })
			c.Mesh.Heal()
		}
	}
	if cut != 6 {
		t.Errorf("%d ways were cut, want 6", cut)
	}
}
