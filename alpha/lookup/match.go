package lookup

import (
	"context"
	"fmt"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/posting/uidset"
	"dragg/query/task"
)

// condition is a function over one predicate made ready.
type condition struct {
	// test says whether a node with these values meets the condition. Nodes without a value are not asked
	// about.
	test func(vals []posting.Posting) (bool, error)
	// search finds the nodes by an index; nil where there is none. It may be given up where it would read
	// more than budget lists: then ok is false.
	search func(ctx context.Context, budget int) (f found, ok bool, err error)
	// frontier is up to which size of a frontier testing its nodes is cheaper than to search.
	frontier int
	// scan says that nodes may meet the condition that no search finds, so that at the root all are tested.
	scan bool
	// limit bounds how many nodes the search may leave to test at the root; 0 for no bound.
	limit int
}

// found is what a search returns: those that meet the condition, and those that may and must be tested.
type found struct{ sure, maybe uidset.Set }

// maxCandidates bounds how many nodes regexp and match test one by one: a search by trigrams may leave almost
// all of them.
const maxCandidates = 1_000_000

// keysPerTest is how many nodes can be tested in the time that walking over one index key takes. A search
// that ranges over more keys than the frontier is worth is given up, and has cost about as much again.
const keysPerTest = 16

// unlimited is the budget of a search at the root.
const unlimited = 1 << 62

// match answers task.Match.
func (r *runner) match(ctx context.Context, t *task.Task, p Tablet) (uidset.Set, error) {
	switch {
	case t.Func.Count:
		return r.matchCount(ctx, t, p)
	case t.Func.Name == task.Has:
		return r.matchHas(ctx, t, p)
	case t.Func.Name == task.UIDIn:
		return r.matchUIDIn(ctx, t, p)
	}
	if set, ok, err := r.point(t, p); ok || err != nil {
		return set, err
	}
	tags, err := functionTags(t.Langs)
	if err != nil {
		return uidset.Set{}, err
	}
	c, err := r.compile(t, p, tags)
	if err != nil || !p.Placed {
		return uidset.Set{}, err
	}
	if !t.AtRoot {
		return r.filter(ctx, t.Src, p, tags, c)
	}
	set, err := r.root(ctx, p, tags, c)
	if err != nil {
		return uidset.Set{}, err
	}
	return page(set, t.Page), nil
}

// compile makes the function of a task ready, or says why it cannot be answered.
func (r *runner) compile(t *task.Task, p Tablet, tags tagSet) (condition, error) {
	if p.IsUID() {
		return condition{}, fmt.Errorf("attribute %s is not valid scalar type", p.Name)
	}
	b := builder{r: r, p: p, tags: tags, fn: t.Func, root: t.AtRoot, best: t.Best}
	switch t.Func.Name {
	case task.Eq:
		return b.eq()
	case task.Le, task.Lt, task.Ge, task.Gt, task.Between:
		return b.inequality()
	case task.AnyOfTerms, task.AllOfTerms, task.AnyOfText, task.AllOfText:
		return b.words()
	case task.Ngram:
		return b.phrase()
	case task.Regexp:
		return b.regexp()
	case task.Fuzzy:
		return b.fuzzy()
	case task.Near, task.Within, task.Contains, task.Intersects:
		return b.geo()
	default:
		return condition{}, fmt.Errorf("function %s is not valid here", t.Func.Name)
	}
}

// builder holds what the conditions of one task are made of.
type builder struct {
	r    *runner
	p    Tablet
	tags tagSet
	fn   task.Func
	root bool
	best task.Best
}

// root finds all nodes that meet c.
func (r *runner) root(ctx context.Context, p Tablet, tags tagSet, c condition) (uidset.Set, error) {
	if c.search == nil || c.scan {
		return r.scan(ctx, p, tags, c.test)
	}
	f, _, err := c.search(ctx, unlimited)
	if err != nil {
		return uidset.Set{}, err
	}
	return r.settle(ctx, f, p, tags, c)
}

