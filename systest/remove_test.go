//go:build systest

package systest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// Goal: a node that is removed goes for good, even the leader of its group, and a new one takes its place with all of the data.
// Method: three replicas under work; each in turn that leads is removed and a new process joins; everything is read at every
// replica that is left.
func TestRemoveNode(t *testing.T) {
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCluster(bin, t.TempDir(), 1, 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	endCluster(t, c)
	spare := c.Alphas[3]
	c.Alphas = c.Alphas[:3]
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "uids", func() error { return c.Zeros[0].AssignUIDs(ctx, 100) })
	clients := map[string]*Client{}
	for _, n := range c.Alphas {
		clients[n.Name] = connect(t, n.Dragg)
	}
	b, err := newBank(ctx, clients["alpha1"])
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		b.insert(ctx, clients[c.Alphas[i%3].Name], 1)
	}
	waitFor(t, "three voters", func() bool { return len(groupState(t, c)) == 3 })

	var gone *Node
	for id, m := range groupState(t, c) {
		for _, n := range c.Alphas {
			if m.Leader && m.Addr == n.address(7080) {
				gone = n
				removeNode(t, c, id)
			}
		}
	}
	if gone == nil {
		t.Fatalf("nobody leads: %v", groupState(t, c))
	}
	select {
	case <-gone.done:
		gone.done <- nil
	case <-time.After(20 * time.Second):
		t.Fatalf("%s still runs", gone.Name)
	}
	c.Alphas = append([]*Node{spare}, without(c.Alphas, gone)...)
	if err := spare.Run(); err != nil {
		t.Fatal(err)
	}
	await(ctx, t, spare.Dragg)
	clients[spare.Name] = connect(t, spare.Dragg)
	for i := range 100 {
		b.insert(ctx, clients[c.Alphas[i%3].Name], 1)
	}
	for _, n := range c.Alphas {
		b.verify(ctx, t, n.Name, clients[n.Name])
	}
	if n := b.inserts.Load(); n < 250 {
		t.Errorf("only %d of 300 inserts", n)
	}
	b.check(ctx, t, c)
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-gone.done:
		gone.done <- err
		if err == nil {
			t.Error("the removed node started and ended without an error")
		}
	case <-time.After(20 * time.Second):
		t.Error("the removed node came back")
	}
}

func without(nodes []*Node, gone *Node) (left []*Node) {
	for _, n := range nodes {
		if n != gone {
			left = append(left, n)
		}
	}
	return left
}

// stateMember is a node as /state shows it.
type stateMember struct {
	Addr   string
	Leader bool
}

// groupState returns the members of group 1 by id.
func groupState(t *testing.T, c *Cluster) map[string]stateMember {
	t.Helper()
	var st struct {
		Groups map[string]struct{ Members map[string]stateMember }
	}
	if err := json.Unmarshal(get(t, c.Zeros[0].ZeroHTTP()+"/state"), &st); err != nil {
		t.Fatal(err)
	}
	return st.Groups["1"].Members
}

func removeNode(t *testing.T, c *Cluster, id string) {
	t.Helper()
	t.Logf("%s", get(t, fmt.Sprintf("%s/removeNode?group=1&id=%s", c.Zeros[0].ZeroHTTP(), id)))
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	body, err := tryGet(url)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// tryGet returns the answer to a request, which is an error where it is not OK.
func tryGet(url string) ([]byte, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", url, resp.Status, body)
	}
	return body, err
}
