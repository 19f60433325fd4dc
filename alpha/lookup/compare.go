package lookup

import (
	"context"
	"errors"
	"fmt"

	"dragg/graph/types"
	"dragg/posting/uidset"
	"dragg/query/task"
	"dragg/schema/tok"
)

// The sizes of a frontier up to which its nodes are tested rather than searched for. A test reads one list a
// node; a search reads few lists, but they may be long.
const (
	frontierOfValues = 64  // comparing a value is cheap
	frontierOfText   = 16  // cutting a value into words is not
	frontierOfRange  = 256 // walking an index costs more than looking up tokens
)

// values converts the arguments to the type of the predicate.
func (b *builder) values() ([]types.Value, error) {
	vals := make([]types.Value, len(b.fn.Args))
	for i, arg := range b.fn.Args {
		if b.p.Type == types.Password {
			continue // comparing is refused below; encrypting the argument would take its time
		}
		v, err := types.Parse(arg, b.p.Type)
		if err != nil {
			return nil, fmt.Errorf("%s(%s): %w", b.fn.Name, b.p.Name, err)
		}
		vals[i] = v
	}
	return vals, nil
}

// eq compiles eq(pred, v...): a node matches when one of its values is one of the arguments (dql.md facts 66,
// 86).
func (b *builder) eq() (condition, error) {
	if len(b.fn.Args) == 0 {
		return condition{}, errors.New("eq expects atleast 1 argument")
	}
	want, err := b.values()
	if err != nil {
		return condition{}, err
	}
	k := b.p.index(lossless)
	if k == nil {
		k = b.p.index(func(k tok.Tokenizer) bool { return k.Name() != tok.Trigram && k.Name() != tok.Geo })
	}
	switch {
	case b.root && k == nil:
		return condition{}, notIndexed(b.p, "")
	case !types.Comparable(b.p.Type) && b.p.Type != types.Bool:
		return condition{}, fmt.Errorf("eq(%s): values of type %s cannot be compared", b.p.Name, b.p.Type)
	}
	c := condition{test: each(oneOf(want)), frontier: frontierOfValues}
	if k == nil {
		return c, nil
	}
	tokens := make([][]string, 0, len(want))
	for _, v := range want {
		toks, err := k.AppendTokens(nil, v, "")
		switch {
		case errors.Is(err, tok.ErrTooLarge):
			continue // no stored value is that large
		case err != nil:
			return condition{}, err
		case len(toks) == 0:
			c.scan = true // a value of stop words only, or the empty text: no token leads to it
		}
		tokens = append(tokens, toks)
	}
	c.search = func(ctx context.Context, _ int) (found, bool, error) {
		f, err := b.byTag(ctx, k, func(lang string) (found, error) { return b.equals(ctx, k, lang, want, tokens) })
		return f, true, err
	}
	return c, nil
}

// point answers the commonest of questions, eq of one value at the root, where an index knows the nodes for sure: that needs nothing
// that could be given up or tested. ok is false for any other, and for what is wrong.
func (r *runner) point(t *task.Task, p Tablet) (set uidset.Set, ok bool, err error) {
	if !t.AtRoot || t.Func.Name != task.Eq || len(t.Func.Args) != 1 || len(t.Langs) > 0 || !p.Placed {
		return uidset.Set{}, false, nil
	}
	k := p.index(lossless)
	if k == nil {
		return uidset.Set{}, false, nil
	}
	v, err := types.Parse(t.Func.Args[0], p.Type)
	if err != nil {
		return uidset.Set{}, false, nil
	}
	tokens, err := k.AppendTokens(make([]string, 0, 1), v, "")
	if err != nil || len(tokens) != 1 {
		return uidset.Set{}, false, nil
	}
	l, err := r.indexList(p, k, "", tokens[0])
	if err != nil {
		return uidset.Set{}, false, err
	}
	return page(l.UIDs(), t.Page), true, nil
}

// lossless says that an index tells each value from all others.
func lossless(k tok.Tokenizer) bool { return !k.Lossy() }

// mergedAtOnce is how many sets are merged in one step.
const mergedAtOnce = 1024

// equals searches one language for the values whose tokens are given.
func (b *builder) equals(
	ctx context.Context, k tok.Tokenizer, lang string, want []types.Value, tokens [][]string,
) (found, error) {
	sets := make([]uidset.Set, 0, len(tokens))
	for i, toks := range tokens {
		if err := b.r.tick.check(ctx); err != nil {
			return found{}, err
		}
		if lang != "" && (k.Name() == tok.FullText || k.Name() == tok.Ngram) {
			var err error
			if toks, err = k.AppendTokens(nil, want[i], lang); err != nil {
				return found{}, err
			}
		}
		set, err := b.r.all(b.p, k, lang, toks)
		if err != nil {
			return found{}, err
		}
		if !set.IsEmpty() {
			sets = append(sets, set)
		}
		if len(sets) == mergedAtOnce { // many arguments are merged between looks at ctx
			sets = append(sets[:0], merge(sets))
		}
	}
	if k.Lossy() {
		return found{maybe: merge(sets)}, nil
	}
	return found{sure: merge(sets)}, nil
}