// settle tests the nodes that a search was not sure of.
func (r *runner) settle(
	ctx context.Context, f found, p Tablet, tags tagSet, c condition,
) (uidset.Set, error) {
	maybe := f.maybe
	if !f.sure.IsEmpty() && !maybe.IsEmpty() {
		maybe = uidset.AndNot(maybe, f.sure)
	}
	if maybe.IsEmpty() {
		return f.sure, nil
	}
	if c.limit > 0 && maybe.Len() > c.limit {
		return uidset.Set{}, fmt.Errorf("%w: more than %d nodes to check for %s", errTooWide, c.limit, p.Name)
	}
	passed, err := r.test(ctx, maybe.Slice(), p, tags, c.test)
	if err != nil || f.sure.IsEmpty() {
		return uidset.Of(passed), err
	}
	return uidset.Or(f.sure, uidset.Of(passed)), nil
}

// filter returns the nodes of src that meet c.
func (r *runner) filter(
	ctx context.Context, src []graph.UID, p Tablet, tags tagSet, c condition,
) (uidset.Set, error) {
	if c.search != nil && !c.scan && len(src) > c.frontier {
		f, ok, err := c.search(ctx, len(src)/keysPerTest)
		if err != nil {
			return uidset.Set{}, err
		}
		if ok {
			frontier := uidset.Of(src)
			f.sure, f.maybe = uidset.And(frontier, f.sure), uidset.And(frontier, f.maybe)
			c.limit = 0 // the frontier is bound enough
			return r.settle(ctx, f, p, tags, c)
		}
	}
	passed, err := r.test(ctx, src, p, tags, c.test)
	return uidset.Of(passed), err
}

// test returns the nodes whose values pass.
func (r *runner) test(
	ctx context.Context, uids []graph.UID, p Tablet, tags tagSet, test func([]posting.Posting) (bool, error),
) ([]graph.UID, error) {
	var passed []graph.UID
	rows := r.rows(p, false, uids)
	for i, uid := range uids {
		if err := r.tick.check(ctx); err != nil {
			return nil, err
		}
		l, err := rows.list(i)
		if err != nil {
			return nil, err
		}
		ok, err := r.testRow(l, p, tags, test)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", p.Name, uid, err)
		}
		if ok {
			passed = append(passed, uid)
		}
	}
	return passed, nil
}

// testRow tests the values of one node, as far as the languages select them.
func (r *runner) testRow(
	l posting.List, p Tablet, tags tagSet, test func([]posting.Posting) (bool, error),
) (bool, error) {
	vals, err := r.selected(l, p, tags)
	if err != nil || len(vals) == 0 {
		return false, err
	}
	return test(vals)
}

// selected returns the values of one node that the languages select, until it is called again.
func (r *runner) selected(l posting.List, p Tablet, tags tagSet) (vals []posting.Posting, err error) {
	vals = r.vals[:0]
	if p.List || tags.any {
		vals, err = l.AppendValues(vals)
	} else {
		vals, err = tags.appendValues(vals, l)
	}
	r.vals = vals
	if err != nil {
		return nil, err
	}
	for i := range vals {
		if vals[i].Value, err = p.read(vals[i].Value); err != nil {
			return nil, err
		}
	}
	return vals, nil
}

// scan tests every node that has the predicate.
func (r *runner) scan(
	ctx context.Context, p Tablet, tags tagSet, test func([]posting.Posting) (bool, error),
) (set uidset.Set, err error) {
	var passed []graph.UID
	prefix := keys.DataPrefix(p.Incarnation)
	it := r.view.Scan(prefix, keys.End(prefix))
	defer func() {
		if e := it.Close(); err == nil && e != nil {
			err = fmt.Errorf("scan %s: %w", p.Name, e)
		}
	}()
	for it.Next() {
		if err := r.tick.check(ctx); err != nil {
			return uidset.Set{}, err
		}
		l, err := it.List()
		if err != nil {
			return uidset.Set{}, fmt.Errorf("scan %s: %w", p.Name, err)
		}
		ok, err := r.testRow(l, p, tags, test)
		if err != nil {
			return uidset.Set{}, fmt.Errorf("%s of %s: %w", p.Name, keys.UID(it.Key()), err)
		}
		if ok {
			passed = append(passed, keys.UID(it.Key()))
		}
	}
	return uidset.Of(passed), nil
}

// each makes a test that holds where one of the values does.
func each(holds func(types.Value) (bool, error)) func([]posting.Posting) (bool, error) {
	return func(vals []posting.Posting) (bool, error) {
		for _, v := range vals {
			if ok, err := holds(v.Value); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
}
