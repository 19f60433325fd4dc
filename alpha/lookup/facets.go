package lookup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/query/task"
	"dragg/schema/tok"
)

// selection is a task's Facets made ready: which to return, and which elements to leave out.
type selection struct {
	all    bool
	keys   []string
	filter facetTest
}

// facetTest says whether an element with these facets stays.
type facetTest func([]graph.Facet) (bool, error)

// newSelection checks f and makes it ready. nil f makes an idle selection.
func newSelection(f *task.Facets) (selection, error) {
	if f == nil {
		return selection{}, nil
	}
	s := selection{all: f.All, keys: f.Keys}
	if f.Filter != nil {
		test, err := newFacetTest(f.Filter, 0)
		if err != nil {
			return selection{}, err
		}
		s.filter = test
	}
	return s, nil
}

// idle says that facets make no difference.
func (s selection) idle() bool { return !s.shows() && s.filter == nil }

// shows says that the answer has facets.
func (s selection) shows() bool { return s.all || len(s.keys) > 0 }

func (s selection) keeps(facets []graph.Facet) (bool, error) {
	if s.filter == nil {
		return true, nil
	}
	return s.filter(facets)
}

// pick returns the facets that were asked for, in the order of their keys.
func (s selection) pick(facets []graph.Facet) []graph.Facet {
	if s.all || len(facets) == 0 {
		return facets
	}
	var picked []graph.Facet
	for _, f := range facets {
		if slices.Contains(s.keys, f.Key) {
			picked = append(picked, f)
		}
	}
	return picked
}

// edges appends one row of edges to res.
func (s selection) edges(ctx context.Context, tick *ticks, res *task.Result, l posting.List, pg task.Page) error {
	start := len(res.Targets)
	for uid := range l.UIDs().All() {
		if err := tick.check(ctx); err != nil {
			return err
		}
		facets, err := l.FacetsOf(uid)
		if err != nil {
			return err
		}
		keep, err := s.keeps(facets)
		if err != nil {
			return err
		}
		if !keep {
			continue
		}
		res.Targets = append(res.Targets, uid)
		if s.shows() {
			res.Facets = append(res.Facets, s.pick(facets))
		}
	}
	if pg == (task.Page{}) {
		return nil
	}
	end := cut(pg, start, len(res.Targets), passedBy(res.Targets[start:], pg.After), func(to, from int) {
		res.Targets[to] = res.Targets[from]
		if s.shows() {
			res.Facets[to] = res.Facets[from]
		}
	})
	res.Targets = res.Targets[:end]
	if s.shows() {
		res.Facets = res.Facets[:end]
	}
	return nil
}

// count returns how many elements of l the filter keeps.
func (s selection) count(ctx context.Context, tick *ticks, l posting.List, edges bool) (n int64, err error) {
	if !edges {
		for v, err := range l.Postings() {
			if err != nil {
				return 0, err
			}
			keep, err := s.keeps(v.Facets)
			if err != nil {
				return 0, err
			}
			if keep {
				n++
			}
		}
		return n, nil
	}
	for uid := range l.UIDs().All() {
		if err := tick.check(ctx); err != nil {
			return 0, err
		}
		facets, err := l.FacetsOf(uid)
		if err != nil {
			return 0, err
		}
		keep, err := s.keeps(facets)
		if err != nil {
			return 0, err
		}
		if keep {
			n++
		}
	}
	return n, nil
}

// maxFacetDepth bounds the nesting of a facet filter.
const maxFacetDepth = 100

// newFacetTest compiles a filter tree.
func newFacetTest(f *task.FacetFilter, depth int) (facetTest, error) {
	if depth > maxFacetDepth {
		return nil, fmt.Errorf("facet filter is nested more than %d deep", maxFacetDepth)
	}
	if f.Op == task.Leaf {
		return newFacetLeaf(f)
	}
	subs := make([]facetTest, 0, len(f.Children))
	for _, c := range f.Children {
		sub, err := newFacetTest(c, depth+1)
		if err != nil {
			return nil, err
		}
		subs = append(subs, sub)
	}
	switch f.Op {
	case task.And, task.Or:
		or := f.Op == task.Or
		return func(facets []graph.Facet) (bool, error) {
			for _, sub := range subs {
				if ok, err := sub(facets); err != nil || ok == or {
					return ok, err
				}
			}
			return !or, nil
		}, nil
	case task.Not:
		if len(subs) != 1 {
			return nil, fmt.Errorf("not in a facet filter takes one operand, got %d", len(subs))
		}
		return func(facets []graph.Facet) (bool, error) {
			ok, err := subs[0](facets)
			return !ok, err
		}, nil
	default:
		return nil, fmt.Errorf("unknown operator %d in a facet filter", f.Op)
	}
}

// newFacetLeaf compiles one function. A facet that is missing, or whose type the argument does not fit, does
// not match.
func newFacetLeaf(f *task.FacetFilter) (facetTest, error) {
	var holds func(types.Value) (bool, error)
	switch f.Func {
	case task.Eq, task.Le, task.Lt, task.Ge, task.Gt:
		holds = func(v types.Value) (bool, error) { return compareFacet(v, f.Func, f.Arg), nil }
	case task.AllOfTerms, task.AnyOfTerms:
		term, _ := tok.Lookup(tok.Term)
		want, err := term.AppendTokens(nil, types.OfString(f.Arg), "")
		if err != nil {
			return nil, fmt.Errorf("%s(%s): %w", f.Func, f.Key, err)
		}
		holds = func(v types.Value) (bool, error) {
			if v.Type() != types.String && v.Type() != types.Default {
				return false, nil
			}
			has, err := term.AppendTokens(nil, v, "")
			return len(want) > 0 && meets(has, want, f.Func == task.AllOfTerms), err
		}
	default:
		return nil, fmt.Errorf("fn %s not supported in facets filtering", f.Func)
	}
	return func(facets []graph.Facet) (bool, error) {
		i, ok := slices.BinarySearchFunc(facets, f.Key, func(g graph.Facet, key string) int {
			return strings.Compare(g.Key, key)
		})
		if !ok {
			return false, nil
		}
		return holds(facets[i].Value)
	}, nil
}

// compareFacet compares a facet with an argument in the facet's type. A whole number may be compared with a
// fraction.
func compareFacet(v types.Value, fn task.FuncName, arg string) bool {
	want, err := types.Parse(arg, v.Type())
	if err != nil && v.Type() == types.Int {
		if want, err = types.Parse(arg, types.Float); err == nil {
			v, err = types.Convert(v, types.Float)
		}
	}
	if err != nil {
		return false
	}
	if fn == task.Eq {
		return types.Equal(v, want)
	}
	c, err := types.Compare(v, want)
	return err == nil && ordered(fn, c)
}

// ordered reports whether an inequality holds for values that compare as c.
func ordered(fn task.FuncName, c int) bool {
	switch fn {
	case task.Lt:
		return c < 0
	case task.Le:
		return c <= 0
	case task.Gt:
		return c > 0
	case task.Ge:
		return c >= 0
	default:
		return c == 0
	}
}

// meets reports whether the sorted tokens has contain all, or any, of the sorted tokens want.
func meets(has, want []string, all bool) bool {
	i := 0
	for _, w := range want {
		for i < len(has) && has[i] < w {
			i++
		}
		found := i < len(has) && has[i] == w
		if found != all {
			return found
		}
	}
	return all
}
