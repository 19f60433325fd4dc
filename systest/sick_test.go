//go:build systest && linux

package systest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"golang.org/x/sys/unix"

	"dragg/systest/disk"
)

func TestMain(m *testing.M) {
	if err := disk.Become(); err != nil {
		fmt.Println(err)
		return
	}
	m.Run()
}

// startOnDisks starts a cluster of three Zeros and three Alphas whose disks may become slow or fail, by node.
func startOnDisks(ctx context.Context, t *testing.T) (c *Cluster, clients map[*Node]*Client, disks map[*Node]*disk.Disk) {
	t.Helper()
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = NewCluster(bin, t.TempDir(), 3, 3, 3); err != nil {
		t.Fatal(err)
	}
	clients, disks = map[*Node]*Client{}, map[*Node]*disk.Disk{}
	for _, n := range c.Nodes() {
		d, err := disk.New(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close) // after the processes have ended
		disks[n], n.start = d, d.Start
	}
	endCluster(t, c)
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Alphas {
		clients[n] = connect(t, n.Dragg)
	}
	eventually(ctx, t, "a schema", func() error {
		return clients[c.Alphas[0]].Alter(ctx, &api.Operation{Schema: "name: string @index(exact) ."})
	})
	waitFor(t, "three voters", func() bool { return metric(c.Alphas[0], `dragg_raft_members{group="1",role="voter"}`) == 3 })
	return c, clients, disks
}

// pace returns how long a write at a node takes, the middle one of some.
func pace(ctx context.Context, t *testing.T, c *Client) time.Duration {
	t.Helper()
	var took []time.Duration
	for i := range 15 {
		began := time.Now()
		eventually(ctx, t, "a write", func() error { return insertName(ctx, c, fmt.Sprint("pace", i)) })
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// Goal: one slow disk does not make a group slow: a follower's holds nobody up, a leader's makes it hand over, a Zero's too. Method: the
// syncs of one process at a time take a second longer; writes by the others are timed, and who leads is watched.
func TestSlowDisk(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, clients, disks := startOnDisks(ctx, t)
	const delay = time.Second
	for _, role := range []string{"follower", "alpha", "zero"} {
		kind := role
		if role == "follower" {
			kind = "alpha"
		}
		sick := c.leading(ctx, t, kind)
		if role == "follower" {
			sick = without(c.Alphas, sick)[0]
		}
		at := without(c.Alphas, sick)[0]
		sound := pace(ctx, t, clients[at])
		disks[sick].Set(disk.Condition{Delay: delay})
		began := time.Now()
		if role != "follower" {
			waitFor(t, "another "+kind+" to lead", func() bool {
				_ = insertName(ctx, clients[at], "more") // what is not written is not slow
				r := c.roles(ctx)
				return len(r.leaders) == 2 && !slices.Contains(r.leaders, sick)
			})
		}
		handed := time.Since(began)
		with := pace(ctx, t, clients[at])
		t.Logf("%s (%s): a write took %v, and %v beside a sync of %v; handed over after %v", role, sick.Name,
			sound.Round(time.Millisecond), with.Round(time.Millisecond), delay, handed.Round(time.Millisecond))
		if with > delay/2 {
			t.Errorf("%s: writes take %v", role, with)
		}
		disks[sick].Set(disk.Condition{})
	}
	sameReplicas(ctx, t, c)
}

// Goal: a disk that does not answer at all stops the process it belongs to and nobody else: the others write and read after an election,
// whatever they had asked of that process; and when it answers again, the process is one of them. Method: the syncs of the group's leader,
// then of the leading Zero, do not end.
func TestHungDisk(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, clients, disks := startOnDisks(ctx, t)
	for _, kind := range []string{"alpha", "zero"} {
		sick := c.leading(ctx, t, kind)
		disks[sick].Set(disk.Condition{Delay: time.Hour})
		began := time.Now()
		for _, n := range without(c.Alphas, sick) {
			eventually(ctx, t, "a write at "+n.Name, func() error { return insertName(ctx, clients[n], "x") })
			if _, err := counter(ctx, clients[n], false); err != nil {
				t.Errorf("a read at %s: %v", n.Name, err)
			}
		}
		outage := time.Since(began)
		t.Logf("the disk of the leading %s, %s, hangs: the others went on after %v", kind, sick.Name, outage.Round(time.Millisecond))
		if outage > 2*maxOutage || outage > maxOutage && !starved() {
			t.Errorf("work rested for %v", outage)
		}
		if kind == "alpha" {
			if _, err := counter(ctx, clients[sick], false); err == nil {
				t.Error("a strong read was answered by a replica that cannot get on")
			}
		}
		for began := time.Now(); time.Since(began) < 8*time.Second; { // a group that is led again stays so
			at := without(c.Alphas, sick)[0]
			if took := pace(ctx, t, clients[at]); took > time.Second {
				t.Errorf("a write took %v", took)
			}
		}
		disks[sick].Set(disk.Condition{})
		for _, n := range c.Alphas {
			eventually(ctx, t, "a write at "+n.Name, func() error { return insertName(ctx, clients[n], "y") })
		}
	}
	sameReplicas(ctx, t, c)
}

// Goal: a process whose disk fails to sync ends, since a sync that is tried again proves nothing; the others go on; and what was
// acknowledged is there, also at that process when it is started again. Method: the syncs of a follower, of the leader and of the leading
// Zero fail for a while, under writes whose acknowledgements are counted.
func TestFailingSync(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, clients, disks := startOnDisks(ctx, t)
	writing, stop := context.WithCancel(ctx)
	defer stop()
	var writers sync.WaitGroup
	var acked atomic.Int64
	for i, n := range c.Alphas {
		writers.Go(func() {
			for k := 0; writing.Err() == nil; k++ {
				if insertName(writing, clients[n], fmt.Sprintf("w%d-%d", i, k)) == nil {
					acked.Add(1)
				}
			}
		})
	}
	more := func(what string) {
		t.Helper()
		before := acked.Load()
		waitFor(t, "writes "+what, func() bool { return acked.Load() > before+50 })
	}
	for _, role := range []string{"follower", "alpha", "zero"} {
		more("before")
		kind := role
		if role == "follower" {
			kind = "alpha"
		}
		sick := c.leading(ctx, t, kind)
		if role == "follower" {
			sick = without(c.Alphas, sick)[0]
		}
		disks[sick].Set(disk.Condition{Error: unix.EIO})
		select {
		case err := <-sick.done:
			sick.done <- err
			if err == nil {
				t.Errorf("%s: it ended as if nothing was wrong", role)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: %s goes on though its disk fails", role, sick.Name)
		}
		more("without " + sick.Name)
		disks[sick].Set(disk.Condition{})
		if err := sick.Run(); err != nil {
			t.Fatal(err)
		}
		if kind == "alpha" {
			await(ctx, t, sick.Dragg)
			want := acked.Load()
			eventually(ctx, t, "a read", func() error {
				got, err := counter(ctx, clients[sick], false)
				if err == nil && int64(got) < want {
					t.Errorf("%s: %d writes were acknowledged, %s has %d", role, want, sick.Name, got)
				}
				return err
			})
		}
		more("with " + sick.Name)
	}
	stop()
	writers.Wait()
	t.Logf("%d writes", acked.Load())
	sameReplicas(ctx, t, c)
}
