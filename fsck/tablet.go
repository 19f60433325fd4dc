package fsck

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"dragg/alpha/shard"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/schema"
	"dragg/schema/tok"
)

// tablet compares everything that is derived from the data of one predicate with what is stored.
func (c *checker) tablet(ctx context.Context, t shard.Copy) error {
	l := newLedger()
	first := newPass(c, t, l)
	first.count = true
	if err := first.run(ctx); err != nil {
		return err
	}
	c.sum.Derived += l.entries
	for _, what := range t.Predicate.Building {
		c.sum.Skipped = append(c.sum.Skipped, fmt.Sprintf("%s of predicate %s, which is being built", what, t.Predicate.Name))
	}
	suspects, all := l.suspects(c.cfg.Entries)
	if all == 0 {
		return nil
	}
	before := c.sum.Findings
	named := &collector{l: l, buckets: suspects, entries: map[entry]*sides{}}
	if err := newPass(c, t, named).run(ctx); err != nil {
		return err
	}
	err := named.differences(func(f Finding) {
		f.Predicate = t.Predicate.Name
		c.found(f)
	})
	if rest := int64(all - len(suspects)); rest > 0 {
		each := max(1, (c.sum.Findings-before)/int64(len(suspects)))
		c.found(Finding{
			Damage: Missing, Predicate: t.Predicate.Name,
			Detail: fmt.Sprintf("or stray: about %d more entries, which were not looked at one by one", rest*each),
		})
	}
	return err
}

// pass reads a tablet once and tells its sink what is called for and what is stored.
type pass struct {
	c     *checker
	t     shard.Copy
	out   sink
	count bool // this is the pass that counts and reports what cannot be read

	index          map[byte]tok.Tokenizer // complete ones, by id
	reverse, sized bool                   // complete
	key            []byte                 // of the list at hand
	derived        []byte                 // scratch
	tokens         []string
}

func newPass(c *checker, t shard.Copy, out sink) *pass {
	p := &pass{c: c, t: t, out: out, index: map[byte]tok.Tokenizer{}}
	def := t.Predicate
	for _, x := range def.Index {
		if def.Ready(x.Name()) {
			p.index[x.ID()] = x
		}
	}
	p.reverse = def.Reverse && def.Ready(schema.BuildingReverse)
	p.sized = def.Count && def.Ready(schema.BuildingCount)
	return p
}

func (p *pass) run(ctx context.Context) error {
	inc := p.t.Incarnation
	for _, kind := range []struct {
		kind keys.Kind
		each func(key keys.Key, l posting.List) error
		skip bool
	}{
		{kind: keys.KindData, each: p.data},
		{kind: keys.KindReverse, each: p.reverseList, skip: !p.reverse},
		{kind: keys.KindIndex, each: p.indexList, skip: len(p.index) == 0},
		{kind: keys.KindCount, each: p.plainList, skip: !p.sized},
		{kind: keys.KindReverseCount, each: p.plainList, skip: !p.sized || !p.reverse},
	} {
		if kind.skip {
			continue // what lies there is of an older schema, or not complete yet
		}
		if err := p.scan(ctx, keys.KindPrefix(inc, kind.kind), kind.each); err != nil {
			return err
		}
	}
	return nil
}

// scan calls each for every list under prefix. A list that cannot be read is reported and passed over.
func (p *pass) scan(ctx context.Context, prefix []byte, each func(keys.Key, posting.List) error) error {
	view := p.c.s.Store().View(p.c.s.Watermark(), nil)
	defer view.Close()
	end := keys.End(prefix)
	for from := prefix; from != nil; {
		it := view.Scan(from, end)
		from = nil
		for it.Next() {
			if err := p.c.step(ctx, p.t.Predicate.Name); err != nil {
				return errors.Join(err, it.Close())
			}
			if p.list(it, each) != nil {
				break // Close returns the error
			}
		}
		last := slices.Clone(it.Key())
		if err := it.Close(); err != nil {
			if last == nil || !p.damaged(last, err) {
				return fmt.Errorf("reading predicate %s: %w", p.t.Predicate.Name, err)
			}
			from = append(last, 0)
		}
	}
	return nil
}

func (p *pass) list(it *posting.Iterator, each func(keys.Key, posting.List) error) error {
	list, err := it.List()
	if err != nil {
		return err
	}
	key, err := keys.Parse(it.Key())
	if err != nil {
		return nil //nolint:nilerr // the check of the layout has reported it
	}
	p.key = append(p.key[:0], it.Key()...)
	if err := each(key, list); err != nil {
		p.damaged(p.key, err)
	}
	return nil
}

