package lookup

import (
	"context"
	"fmt"
	"slices"

	"dragg/posting/uidset"
	"dragg/query/task"
	"dragg/schema/tok"
)

// maxBestKeys bounds how many keys of an index are walked over to find its last ones: with more of them, reading all lists
// and ordering the values is not much worse.
const maxBestKeys = 4096

// bestWithin is within for an untagged predicate of which only the nodes that come first in the order of the index matter, or
// last: it reads lists from that end until it has enough. Tokens order as values do, and a lossy one has all its values behind
// it, so that what is left out comes after everything that was found. ok is false where the index has too many keys.
func (b *builder) bestWithin(ctx context.Context, k tok.Tokenizer, s span) (f found, ok bool, err error) {
	prefix, from, to := b.bounds(k, "", s)
	list, err := b.indexKeys(ctx, from, to)
	if err != nil || list == nil {
		return found{}, false, err
	}
	if b.best.Desc {
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	var tick ticks
	var sure, maybe []uidset.Set
	for n := 0; len(list) > 0 && n < b.best.N; list = list[1:] {
		if err := tick.check(ctx); err != nil {
			return found{}, false, err
		}
		b.r.key = append(b.r.key[:0], list[0]...)
		l, err := b.r.view.List(b.r.key)
		if err != nil {
			return found{}, false, fmt.Errorf("read index %s of %s: %w", k.Name(), b.p.Name, err)
		}
		if token := list[0][len(prefix):]; s.edges && (string(token) == s.lo || !s.open && string(token) == s.hi) {
			maybe = append(maybe, l.UIDs())
			continue
		}
		set := l.UIDs()
		if left := b.best.N - n; b.best.ByUID && !k.Lossy() && set.Len() > left {
			set = page(set, task.Page{First: left}) // all have one value
		}
		sure = append(sure, set)
		n += set.Len()
	}
	return found{sure: merge(sure), maybe: merge(maybe)}, true, nil
}

// indexKeys returns the keys in a range, without reading their lists; nil where there are too many, or none.
func (b *builder) indexKeys(ctx context.Context, from, to []byte) (list []string, err error) {
	if list, ok, err := b.r.view.Keys(ctx, from, to); ok || err != nil {
		return list, err
	}
	var tick ticks
	it := b.r.view.Scan(from, to)
	defer func() {
		if e := it.Close(); err == nil && e != nil {
			err = fmt.Errorf("scan the index of %s: %w", b.p.Name, e)
		}
	}()
	for it.Next() {
		if err := tick.check(ctx); err != nil {
			return nil, err
		}
		if len(list) == maxBestKeys {
			return nil, nil
		}
		list = append(list, string(it.Key()))
	}
	return list, nil
}
