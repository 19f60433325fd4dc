package sim

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"dragg/internal/fault"
	"dragg/raftgroup/fsm"
)

// node is one replica of a group: a machine, and what survives its crashes.
type node struct {
	name    string
	g       *group
	up      bool
	life    int // how often it was started
	machine fsm.Machine
	applied int             // entries
	owed    map[int]*asking // proposals of this life that wait to be applied, by index
	alpha   *alpha          // nil for a Zero
	zero    *zero           // nil for an Alpha
}

// group is a log that a majority agrees on. A leader that was deposed does not know it before it asks.
type group struct {
	w       *world
	name    string
	log     [][]byte
	members []*node
	leader  *node
	term    int
	asked   []*asking // proposals that are not agreed on yet
	open    func(n *node) error
	leading func(n *node, term int) // begins the leader's duties

	claims int  // planted: how many entries more than is true are taken for durable
	loses  bool // planted: what only the leader has is lost with it
}

// asking is a proposal on its way.
type asking struct {
	cmd    []byte
	by     *node
	life   int
	term   int
	done   bool
	lost   bool
	result any
}

// quorum reports whether a majority hears the node and is heard by it.
func (g *group) quorum(n *node) bool {
	if !n.up {
		return false
	}
	votes := 0
	for _, m := range g.members {
		if m.up && g.w.reaches(n, m) && g.w.reaches(m, n) {
			votes++
		}
	}
	return 2*votes > len(g.members)
}

// leads reports whether a node leads a term.
func (g *group) leads(n *node, term int) bool { return g.leader == n && g.term == term && n.up }

var errNotLeading = fault.New(fault.Unavailable, "this node does not lead its group")

// propose replicates a command from a node and returns what its machine answers.
func (g *group) propose(n *node, cmd []byte) (any, error) {
	t := g.w.cur
	if g.leader != n || !n.up {
		return nil, errNotLeading
	}
	a := &asking{cmd: bytes.Clone(cmd), by: n, life: n.life, term: g.term}
	g.asked = append(g.asked, a)
	g.w.after(g.w.between(shortDelay, longDelay), func() { g.agree(a) })
	t.wait(2*time.Second, func() bool { return a.done || a.lost || n.life != a.life || !n.up })
	if a.done && n.life == a.life && n.up {
		return a.result, nil
	}
	return nil, fault.New(fault.Unknown, "the proposal may be in the log, or not")
}

// agree puts a proposal into the log, as soon as its leader has a majority.
func (g *group) agree(a *asking) {
	switch {
	case a.lost:
	case !g.leads(a.by, a.term) || a.by.life != a.life:
		a.lost = true
	case !g.quorum(a.by):
		g.w.after(g.w.between(longDelay, 10*longDelay), func() { g.agree(a) })
	default:
		g.enter(a)
	}
}

func (g *group) enter(a *asking) {
	a.lost = true // it does not enter twice
	g.log = append(g.log, a.cmd)
	if a.by.up && a.by.life == a.life {
		a.lost = false
		a.by.owed[len(g.log)] = a
	}
}

// elect makes a node the leader. Of what the one before had asked for any part may have reached a majority.
func (g *group) elect(n *node) {
	for _, a := range g.asked {
		if !a.done && !a.lost && g.w.chance(2) && g.leader != nil && a.term == g.term && a.by.owed != nil && !g.entered(a) {
			g.enter(a)
		} else if !g.entered(a) {
			a.lost = true
		}
	}
	g.asked = nil
	g.term++
	g.leader = n
	if n == nil {
		return
	}
	term := g.term
	g.w.trace("%s leads term %d", n.name, term)
	g.w.start(n.name+" leads", func(t *fiber) {
		upTo := len(g.log)
		if t.wait(time.Hour, func() bool { return n.applied >= upTo || !g.leads(n, term) }) && g.leads(n, term) {
			g.leading(n, term)
		}
	})
}

func (g *group) entered(a *asking) bool {
	for _, o := range a.by.owed {
		if o == a {
			return true
		}
	}
	return a.done
}

// apply has a node apply some entries.
func (g *group) apply(n *node, most int) {
	if !n.up || n.applied >= len(g.log) {
		return
	}
	var cmds []fsm.Command
	for i := n.applied; i < len(g.log) && len(cmds) < most; i++ {
		cmds = append(cmds, fsm.Command{Index: uint64(i + 1), Data: g.log[i]})
	}
	results, err := n.machine.Apply(cmds)
	if err != nil {
		g.w.fail("%s cannot apply: %w", n.name, err)
		return
	}
	for i, c := range cmds {
		if a := n.owed[int(c.Index)]; a != nil {
			a.result, a.done = results[i], true
			delete(n.owed, int(c.Index))
		}
	}
	n.applied += len(cmds)
}

// pump applies entries on a node from time to time, while it lives.
func (g *group) pump(n *node) {
	life := n.life
	var again func()
	again = func() {
		if !n.up || n.life != life {
			return
		}
		g.apply(n, 1+g.w.rng.IntN(8))
		pace := 3 * longDelay
		if g.leader == n {
			pace = longDelay / 2
		}
		g.w.after(g.w.between(shortDelay, pace), again)
	}
	g.w.after(shortDelay, again)
}

// boot starts a node, which replays the log from what it has on its disk.
func (g *group) boot(n *node) {
	if err := g.open(n); err != nil {
		g.w.fail("%s cannot start: %w", n.name, err)
		return
	}
	n.up = true
	n.life++
	n.owed = map[int]*asking{}
	n.applied = int(n.machine.Durable())
	if g.claims > 0 {
		n.applied = max(n.applied, min(n.applied+g.claims, len(g.log)-1))
	}
	g.w.trace("%s starts with %d of %d entries", n.name, n.applied, len(g.log))
	g.pump(n)
}

// crash ends a node.
func (g *group) crash(n *node) {
	g.w.trace("%s crashes", n.name)
	if g.loses && g.leader == n {
		have := 0
		for _, m := range g.members {
			if m != n {
				have = max(have, m.applied)
			}
		}
		g.log = g.log[:min(len(g.log), max(have, n.applied-1))]
	}
	n.up = false
	n.life++
	if g.leader == n {
		g.leader = nil
	}
}

// lag is how many entries a node is behind.
func (g *group) lag(n *node) int { return len(g.log) - n.applied }

// transfer brings the state of one node to another one, which has just started, in place of the log.
func (g *group) transfer(ctx context.Context, from, to *node) error {
	desc, err := from.machine.Snapshot()
	if err != nil {
		return err
	}
	var stream bytes.Buffer
	if err := from.machine.WriteSnapshot(ctx, desc, to.machine.Progress(desc), &stream); err != nil {
		return err
	}
	if err := to.machine.Restore(ctx, desc, &stream); err != nil {
		return fmt.Errorf("%s takes over the state of %s: %w", to.name, from.name, err)
	}
	to.applied = from.applied
	return nil
}
