package systest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"dragg/systest/mesh"
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

// How long faults last, and the rest between two rounds. Partitions outlast elections.
const (
	shortestHold   = 300 * time.Millisecond
	longestHold    = 5 * time.Second
	shortestCut    = 3 * time.Second
	longestCut     = 10 * time.Second
	longestRest    = 3 * time.Second
	faultsAtATime  = 3
	slowestLink    = 200 * time.Millisecond
	narrowestBytes = 50_000
)

// Round makes one fault or several at once, holds them and heals everything. It ends early with ctx, healed too.
func (n *Nemesis) Round(ctx context.Context) error {
	n.roles = n.Cluster.roles(ctx)
	hit := map[string]bool{}
	var healing []func() error
	var names []string
	hold := shortestHold + time.Duration(n.rng.Int64N(int64(longestHold)))
	for range 1 + n.rng.IntN(faultsAtATime) {
		name := n.Faults[n.rng.IntN(len(n.Faults))]
		if hit[name] && name != "kill" && name != "pause" {
			continue
		}
		hit[name] = true
		if name == "partition" {
			hold = max(hold, shortestCut+time.Duration(n.rng.Int64N(int64(longestCut-shortestCut))))
		}
		what, heal, err := n.inject(name, hit)
		if err != nil {
			return errors.Join(err, healAll(healing))
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
		return n.roles.title(node) + " killed", node.Run, node.Kill()
	case "pause":
		node := n.target(hit)
		return n.roles.title(node) + " paused", node.Resume, node.Pause()
	case "partition":
		shape := n.partition()
		return shape, func() error { n.Cluster.Mesh.Heal(); return nil }, nil
	}
	return "", nil, fmt.Errorf("there is no fault called %q: kill, pause and partition are", fault)
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

// roles is who leads which group, as a Zero knows.
type roles struct {
	leaders []*Node
	group   map[string]string // by node
}

// title names a node by what it is: "leader of group 1", "zero".
func (r roles) title(n *Node) string {
	kind := strings.TrimRight(n.Name, "0123456789")
	if slices.Contains(r.leaders, n) {
		return "leading " + kind
	}
	return kind
}

// membership is what is read of Zero's /state.
type membership struct {
	Groups map[string]struct {
		Members map[string]struct {
			Addr   string
			Leader bool
		}
		Tablets map[string]any
	}
	Zeros map[string]struct {
		Addr   string
		Leader bool
	}
}

// roles asks the Zeros who leads. Where none answers nobody does.
func (c *Cluster) roles(ctx context.Context) roles {
	for _, z := range c.Zeros {
		m, err := z.membership(ctx)
		if err != nil {
			continue
		}
		r := roles{group: map[string]string{}}
		of := map[string]*Node{}
		for _, n := range c.Nodes() {
			of[c.advertised(n, 5080)], of[c.advertised(n, 7080)] = n, n
		}
		add := func(address, group string, leads bool) {
			if n := of[address]; n != nil {
				r.group[n.Name] = group
				if leads {
					r.leaders = append(r.leaders, n)
				}
			}
		}
		for group, g := range m.Groups {
			for _, member := range g.Members {
				add(member.Addr, group, member.Leader)
			}
		}
		for _, member := range m.Zeros {
			add(member.Addr, "0", member.Leader)
		}
		slices.SortFunc(r.leaders, func(a, b *Node) int { return strings.Compare(a.Name, b.Name) })
		if len(r.leaders) > 0 {
			return r
		}
	}
	return roles{group: map[string]string{}}
}

func (d *Dragg) membership(ctx context.Context) (*membership, error) {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.ZeroHTTP()+"/state", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	m := &membership{}
	return m, json.NewDecoder(resp.Body).Decode(m)
}

// partition parts the nodes in one of several shapes and returns its name. What crosses a cut waits, or is refused.
func (n *Nemesis) partition() string {
	nodes := n.Cluster.Nodes()
	n.rng.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	cut := mesh.Condition{Cut: true}
	how := "cut"
	if n.rng.IntN(4) == 0 {
		cut, how = mesh.Condition{Refuse: true}, "refused"
	}
	switch n.rng.IntN(7) {
	case 0:
		n.part(nodes[:len(nodes)/2], nodes[len(nodes)/2:], cut, true)
		return "halves " + how
	case 1:
		n.ring(nodes, cut)
		return "ring " + how
	case 2:
		at := n.target(map[string]bool{})
		n.part([]*Node{at}, n.others(at), cut, false)
		return n.roles.title(at) + " one way out " + how
	case 3:
		at := n.target(map[string]bool{})
		n.part(n.others(at), []*Node{at}, cut, false)
		return n.roles.title(at) + " one way in " + how
	case 4:
		at := n.target(map[string]bool{})
		n.part([]*Node{at}, n.others(at), cut, true)
		return n.roles.title(at) + " isolated " + how
	case 5: // a Zero and a member of each group on the small side
		small := n.minority(nodes)
		n.part(small, slices.DeleteFunc(nodes, func(m *Node) bool { return slices.Contains(small, m) }), cut, true)
		return "minority " + how
	}
	slow := mesh.Condition{Delay: time.Duration(1 + n.rng.Int64N(int64(slowestLink))), BytesPerSecond: narrowestBytes}
	n.part(nodes[:len(nodes)/2], nodes[len(nodes)/2:], slow, true)
	return "halves slow"
}

// others returns all nodes but one.
func (n *Nemesis) others(but *Node) []*Node {
	return slices.DeleteFunc(n.Cluster.Nodes(), func(m *Node) bool { return m == but })
}

// part changes all ways from some nodes to others, and back if both.
func (n *Nemesis) part(from, to []*Node, c mesh.Condition, both bool) {
	for _, a := range from {
		for _, b := range to {
			n.Cluster.Mesh.Set(a.Name, b.Name, c)
			if both {
				n.Cluster.Mesh.Set(b.Name, a.Name, c)
			}
		}
	}
}

// ring lets each node reach the nearest on both sides of a ring, so that it sees a majority, and no two see the same.
func (n *Nemesis) ring(nodes []*Node, c mesh.Condition) {
	reach := (len(nodes)/2 + 1) / 2
	for i, a := range nodes {
		for j, b := range nodes {
			if d := (j - i + len(nodes)) % len(nodes); d > reach && d < len(nodes)-reach {
				n.Cluster.Mesh.Set(a.Name, b.Name, c)
			}
		}
	}
}

// minority returns one Zero and one member of each group.
func (n *Nemesis) minority(nodes []*Node) (small []*Node) {
	there := map[string]bool{}
	for _, m := range nodes {
		if g, ok := n.roles.group[m.Name]; ok && !there[g] {
			there[g] = true
			small = append(small, m)
		}
	}
	return small
}