// oneOf makes a test for the arguments of eq. Few are compared one by one, many are found by fingerprint.
func oneOf(list []types.Value) func(types.Value) (bool, error) {
	const few = 8
	if len(list) <= few {
		return func(v types.Value) (bool, error) { return contains(list, v), nil }
	}
	by := make(map[uint64][]types.Value, len(list))
	for _, v := range list {
		f := types.Fingerprint(v)
		by[f] = append(by[f], v)
	}
	return func(v types.Value) (bool, error) { return contains(by[types.Fingerprint(v)], v), nil }
}

func contains(list []types.Value, v types.Value) bool {
	for _, w := range list {
		if types.Equal(v, w) {
			return true
		}
	}
	return false
}

// inequality compiles le, lt, ge, gt and between (dql.md facts 80, 87, 89).
func (b *builder) inequality() (condition, error) {
	wantArgs := 1
	if b.fn.Name == task.Between {
		wantArgs = 2
	}
	if len(b.fn.Args) != wantArgs {
		return condition{}, fmt.Errorf("%s expects only %d argument, but got %d",
			b.fn.Name, wantArgs, len(b.fn.Args))
	}
	bounds, err := b.values()
	if err != nil {
		return condition{}, err
	}
	k := b.p.index(tok.Tokenizer.Sortable)
	switch {
	case b.root && k == nil && !b.p.Indexed():
		return condition{}, notIndexed(b.p, "")
	case b.root && k == nil:
		return condition{}, fmt.Errorf("attribute: %s does not have proper index for comparison", b.p.Name)
	case !types.Comparable(b.p.Type):
		return condition{}, fmt.Errorf("%s(%s): values of type %s have no order", b.fn.Name, b.p.Name, b.p.Type)
	}
	c := condition{test: each(func(v types.Value) (bool, error) { return inRange(b.fn.Name, v, bounds) })}
	c.frontier = frontierOfRange
	if k == nil {
		return c, nil
	}
	s, empty, err := newSpan(k, b.fn.Name, bounds)
	if err != nil {
		return condition{}, err
	}
	c.search = func(ctx context.Context, budget int) (found, bool, error) {
		if empty {
			return found{}, true, nil
		}
		if b.root && b.best.N > 0 && !b.p.Lang && !b.p.List {
			f, err := b.bestWithin(ctx, k, s)
			return f, true, err
		}
		done := true
		f, err := b.byTag(ctx, k, func(lang string) (found, error) {
			f, ok, err := b.within(ctx, k, lang, s, &budget)
			done = done && ok
			return f, err
		})
		return f, done, err
	}
	return c, nil
}

// inRange reports whether v is in the range of an inequality.
func inRange(fn task.FuncName, v types.Value, bounds []types.Value) (bool, error) {
	c, err := types.Compare(v, bounds[0])
	if err != nil {
		return false, err
	}
	if fn != task.Between {
		return ordered(fn, c), nil
	}
	if c < 0 {
		return false, nil
	}
	c, err = types.Compare(v, bounds[1])
	return err == nil && c <= 0, err
}

// newSpan returns the tokens that an inequality ranges over, and whether that range is empty.
func newSpan(k tok.Tokenizer, fn task.FuncName, bounds []types.Value) (s span, empty bool, err error) {
	first, cut, err := boundToken(k, bounds[0])
	if err != nil {
		return span{}, false, err
	}
	s.edges = k.Lossy() || cut
	switch fn {
	case task.Between:
		last, cut, err := boundToken(k, bounds[1])
		if err != nil {
			return span{}, false, err
		}
		s.lo, s.hi, s.edges = first, last, s.edges || cut
		c, err := types.Compare(bounds[0], bounds[1])
		return s, c > 0, err
	case task.Ge, task.Gt:
		s.lo, s.open = first, true
		if fn == task.Gt && !s.edges {
			s.lo += "\x00" // the next token in bytewise order
		}
	default:
		s.hi, s.below = first, fn == task.Lt && !s.edges
	}
	return s, false, nil
}

// boundToken returns the token of a bound. One that is too long for the index is cut: nothing stored lies
// between the two, and cut says that what has the very token must be tested.
func boundToken(k tok.Tokenizer, v types.Value) (token string, cut bool, err error) {
	tokens, err := k.AppendTokens(nil, v, "")
	if errors.Is(err, tok.ErrTooLarge) && k.Name() == tok.Exact {
		return v.Str()[:tok.MaxToken], true, nil
	}
	if err != nil {
		return "", false, err
	}
	return tokens[0], false, nil
}
