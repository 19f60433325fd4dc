//go:build systest

package systest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"golang.org/x/sync/errgroup"

	"dragg/systest/mesh"
)

// maxOutage is how long work may rest when the one node is gone that everybody asks: an election, and noticing that no answer comes.
const maxOutage = 5 * time.Second

// Goal: when a leader freezes, or nobody reaches it and nobody is told so, the others go on soon, with another. Method: three Zeros and
// two groups of three Alphas; a leader of each kind is paused, then cut off; each Alpha that is well must soon commit a write, and answer
// a read that is not asked again.
func TestSilentLeader(t *testing.T) {
	c, clients := startMeshCluster(t, Size{Zeros: 3, Alphas: 6, Replicas: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for _, line := range []string{"name: string @index(exact) .", "title: string @index(exact) ."} { // one in each group
		if err := clients[0].Alter(ctx, &api.Operation{Schema: line}); err != nil {
			t.Fatal(err)
		}
	}
	well := func(but *Node) {
		t.Helper()
		var all errgroup.Group
		for i, n := range c.Alphas {
			if n != but {
				all.Go(func() error { return writeAndRead(ctx, clients[i]) })
			}
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	well(nil)
	for _, kind := range []string{"zero", "alpha"} {
		for _, how := range []string{"paused", "cut off"} {
			leader := c.leading(ctx, t, kind)
			heal := leader.Resume
			if how == "paused" {
				if err := leader.Pause(); err != nil {
					t.Fatal(err)
				}
			} else {
				for _, n := range c.Nodes() {
					c.Mesh.Set(n.Name, leader.Name, mesh.Condition{Cut: true})
					c.Mesh.Set(leader.Name, n.Name, mesh.Condition{Cut: true})
				}
				heal = func() error { c.Mesh.Heal(); return nil }
			}
			began := time.Now()
			well(leader)
			outage := time.Since(began)
			t.Logf("leading %s %s: work went on after %v", kind, how, outage.Round(time.Millisecond))
			if outage > 2*maxOutage || outage > maxOutage && !starved() {
				t.Errorf("leading %s %s: work rested for %v", kind, how, outage)
			}
			if err := heal(); err != nil {
				t.Fatal(err)
			}
			well(nil)
		}
	}
}

// writeAndRead tries until a write to both groups is committed, and asks once for what they have.
func writeAndRead(ctx context.Context, c *Client) error {
	for {
		err := insert(ctx, c, "_:n <name> \"x\" .\n_:n <title> \"x\" .")
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, err := c.NewReadOnlyTxn().Query(ctx, `{ q(func: has(name), first: 1) { name } r(func: has(title)) { title } }`)
	return err
}

// leading waits for a leader among the Zeros or the Alphas, and returns it.
func (c *Cluster) leading(ctx context.Context, t *testing.T, kind string) (leader *Node) {
	t.Helper()
	eventually(ctx, t, "a leading "+kind, func() error {
		r := c.roles(ctx)
		for _, n := range r.leaders {
			if r.title(n) == "leading "+kind {
				leader = n
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	return leader
}
