package dql

import (
	"strconv"
	"strings"
)

// blockDirectives reads the directives of a root block.
func (p *parser) blockDirectives(b *Block) error {
	for p.accept("@") {
		t := p.next()
		if t.kind != tName {
			return p.failAt(t, "Expected a directive after @. Got: %s", t.show())
		}
		var err error
		switch strings.ToLower(t.text) {
		case "filter":
			err = p.filterDirective(t, &b.Filter)
		case "cascade":
			b.Cascade, err = p.cascade()
		case "normalize":
			b.Normalize = true
		case "ignorereflex":
			b.IgnoreReflex = true
		case "groupby":
			b.GroupBy, err = p.groupBy(t)
		case "recurse":
			b.Recurse, err = p.recurse()
		default:
			err = p.failAt(t, "Unknown directive [%s]", t.text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fieldDirective reads one directive of a field after its @. ok is false when the word is no directive, and
// then nothing was passed.
func (p *parser) fieldDirective(f *Field) (ok bool, err error) {
	t := p.peek()
	if t.kind != tName {
		return false, nil
	}
	p.i++
	switch strings.ToLower(t.text) {
	case "filter":
		err = p.filterDirective(t, &f.Filter)
	case "facets":
		err = p.facets(f, t)
	case "cascade":
		f.Cascade, err = p.cascade()
	case "normalize":
		f.Normalize = true
	case "groupby":
		f.GroupBy, err = p.groupBy(t)
	default:
		p.i--
		return false, nil
	}
	return true, err
}

func (p *parser) filterDirective(t *token, dst **Filter) error {
	if *dst != nil {
		return p.failAt(t, "Use AND, OR and round brackets instead of multiple filter directives")
	}
	f, err := p.filter()
	*dst = f
	return err
}

// cascade reads the optional list of predicates.
func (p *parser) cascade() (*Cascade, error) {
	c := &Cascade{}
	if !p.accept("(") {
		return c, nil
	}
	for !p.accept(")") {
		if p.accept(",") {
			continue
		}
		a, err := p.attr()
		if err != nil {
			return nil, err
		}
		if err := p.arg(); err != nil {
			return nil, err
		}
		name := a.Name
		if a.Reverse {
			name = "~" + name
		}
		if name != "__all__" {
			c.Names = append(c.Names, name)
		}
	}
	return c, nil
}

// groupBy reads (alias: attr, ...).
func (p *parser) groupBy(t *token) ([]GroupKey, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var keys []GroupKey
	comma := true // a key may come
	for !p.accept(")") {
		if c := p.peek(); p.accept(",") {
			if comma {
				return nil, p.failAt(c, "Expected a predicate but got comma in groupby: Unnecessary comma in groupby()")
			}
			comma = true
			continue
		}
		if !comma {
			return nil, p.failAt(p.peek(), "Expected a comma in groupby. Got: %s", p.peek().show())
		}
		comma = false
		var k GroupKey
		if p.peek().kind == tName && p.peekAt(1).is(":") {
			k.Alias = p.next().text
			p.i++
		}
		a, err := p.attr()
		if err != nil {
			return nil, err
		}
		if err := p.arg(); err != nil {
			return nil, err
		}
		k.Attr = a
		keys = append(keys, k)
	}
	if comma {
		return nil, p.failAt(t, "Expected a predicate: Unnecessary comma in groupby()")
	}
	return keys, nil
}

// recurse reads (depth: n, loop: b).
func (p *parser) recurse() (*Recurse, error) {
	r := &Recurse{}
	at := p.peek()
	if p.accept("(") {
		for !p.accept(")") {
			if p.accept(",") {
				continue
			}
			if err := p.recurseArg(r); err != nil {
				return nil, err
			}
		}
	}
	if r.Loop && r.Depth == 0 {
		return nil, p.failAt(at, "Depth must be > 0 when loop is true for recurse query")
	}
	return r, nil
}

func (p *parser) recurseArg(r *Recurse) error {
	key := p.next()
	if key.kind != tName {
		return p.failAt(key, "Expected key inside @recurse(). Got: %s", key.show())
	}
	k := strings.ToLower(key.text)
	if k != "depth" && k != "loop" {
		return p.failAt(key, "Unexpected key: [%s] inside @recurse block", key.text)
	}
	if err := p.expectColon(key); err != nil {
		return err
	}
	t := p.peek()
	s, err := p.literal("a value for ", k)
	if err != nil {
		return err
	}
	if k == "depth" {
		n, err := strconv.ParseUint(s, 0, 31)
		if err != nil {
			return p.failAt(t, "Value inside depth should be type of integer. Got: %s", s)
		}
		r.Depth = int(n)
		return nil
	}
	if r.Loop, err = strconv.ParseBool(s); err != nil {
		return p.failAt(t, "Value inside loop should be type of boolean. Got: %s", s)
	}
	return nil
}
