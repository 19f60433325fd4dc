package shard

import (
	"cmp"
	"slices"

	"dragg/graph"
	"dragg/posting"
	"dragg/protos/pb"
	"dragg/schema"
)

// owed is an index build that this replica has not completed. Every replica builds from its own data; Zero publishes a definition
// once the replica that leads has built it. So what is complete here is not what Zero says: it is the replica's own knowledge, in
// its record and in what it sends to others, and no part of the replicated state.
//
// What Apply writes is the same on every replica but for one thing: while this replica owes the reverse edges of a predicate with
// @count, it derives no counts from their lists, which are not whole. These counts are then owed as well, from a later timestamp
// on: see complete.
type owed struct {
	names []string        // as in schema.Predicate.Building
	ts    graph.Timestamp // of the data that it is built from
}

// inherit takes over from the tablet as it was before, nil if there was none, what of its derived keys is built here.
func (t *tablet) inherit(old *tablet) {
	if old != nil && old.incarnation() == t.incarnation() {
		t.since, t.used = old.since, old.used
		for _, o := range old.owed {
			names := slices.DeleteFunc(slices.Clone(o.names), func(name string) bool {
				return !t.derives(name) || slices.Contains(t.def.Building, name)
			})
			if len(names) > 0 {
				t.owed = append(t.owed, owed{names, o.ts})
			}
		}
	}
	if len(t.def.Building) > 0 {
		t.owed = append(t.owed, owed{slices.Clone(t.def.Building), graph.Timestamp(t.set.Ts)})
	}
	t.settle()
}

// derives reports whether the definition has the kind of derived keys that name stands for.
func (t *tablet) derives(name string) bool {
	switch name {
	case schema.BuildingReverse:
		return t.def.Reverse
	case schema.BuildingCount:
		return t.def.Count
	}
	return slices.Contains(t.def.TokenizerNames(), name)
}

// settle makes local what follows from def and owed.
func (t *tablet) settle() {
	t.local = t.def
	for _, o := range t.owed {
		for _, name := range o.names {
			if !slices.Contains(t.local.Building, name) {
				d := *t.local
				d.Building = append(slices.Clone(d.Building), name)
				t.local = &d
			}
		}
	}
}

// owes reports whether a build that is not complete here is to make one of names.
func (t *tablet) owes(names []string) bool {
	return slices.ContainsFunc(t.owed, func(o owed) bool {
		return slices.ContainsFunc(o.names, func(name string) bool { return slices.Contains(names, name) })
	})
}

// built reports whether what Zero takes for being built, or the first stage of it, is complete here.
func (t *tablet) built() bool {
	if len(t.def.Building) == 0 {
		return false
	}
	_, stage := posting.NextBuild(t.def)
	if len(stage) == 0 {
		stage = t.def.Building
	}
	return !t.owes(stage)
}

// derivedFrom returns the timestamp below which readers find the derived keys incomplete.
func (t *tablet) derivedFrom() graph.Timestamp {
	return max(graph.Timestamp(t.set.DerivedSince), t.since)
}

// next returns the build to do now and the definition to do it by: what is built is what owed names and Building. ok is false
// where there is none, or where the next one waits for Zero to publish the one before: see posting.NextBuild.
func (t *tablet) next() (o owed, def *schema.Predicate, ok bool) {
	if len(t.owed) == 0 {
		return owed{}, nil, false
	}
	o = t.owed[0]
	d := *t.def
	d.Building = o.names
	waits := len(o.names) == 1 && o.names[0] == schema.BuildingCount &&
		slices.ContainsFunc(t.def.Building, func(name string) bool { return name != schema.BuildingCount })
	return o, &d, !waits
}

// complete returns the tablet after build o has made names; all of it for no names. watermark is the highest commit that is
// applied. It returns nil where o is not what is owed any more.
//
// Counts of reverse edges are derived with each commit only while their lists are whole. Where Zero published these before they
// were complete here, commits in between went without: so the counts are built from the data as of now instead.
func (t *tablet) complete(o owed, names []string, watermark graph.Timestamp) *tablet {
	if len(t.owed) == 0 || t.owed[0].ts != o.ts || !slices.Equal(t.owed[0].names, o.names) {
		return nil
	}
	next := &tablet{set: t.set, def: t.def, since: max(t.since, o.ts), used: t.used}
	rest := slices.DeleteFunc(slices.Clone(o.names), func(name string) bool {
		return len(names) == 0 || slices.Contains(names, name)
	})
	if len(rest) > 0 {
		next.owed = append(next.owed, owed{rest, o.ts})
	}
	next.owed = append(next.owed, t.owed[1:]...)
	for i, later := range next.owed {
		if slices.Contains(names, schema.BuildingReverse) && slices.Contains(later.names, schema.BuildingCount) {
			next.owed[i].ts = max(later.ts, watermark)
		}
	}
	// Oldest first: a build that is complete must not be of a later timestamp than one that is owed, see Shard.capture.
	slices.SortStableFunc(next.owed, func(a, b owed) int { return cmp.Compare(a.ts, b.ts) })
	next.settle()
	return next
}

// saveLocal returns what the replica's record says of the tablet's builds, nil if there were none.
func (t *tablet) saveLocal() *pb.LocalBuild {
	if len(t.owed) == 0 && t.since == 0 {
		return nil
	}
	b := &pb.LocalBuild{Incarnation: t.set.Tablet.Incarnation, Since: uint64(t.since)}
	for _, o := range t.owed {
		b.Owed = append(b.Owed, &pb.OwedBuild{Names: o.names, Ts: uint64(o.ts)})
	}
	return b
}

// loadLocal is the reverse of saveLocal.
func (t *tablet) loadLocal(b *pb.LocalBuild) {
	t.since, t.owed = graph.Timestamp(b.GetSince()), nil
	for _, o := range b.GetOwed() {
		t.owed = append(t.owed, owed{o.Names, graph.Timestamp(o.Ts)})
	}
	t.settle()
}
