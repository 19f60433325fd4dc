package lookup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"dragg/posting"
	"dragg/posting/keys"
	"dragg/posting/uidset"
	"dragg/schema/tok"
)

// errTooWide says that a condition leaves too many nodes to look at.
var errTooWide = errors.New("regular expression is too wide-ranging and can't be executed efficiently")

// errNotIndexed says that a function needs an index that the predicate does not have.
var errNotIndexed = errors.New("is not indexed")

// notIndexed reports that p has no index of the given type, or none at all for "".
func notIndexed(p Tablet, typ string) error {
	if typ == "" {
		//lint:ignore ST1005 clients know this text, capital letter included
		return fmt.Errorf("Predicate %s %w", p.Name, errNotIndexed)
	}
	return fmt.Errorf("attribute %s %w with type %s", p.Name, errNotIndexed, typ)
}

// tokenizer returns the index called name, or says that there is none.
func (b *builder) tokenizer(name string) (tok.Tokenizer, error) {
	if k, ok := b.p.Tokenizer(name); ok {
		return k, nil
	}
	return nil, notIndexed(b.p, name)
}

// index returns the first usable index that accept takes; nil where there is none.
func (p Tablet) index(accept func(tok.Tokenizer) bool) tok.Tokenizer {
	for _, k := range p.Index {
		if accept(k) && p.Ready(k.Name()) {
			return k
		}
	}
	return nil
}

// indexList returns the subjects of one token.
func (r *runner) indexList(p Tablet, k tok.Tokenizer, lang, token string) (posting.List, error) {
	r.key = keys.AppendIndex(r.key[:0], p.Incarnation, k.ID(), lang, token)
	l, err := r.view.List(r.key)
	if err != nil {
		return posting.List{}, fmt.Errorf("read index %s of %s: %w", k.Name(), p.Name, err)
	}
	return l, nil
}

// all returns the subjects that have every one of the tokens; none for no tokens. It begins with the shortest
// list.
func (r *runner) all(p Tablet, k tok.Tokenizer, lang string, tokens []string) (uidset.Set, error) {
	if len(tokens) == 0 {
		return uidset.Set{}, nil
	}
	if len(tokens) == 1 {
		l, err := r.indexList(p, k, lang, tokens[0])
		if err != nil {
			return uidset.Set{}, err
		}
		return l.UIDs(), nil
	}
	lists := make([]posting.List, 0, len(tokens))
	least := 0
	for i, token := range tokens {
		l, err := r.indexList(p, k, lang, token)
		if err != nil {
			return uidset.Set{}, err
		}
		if l.IsEmpty() {
			return uidset.Set{}, nil
		}
		if lists = append(lists, l); l.Len() < lists[least].Len() {
			least = i
		}
	}
	set := lists[least].UIDs()
	for i, l := range lists {
		if i == least {
			continue
		}
		if set = uidset.And(set, l.UIDs()); set.IsEmpty() {
			break
		}
	}
	return set, nil
}

// any returns the subjects that have one of the tokens.
func (r *runner) any(p Tablet, k tok.Tokenizer, lang string, tokens []string) (uidset.Set, error) {
	sets := make([]uidset.Set, 0, len(tokens))
	for _, token := range tokens {
		l, err := r.indexList(p, k, lang, token)
		if err != nil {
			return uidset.Set{}, err
		}
		if !l.IsEmpty() {
			sets = append(sets, l.UIDs())
		}
	}
	return merge(sets), nil
}

// merge is uidset.Or that leaves a single set alone.
func merge(sets []uidset.Set) uidset.Set {
	switch len(sets) {
	case 0:
		return uidset.Set{}
	case 1:
		return sets[0]
	}
	return uidset.Or(sets...)
}

// languages returns the tags under which an index has to be searched: those of the function, or for any
// language those that the index holds, which costs one seek each.
func (b *builder) languages(ctx context.Context, k tok.Tokenizer) (tags []string, err error) {
	if !b.tags.any {
		return b.tags.tags, nil
	}
	prefix := keys.IndexPrefix(b.p.Incarnation, k.ID())
	it := b.r.view.Scan(prefix, keys.End(prefix))
	defer func() {
		if e := it.Close(); err == nil {
			err = e
		}
	}()
	for it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		key, err := keys.Parse(it.Key())
		if err != nil {
			return nil, fmt.Errorf("index %s of %s: %w", k.Name(), b.p.Name, err)
		}
		tags = append(tags, key.Lang)
		it.SeekGE(keys.End(keys.IndexLangPrefix(b.p.Incarnation, k.ID(), key.Lang)))
	}
	return tags, nil
}

