package systest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Nemesis disturbs a cluster. Which faults come when, whom they hit and for how long follows from a seed, as far as the cluster's own
// choice of leaders allows: a target is chosen by its role.
type Nemesis struct {
	Cluster *Cluster
	// Faults are what it may do, by name: kill, pause, partition.
	Faults []string
	// Log is told of each fault.
	Log func(format string, args ...any)

	rng    *rand.Rand
	counts map[string]int
	roles  roles
}

// newRNG returns choices that follow from a seed, other ones for each use of it.
func newRNG(seed uint64, use int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(use))) }

// NewNemesis returns a nemesis whose choices follow from the seed.
func NewNemesis(c *Cluster, faults []string, seed uint64) *Nemesis {
	return &Nemesis{
		Cluster: c, Faults: faults, Log: func(string, ...any) {},
		rng: newRNG(seed, 0), counts: map[string]int{},
	}
}

// Counts returns how often each fault was made, by fault and role.
func (n *Nemesis) Counts() map[string]int { return n.counts }

// faultsAtATime is how many faults a round makes at most, longestRest how long it rests after them.
const (
	faultsAtATime = 3
	longestRest   = 3 * time.Second
)

// hold draws how long a fault lasts. Partitions outlast elections; other faults are as often shorter than one, about as long, and longer:
// a leader that is back just when another is elected is the worst.
func (n *Nemesis) hold(partition bool) time.Duration {
	spans := [][2]time.Duration{
		{300 * time.Millisecond, time.Second}, {time.Second, 2500 * time.Millisecond}, {2500 * time.Millisecond, 5 * time.Second},
	}
	if partition {
		spans = [][2]time.Duration{{3 * time.Second, 10 * time.Second}}
	}
	span := spans[n.rng.IntN(len(spans))]
	return span[0] + time.Duration(n.rng.Int64N(int64(span[1]-span[0])))
}

// Round makes one fault or several at once, holds them and heals everything. It ends early with ctx, healed too.
func (n *Nemesis) Round(ctx context.Context) error {
	n.roles = n.Cluster.roles(ctx)
	hit := map[string]bool{}
	var healing []func() error
	var names []string
	hold := n.hold(false)
	for range 1 + n.rng.IntN(faultsAtATime) {
		name := n.Faults[n.rng.IntN(len(n.Faults))]
		if hit[name] && name != "kill" && name != "pause" {
			continue
		}
		hit[name] = true
		if name == "partition" {
			hold = max(hold, n.hold(true))
		}
		what, heal, err := n.inject(name, hit)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", what, err), healAll(healing))
		}
		healing = append(healing, heal)
		names = append(names, what)
		n.counts[strings.TrimRight(what, "0123456789")]++
	}
	began := time.Now()
	wait(ctx, hold)
	err := healAll(healing)
	n.Log("%s for %v", strings.Join(names, ", "), time.Since(began).Round(time.Millisecond))
	wait(ctx, time.Duration(n.rng.Int64N(int64(longestRest))))
	return err
}

func healAll(healing []func() error) error {
	var errs []error
	for _, heal := range healing {
		errs = append(errs, heal())
	}
	return errors.Join(errs...)
}

// wait passes time, unless ctx ends before.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// inject makes one fault and returns how to mend it. hit are the nodes that are disturbed already.
func (n *Nemesis) inject(fault string, hit map[string]bool) (what string, heal func() error, err error) {
	switch fault {
	case "kill":
		node := n.target(hit)
		return n.roles.title(node) + " killed", node.Run, named(node, node.Kill())
	case "pause":
		node := n.target(hit)
		return n.roles.title(node) + " paused", node.Resume, named(node, node.Pause())
	case "partition":
		shape := n.partition()
		return shape, func() error { n.Cluster.Mesh.Heal(); return nil }, nil
	}
	return "", nil, fmt.Errorf("there is no fault called %q: kill, pause and partition are", fault)
}

// named says which node an error is of, and that of one that was not to end what it said last.
func named(n *Node, err error) error {
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(n.Log()), "\n")
	return fmt.Errorf("%s: %w; it said last: %s", n.Name, err, lines[len(lines)-1])
}

// target picks a node that is not disturbed: half of the time one that leads, if any does.
func (n *Nemesis) target(hit map[string]bool) *Node {
	free := func(nodes []*Node) []*Node {
		return slices.DeleteFunc(slices.Clone(nodes), func(m *Node) bool { return hit[m.Name] })
	}
	nodes := free(n.Cluster.Nodes())
	if leaders := free(n.roles.leaders); n.rng.IntN(2) == 0 && len(leaders) > 0 {
		nodes = leaders
	}
	node := nodes[n.rng.IntN(len(nodes))]
	hit[node.Name] = true
	return node
}
