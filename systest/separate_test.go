//go:build systest

package systest

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250"
	"github.com/dgraph-io/dgo/v250/protos/api"
)

// run starts a node that ends with the test.
func run(t *testing.T, n *Node) {
	t.Helper()
	if err := n.Run(); err != nil {
		t.Fatal(err)
	}
	cmd := n.cmd
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGKILL) }) // it may have ended
}

// Goal: Zero and Alpha as processes of their own find each other whatever starts first, survive each other's death, and say
// so once. Method: Alpha starts 2 s before Zero; then Zero is killed under an open transaction and comes back; then Alpha.
func TestSeparateProcesses(t *testing.T) {
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	offset, err := freeOffset()
	if err != nil {
		t.Fatal(err)
	}
	dir, shift := t.TempDir(), strconv.Itoa(offset)
	folder := filepath.Dir(bin)
	zero := &Node{Dragg: &Dragg{Bin: filepath.Join(folder, "zero"), offset: offset}, args: []string{
		"--data", filepath.Join(dir, "zero"), "--port-offset", shift, "--bind", "127.0.0.1",
	}}
	alpha := &Node{Dragg: &Dragg{Bin: filepath.Join(folder, "alpha"), offset: offset}, args: []string{
		"--data", filepath.Join(dir, "alpha"), "--port-offset", shift, "--bind", "127.0.0.1",
		"--zero", "127.0.0.1:" + strconv.Itoa(5080+offset), "--log-format", "json",
	}}
	run(t, alpha)
	time.Sleep(2 * time.Second)
	if n := strings.Count(alpha.Log(), "waiting for a peer"); n != 1 {
		t.Errorf("Alpha said %d times that it waits for Zero, want once:\n%s", n, alpha.Log())
	}
	run(t, zero)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	await(ctx, t, alpha.Dragg)

	dg := connect(t, alpha.Dragg)
	if err := dg.Alter(ctx, &api.Operation{Schema: "name: string @index(exact) ."}); err != nil {
		t.Fatal(err)
	}
	set := func(txn *dgo.Txn, name string, now bool) error {
		_, err := txn.Mutate(ctx, &api.Mutation{SetNquads: fmt.Appendf(nil, "_:n <name> %q .", name), CommitNow: now})
		return err
	}
	if err := set(dg.NewTxn(), "before", true); err != nil {
		t.Fatal(err)
	}
	open := dg.NewTxn()
	if err := set(open, "across", false); err != nil {
		t.Fatal(err)
	}

	if err := zero.Kill(); err != nil {
		t.Fatal(err)
	}
	r, err := dg.NewReadOnlyTxn().BestEffort().Query(ctx, `{ q(func: eq(name, "before")) { name } }`)
	if err != nil || string(r.Json) != `{"q":[{"name":"before"}]}` {
		t.Errorf("a best-effort read without Zero: %s %v", r.GetJson(), err)
	}
	run(t, zero)
	eventually(ctx, t, "a write after Zero came back", func() error { return set(dg.NewTxn(), "after", true) })
	if err := open.Commit(ctx); err != nil {
		t.Errorf("a transaction that was open while Zero died: %v", err)
	}

	if err := alpha.Kill(); err != nil {
		t.Fatal(err)
	}
	run(t, alpha)
	await(ctx, t, alpha.Dragg)
	for _, name := range []string{"before", "across", "after"} {
		eventually(ctx, t, "a read of "+name, func() error {
			r, err := dg.NewReadOnlyTxn().Query(ctx, fmt.Sprintf(`{ q(func: eq(name, %q)) { count(uid) } }`, name))
			if err == nil && string(r.Json) == `{"q":[{"count":0}]}` {
				t.Errorf("%s is lost", name)
			}
			return err
		})
	}
}

// await returns once the node answers requests.
func await(ctx context.Context, t *testing.T, d *Dragg) {
	t.Helper()
	eventually(ctx, t, "readiness", func() error {
		resp, err := http.Get(d.HTTP() + "/health")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s\n%s", resp.Status, d.Log())
		}
		return nil
	})
}

// eventually tries until fn succeeds.
func eventually(ctx context.Context, t *testing.T, what string, fn func() error) {
	t.Helper()
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
