//go:build systest

package systest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// voting returns an error unless a Zero says that there are as many as wanted that vote.
func voting(n *Node, want int) error {
	body, err := tryGet(n.ZeroHTTP() + "/metrics")
	if err == nil && !strings.Contains(string(body), fmt.Sprintf("dragg_raft_members{group=\"0\",role=\"voter\"} %d\n", want)) {
		err = fmt.Errorf("it does not say that %d vote", want)
	}
	return err
}

// Goal: Zeros come and go: a cluster that began with one has three, then every one of them is replaced by another, and work goes on all
// the time. Method: Zeros join a running cluster by --peer, others are killed and removed by /removeNode; the bank works meanwhile.
func TestZerosComeAndGo(t *testing.T) {
	c, clients := startCluster(t, 1, 1, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	eventually(ctx, t, "uids", func() error { return c.Zeros[0].AssignUIDs(ctx, 100) })
	b, err := newBank(ctx, clients[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	join := func(id int) *Node {
		t.Helper()
		n, err := c.AddZero(c.Zeros[0].Bin, dir, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Run(); err != nil {
			t.Fatal(err)
		}
		c.Zeros = append(c.Zeros, n)
		return n
	}
	work := func(what string) {
		t.Helper()
		before := b.inserts.Load()
		eventually(ctx, t, "an insert "+what, func() error {
			b.insert(ctx, clients[0], 1)
			if b.inserts.Load() == before {
				return fmt.Errorf("refused")
			}
			return nil
		})
	}
	work("with one Zero")
	for id := 2; id <= 3; id++ {
		n := join(id)
		eventually(ctx, t, fmt.Sprint(id, " Zeros to vote"), func() error { return voting(n, id) })
		work(fmt.Sprint("with ", id))
	}
	for id := 4; id <= 6; id++ {
		gone := c.Zeros[0]
		if err := gone.Kill(); err != nil {
			t.Fatal(err)
		}
		c.Zeros = slices.Clone(c.Zeros[1:])
		work("with one Zero gone")
		eventually(ctx, t, "the removal of a Zero", func() error {
			_, err := tryGet(fmt.Sprintf("%s/removeNode?group=0&id=%d", c.Zeros[0].ZeroHTTP(), id-3))
			return err
		})
		n := join(id)
		eventually(ctx, t, "three Zeros to vote", func() error { return voting(n, 3) })
		work("with another Zero")
	}
	old, err := c.AddZero(c.Zeros[0].Bin, dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	old.Data += "-again"
	old.args[slices.Index(old.args, "--data")+1] = old.Data
	if err := old.Run(); err != nil {
		t.Fatal(err)
	}
	<-old.done
	if !strings.Contains(old.Log(), "its number is not used again") {
		t.Errorf("a Zero under the number of one that was removed: %s", old.Log())
	}
	for i, n := range c.Alphas {
		b.verify(ctx, t, n.Name, clients[i])
	}
	b.check(ctx, t, c)
}
