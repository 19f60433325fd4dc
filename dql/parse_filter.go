package dql

import "strings"

// filter reads a bracketed filter: (a and (b or not c)). Empty brackets are true.
func (p *parser) filter() (*Filter, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.accept(")") {
		return &Filter{Op: FilterAnd}, nil
	}
	f, err := p.filterOr()
	if err != nil {
		return nil, err
	}
	return f, p.expectFilterEnd()
}

func (p *parser) expectFilterEnd() error {
	if p.accept(")") {
		return nil
	}
	return p.failAt(p.peek(), "Invalid filter statement: unexpected %s", p.peek().show())
}

// word passes the keyword s, in any letter case.
func (p *parser) word(s string) bool {
	t := p.peek()
	if t.kind == tName && strings.EqualFold(t.text, s) {
		p.i++
		return true
	}
	return false
}

// filterOr reads a or b or c; and binds tighter.
func (p *parser) filterOr() (*Filter, error) {
	return p.filterList("or", FilterOr, func() (*Filter, error) {
		return p.filterList("and", FilterAnd, p.filterTerm)
	})
}

// filterList reads operands joined by a keyword.
func (p *parser) filterList(keyword string, op FilterOp, operand func() (*Filter, error)) (*Filter, error) {
	first, err := operand()
	if err != nil || !p.peekWord(keyword) {
		return first, err
	}
	list := &Filter{Op: op, Children: []*Filter{first}}
	for p.word(keyword) {
		if err := p.node(); err != nil {
			return nil, err
		}
		f, err := operand()
		if err != nil {
			return nil, err
		}
		list.Children = append(list.Children, f)
	}
	return list, nil
}

func (p *parser) peekWord(s string) bool {
	t := p.peek()
	return t.kind == tName && strings.EqualFold(t.text, s)
}

// filterTerm reads not x, (x) or a function.
func (p *parser) filterTerm() (*Filter, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	t := p.peek()
	switch {
	case t.is("("):
		p.i++
		f, err := p.filterOr()
		if err != nil {
			return nil, err
		}
		return f, p.expectFilterEnd()
	case p.word("not"):
		if err := p.node(); err != nil {
			return nil, err
		}
		f, err := p.filterTerm()
		if err != nil {
			return nil, err
		}
		return &Filter{Op: FilterNot, Children: []*Filter{f}}, nil
	case t.kind != tName || !p.peekAt(1).is("("):
		return nil, p.failAt(t, "Invalid filter statement: expected a function. Got: %s", t.show())
	}
	fn, err := p.function(false)
	if err != nil {
		return nil, err
	}
	return &Filter{Op: FilterFunc, Func: fn}, nil
}
