package sim

import (
	"errors"
	"fmt"
	"time"

	"dragg/fsck"
	"dragg/graph"
	"dragg/posting"
	"dragg/protos/pb"
	"dragg/storage"
)

// disturb does what goes wrong, until the clock says that it is enough.
func (c *cluster) disturb(t *fiber, until time.Duration) {
	for c.w.now < until {
		t.sleep(c.w.between(0, 60*time.Millisecond))
		nodes := c.nodes()
		n := nodes[c.w.rng.IntN(len(nodes))]
		switch c.w.rng.IntN(12) {
		case 0, 1:
			c.crash(n)
		case 2, 3:
			c.elect(n.g)
		case 4, 5:
			c.cut(n)
		case 6:
			c.snapshot(n)
		case 7:
			if n.alpha != nil && n.up {
				n.alpha.skew += c.w.between(-time.Second, time.Second)
			}
		case 8, 9:
			if n.alpha != nil && n.up {
				c.rollup(n)
			}
		case 10:
			c.forget()
		case 11:
			if n.alpha != nil && n.up && c.w.chance(4) {
				c.transferTo(n)
			}
		}
	}
}

// crash ends a node and starts it again after a while.
func (c *cluster) crash(n *node) {
	if !n.up {
		return
	}
	c.counts["crashes"]++
	n.g.crash(n)
	c.w.after(c.w.between(0, 400*time.Millisecond), func() {
		if !n.up {
			n.g.boot(n)
		}
	})
	if n.g.leader == nil {
		c.w.after(c.w.between(longDelay, 300*time.Millisecond), func() { c.elect(n.g) })
	}
}

// elect makes some node of a group the leader that has a majority, if there is one.
func (c *cluster) elect(g *group) {
	var able []*node
	for _, n := range g.members {
		if g.quorum(n) {
			able = append(able, n)
		}
	}
	if len(able) == 0 {
		if g.leader == nil {
			c.w.after(100*time.Millisecond, func() {
				if g.leader == nil {
					c.elect(g)
				}
			})
		}
		return
	}
	c.counts["elections"]++
	g.elect(able[c.w.rng.IntN(len(able))])
}

// cut cuts a node off from some others, one way or both, for a while.
func (c *cluster) cut(n *node) {
	c.counts["cuts"]++
	var links [][2]*node
	oneWay := c.w.chance(3)
	for _, m := range c.nodes() {
		if m == n || c.w.chance(3) {
			continue
		}
		links = append(links, [2]*node{n, m})
		if !oneWay {
			links = append(links, [2]*node{m, n})
		}
	}
	for _, l := range links {
		c.w.links[l] = true
	}
	c.w.after(c.w.between(10*longDelay, 800*time.Millisecond), func() {
		for _, l := range links {
			delete(c.w.links, l)
		}
	})
	if n.g.leader == n && c.w.chance(2) {
		c.w.after(c.w.between(longDelay, 300*time.Millisecond), func() { c.elect(n.g) })
	}
}

// snapshot has a node make what it has applied durable.
func (c *cluster) snapshot(n *node) {
	if !n.up {
		return
	}
	c.counts["snapshots"]++
	if _, err := n.machine.Snapshot(); err != nil {
		c.w.fail("%s: %w", n.name, err)
	}
}

// transferTo has a node lose its memory and take over the state of another member of its group.
func (c *cluster) transferTo(n *node) {
	var ahead []*node
	for _, m := range n.g.members {
		if m != n && m.up && m.applied > n.applied {
			ahead = append(ahead, m)
		}
	}
	if len(ahead) == 0 || n.g.leader == n {
		return
	}
	from := ahead[c.w.rng.IntN(len(ahead))]
	n.g.crash(n)
	if err := n.g.open(n); err != nil {
		c.w.fail("%s cannot start: %w", n.name, err)
		return
	}
	if err := n.g.transfer(c.ctx, from, n); err != nil {
		c.w.fail("%w", err)
		return
	}
	c.counts["transfers of state"]++
	c.w.trace("%s takes over the state of %s", n.name, from.name)
	n.up, n.life, n.owed = true, n.life+1, map[int]*asking{}
	n.g.pump(n)
}