// byTag runs search once for each language and returns the union.
func (b *builder) byTag(
	ctx context.Context, k tok.Tokenizer, search func(lang string) (found, error),
) (found, error) {
	tags, err := b.languages(ctx, k)
	if err != nil {
		return found{}, err
	}
	if len(tags) == 1 {
		return search(tags[0])
	}
	var sure, maybe []uidset.Set
	for _, tag := range tags {
		f, err := search(tag)
		if err != nil {
			return found{}, err
		}
		sure, maybe = append(sure, f.sure), append(maybe, f.maybe)
	}
	return found{sure: merge(sure), maybe: merge(maybe)}, nil
}

// span is a range of tokens. lo is included.
type span struct {
	lo, hi string
	open   bool // no upper end
	below  bool // hi is not included
	// edges says that what lies at an end must be tested, because other values share its token.
	edges bool
}

// bounds returns the index keys of a span in one language: from is included, to is not.
func (b *builder) bounds(k tok.Tokenizer, lang string, s span) (prefix, from, to []byte) {
	prefix = keys.IndexLangPrefix(b.p.Incarnation, k.ID(), lang)
	from, to = append(bytes.Clone(prefix), s.lo...), keys.End(prefix)
	if !s.open {
		to = append(bytes.Clone(prefix), s.hi...)
		if !s.below {
			to = append(to, 0)
		}
	}
	return prefix, from, to
}

// within returns the subjects of the tokens of a span in one language. It takes the keys that it walks over from
// the budget, and gives up when there is none left.
func (b *builder) within(
	ctx context.Context, k tok.Tokenizer, lang string, s span, budget *int,
) (f found, ok bool, err error) {
	var sure, maybe uidset.Builder
	prefix, from, to := b.bounds(k, lang, s)
	err = b.r.lists(ctx, from, to, func(key []byte, l posting.List) bool {
		if *budget--; *budget < 0 {
			return false
		}
		token := key[len(prefix):]
		if s.edges && (string(token) == s.lo || !s.open && string(token) == s.hi) {
			maybe.AddSet(l.UIDs())
		} else {
			sure.AddSet(l.UIDs())
		}
		return true
	})
	if err != nil {
		return found{}, false, fmt.Errorf("scan index %s of %s: %w", k.Name(), b.p.Name, err)
	}
	if *budget < 0 {
		return found{}, false, nil
	}
	return found{sure: sure.Set(), maybe: maybe.Set()}, true, nil
}

// lists visits the lists in [from, to), keys of one family, until visit returns false: from memory where the keys are known, else
// from disk.
func (r *runner) lists(ctx context.Context, from, to []byte, visit func(key []byte, l posting.List) bool) (err error) {
	list, ok, err := r.view.Keys(ctx, from, to)
	if err != nil {
		return err
	}
	if ok {
		for _, key := range list {
			if err := r.tick.check(ctx); err != nil {
				return err
			}
			r.key = append(r.key[:0], key...)
			l, err := r.view.List(r.key)
			if err != nil || !visit(r.key, l) {
				return err
			}
		}
		return nil
	}
	it := r.view.Scan(from, to)
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Next() {
		if err := r.tick.check(ctx); err != nil {
			return err
		}
		l, err := it.List()
		if err != nil || !visit(it.Key(), l) {
			return err
		}
	}
	return nil
}

// listsDown is lists in descending order.
func (r *runner) listsDown(ctx context.Context, from, to []byte, visit func(key []byte, l posting.List) bool) error {
	read := func(key []byte) (more bool, err error) {
		if err := r.tick.check(ctx); err != nil {
			return false, err
		}
		r.key = append(r.key[:0], key...)
		l, err := r.view.List(r.key)
		return err == nil && visit(r.key, l), err
	}
	list, ok, err := r.view.Keys(ctx, from, to)
	if err != nil {
		return err
	}
	if !ok {
		return r.view.KeysDown(from, to, read)
	}
	for _, key := range slices.Backward(list) {
		if more, err := read([]byte(key)); err != nil || !more {
			return err
		}
	}
	return nil
}
