//go:build systest

package systest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragg/systest/mesh"
)

// counter reads how many names there are, as of whatever snapshot the request asks for, within a second.
func counter(ctx context.Context, c *Client, bestEffort bool) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := c.Stub.Query(ctx, &api.Request{Query: `{ q(func: has(name)) { count(uid) } }`, ReadOnly: true, BestEffort: bestEffort})
	if err != nil {
		return 0, err
	}
	var got struct{ Q []struct{ Count int } }
	if err := json.Unmarshal(r.Json, &got); err != nil || len(got.Q) != 1 {
		return 0, fmt.Errorf("%s: %w", r.Json, err)
	}
	return got.Q[0].Count, nil
}

// acknowledged is when each write was, in order.
type acknowledged struct {
	mu sync.Mutex
	at []time.Time // guarded by mu
}

func (a *acknowledged) add() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = append(a.at, time.Now())
}

// missing returns for how long the first write that an answer lacks had been acknowledged when its read began.
func (a *acknowledged) missing(has int, began time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if has >= len(a.at) {
		return 0
	}
	return began.Sub(a.at[has])
}

// Goal: a best-effort read at a replica that is cut off is never older than --max-staleness: within that it is answered, beyond it
// refused with a clear error that says to try again, and after the way is mended answered again with what was missed. A strong read
// there is never answered. Method: three replicas; each in turn, the leader too, is cut off from all others and Zero while one name is
// written after the other; every answer is held against when each write was acknowledged.
func TestBoundedStaleness(t *testing.T) {
	const bound = 3 * time.Second
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewMeshCluster(t.Context(), bin, t.TempDir(), Size{Zeros: 1, Alphas: 3, Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	endCluster(t, c)
	for _, n := range c.Alphas {
		n.args = append(n.args, "--max-staleness", bound.String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var clients []*Client
	for _, n := range c.Alphas {
		clients = append(clients, connect(t, n.Dragg))
	}
	eventually(ctx, t, "a schema", func() error {
		return clients[0].Alter(ctx, &api.Operation{Schema: "name: string @index(exact) ."})
	})
	waitFor(t, "three voters", func() bool { return metric(c.Alphas[0], `dragg_raft_members{group="1",role="voter"}`) == 3 })

	acks := &acknowledged{}
	for i, cut := range c.Alphas {
		away := clients[i]
		write := func() {
			t.Helper()
			eventually(ctx, t, "a write", func() error {
				at := (i + 1) % 3
				n, err := counter(ctx, clients[at], false)
				if err != nil {
					return err
				}
				acks.mu.Lock()
				behind := n == len(acks.at)
				acks.mu.Unlock()
				if behind { // else the outcome of the last one was not known, and it was carried out
					if err := insertName(ctx, clients[at], fmt.Sprint(n)); err != nil {
						return err
					}
				}
				acks.add()
				return nil
			})
		}
		write()
		eventually(ctx, t, "a best-effort read before the cut", func() error {
			n, err := counter(ctx, away, true)
			if err == nil && acks.missing(n, time.Now()) > 0 {
				err = fmt.Errorf("it has %d names", n)
			}
			return err
		})
		leads := metric(cut, `dragg_raft_is_leader{group="1"}`) == 1
		for _, n := range c.Nodes() {
			c.Mesh.Set(cut.Name, n.Name, mesh.Condition{Cut: true})
			c.Mesh.Set(n.Name, cut.Name, mesh.Condition{Cut: true})
		}
		cutAt, answered, oldest, refusedAfter := time.Now(), 0, time.Duration(0), time.Duration(0)
		var strong sync.WaitGroup
		strong.Go(func() {
			for time.Since(cutAt) < 2*bound {
				if n, err := counter(ctx, away, false); err == nil {
					t.Errorf("%s: a strong read was answered by a replica that is cut off: %d", cut.Name, n)
					return
				}
			}
		})
		for time.Since(cutAt) < 2*bound {
			write()
			began := time.Now()
			n, err := counter(ctx, away, true)
			switch {
			case err == nil:
				answered++
				oldest = max(oldest, acks.missing(n, began))
			case status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "--max-staleness"):
				t.Errorf("%s: a best-effort read failed with %v", cut.Name, err)
			case refusedAfter == 0:
				refusedAfter = began.Sub(cutAt)
			}
		}
		strong.Wait()
		t.Logf("%s, leading %v: %d best-effort reads were answered, the oldest %v behind; refused after %v",
			cut.Name, leads, answered, oldest.Round(time.Millisecond), refusedAfter.Round(time.Millisecond))
		if answered == 0 || refusedAfter == 0 || oldest > bound || !leads && oldest < bound/4 {
			t.Errorf("%s: the bound is %v", cut.Name, bound)
		}
		if ready := string(readiness(c, i)); !strings.Contains(ready, "--max-staleness") {
			t.Errorf("%s: /ready says %s", cut.Name, ready)
		}
		c.Mesh.Heal()
		eventually(ctx, t, "a best-effort read after the cut", func() error {
			began := time.Now()
			n, err := counter(ctx, away, true)
			if err == nil && acks.missing(n, began) > bound {
				t.Errorf("%s: after the cut it answers what is too old", cut.Name)
			}
			if err == nil && acks.missing(n, time.Now()) > 0 {
				err = fmt.Errorf("it has %d names", n)
			}
			return err
		})
	}
	sameReplicas(ctx, t, c)
}

// readiness returns what a node says of whether it is ready, also where it is not.
func readiness(c *Cluster, i int) []byte {
	body, err := tryGet(c.Alphas[i].HTTP() + "/ready")
	if err != nil {
		return []byte(err.Error())
	}
	return body
}

// Goal: a best-effort read over several groups is one moment, also where the other group lags behind this one. Method: two groups; the
// second hears nothing from Zero for a while; pairs of values are written to both in one transaction, and read at the first.
func TestBestEffortOverGroups(t *testing.T) {
	c, clients := startMeshCluster(t, Size{Zeros: 1, Alphas: 2, Replicas: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, line := range []string{"left: string .", "right: string ."} { // one in each group
		eventually(ctx, t, "a schema", func() error { return clients[0].Alter(ctx, &api.Operation{Schema: line}) })
	}
	eventually(ctx, t, "uids", func() error { return c.Zeros[0].AssignUIDs(ctx, 100) })
	set := func(v int) error {
		return insert(ctx, clients[0], fmt.Sprintf("<0x1> <left> \"%d\" .\n<0x1> <right> \"%d\" .", v, v))
	}
	eventually(ctx, t, "the first pair", func() error { return set(1) })
	read := func() (string, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		r, err := clients[0].Stub.Query(ctx, &api.Request{Query: `{ q(func: uid(0x1)) { left right } }`, ReadOnly: true, BestEffort: true})
		return string(r.GetJson()), err
	}
	const first, second = `{"q":[{"left":"1","right":"1"}]}`, `{"q":[{"left":"2","right":"2"}]}`
	eventually(ctx, t, "the first pair to be read", func() error {
		got, err := read()
		if err == nil && got != first {
			err = fmt.Errorf("%s", got)
		}
		return err
	})
	for _, deaf := range c.Alphas { // one of them is the second group, the other serves the read
		c.Mesh.Set("zero1", deaf.Name, mesh.Condition{Cut: deaf == c.Alphas[1]})
	}
	_ = set(2) // its outcome does not matter: who serves the read has heard of it or not
	answers := map[string]int{}
	for range 5 {
		got, err := read()
		if err == nil {
			answers[got]++
		}
		if err == nil && got != first && got != second {
			t.Fatalf("half of a transaction was read: %s", got)
		}
	}
	c.Mesh.Heal()
	eventually(ctx, t, "the second pair", func() error {
		if err := set(2); err != nil {
			return err
		}
		got, err := read()
		if err == nil && got != second {
			err = fmt.Errorf("%s", got)
		}
		return err
	})
	t.Logf("while one group was deaf: %v", answers)
}
