package systest

import (
	"slices"
	"time"

	"dragg/systest/mesh"
)

// How bad a slow network is at worst.
const (
	slowestLink    = 200 * time.Millisecond
	narrowestBytes = 50_000
)

// partition parts the nodes in one of several shapes and returns its name. What crosses a cut waits, or is refused.
func (n *Nemesis) partition() string {
	nodes := n.Cluster.Nodes()
	n.rng.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	cut := mesh.Condition{Cut: true}
	how := "cut"
	if n.rng.IntN(4) == 0 {
		cut, how = mesh.Condition{Refuse: true}, "refused"
	}
	switch n.rng.IntN(8) {
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
		n.part(small, except(nodes, small), cut, true)
		return "minority " + how
	case 6: // two members of each group reach the third and not each other
		one := n.minority(nodes)
		n.part(one, n.minority(except(nodes, one)), cut, true)
		return "bridge " + how
	}
	slow := mesh.Condition{Delay: time.Duration(1 + n.rng.Int64N(int64(slowestLink))), BytesPerSecond: narrowestBytes}
	n.part(nodes[:len(nodes)/2], nodes[len(nodes)/2:], slow, true)
	return "halves slow"
}

// except returns the nodes that are not among others.
func except(nodes, others []*Node) []*Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(m *Node) bool { return slices.Contains(others, m) })
}

// others returns all nodes but one.
func (n *Nemesis) others(but *Node) []*Node { return except(n.Cluster.Nodes(), []*Node{but}) }

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

// minority returns the first of the nodes that is a Zero, and of each group the first that is a member.
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