// damaged reports a list that cannot be decoded, in the first pass. It returns whether it makes sense to read on.
func (p *pass) damaged(key []byte, err error) bool {
	parsed, perr := keys.Parse(key)
	if perr != nil {
		return false
	}
	if p.count {
		p.c.found(Finding{Damage: Unreadable, Predicate: p.t.Predicate.Name, Key: parsed, Detail: err.Error()})
	}
	return true
}

// data tells what one node's values or edges call for.
func (p *pass) data(key keys.Key, l posting.List) error {
	if p.count {
		p.c.sum.Nodes++
		p.c.sum.Elements += int64(l.Len())
	}
	if p.sized {
		p.calledFor(keys.AppendCount(p.derived[:0], key.Incarnation, false, size(l)), key.UID, "")
	}
	if p.t.Predicate.IsUID() {
		if !p.reverse {
			return nil
		}
		return eachEdge(l, func(target graph.UID, facets string) {
			p.calledFor(keys.AppendReverse(p.derived[:0], key.Incarnation, target), key.UID, facets)
		})
	}
	return p.values(key, l)
}

// calledFor passes an entry on whose key was made in the scratch buffer.
func (p *pass) calledFor(key []byte, uid graph.UID, facets string) {
	p.derived = key
	p.out.calledFor(key, uid, facets)
}

func size(l posting.List) uint32 { return uint32(min(l.Len(), math.MaxUint32)) }

// eachEdge visits the targets of a list of edges with their facets in a canonical form.
func eachEdge(l posting.List, fn func(graph.UID, string)) error {
	has := l.HasFacets()
	for uid := range l.UIDs().All() {
		facets := ""
		if has {
			list, err := l.FacetsOf(uid)
			if err != nil {
				return err
			}
			facets = canonical(list)
		}
		fn(uid, facets)
	}
	return nil
}

func canonical(facets []graph.Facet) string {
	texts := make([]string, len(facets))
	for i, f := range facets {
		texts[i] = fmt.Sprintf("%s=%s %q", f.Key, f.Value.Type(), f.Value.Text())
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}

// values tells which tokens a node's values call for. Values of a list may share tokens: the index holds the node once.
func (p *pass) values(key keys.Key, l posting.List) error {
	var seen map[string]bool
	if p.t.Predicate.List && l.Len() > 1 {
		seen = map[string]bool{}
	}
	for value, err := range l.Postings() {
		if err != nil {
			return err
		}
		for id, t := range p.index {
			p.tokens = tokens(p.tokens[:0], t, value)
			for _, token := range p.tokens {
				k := keys.AppendIndex(p.derived[:0], key.Incarnation, id, value.Lang, token)
				if seen[string(k)] {
					continue
				}
				if seen != nil {
					seen[string(k)] = true
				}
				p.calledFor(k, key.UID, "")
			}
		}
	}
	return nil
}

// tokens appends the tokens of a value: none where it has no counterpart in the tokenizer's type, as may be with values that
// are older than the schema.
func tokens(dst []string, t tok.Tokenizer, p posting.Posting) []string {
	v := p.Value
	if have, want := v.Type(), t.Type(); have != want && (want != types.String || have != types.Default) {
		converted, err := types.Convert(v, want)
		if err != nil {
			return dst
		}
		v = converted
	}
	out, err := t.AppendTokens(dst, v, p.Lang)
	if err != nil {
		return dst
	}
	return out
}

// reverseList tells what is stored of reverse edges, and which count that calls for.
func (p *pass) reverseList(key keys.Key, l posting.List) error {
	if p.sized {
		p.calledFor(keys.AppendCount(p.derived[:0], key.Incarnation, true, size(l)), key.UID, "")
	}
	return eachEdge(l, func(subject graph.UID, facets string) { p.out.stored(p.key, subject, facets) })
}

// indexList tells what is stored under a token. A tokenizer that the schema does not have any more is passed over.
func (p *pass) indexList(key keys.Key, l posting.List) error {
	if _, ok := p.index[key.Tokenizer]; !ok {
		return nil
	}
	return p.plainList(key, l)
}

func (p *pass) plainList(_ keys.Key, l posting.List) error {
	for uid := range l.UIDs().All() {
		p.out.stored(p.key, uid, "")
	}
	return nil
}
