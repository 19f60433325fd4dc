package sim

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/protos/pb"
	"dragg/schema"
	"dragg/storage/memkv"
	"dragg/systest/history"
)

// cluster is everything that is simulated.
type cluster struct {
	w      *world
	ctx    context.Context // never ends
	plan   Plan
	zeros  *group
	groups []*group
	bank   *bank
	counts map[string]int // of what happened, to see that enough did
	closed bool           // the clients begin nothing more
}

// Plan says what is simulated. Zero values take the defaults.
type Plan struct {
	Seed uint64
	// Dir holds the snapshots of the Zeros.
	Dir string
	// Zeros, Groups and Replicas are how many there are. Default: drawn from the seed.
	Zeros, Groups, Replicas int
	// Lasting is how long faults go on, in simulated time. Default 3 s.
	Lasting time.Duration
	// Trace is told what happens; nil for nobody.
	Trace func(string)
	// Bug is one that is planted, to see that it is found.
	Bug Bug
}

// Bug is one that is planted.
type Bug int

// The bugs that the simulation must find.
const (
	noBug          Bug = iota
	bugNoEpochs        // Zero does not look at the epochs of a transaction: a move without a fence
	bugLastChunk       // the last chunk of a round is lost, and Zero does not compare the copies
	bugNoWait          // reads do not wait for the verdicts of their snapshot
	bugUnconfirmed     // timestamps are given out by a Zero that does not lead any more
	bugDrawnFence      // the fence is at the timestamp that was drawn for it, not at its place in the log
	bugForgetful       // a Zero that begins to lead does not know the conflicts of transactions that began before
	bugLostVerdict     // a group does not hear of a commit
	bugRetry           // a commit of unknown outcome is sent again as another transaction
	bugUnapplied       // changes of indexes are derived before the snapshot is whole
	bugDurable         // a replica takes more for durable than is
	bugLostLog         // a leader acknowledges what is not on its disk
	bugs
)

func (c *cluster) planted(b Bug) bool { return c.plan.Bug == b }

func newCluster(ctx context.Context, w *world, p Plan) (*cluster, error) {
	c := &cluster{w: w, ctx: ctx, plan: p, counts: map[string]int{}}
	or := func(n, low, high int) int {
		if n != 0 {
			return n
		}
		return low + w.rng.IntN(high-low+1)
	}
	c.zeros = &group{w: w, name: "zero", open: openZero, leading: c.leadZero}
	for i := range 1 + 2*or((p.Zeros-1)/2, 0, 1) {
		n := &node{name: fmt.Sprintf("zero%d", i+1), g: c.zeros}
		n.zero = &zero{dir: filepath.Join(p.Dir, n.name)}
		if err := os.MkdirAll(n.zero.dir, 0o700); err != nil {
			return nil, err
		}
		c.zeros.members = append(c.zeros.members, n)
	}
	replicas := 1 + 2*or((p.Replicas-1)/2, 0, 1)
	for g := range or(p.Groups, 2, 3) {
		group := &group{w: w, name: fmt.Sprintf("group%d", g+1), open: c.openAlpha, leading: c.leadAlpha}
		for i := range replicas {
			n := &node{name: fmt.Sprintf("alpha%d.%d", g+1, i+1), g: group}
			n.alpha = &alpha{group: graph.GroupID(g + 1), engine: memkv.New(memkv.Config{Crashable: true})}
			group.members = append(group.members, n)
		}
		c.groups = append(c.groups, group)
	}
	for _, g := range c.groups {
		g.loses = c.planted(bugLostLog)
		if c.planted(bugDurable) {
			g.claims = 2
		}
	}
	return c, c.begin()
}

func (c *cluster) all() []*group { return append([]*group{c.zeros}, c.groups...) }

func (c *cluster) nodes() (all []*node) {
	for _, g := range c.all() {
		all = append(all, g.members...)
	}
	return all
}

// begin starts every node and makes the bank's predicates.
func (c *cluster) begin() error {
	entries := []*pb.ZeroEntry{
		{Bootstrap: &pb.Bootstrap{ClusterId: "sim", Replicas: uint32(len(c.groups[0].members))}},
		{Lease: &pb.Lease{TsBound: 2, UidCount: 1000}},
	}
	for _, g := range c.groups {
		for i, n := range g.members {
			entries = append(entries, &pb.ZeroEntry{Join: &pb.Join{Address: n.name, Group: uint32(n.alpha.group), Nonce: uint64(i + 1)}})
		}
	}
	update, err := schema.Parse(bankSchema)
	if err != nil {
		return err
	}
	alter := &pb.Alter{Ts: 1}
	for i, def := range update.Predicates {
		alter.Predicates = append(alter.Predicates, &pb.PredicateChange{
			Predicate: def.Name.Name, Schema: def.AppendBinary(nil), Group: uint32(1 + i%len(c.groups)),
		})
	}
	for _, e := range append(entries, &pb.ZeroEntry{Alter: alter}) {
		b, err := proto.Marshal(e)
		if err != nil {
			return err
		}
		c.zeros.log = append(c.zeros.log, b)
	}
	for _, g := range c.all() {
		for _, n := range g.members {
			g.boot(n)
		}
		g.elect(g.members[0])
	}
	return c.w.err
}

// anyOf returns some replica of a group.
func (c *cluster) anyOf(group graph.GroupID) *node {
	members := c.groups[group-1].members
	return members[c.w.rng.IntN(len(members))]
}

// zeroCall asks the leading Zero, as far as the caller can find it.
func (c *cluster) zeroCall(t *fiber, from *node, twice bool, do func(t *fiber, z *node) error) error {
	z := c.zeros.leader
	if z == nil {
		t.sleep(silence)
		return errUnreachable
	}
	return c.w.call(t, from, z, twice, func(t *fiber) error { return do(t, z) })
}

// check looks at everything once it is quiet.
func (c *cluster) check() (*history.Report, error) {
	report, err := c.bank.check(c)
	if err != nil {
		return report, err
	}
	for _, g := range c.groups {
		if err := c.checkGroup(g); err != nil {
			return report, err
		}
	}
	return report, nil
}
