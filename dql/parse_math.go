package dql

import (
	"strconv"
	"strings"

	"dragg/graph/types"
)

// mathRank is how tight a binary operator binds (dql.md fact 36); 0 for none.
func mathRank(t *token) int {
	if t.kind == tName && t.text == "dot" {
		return 5
	}
	if t.kind != tOp {
		return 0
	}
	switch t.text {
	case "*", "/":
		return 6
	case "%":
		return 4
	case "-":
		return 3
	case "+":
		return 2
	}
	return 1
}

// mathArity returns how many operands a function of math takes; 0 for an unknown one.
func mathArity(name string) int {
	switch name {
	case "exp", "ln", "sqrt", "floor", "ceil", "since":
		return 1
	case "pow", "logbase", "min", "max", "dot":
		return 2
	case "cond":
		return 3
	}
	return 0
}

// math reads the formula in brackets.
func (p *parser) math() (*Math, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.peek().is(")") {
		return nil, p.failAt(p.peek(), "Empty () not allowed in math block")
	}
	m, err := p.mathExpr(1)
	if err != nil {
		return nil, err
	}
	if !p.accept(")") {
		return nil, p.failAt(p.peek(), "Unexpected %s in math", p.peek().show())
	}
	return m, nil
}

// mathExpr reads operands joined by operators of at least the given rank, from left to right.
func (p *parser) mathExpr(rank int) (*Math, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	left, err := p.mathTerm()
	if err != nil {
		return nil, err
	}
	for {
		t := p.peek()
		r := mathRank(t)
		if r < rank || r == 0 {
			return left, nil
		}
		p.i++
		if err := p.node(); err != nil {
			return nil, err
		}
		right, err := p.mathExpr(r + 1)
		if err != nil {
			return nil, err
		}
		left = &Math{Pos: t.pos, Op: t.text, Args: []*Math{left, right}}
	}
}

// mathTerm reads a constant, a variable, a call, a bracket or a negated term.
func (p *parser) mathTerm() (*Math, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.node(); err != nil {
		return nil, err
	}
	t := p.next()
	switch {
	case t.is("-") && p.peek().kind == tNumber:
		return p.mathConst(t, "-"+p.next().text)
	case t.is("-"):
		m, err := p.mathTerm()
		if err != nil {
			return nil, err
		}
		return &Math{Pos: t.pos, Op: "neg", Args: []*Math{m}}, nil
	case t.is("("):
		if p.peek().is(")") {
			return nil, p.failAt(t, "Empty () not allowed in math block")
		}
		m, err := p.mathExpr(1)
		if err != nil {
			return nil, err
		}
		if !p.accept(")") {
			return nil, p.failAt(p.peek(), "Unexpected %s in math", p.peek().show())
		}
		return m, nil
	case t.kind == tNumber:
		return p.mathConst(t, t.text)
	case t.kind == tVar:
		v, err := p.value(t)
		if err != nil {
			return nil, err
		}
		return p.mathConst(t, v)
	case t.kind == tName && p.peek().is("("):
		return p.mathCall(t)
	case t.kind == tName && (t.text == "true" || t.text == "false"):
		return p.mathConst(t, t.text)
	case t.kind == tName:
		p.use(t.text)
		return &Math{Pos: t.pos, Var: t.text}, nil
	}
	return nil, p.failAt(t, "Expected an operand in math. Got: %s", t.show())
}

// mathConst reads a constant: int first, then float, then bool.
func (p *parser) mathConst(t *token, s string) (*Math, error) {
	m := &Math{Pos: t.pos}
	if i, err := strconv.ParseInt(s, 0, 64); err == nil {
		m.Const = types.OfInt(i)
		return m, nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f == f && f-f == 0 {
		m.Const = types.OfFloat(f)
		return m, nil
	}
	if b, err := strconv.ParseBool(s); err == nil {
		m.Const = types.OfBool(b)
		return m, nil
	}
	return nil, p.failAt(t, "Expected a number or a bool in math. Got: %s", quote(s))
}

// mathCall reads the operands of a function whose name was just read.
func (p *parser) mathCall(name *token) (*Math, error) {
	op := strings.ToLower(name.text)
	want := mathArity(op)
	if op == "val" {
		return nil, p.failAt(name, "Unknown math function: val: in math a variable stands by its name alone")
	}
	if want == 0 {
		return nil, p.failAt(name, "Unknown math function: %s", name.text)
	}
	p.i++
	m := &Math{Pos: name.pos, Op: op}
	for !p.accept(")") {
		if len(m.Args) > 0 && !p.accept(",") {
			return nil, p.failAt(p.peek(), "Unexpected %s in math", p.peek().show())
		}
		arg, err := p.mathExpr(1)
		if err != nil {
			return nil, err
		}
		m.Args = append(m.Args, arg)
	}
	if len(m.Args) != want {
		return nil, p.failAt(name, "Expected %d operands for math function %s, got %d", want, op, len(m.Args))
	}
	return m, nil
}
