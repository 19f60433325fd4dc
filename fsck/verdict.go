package fsck

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/protos/pb"
	"dragg/storage"
	"dragg/zero/state"
)

// check is Check, and with Zero's state at hand also whether the replica agrees with it. z may be nil.
func check(
	ctx context.Context, cfg Config, s *shard.Shard, engine storage.Engine, z *state.Machine, group graph.GroupID,
) (Summary, error) {
	c := newChecker(cfg, s, engine)
	if err := c.everything(ctx); err != nil {
		return c.sum, err
	}
	if z == nil {
		c.sum.Skipped = append(c.sum.Skipped, "verdicts on open transactions, since Zero's data is not here")
		return c.sum, nil
	}
	c.zero(z, group)
	return c.sum, nil
}

// zero compares the replica with Zero. What Zero's stream has not delivered yet is on its way.
func (c *checker) zero(z *state.Machine, group graph.GroupID) {
	served := map[graph.Predicate]graph.Incarnation{}
	for _, t := range c.s.Copies() {
		served[t.Predicate.Name] = t.Incarnation
	}
	onTheirWay := map[graph.Timestamp]bool{}
	for seq := c.s.Seq(); ; {
		b, _, err := z.Events(group, seq)
		if err != nil {
			c.found(Finding{Damage: Disagreeing, Detail: err.Error()})
			return
		}
		for _, e := range b.Events {
			switch {
			case e.Verdict != nil:
				onTheirWay[graph.Timestamp(e.Verdict.StartTs)] = true
			case e.TabletSet != nil:
				served[nameOf(e.TabletSet.Tablet)] = graph.Incarnation(e.TabletSet.Tablet.Incarnation)
			case e.TabletDrop != nil:
				delete(served, graph.Predicate{Namespace: graph.Namespace(e.TabletDrop.Namespace), Name: e.TabletDrop.Predicate})
			}
			seq = e.Seq
		}
		if len(b.Events) == 0 {
			break
		}
	}
	pending, _ := c.s.Undecided()
	for _, start := range pending {
		if commit, known := z.Outcome(start); known && !onTheirWay[start] {
			c.found(Finding{Damage: Unsettled, Detail: fmt.Sprintf(
				"%s is pending, but Zero decided it (commit timestamp %d, 0 for aborted) and has told the group", transaction(start), commit)})
		}
	}
	c.tablets(z.State(), group, served)
}

func nameOf(t *pb.Tablet) graph.Predicate {
	return graph.Predicate{Namespace: graph.Namespace(t.Namespace), Name: t.Predicate}
}

// tablets compares which copies Zero says that the group serves with those it does.
func (c *checker) tablets(z *pb.ZeroState, group graph.GroupID, served map[graph.Predicate]graph.Incarnation) {
	for _, t := range z.Tablets {
		if graph.GroupID(t.Group) != group {
			continue
		}
		name := nameOf(t)
		if got, ok := served[name]; !ok || got != graph.Incarnation(t.Incarnation) {
			c.found(Finding{Damage: Disagreeing, Predicate: name, Detail: fmt.Sprintf(
				"Zero says that incarnation %d is served, the replica serves %d", t.Incarnation, got)})
		}
		delete(served, name)
	}
	for _, name := range slices.SortedFunc(maps.Keys(served), graph.Predicate.Compare) {
		c.found(Finding{Damage: Disagreeing, Predicate: name, Detail: fmt.Sprintf(
			"the replica serves incarnation %d, Zero knows nothing of it", served[name])})
	}
}

func transaction(start graph.Timestamp) string {
	return fmt.Sprintf("the transaction that started at %d", start)
}
