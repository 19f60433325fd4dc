package lookup

import (
	"context"
	"errors"
	"fmt"
	"math"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/query/task"
)

// errTooMany says that an answer does not fit the offsets of a Result.
var errTooMany = errors.New("a level of the query returns more than 2^32 edges or values")

// offset returns n as a row offset.
func offset(n int) (uint32, error) {
	if uint64(n) > math.MaxUint32 {
		return 0, errTooMany
	}
	return uint32(n), nil
}

// edges answers task.Edges.
func (r *runner) edges(ctx context.Context, t *task.Task, p Tablet) (task.Result, error) {
	res := task.Result{Offsets: r.mem.takeOffsets(len(t.Src) + 1)[:1]}
	if len(t.Src) > 1 { // the edges of a single node are their own measure
		res.Targets = make([]graph.UID, 0, len(t.Src))
	}
	sel, err := newSelection(t.Facets)
	if err != nil {
		return task.Result{}, err
	}
	bytes := 0 // of facets
	rows := r.rows(p, t.Reverse, t.Src)
	for i, uid := range t.Src {
		if err := r.tick.check(ctx); err != nil {
			return task.Result{}, err
		}
		shown := len(res.Facets)
		l, err := rows.list(i)
		if err != nil {
			return task.Result{}, err
		}
		if sel.idle() {
			res.Targets = appendPage(res.Targets, l.UIDs(), t.Page)
		} else if err := sel.edges(ctx, &r.tick, &res, l, t.Page); err != nil {
			return task.Result{}, fmt.Errorf("facets of %s of %s: %w", p.Name, uid, err)
		}
		for _, f := range res.Facets[shown:] {
			bytes += task.FacetBytes(f)
		}
		if err := r.within(t, &res, bytes); err != nil {
			return task.Result{}, err
		}
		end, err := offset(len(res.Targets))
		if err != nil {
			return task.Result{}, err
		}
		res.Offsets = append(res.Offsets, end)
	}
	return res, nil
}

// values answers task.Values.
func (r *runner) values(ctx context.Context, t *task.Task, p Tablet) (task.Result, error) {
	first, ok, err := r.firstOf(ctx, t, p)
	switch {
	case err != nil:
		return task.Result{}, err
	case !ok:
		return r.valuesOf(ctx, t, p, t.Src)
	}
	res, err := r.valuesOf(ctx, t, p, first)
	if err == nil {
		spread(&res, first, t.Src)
	}
	return res, err
}

// valuesOf answers task.Values for some of its nodes.
func (r *runner) valuesOf(ctx context.Context, t *task.Task, p Tablet, nodes []graph.UID) (task.Result, error) {
	sel, err := newSelection(t.Facets)
	if err != nil {
		return task.Result{}, err
	}
	w := valueRows{p: p, page: t.Page, pick: preference(t.Langs), sel: sel, scratch: r.vals}
	w.plain = !p.List && len(t.Langs) == 0 && sel.idle() && t.Page == (task.Page{})
	w.res = task.Result{Offsets: r.mem.takeOffsets(len(nodes) + 1)[:1], Values: r.mem.takeValues(len(nodes))[:0]}
	if w.pick.all {
		w.res.Langs = make([]string, 0, len(nodes))
	}
	rows := r.rows(p, false, nodes)
	for i, uid := range nodes {
		if err := r.tick.check(ctx); err != nil {
			return task.Result{}, err
		}
		l, err := rows.list(i)
		if err != nil {
			return task.Result{}, err
		}
		if err := w.row(l); err != nil {
			return task.Result{}, fmt.Errorf("%s of %s: %w", p.Name, uid, err)
		}
		if err := r.within(t, &w.res, w.bytes); err != nil {
			return task.Result{}, err
		}
		end, err := offset(len(w.res.Values))
		if err != nil {
			return task.Result{}, err
		}
		w.res.Offsets = append(w.res.Offsets, end)
	}
	r.vals = w.scratch
	return w.res, nil
}

// valueRows gathers the rows of task.Values.
type valueRows struct {
	res     task.Result
	p       Tablet
	page    task.Page
	pick    choice
	sel     selection
	plain   bool // of each node the untagged value, and nothing else, is asked for
	scratch []posting.Posting
	bytes   int // of texts and facets
}

// row adds the values of one node.
func (w *valueRows) row(l posting.List) error {
	if w.plain {
		return w.one(l)
	}
	if !w.p.List && !w.pick.all {
		v, ok, err := w.pick.one(l)
		if err != nil || !ok {
			return err
		}
		if err := w.add(v); err != nil {
			return err
		}
	} else {
		var err error
		if w.scratch, err = l.AppendValues(w.scratch[:0]); err != nil {
			return err
		}
		for _, v := range w.scratch {
			if err := w.add(v); err != nil {
				return err
			}
		}
	}
	if w.page.First != 0 || w.page.Offset != 0 {
		w.cut()
	}
	return nil
}

