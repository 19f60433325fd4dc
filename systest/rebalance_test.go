//go:build systest

package systest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
)

// even is predicates that are read alike: each weighs as much as the other.
type even struct {
	predicates []string
	asked      atomic.Int64
	failed     atomic.Int64
	last       atomic.Value // the last error
}

func newEven(ctx context.Context, client *Client, n int) (*even, error) {
	e, schema, quads := &even{}, "", ""
	for i := range n {
		p := fmt.Sprintf("even%d", i)
		e.predicates = append(e.predicates, p)
		schema += p + ": int .\n"
		quads += fmt.Sprintf("<0x1> <%s> \"%d\" .\n", p, i)
	}
	if err := client.Alter(ctx, &api.Operation{Schema: schema}); err != nil {
		return nil, err
	}
	_, err := client.Stub.Query(ctx, &api.Request{Mutations: []*api.Mutation{{SetNquads: []byte(quads)}}, CommitNow: true})
	return e, err
}

// read reads all of them until ctx ends.
func (e *even) read(ctx context.Context, client *Client) {
	query := "{ q(func: uid(0x1)) { " + strings.Join(e.predicates, " ") + " } }"
	for ctx.Err() == nil {
		if _, err := client.NewReadOnlyTxn().Query(ctx, query); err != nil && ctx.Err() == nil {
			e.failed.Add(1)
			e.last.Store(err.Error())
		}
		e.asked.Add(1)
		time.Sleep(2 * time.Millisecond)
	}
}

// in returns how many of them each group serves.
func (e *even) in(t *testing.T, c *Cluster) map[uint32]int {
	t.Helper()
	var a struct {
		Tablets []struct {
			Predicate string
			Group     uint32
			MovingTo  uint32 `json:"moving_to"`
		}
	}
	operator(t, c, 0, &a, "tablets")
	out := map[uint32]int{}
	for _, tb := range a.Tablets {
		if strings.HasPrefix(tb.Predicate, "even") {
			out[tb.Group]++
		}
	}
	return out
}

// operationInfo is an operation as dragg cluster operations shows it.
type operationInfo struct {
	ID, State, Why, Predicate, Outcome string
	From, To                           uint32
}

func operationsNow(t *testing.T, c *Cluster) []operationInfo {
	t.Helper()
	var a struct{ Operations []operationInfo }
	operator(t, c, 0, &a, "operations")
	return a.Operations
}

// Goal: what lies unevenly is evened out while it is in use, and then stays: nothing swings. Method: all predicates are moved to group 1
// by hand; they are read alike, so that each weighs the same; a policy with a short interval brings half of them to group 2. Then it is
// watched for longer than a load needs to be known anew, and all that moved is counted.
func TestRebalance(t *testing.T) {
	c, clients := startCluster(t, 1, 2, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	eventually(ctx, t, "uids", func() error { return c.Zeros[0].AssignUIDs(ctx, 100) })
	e, err := newEven(ctx, clients[0], 6)
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Off bool
	}
	operator(t, c, 0, &set, "rebalance", "policy", "--off", "--least-bytes", "0", "--least-gain", "50")
	here := e.in(t, c)
	for _, p := range e.predicates {
		out, err := exec.Command(c.Zeros[0].Bin, "cluster", "move", p, "1", "--zero", c.Zeros[0].ZeroHTTP()).CombinedOutput()
		if moved := strings.Contains(string(out), "moved from group 2 to group 1"); err == nil != moved || err != nil && !strings.Contains(string(out), "is in group 1 already") {
			t.Errorf("moving %s: %v %s", p, err, out)
		}
	}
	if all := e.in(t, c); all[1] != 6 || !set.Off {
		t.Fatalf("before %v, after the moves %v", here, all)
	}
	working, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	for i := range 4 {
		workers.Go(func() { e.read(working, clients[i%2]) })
	}
	waitFor(t, "a plan", func() bool {
		var p struct {
			Off     bool
			Blocked []string
			Moves   []struct{ Predicate string }
		}
		operator(t, c, 0, &p, "rebalance", "plan")
		return p.Off && len(p.Blocked) == 0 && len(p.Moves) == 3
	})
	operator(t, c, 0, &set, "rebalance", "policy", "--on", "--interval", "1s")
	waitFor(t, "half of them to be in group 2", func() bool { n := e.in(t, c); return n[1] == 3 && n[2] == 3 })
	before := len(operationsNow(t, c))
	time.Sleep(25 * time.Second)
	stop()
	workers.Wait()
	after := operationsNow(t, c)
	if n := e.in(t, c); n[1] != 3 || n[2] != 3 || len(after) != before {
		t.Errorf("it swings: %v, %d operations before, then %+v", n, before, after)
	}
	for _, o := range after {
		if o.State != "done" {
			t.Errorf("%+v", o)
		}
	}
	t.Logf("%d reads, %d failed; %d moves, %d of them to begin with", e.asked.Load(), e.failed.Load(), len(after), here[2])
	if e.failed.Load() > 0 || len(after) != here[2]+3 {
		t.Errorf("the last failure: %v", e.last.Load())
	}
	shown := string(get(t, c.Alphas[0].HTTP()+"/metrics")) + string(get(t, c.Alphas[1].HTTP()+"/metrics")) // either may be of group 2
	if !strings.Contains(shown, `dragg_move_fence_duration_seconds_count{group="2"} 3`) {
		t.Errorf("group 2 does not show three fences in\n%s", linesWith(shown, "dragg_move_"))
	}
	if shown := string(get(t, c.Zeros[0].ZeroHTTP()+"/metrics")); !strings.Contains(shown, fmt.Sprintf("dragg_zero_moves_ended_total{outcome=\"done\"} %d\n", here[2]+3)) {
		t.Errorf("Zero does not show the moves in\n%s", linesWith(shown, "dragg_zero_moves_"))
	}
}

func linesWith(text, part string) string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