// upkeep does the background work of every Alpha.
func (c *cluster) upkeep(t *fiber) {
	for {
		t.sleep(40 * time.Millisecond)
		for _, g := range c.groups {
			for _, n := range g.members {
				if !n.up || !c.w.calm && c.w.chance(3) {
					continue
				}
				if err := n.alpha.Upkeep(c.ctx, time.Unix(100, 0).Add(c.w.now+n.alpha.skew)); err != nil {
					c.w.fail("%s: %w", n.name, err)
				}
			}
		}
	}
}

// moveTablets begins moves, and ends some of them early.
func (c *cluster) moveTablets(t *fiber, until time.Duration) {
	for c.w.now < until {
		t.sleep(c.w.between(0, 150*time.Millisecond))
		z := c.zeros.leader
		if z == nil || z.zero.next == 0 {
			continue
		}
		m := &pb.MoveStep{
			Predicate: predicate(c.w.rng.IntN(predicates)).Name, Kind: pb.MoveKind_MOVE_BEGIN, To: uint32(1 + c.w.rng.IntN(len(c.groups))),
		}
		if _, err := c.move(z, m); err == nil {
			c.counts["moves begun"]++
		}
	}
}

// heal ends everything that is wrong.
func (c *cluster) heal() {
	c.w.calm = true
	clear(c.w.links)
	for _, g := range c.all() {
		for _, n := range g.members {
			if !n.up {
				g.boot(n)
			}
		}
		g.elect(g.members[c.w.rng.IntN(len(g.members))])
	}
}

// quiet reports whether every node has applied everything, and no tablet moves.
func (c *cluster) quiet() bool {
	for _, g := range c.all() {
		for _, n := range g.members {
			if !n.up || g.lag(n) > 0 {
				return false
			}
			if n.zero != nil && len(n.zero.Moving()) > 0 {
				return false
			}
		}
	}
	return true
}

// checkGroup checks that every replica of a group holds the same, and nothing that is damaged.
func (c *cluster) checkGroup(g *group) error {
	var first map[graph.Predicate]posting.Digest
	for i, n := range g.members {
		sum, err := fsck.Check(c.ctx, fsck.Config{Report: func(f fsck.Finding) {
			c.w.fail("%s: %v", n.name, f)
		}}, n.alpha.Shard, n.alpha.engine)
		if err != nil || sum.Findings > 0 {
			return errors.Join(fmt.Errorf("fsck of %s: %d findings", n.name, sum.Findings), err)
		}
		if here, away := n.alpha.Moving(); len(here) > 0 {
			return fmt.Errorf("%s still expects %v; %v moved away", n.name, here, away)
		}
		held, err := c.digests(n)
		if err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		if i == 0 {
			first = held
		}
		if fmt.Sprint(first) != fmt.Sprint(held) {
			return fmt.Errorf("%s and %s do not hold the same: %v and %v", g.members[0].name, n.name, first, held)
		}
	}
	return nil
}

// digests returns the digests of the lists that a node serves, as of its watermark.
func (c *cluster) digests(n *node) (map[graph.Predicate]posting.Digest, error) {
	out := map[graph.Predicate]posting.Digest{}
	now := n.alpha.Watermark()
	for _, cp := range n.alpha.Copies() {
		var d posting.Digest
		whole := posting.Export{Incarnation: cp.Incarnation, Floor: now, DerivedFloor: now, Upto: now}
		err := n.alpha.Store().Export(c.ctx, whole, func(op storage.Op) error {
			op.Ts = 0
			d.Add(op)
			return nil
		})
		if err != nil {
			return nil, err
		}
		out[cp.Predicate.Name] = d
	}
	return out, nil
}
