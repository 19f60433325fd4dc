package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/uidset"
	"dragg/schema/tok"
)

// regexp compiles regexp(pred, /re/flags). At the root the expression must ask for trigrams, by which
// candidates are found.
func (b *builder) regexp() (condition, error) {
	if b.p.Type != types.String && b.p.Type != types.Default {
		return condition{}, fmt.Errorf("attribute %s has type %s: regex match is allowed only on string type",
			b.p.Name, b.p.Type)
	}
	if len(b.fn.Args) == 0 || len(b.fn.Args) > 2 {
		return condition{}, fmt.Errorf("function 'regexp' requires 1 argument, but got %d", len(b.fn.Args))
	}
	expr, flags := b.fn.Args[0], ""
	if len(b.fn.Args) == 2 {
		flags = b.fn.Args[1]
	}
	re, err := tok.CompileRegexp(expr, flags)
	if err != nil {
		return condition{}, fmt.Errorf("regexp(%s): %w", b.p.Name, err)
	}
	c := condition{
		limit:    maxCandidates,
		frontier: frontierOfText,
		test:     each(func(v types.Value) (bool, error) { return re.MatchString(v.Str()), nil }),
	}
	k, ok := b.p.Tokenizer(tok.Trigram)
	if !ok {
		if b.root {
			return condition{}, fmt.Errorf(
				"attribute %s does not have trigram index for regex matching. Please add a "+
					"trigram index or use has/uid function with regexp() as filter",
				b.p.Name,
			)
		}
		return c, nil
	}
	q, err := tok.RegexpQuery(expr, flags)
	if err != nil {
		return condition{}, fmt.Errorf("regexp(%s): %w", b.p.Name, err)
	}
	if q.Op == tok.QueryAll {
		if b.root {
			return condition{}, errTooWide
		}
		return c, nil
	}
	c.search = func(ctx context.Context, _ int) (found, bool, error) {
		f, err := b.byTag(ctx, k, func(lang string) (found, error) {
			set, err := b.r.trigrams(ctx, b.p, k, lang, q)
			return found{maybe: set}, err
		})
		return f, true, err
	}
	return c, nil
}

// fewCandidates is how many nodes are tested rather than narrowed down by more trigrams.
const fewCandidates = 128

// trigrams returns subjects among which are all that meet a trigram query other than QueryAll.
func (r *runner) trigrams(
	ctx context.Context, p Tablet, k tok.Tokenizer, lang string, q *tok.TrigramQuery,
) (uidset.Set, error) {
	if err := ctx.Err(); err != nil {
		return uidset.Set{}, err
	}
	switch q.Op {
	case tok.QueryAnd:
		var set uidset.Set
		begun := false
		if len(q.Trigrams) > 0 {
			var err error
			if set, err = r.all(p, k, lang, q.Trigrams); err != nil || set.IsEmpty() {
				return uidset.Set{}, err
			}
			begun = true
		}
		for _, sub := range q.Subs {
			if begun && set.Len() <= fewCandidates {
				break
			}
			s, err := r.trigrams(ctx, p, k, lang, sub)
			if err != nil {
				return uidset.Set{}, err
			}
			if begun {
				s = uidset.And(set, s)
			}
			if set, begun = s, true; set.IsEmpty() {
				return set, nil
			}
		}
		return set, nil
	case tok.QueryOr:
		set, err := r.any(p, k, lang, q.Trigrams)
		if err != nil {
			return uidset.Set{}, err
		}
		sets := []uidset.Set{set}
		for _, sub := range q.Subs {
			s, err := r.trigrams(ctx, p, k, lang, sub)
			if err != nil {
				return uidset.Set{}, err
			}
			sets = append(sets, s)
		}
		return merge(sets), nil
	default:
		return uidset.Set{}, nil
	}
}

// maxFuzzyRunes bounds the text of match, whose cost per value grows with it.
const maxFuzzyRunes = 10_000

// fuzzy compiles match(pred, "text", distance): values within the Levenshtein distance that share a trigram
// with the text (dql.md fact 88).
func (b *builder) fuzzy() (condition, error) {
	if len(b.fn.Args) != 2 {
		return condition{}, fmt.Errorf("function 'match' requires 2 arguments, but got %d", len(b.fn.Args))
	}
	k, err := b.tokenizer(tok.Trigram)
	if err != nil {
		return condition{}, err
	}
	most, err := strconv.Atoi(b.fn.Args[1])
	switch {
	case errors.Is(err, strconv.ErrRange):
		most = maxFuzzyRunes
	case err != nil:
		return condition{}, fmt.Errorf("levenshtein distance value must be an int: %w", err)
	case most < 0:
		return condition{}, fmt.Errorf("levenshtein distance value must be greater than 0, got %d", most)
	}
	text := []rune(b.fn.Args[0])
	if len(text) > maxFuzzyRunes {
		return condition{}, fmt.Errorf("text of match is longer than %d characters", maxFuzzyRunes)
	}
	want, err := k.AppendTokens(nil, types.OfString(b.fn.Args[0]), "")
	if err != nil {
		return condition{}, err
	}
	meter := distance{want: text}
	return condition{
		limit:    maxCandidates,
		frontier: frontierOfText,
		test: func(vals []posting.Posting) (bool, error) {
			for _, v := range vals {
				if !meter.within(v.Value.Str(), most) {
					continue
				}
				has, err := k.AppendTokens(nil, v.Value, "")
				if err != nil || meets(has, want, false) {
					return err == nil, err
				}
			}
			return false, nil
		},
		search: func(ctx context.Context, _ int) (found, bool, error) {
			f, err := b.byTag(ctx, k, func(lang string) (found, error) {
				set, err := b.r.any(b.p, k, lang, want)
				return found{maybe: set}, err
			})
			return f, true, err
		},
	}, nil
}

// distance measures how far texts are from one.
type distance struct {
	want []rune
	text []rune // scratch
	row  []int  // scratch
}

// within reports whether the Levenshtein distance of text is at most limit. It fills only a band of 2×limit+1
// cells a row of the table (Ukkonen 1985), and stops at the first row that is above the limit all over.
func (d *distance) within(text string, limit int) bool {
	d.text = append(d.text[:0], []rune(text)...)
	a, b := d.want, d.text
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > limit {
		return false
	}
	limit = min(limit, len(b))
	d.row = slices.Grow(d.row[:0], len(b)+1)[:len(b)+1]
	far := limit + 1
	for j := range d.row {
		d.row[j] = min(j, far)
	}
	for i := 1; i <= len(a); i++ {
		lo, hi := max(1, i-limit), min(len(b), i+limit)
		corner := d.row[lo-1]
		if lo == 1 {
			d.row[0] = min(i, far)
		} else {
			d.row[lo-1] = far
		}
		if hi == i+limit {
			d.row[hi] = far // above the band in the row before
		}
		best := d.row[lo-1]
		for j := lo; j <= hi; j++ {
			cost := corner
			if a[i-1] != b[j-1] {
				cost = 1 + min(corner, d.row[j], d.row[j-1])
			}
			corner, d.row[j] = d.row[j], min(cost, far)
			best = min(best, d.row[j])
		}
		if best > limit {
			return false
		}
	}
	return d.row[len(b)] <= limit
}
