package lookup

import (
	"context"
	"fmt"
	"slices"

	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/uidset"
	"dragg/query/task"
	"dragg/schema/tok"
)

// words compiles anyofterms, allofterms, anyoftext and alloftext. Their meaning is that of the index, so they
// need it in a filter too (dql.md fact 81): the words of all values of a node in one language count together.
func (b *builder) words() (condition, error) {
	name, all := tok.Term, b.fn.Name == task.AllOfTerms
	if b.fn.Name == task.AnyOfText || b.fn.Name == task.AllOfText {
		name, all = tok.FullText, b.fn.Name == task.AllOfText
	}
	k, err := b.tokenizer(name)
	if err != nil {
		return condition{}, err
	}
	if len(b.fn.Args) != 1 {
		return condition{}, fmt.Errorf("function '%s' requires 1 argument, but got %d", b.fn.Name, len(b.fn.Args))
	}
	q := question{k: k, text: b.fn.Args[0], byLang: map[string][]string{}}
	return condition{
		frontier: frontierOfText,
		test: func(vals []posting.Posting) (bool, error) {
			return eachLang(vals, func(lang string, vals []posting.Posting) (bool, error) {
				want, err := q.tokens(lang)
				if err != nil || len(want) == 0 {
					return false, err
				}
				var has []string
				for _, v := range vals {
					if has, err = k.AppendTokens(has, v.Value, lang); err != nil {
						return false, err
					}
				}
				slices.Sort(has)
				return meets(has, want, all), nil
			})
		},
		search: func(ctx context.Context, _ int) (found, bool, error) {
			f, err := b.byTag(ctx, k, func(lang string) (found, error) {
				want, err := q.tokens(lang)
				if err != nil {
					return found{}, err
				}
				var set uidset.Set
				if all {
					set, err = b.r.all(b.p, k, lang, want)
				} else {
					set, err = b.r.any(b.p, k, lang, want)
				}
				return found{sure: set}, err
			})
			return f, true, err
		},
	}, nil
}

// question is the text that a function asks for, cut into tokens once for each language.
type question struct {
	k      tok.Tokenizer
	text   string
	byLang map[string][]string
}

func (q *question) tokens(lang string) ([]string, error) {
	if tokens, ok := q.byLang[lang]; ok {
		return tokens, nil
	}
	tokens, err := q.k.AppendTokens(nil, types.OfString(q.text), lang)
	if err != nil {
		return nil, err
	}
	q.byLang[lang] = tokens
	return tokens, nil
}

// eachLang calls holds for the values of each language until it is true. The values of a list have no
// language.
func eachLang(
	vals []posting.Posting, holds func(lang string, vals []posting.Posting) (bool, error),
) (bool, error) {
	for i := range vals {
		n := 1
		for i+n < len(vals) && vals[i+n].Lang == vals[i].Lang {
			n++
		}
		if i > 0 && vals[i-1].Lang == vals[i].Lang {
			continue
		}
		if ok, err := holds(vals[i].Lang, vals[i:i+n]); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// phrase compiles ngram: the stems of the phrase in a row. The index knows pairs of neighbours; longer
// phrases are looked for in the value.
func (b *builder) phrase() (condition, error) {
	k, err := b.tokenizer(tok.Ngram)
	if err != nil {
		return condition{}, err
	}
	if len(b.fn.Args) != 1 {
		return condition{}, fmt.Errorf("function 'ngram' requires 1 argument, but got %d", len(b.fn.Args))
	}
	type phrase struct{ tokens, stems []string }
	byLang := map[string]phrase{}
	in := func(lang string) phrase {
		p, ok := byLang[lang]
		if !ok {
			p.tokens, p.stems = tok.PhraseTokens(b.fn.Args[0], lang)
			byLang[lang] = p
		}
		return p
	}
	return condition{
		frontier: frontierOfText,
		test: func(vals []posting.Posting) (bool, error) {
			for _, v := range vals {
				if tok.HasPhrase(v.Value.Str(), v.Lang, in(v.Lang).stems) {
					return true, nil
				}
			}
			return false, nil
		},
		search: func(ctx context.Context, _ int) (found, bool, error) {
			f, err := b.byTag(ctx, k, func(lang string) (found, error) {
				p := in(lang)
				set, err := b.r.all(b.p, k, lang, p.tokens)
				if len(p.stems) <= 2 {
					return found{sure: set}, err
				}
				return found{maybe: set}, err
			})
			return f, true, err
		},
	}, nil
}
