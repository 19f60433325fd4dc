//go:build systest

package systest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// operator runs dragg cluster against a Zero and returns what it prints as JSON.
func operator(t *testing.T, c *Cluster, zero int, into any, args ...string) {
	t.Helper()
	z := c.Zeros[zero]
	out, err := exec.Command(z.Bin, append(append([]string{"cluster"}, args...), "--zero", z.ZeroHTTP(), "--json")...).CombinedOutput()
	if err != nil {
		t.Fatalf("dragg cluster %v: %v: %s", args, err, out)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("dragg cluster %v: %v: %s", args, err, out)
	}
}

// groupInfo is a group as dragg cluster groups shows it.
type groupInfo struct {
	ID, Leader uint64
	Voters     []uint64
}

func groupsNow(t *testing.T, c *Cluster, zero int) map[uint64]groupInfo {
	t.Helper()
	var a struct{ Groups []groupInfo }
	operator(t, c, zero, &a, "groups")
	out := map[uint64]groupInfo{}
	for _, g := range a.Groups {
		out[g.ID] = g
	}
	return out
}

// answers returns the status code of a GET.
func answers(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return 0
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}

// Goal: an operator sees real processes, exchanges who leads them while clients write, and is told which of them is not ready. Method:
// three Zeros and a group of three; each member in turn is promoted, the Zeros' followers too, through whichever Zero; then two
// Alphas are killed.
func TestOperator(t *testing.T) {
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCluster(bin, t.TempDir(), 3, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	endCluster(t, c)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "uids", func() error { return c.Zeros[0].AssignUIDs(ctx, 100) })
	client := connect(t, c.Alphas[0].Dragg)
	b, err := newBank(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	var g groupInfo
	waitFor(t, "three voters and a leader", func() bool {
		g = groupsNow(t, c, 0)[1]
		vote := strings.Contains(string(get(t, c.Alphas[0].HTTP()+"/metrics")), "\ndragg_raft_members{group=\"1\",role=\"voter\"} 3\n")
		return len(g.Voters) == 3 && g.Leader != 0 && vote
	})
	waitFor(t, "every node to be ready", func() bool {
		return !slices.ContainsFunc(c.Zeros, func(n *Node) bool { return answers(t, n.ZeroHTTP()+"/ready") != 200 }) &&
			!slices.ContainsFunc(c.Alphas, func(n *Node) bool { return answers(t, n.HTTP()+"/ready") != 200 })
	})
	for i, id := range g.Voters {
		var done struct{ Node uint64 }
		operator(t, c, i, &done, "promote", "1", fmt.Sprint(id))
		b.insert(ctx, client, 1)
		if now := groupsNow(t, c, i)[1]; now.Leader != id || done.Node != id {
			t.Errorf("promoted %d: %+v %+v", id, done, now)
		}
	}
	if n := b.inserts.Load(); n != 3 {
		t.Errorf("%d of 3 inserts between the leaders", n)
	}
	before := groupsNow(t, c, 0)[0]
	next := before.Leader%3 + 1
	if out, err := exec.Command(bin, "cluster", "promote", "0", fmt.Sprint(next), "--zero", c.Zeros[0].ZeroHTTP()).CombinedOutput(); err != nil {
		t.Logf("promoting a Zero: %v: %s", err, out) // the outcome may be unknown to the old leader
	}
	waitFor(t, "the other Zero to lead", func() bool { return groupsNow(t, c, 2)[0].Leader == next })
	b.check(ctx, t, c)
	checkShown(t, c)
	for _, n := range c.Alphas[1:] {
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
		n.done <- nil
	}
	waitFor(t, "an Alpha without a majority to say that it is not ready", func() bool {
		return answers(t, c.Alphas[0].HTTP()+"/ready") == 503
	})
	if answers(t, c.Alphas[0].HTTP()+"/health?live") != 200 {
		t.Error("it does not say that it lives")
	}
}

// checkShown looks at the health and the metrics of a cluster that is whole.
func checkShown(t *testing.T, c *Cluster) {
	t.Helper()
	// A Zero that has just been exchanged knows no leader until the new one speaks to it.
	waitFor(t, "every node to say that it is healthy", func() bool {
		var nodes []struct{ Instance, Status string }
		if err := json.Unmarshal(get(t, c.Alphas[1].HTTP()+"/health?all"), &nodes); err != nil || len(nodes) != 6 {
			t.Errorf("%+v %v", nodes, err)
		}
		return !slices.ContainsFunc(nodes, func(n struct{ Instance, Status string }) bool { return n.Status != "healthy" })
	})
	leaders := map[string]int{}
	for url, group := range map[string]string{
		c.Zeros[0].ZeroHTTP(): "0", c.Zeros[1].ZeroHTTP(): "0", c.Zeros[2].ZeroHTTP(): "0",
		c.Alphas[0].HTTP(): "1", c.Alphas[1].HTTP(): "1", c.Alphas[2].HTTP(): "1",
	} {
		text := string(get(t, url+"/metrics"))
		if strings.Contains(text, fmt.Sprintf("\ndragg_raft_is_leader{group=%q} 1\n", group)) {
			leaders[group]++
		}
		if !strings.Contains(text, "\ngo_goroutines ") || !strings.Contains(text, "\ndragg_disk_free_bytes") {
			t.Errorf("%s shows\n%s", url, text)
		}
	}
	if leaders["0"] != 1 || leaders["1"] != 1 {
		t.Errorf("leaders: %v", leaders)
	}
}