// one adds the untagged value of a node.
func (w *valueRows) one(l posting.List) error {
	v, ok, err := l.Value("")
	if err != nil || !ok {
		return err
	}
	if v.Type() != w.p.Type {
		if v, err = types.Convert(v, w.p.Type); err != nil {
			return err
		}
	}
	w.res.Values = append(w.res.Values, v)
	w.bytes += v.Extent()
	return nil
}

func (w *valueRows) add(v posting.Posting) error {
	value, err := w.p.read(v.Value)
	if err != nil {
		return err
	}
	if w.sel.filter != nil {
		if keep, err := w.sel.filter(v.Facets); err != nil || !keep {
			return err
		}
	}
	w.res.Values = append(w.res.Values, value)
	w.bytes += value.Extent()
	if w.pick.all {
		w.res.Langs = append(w.res.Langs, v.Lang)
	}
	if w.sel.shows() {
		facets := w.sel.pick(v.Facets)
		w.res.Facets = append(w.res.Facets, facets)
		w.bytes += task.FacetBytes(facets)
	}
	return nil
}

// cut leaves of the last row what the page selects.
func (w *valueRows) cut() {
	res := &w.res
	start := int(res.Offsets[len(res.Offsets)-1])
	end := cut(w.page, start, len(res.Values), 0, func(to, from int) {
		res.Values[to] = res.Values[from]
		if res.Langs != nil {
			res.Langs[to] = res.Langs[from]
		}
		if res.Facets != nil {
			res.Facets[to] = res.Facets[from]
		}
	})
	res.Values = res.Values[:end]
	if res.Langs != nil {
		res.Langs = res.Langs[:end]
	}
	if res.Facets != nil {
		res.Facets = res.Facets[:end]
	}
}

// read returns a stored value in the type of the schema: what was written before the type changed is
// converted.
func (p Tablet) read(v types.Value) (types.Value, error) {
	if v.Type() == p.Type {
		return v, nil
	}
	return types.Convert(v, p.Type)
}

// counts answers task.Counts. Without languages all values count, in whatever language.
func (r *runner) counts(ctx context.Context, t *task.Task, p Tablet) (task.Result, error) {
	res := task.Result{Counts: make([]int64, len(t.Src))}
	sel, err := newSelection(t.Facets)
	if err != nil {
		return task.Result{}, err
	}
	tags, err := functionTags(t.Langs)
	if err != nil {
		return task.Result{}, err
	}
	rows := r.rows(p, t.Reverse, t.Src)
	for i, uid := range t.Src {
		if err := r.tick.check(ctx); err != nil {
			return task.Result{}, err
		}
		l, err := rows.list(i)
		if err != nil {
			return task.Result{}, err
		}
		switch {
		case sel.filter != nil:
			res.Counts[i], err = sel.count(ctx, &r.tick, l, p.IsUID())
		case len(t.Langs) > 0 && !tags.any:
			res.Counts[i] = int64(tags.count(l))
		default:
			res.Counts[i] = int64(l.Len())
		}
		if err != nil {
			return task.Result{}, fmt.Errorf("count %s of %s: %w", p.Name, uid, err)
		}
	}
	return res, nil
}

// checkPasswords answers task.Values with checkpwd: one Bool a row, false where no password is set.
func (r *runner) checkPasswords(ctx context.Context, t *task.Task, p Tablet) (task.Result, error) {
	if p.Type != types.Password {
		return task.Result{}, fmt.Errorf("checkpwd fn can only be used on attr: [%s] with schema type password. "+
			"Got type: %s", p.Name, p.Type)
	}
	if len(t.Func.Args) != 1 {
		return task.Result{}, fmt.Errorf("function 'checkpwd' requires 2 arguments, but got %d", len(t.Func.Args)+1)
	}
	if !p.Placed {
		return nothing(t), nil
	}
	res := task.Result{Offsets: make([]uint32, 1, len(t.Src)+1)}
	for i, uid := range t.Src {
		// Each check is slow by design, so the context is looked at every time.
		if err := ctx.Err(); err != nil {
			return task.Result{}, err
		}
		l, err := r.row(p, false, uid)
		if err != nil {
			return task.Result{}, err
		}
		v, ok, err := l.Value("")
		if err != nil {
			return task.Result{}, fmt.Errorf("%s of %s: %w", p.Name, uid, err)
		}
		res.Values = append(res.Values, types.OfBool(ok && types.CheckPassword(v, t.Func.Args[0])))
		res.Offsets = append(res.Offsets, uint32(i+1))
	}
	return res, nil
}
