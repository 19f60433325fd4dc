package lookup

import (
	"context"
	"fmt"

	"dragg/graph"
	"dragg/posting"
	"dragg/posting/uidset"
	"dragg/query/task"
	"dragg/schema/tok"
)

// bestWithin is within for an untagged predicate of which only the nodes that come first in the order of the index matter, or
// last: it reads lists from that end until it has enough. Tokens order as values do, and a lossy one has all its values behind
// it, so that what is left out comes after everything that was found.
func (b *builder) bestWithin(ctx context.Context, k tok.Tokenizer, s span) (found, error) {
	prefix, from, to := b.bounds(k, "", s)
	var sure, maybe []uidset.Set
	n := 0
	err := b.fromEnd(ctx, k, from, to, func(key []byte, l posting.List) bool {
		if token := string(key[len(prefix):]); s.edges && (token == s.lo || !s.open && token == s.hi) {
			maybe = append(maybe, l.UIDs())
			return true
		}
		set := b.firstEqual(k, l.UIDs(), n)
		sure = append(sure, set)
		n += set.Len()
		return n < b.best.N
	})
	return found{sure: merge(sure), maybe: merge(maybe)}, err
}

// firstEqual cuts the nodes of a token, of which n come before: where all have one value and uids decide, no more are needed.
func (b *builder) firstEqual(k tok.Tokenizer, set uidset.Set, n int) uidset.Set {
	if left := b.best.N - n; b.best.ByUID && !k.Lossy() && set.Len() > left {
		return page(set, task.Page{First: left})
	}
	return set
}

// When the index is asked which nodes of a frontier come first: where reading all their values costs more.
const (
	bestNodes = 256 // from how many nodes on
	bestShare = 8   // of so many nodes one may be among the first
	bestCost  = 4   // the part of reading all values that it may cost before it is given up
	bestAnd   = 16  // nodes that are looked for in a list of the index for what reading one list costs
)

// firstOf returns those of a task's nodes among which are the first ones of its order, by an index; false where the values of all
// have to be read.
func (r *runner) firstOf(ctx context.Context, t *task.Task, p Tablet) (first []graph.UID, ok bool, err error) {
	if t.Best.N <= 0 || len(t.Src) < bestNodes || t.Best.N > len(t.Src)/bestShare || p.Lang || p.List || len(t.Langs) > 0 || t.Facets != nil ||
		t.Page != (task.Page{}) {
		return nil, false, nil
	}
	k := p.index(tok.Tokenizer.Sortable)
	if k == nil {
		return nil, false, nil
	}
	b := builder{r: r, p: p, best: t.Best}
	_, from, to := b.bounds(k, "", span{open: true})
	nodes := uidset.Of(t.Src)
	cost, most := 0, len(t.Src)/bestCost
	var sets []uidset.Set
	n := 0
	err = b.fromEnd(ctx, k, from, to, func(_ []byte, l posting.List) bool {
		set := uidset.And(l.UIDs(), nodes)
		cost += 1 + min(l.Len(), len(t.Src))/bestAnd
		if !set.IsEmpty() {
			set = b.firstEqual(k, set, n)
			sets = append(sets, set)
			n += set.Len()
		}
		return n < b.best.N && cost < most
	})
	if err != nil || n < b.best.N && cost >= most {
		return nil, false, err
	}
	return merge(sets).Slice(), true, nil
}

// fromEnd visits the lists of an index from the end where the order begins, until visit has enough.
func (b *builder) fromEnd(
	ctx context.Context, k tok.Tokenizer, from, to []byte, visit func(key []byte, l posting.List) (more bool),
) error {
	walk := b.r.lists
	if b.best.Desc {
		walk = b.r.listsDown
	}
	if err := walk(ctx, from, to, visit); err != nil {
		return fmt.Errorf("scan index %s of %s: %w", k.Name(), b.p.Name, err)
	}
	return nil
}

// spread gives the values of some nodes of a task the places of all its nodes.
func spread(res *task.Result, some, all []graph.UID) {
	offsets := make([]uint32, 1, len(all)+1)
	i := 0
	for _, u := range all {
		if i < len(some) && some[i] == u {
			i++
		}
		offsets = append(offsets, res.Offsets[i])
	}
	res.Offsets = offsets
}
