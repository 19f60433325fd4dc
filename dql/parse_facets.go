package dql

import (
	"slices"
	"strings"
)

// facets reads what follows @facets: nothing, a list of keys, or a filter (dql.md fact 37).
func (p *parser) facets(f *Field, at *token) error {
	if !p.peek().is("(") {
		return p.setFacets(f, &Facets{All: true}, at)
	}
	p.i++
	t := p.peek()
	if t.is("(") || t.kind == tName && (p.peekAt(1).is("(") ||
		strings.EqualFold(t.text, "not") && p.peekAt(1).kind == tName) {
		if f.FacetFilter != nil {
			return p.failAt(at, "Only one facets filter allowed")
		}
		ff, err := p.facetOr()
		if err != nil {
			return err
		}
		f.FacetFilter = ff
		return p.expect(")")
	}
	sel, err := p.facetList()
	if err != nil {
		return err
	}
	return p.setFacets(f, sel, at)
}

func (p *parser) setFacets(f *Field, sel *Facets, at *token) error {
	if f.Facets != nil {
		return p.failAt(at, "Only one facets allowed")
	}
	f.Facets = sel
	return nil
}

// facetList reads key, alias: key, v as key, orderasc: key up to the closing bracket. Keys are sorted; what
// is given twice the same way counts once.
func (p *parser) facetList() (*Facets, error) {
	sel := &Facets{}
	for !p.accept(")") {
		if p.accept(",") {
			continue
		}
		if err := p.arg(); err != nil {
			return nil, err
		}
		if err := p.facetItem(sel); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(sel.Keys, func(a, b FacetKey) int { return strings.Compare(a.Key, b.Key) })
	return sel, nil
}

func (p *parser) facetItem(sel *Facets) error {
	var k FacetKey
	order := ""
	for range 2 { // an alias and a variable may stand in either order
		t := p.peek()
		if t.kind != tName {
			break
		}
		switch low := strings.ToLower(t.text); {
		case p.peekAt(1).is(":") && (low == "orderasc" || low == "orderdesc") && order == "":
			order = low
			p.i += 2
		case p.peekAt(1).is(":"):
			k.Alias = t.text
			p.i += 2
		case p.peekAt(1).isAs():
			if err := p.define(t); err != nil {
				return err
			}
			k.Var = t.text
			p.i += 2
		}
	}
	t := p.next()
	if t.kind != tName && t.kind != tIRI {
		return p.failAt(t, "Expected the key of a facet. Got: %s", t.show())
	}
	k.Key = t.text
	if !slices.Contains(sel.Keys, k) {
		sel.Keys = append(sel.Keys, k)
	}
	if order == "" {
		return nil
	}
	for _, o := range sel.Order {
		if o.Key == k.Key {
			return p.failAt(t, "Sorting by facet: [%s] can only be done once", k.Key)
		}
	}
	sel.Order = append(sel.Order, FacetOrder{Key: k.Key, Desc: order == "orderdesc"})
	return nil
}

func (p *parser) facetOr() (*FacetFilter, error) {
	return p.facetTree("or", FilterOr, func() (*FacetFilter, error) {
		return p.facetTree("and", FilterAnd, p.facetTerm)
	})
}

// facetTree reads operands joined by a keyword.
func (p *parser) facetTree(
	keyword string, op FilterOp, operand func() (*FacetFilter, error),
) (*FacetFilter, error) {
	first, err := operand()
	if err != nil || !p.peekWord(keyword) {
		return first, err
	}
	list := &FacetFilter{Op: op, Children: []*FacetFilter{first}}
	for p.word(keyword) {
		f, err := operand()
		if err != nil {
			return nil, err
		}
		list.Children = append(list.Children, f)
	}
	return list, nil
}

// facetTerm reads not x, (x) or func(key, value).
func (p *parser) facetTerm() (*FacetFilter, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.node(); err != nil {
		return nil, err
	}
	if p.accept("(") {
		f, err := p.facetOr()
		if err != nil {
			return nil, err
		}
		return f, p.expectFilterEnd()
	}
	if p.word("not") {
		f, err := p.facetTerm()
		if err != nil {
			return nil, err
		}
		return &FacetFilter{Op: FilterNot, Children: []*FacetFilter{f}}, nil
	}
	return p.facetFunc()
}

func (p *parser) facetFunc() (*FacetFilter, error) {
	name := p.next()
	if name.kind != tName || !p.peek().is("(") {
		return nil, p.failAt(name, "Invalid filter statement in facets: expected a function. Got: %s", name.show())
	}
	p.i++
	f := &FacetFilter{Op: FilterFunc, Func: strings.ToLower(name.text)}
	key := p.next()
	if key.kind != tName && key.kind != tIRI {
		return nil, p.failAt(key, "Expected the key of a facet. Got: %s", key.show())
	}
	f.Key = key.text
	p.accept(",")
	t := p.peek()
	literal := t.kind == tString || t.kind == tNumber || t.kind == tName || t.kind == tVar
	if !literal || !p.peekAt(1).is(")") {
		return nil, p.failAt(t, "One argument expected in %s on facet %s", f.Func, f.Key)
	}
	switch f.Func {
	case "eq", "le", "lt", "ge", "gt", "allofterms", "anyofterms":
	default:
		return nil, p.failAt(name, "Invalid function name: %s: it is not valid on facets", name.text)
	}
	s, err := p.literal("a value")
	if err != nil {
		return nil, err
	}
	f.Arg = s
	return f, p.expect(")")
}
