package lookup

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"dragg/graph"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/posting/uidset"
	"dragg/query/task"
	"dragg/schema"
	"dragg/schema/tok"
)

// matchHas answers has(pred): nodes with an edge or a value. Untagged it means the untagged value of an @lang
// predicate (dql.md section 5, correction of fact 84).
func (r *runner) matchHas(ctx context.Context, t *task.Task, p Tablet) (uidset.Set, error) {
	tags, err := functionTags(t.Langs)
	if err != nil || !p.Placed {
		return uidset.Set{}, err
	}
	has := func(l posting.List) bool {
		if !p.Lang || t.Reverse {
			return !l.IsEmpty()
		}
		return tags.count(l) > 0
	}
	if t.AtRoot && t.Best.N > 0 && !p.Lang && !p.List && !t.Reverse && !p.IsUID() {
		if k := p.index(tok.Tokenizer.Sortable); k != nil {
			b := builder{r: r, p: p, best: t.Best}
			f, err := b.bestWithin(ctx, k, span{open: true})
			return f.sure, err
		}
	}
	if t.AtRoot {
		return r.scanHas(ctx, t, p, p.Lang && !t.Reverse && !tags.any, has)
	}
	return r.pick(ctx, t, p, func(l posting.List) bool { return has(l) })
}

// pick returns the nodes of the frontier whose list passes.
func (r *runner) pick(
	ctx context.Context, t *task.Task, p Tablet, pass func(posting.List) bool,
) (uidset.Set, error) {
	var passed []graph.UID
	rows := r.rows(p, t.Reverse, t.Src)
	for i, uid := range t.Src {
		if err := r.tick.check(ctx); err != nil {
			return uidset.Set{}, err
		}
		l, err := rows.list(i)
		if err != nil {
			return uidset.Set{}, err
		}
		if pass(l) {
			passed = append(passed, uid)
		}
	}
	return uidset.Of(passed), nil
}

// scanHas walks the keys of the predicate, and only as far as the page goes. Lists are looked into only where
// look is set: the scan leaves out keys whose list is empty.
func (r *runner) scanHas(
	ctx context.Context, t *task.Task, p Tablet, look bool, has func(posting.List) bool,
) (set uidset.Set, err error) {
	var passed []graph.UID
	prefix, from := keys.DataPrefix(p.Incarnation), keys.Data(p.Incarnation, t.Page.After)
	if t.Reverse {
		prefix, from = keys.ReversePrefix(p.Incarnation), keys.Reverse(p.Incarnation, t.Page.After)
	}
	enough := math.MaxInt
	if t.Page.First > 0 && t.Page.First < math.MaxInt-max(t.Page.Offset, 0) {
		enough = t.Page.First + max(t.Page.Offset, 0)
	}
	it := r.view.Scan(from, keys.End(prefix))
	defer func() {
		if e := it.Close(); err == nil && e != nil {
			err = fmt.Errorf("scan %s: %w", p.Name, e)
		}
	}()
	for len(passed) < enough && it.Next() {
		if err := r.tick.check(ctx); err != nil {
			return uidset.Set{}, err
		}
		uid := keys.UID(it.Key())
		if uid <= t.Page.After {
			continue
		}
		if look {
			l, err := it.List()
			if err != nil {
				return uidset.Set{}, fmt.Errorf("scan %s: %w", p.Name, err)
			}
			if !has(l) {
				continue
			}
		}
		passed = append(passed, uid)
	}
	return page(uidset.Of(passed), t.Page), nil
}

