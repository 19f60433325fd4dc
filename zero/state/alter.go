package state

import (
	"bytes"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/protos/pb"
)

// applyAlter changes predicates and types, all of it or nothing, and tells the groups.
func (c *cluster) applyAlter(a *pb.Alter) *pb.AlterReply {
	c.decided = max(c.decided, a.Ts)
	if stale := c.firstStale(a); stale != "" {
		return &pb.AlterReply{Stale: true, StalePredicate: stale, Seqs: c.seqs()}
	}
	if a.DropAll {
		c.dropAll(a.AtMs)
	}
	if a.DropData {
		for _, p := range c.sortedPredicates() {
			c.ended.add(c.tablets[p], pb.MoveOutcome_ENDED_CHANGED, "all data was dropped", a.AtMs)
			c.setTablet(renewed(c.tablets[p], c.nextID))
			c.nextID++
		}
	}
	reply := &pb.AlterReply{}
	for _, ch := range a.Predicates {
		if t := c.changePredicate(ch, a.AtMs); t != nil {
			reply.Tablets = append(reply.Tablets, t)
		}
	}
	for _, t := range a.Types {
		c.changeType(t)
	}
	reply.Seqs = c.seqs()
	return reply
}

// seqs returns the last event of each group's stream.
func (c *cluster) seqs() map[uint32]uint64 {
	m := make(map[uint32]uint64, len(c.streams))
	for g, s := range c.streams {
		m[uint32(g)] = s.next - 1
	}
	return m
}

// firstStale returns the first predicate that is not what the proposer saw, "" if all are.
func (c *cluster) firstStale(a *pb.Alter) string {
	for _, ch := range a.Predicates {
		t := c.tablets[predicateOf(ch)]
		if !ch.Force && (t.GetEpoch() != ch.IfEpoch || len(ch.IfSchema) > 0 && !bytes.Equal(t.GetSchema(), ch.IfSchema)) {
			return ch.Predicate
		}
	}
	return ""
}

func (c *cluster) changePredicate(ch *pb.PredicateChange, atMs int64) *pb.Tablet {
	p := predicateOf(ch)
	old := c.tablets[p]
	switch {
	case len(ch.Schema) == 0 && old == nil:
		return nil
	case len(ch.Schema) == 0:
		c.ended.add(old, pb.MoveOutcome_ENDED_CHANGED, "the predicate was dropped", atMs)
		delete(c.tablets, p)
		delete(c.epochs, old.Epoch)
		gone := &pb.TabletDrop{Namespace: old.Namespace, Predicate: old.Predicate, Incarnation: old.Incarnation, Ts: c.decided}
		c.tellAll(func() *pb.Event { return &pb.Event{TabletDrop: gone} })
		return nil
	case old == nil:
		t := &pb.Tablet{
			Namespace: ch.Namespace, Predicate: ch.Predicate, Group: c.place(ch),
			Incarnation: c.nextID, Epoch: c.nextID + 1, Schema: ch.Schema,
		}
		c.nextID += 2
		return c.setTablet(t)
	}
	c.ended.add(old, pb.MoveOutcome_ENDED_CHANGED, "the predicate was redefined", atMs)
	t := c.unmoved(old) // what was copied is of another definition
	t.Schema = ch.Schema
	if !ch.KeepEpoch {
		t.Epoch = c.nextID
		c.nextID++
	}
	return c.setTablet(t)
}

// place returns the group for a new predicate: the one that wants it, else that with the fewest.
func (c *cluster) place(ch *pb.PredicateChange) uint32 {
	if ch.Group != 0 && !c.gone(ch.Group) {
		return ch.Group
	}
	held := map[uint32]int{}
	if !c.gone(1) {
		held[1] = 0 // also before it has a member
	}
	for _, m := range c.members {
		held[m.Group] += 0
	}
	delete(held, zeros)
	for _, t := range c.tablets {
		held[t.Group]++
	}
	serving := maps.Clone(held)
	maps.DeleteFunc(serving, func(g uint32, _ int) bool { return c.emptying(g) })
	if len(serving) > 0 {
		held = serving
	}
	return slices.MinFunc(slices.Sorted(maps.Keys(held)), func(a, b uint32) int { return held[a] - held[b] })
}

// setTablet stores t, which nobody changes any more, and tells every group: its own serves it, the others route to it.
func (c *cluster) setTablet(t *pb.Tablet) *pb.Tablet {
	c.stream(graph.GroupID(t.Group))
	c.keep(t)
	set := &pb.TabletSet{Tablet: t, Ts: c.decided}
	c.tellAll(func() *pb.Event { return &pb.Event{TabletSet: set} })
	return t
}

// keep makes t what is known of its predicate. While it is fenced no epoch of it is valid.
func (c *cluster) keep(t *pb.Tablet) {
	if old := c.tablets[nameOf(t)]; old != nil {
		delete(c.epochs, old.Epoch)
	}
	c.tablets[nameOf(t)] = t
	if t.Move.GetFence() == 0 {
		c.epochs[t.Epoch] = true
	}
}

// renewed returns t as an empty tablet with a new incarnation and epoch.
func renewed(t *pb.Tablet, id uint64) *pb.Tablet {
	t = proto.CloneOf(t)
	t.Incarnation, t.Epoch = id, id
	t.Move, t.Former, t.Base = nil, nil, 0
	return t
}

func (c *cluster) changeType(t *pb.TypeChange) {
	if len(t.Definition) == 0 {
		if c.types[t.Name] == nil {
			return
		}
		delete(c.types, t.Name)
	} else {
		c.types[t.Name] = t
	}
	c.tellAll(func() *pb.Event { return &pb.Event{TypeChange: t} })
}

func (c *cluster) dropAll(atMs int64) {
	for _, p := range c.sortedPredicates() {
		t := c.tablets[p]
		c.changePredicate(&pb.PredicateChange{Namespace: t.Namespace, Predicate: t.Predicate}, atMs)
	}
	for _, name := range slices.Sorted(maps.Keys(c.types)) {
		c.changeType(&pb.TypeChange{Name: name})
	}
}

func (c *cluster) sortedPredicates() []graph.Predicate {
	return slices.SortedFunc(maps.Keys(c.tablets), graph.Predicate.Compare)
}

func predicateOf(ch *pb.PredicateChange) graph.Predicate {
	return graph.Predicate{Namespace: graph.Namespace(ch.Namespace), Name: ch.Predicate}
}