// matchUIDIn answers uid_in(pred, targets) as a filter. Where there are fewer targets than nodes to test, the
// edges are followed from the targets, if they are kept in that direction.
func (r *runner) matchUIDIn(ctx context.Context, t *task.Task, p Tablet) (uidset.Set, error) {
	if t.AtRoot {
		return uidset.Set{}, errors.New("uid_in function not allowed at root")
	}
	if !p.IsUID() || !p.Placed || len(t.Func.UIDs) == 0 {
		return uidset.Set{}, nil
	}
	back := t.Reverse || p.Reverse && p.Ready(schema.BuildingReverse)
	if back && len(t.Src) > frontierOfValues && len(t.Func.UIDs) < len(t.Src)/2 {
		sets := make([]uidset.Set, 0, len(t.Func.UIDs)+1)
		frontier := uidset.Of(t.Src)
		for _, target := range t.Func.UIDs {
			if err := r.tick.check(ctx); err != nil {
				return uidset.Set{}, err
			}
			l, err := r.row(p, !t.Reverse, target)
			if err != nil {
				return uidset.Set{}, err
			}
			if !l.IsEmpty() {
				sets = append(sets, uidset.And(frontier, l.UIDs()))
			}
		}
		return merge(sets), nil
	}
	const few = 8
	targets, set := t.Func.UIDs, uidset.Set{}
	if len(targets) > few {
		set = uidset.Of(targets)
	}
	return r.pick(ctx, t, p, func(l posting.List) bool {
		if len(targets) > few {
			return !uidset.And(l.UIDs(), set).IsEmpty()
		}
		for _, target := range targets {
			if l.Contains(target) {
				return true
			}
		}
		return false
	})
}

// countRange is the numbers of edges or values that a comparison of count(pred) asks for, both ends included.
type countRange struct{ lo, hi int64 }

func (c countRange) has(n int64) bool { return c.lo <= n && n <= c.hi }

// newCountRanges reads the arguments of a comparison of count(pred).
func newCountRanges(fn task.Func) ([]countRange, error) {
	wanted := len(fn.Args)
	switch {
	case fn.Name == task.Between:
		wanted = 2
	case fn.Name != task.Eq:
		wanted = 1
	}
	if len(fn.Args) != wanted || wanted == 0 {
		return nil, fmt.Errorf("%s expects only %d argument, but got %d", fn.Name, max(wanted, 1), len(fn.Args))
	}
	nums := make([]int64, len(fn.Args))
	for i, arg := range fn.Args {
		n, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s(count): %w", fn.Name, err)
		}
		if n < 0 || n > math.MaxUint32 {
			return nil, fmt.Errorf("count threshold value %d must be between 0 and %d", n, uint32(math.MaxUint32))
		}
		nums[i] = n
	}
	const most = math.MaxUint32
	switch fn.Name {
	case task.Eq:
		ranges := make([]countRange, len(nums))
		for i, n := range nums {
			ranges[i] = countRange{n, n}
		}
		return ranges, nil
	case task.Le:
		return []countRange{{0, nums[0]}}, nil
	case task.Lt:
		return []countRange{{0, nums[0] - 1}}, nil
	case task.Ge:
		return []countRange{{nums[0], most}}, nil
	case task.Gt:
		return []countRange{{nums[0] + 1, most}}, nil
	case task.Between:
		return []countRange{{nums[0], nums[1]}}, nil
	default:
		return nil, fmt.Errorf("function %q does not compare counts", fn.Name)
	}
}

// matchCount answers comparisons of count(pred).
func (r *runner) matchCount(ctx context.Context, t *task.Task, p Tablet) (uidset.Set, error) {
	ranges, err := newCountRanges(t.Func)
	if err != nil {
		return uidset.Set{}, err
	}
	if t.AtRoot {
		return r.rootCount(ctx, t, p, ranges)
	}
	tags, err := functionTags(t.Langs)
	if err != nil {
		return uidset.Set{}, err
	}
	pass := func(n int64) bool { return anyHas(ranges, n) }
	if !p.Placed {
		if pass(0) {
			return uidset.Of(slices.Clone(t.Src)), nil
		}
		return uidset.Set{}, nil
	}
	return r.pick(ctx, t, p, func(l posting.List) bool {
		if len(t.Langs) > 0 {
			return pass(int64(tags.count(l)))
		}
		return pass(int64(l.Len()))
	})
}

// rootCount searches the count keys. Nodes with none are not tracked, so a question for them is refused
// (dql.md fact 82); an upper bound is taken to mean at least one.
func (r *runner) rootCount(
	ctx context.Context, t *task.Task, p Tablet, ranges []countRange,
) (uidset.Set, error) {
	if !p.Count || !p.Ready(schema.BuildingCount) {
		return uidset.Set{}, fmt.Errorf("need @count directive in schema for attr: %s for fn: %s at root",
			p.Name, t.Func.Name)
	}
	sets := make([]uidset.Set, 0, len(ranges))
	for _, c := range ranges {
		upTo := t.Func.Name == task.Le || t.Func.Name == task.Lt
		if upTo {
			c.lo = 1
		}
		if c.lo == 0 || upTo && c.hi < 1 {
			return uidset.Set{}, errors.New(
				"count(predicate) cannot be used to search for negative counts (nonsensical) " +
					"or zero counts (not tracked)",
			)
		}
		if !p.Placed || c.hi < c.lo {
			continue
		}
		set, err := r.countKeys(ctx, t, p, c)
		if err != nil {
			return uidset.Set{}, err
		}
		sets = append(sets, set)
	}
	set, err := r.recount(ctx, t, p, ranges, merge(sets))
	return page(set, t.Page), err
}

// recount corrects the answer of the count keys by what the transaction itself changed: count keys are derived when it
// commits, so its own nodes are counted here (dql.md fact 131).
func (r *runner) recount(
	ctx context.Context, t *task.Task, p Tablet, ranges []countRange, set uidset.Set,
) (uidset.Set, error) {
	if !p.Placed {
		return set, nil
	}
	prefix := keys.DataPrefix(p.Incarnation)
	if t.Reverse {
		prefix = keys.ReversePrefix(p.Incarnation)
	}
	var changed, in []graph.UID
	for key := range r.view.OwnKeys(prefix, keys.End(prefix)) {
		if err := r.tick.check(ctx); err != nil {
			return uidset.Set{}, err
		}
		l, err := r.view.List(key)
		if err != nil {
			return uidset.Set{}, fmt.Errorf("count %s: %w", p.Name, err)
		}
		uid := keys.UID(key)
		changed = append(changed, uid)
		if n := int64(l.Len()); n > 0 && anyHas(ranges, n) {
			in = append(in, uid)
		}
	}
	if len(changed) == 0 {
		return set, nil
	}
	return uidset.Or(uidset.AndNot(set, uidset.Of(changed)), uidset.Of(in)), nil
}

func anyHas(ranges []countRange, n int64) bool {
	for _, c := range ranges {
		if c.has(n) {
			return true
		}
	}
	return false
}

// countKeys returns the nodes with a number of edges or values in c.
func (r *runner) countKeys(
	ctx context.Context, t *task.Task, p Tablet, c countRange,
) (set uidset.Set, err error) {
	if c.lo == c.hi {
		r.key = keys.AppendCount(r.key[:0], p.Incarnation, t.Reverse, uint32(c.lo))
		l, err := r.view.List(r.key)
		if err != nil {
			return uidset.Set{}, fmt.Errorf("read count of %s: %w", p.Name, err)
		}
		return l.UIDs(), nil
	}
	var all uidset.Builder
	to := keys.End(keys.CountPrefix(p.Incarnation, t.Reverse))
	if c.hi < math.MaxUint32 {
		to = keys.Count(p.Incarnation, t.Reverse, uint32(c.hi+1))
	}
	err = r.lists(ctx, keys.Count(p.Incarnation, t.Reverse, uint32(c.lo)), to, func(_ []byte, l posting.List) bool {
		all.AddSet(l.UIDs())
		return true
	})
	if err != nil {
		return uidset.Set{}, fmt.Errorf("scan counts of %s: %w", p.Name, err)
	}
	return all.Set(), nil
}
