package dql

import (
	"fmt"
	"strconv"
	"strings"
)

// arity says how many arguments a function takes after its subject.
type arity struct{ min, max int }

const many = 1 << 30

// functionArity returns the arity of a function by its lower-case name.
func functionArity(name string) (a arity, ok bool) {
	switch name {
	case "has":
		return arity{0, 0}, true
	case "eq", "uid_in":
		return arity{1, many}, true
	case "le", "lt", "ge", "gt", "regexp", "anyofterms", "allofterms", "anyoftext", "alloftext", "ngram",
		"within", "contains", "intersects":
		return arity{1, 1}, true
	case "between", "match", "near", "similar_to", "anyof", "allof":
		return arity{2, 2}, true
	case "type", "uid":
		return arity{0, many}, true
	}
	return arity{}, false
}

// takesList says whether a bracketed argument of the function is a list of arguments; else it is one shape
// or vector.
func takesList(name string) bool {
	switch name {
	case "near", "within", "contains", "intersects", "similar_to":
		return false
	}
	return true
}

func isComparison(name string) bool {
	switch name {
	case "eq", "le", "lt", "ge", "gt", "between":
		return true
	}
	return false
}

// function reads name(subject, arguments).
func (p *parser) function(root bool) (*Func, error) {
	if err := p.node(); err != nil {
		return nil, err
	}
	t := p.next()
	if t.kind != tName {
		return nil, p.failAt(t, "Expected a function name. Got: %s", t.show())
	}
	f := p.tree.function()
	f.Pos, f.Name = t.pos, strings.ToLower(t.text)
	if f.Name == "checkpwd" {
		return nil, p.failAt(t, "Function name: checkpwd is not valid here: ask for it as a field")
	}
	if _, ok := functionArity(f.Name); !ok {
		return nil, p.failAt(t, "Invalid function name: %s: it is not valid", t.text)
	}
	if root && f.Name == "uid_in" {
		return nil, p.failAt(t, "uid_in function not allowed at root")
	}
	var err error
	switch f.Name {
	case "uid":
		f.Args, err = p.uidArgs()
		return f, err
	case "type":
		return f, p.typeArg(f, t)
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.peek().is(")") {
		return nil, p.failAt(t, "Got empty attr for function: [%s]", f.Name)
	}
	if err := p.subject(f); err != nil {
		return nil, err
	}
	for !p.accept(")") {
		if err := p.expect(","); err != nil {
			return nil, err
		}
		if err := p.functionArg(f); err != nil {
			return nil, err
		}
	}
	return f, p.checkArity(f, t)
}

// typeArg reads (T).
func (p *parser) typeArg(f *Func, t *token) error {
	if err := p.expect("("); err != nil {
		return err
	}
	if p.peek().is(")") {
		return p.failAt(t, "Got empty attr for function: [type]")
	}
	if iri := p.peek(); iri.kind == tIRI {
		p.i++
		f.Args = []Arg{{Kind: TextArg, Text: iri.text}}
		return p.expect(")")
	}
	s, err := p.literal("the name of a type")
	if err != nil {
		return err
	}
	f.Args = []Arg{{Kind: TextArg, Text: s}}
	return p.expect(")")
}

// subject reads the first argument: a predicate, count(predicate), val(x) or len(v).
func (p *parser) subject(f *Func) error {
	t := p.peek()
	if t.kind != tName || !p.peekAt(1).is("(") {
		attr, err := p.attr()
		if err != nil {
			return err
		}
		if len(attr.Langs) > 0 && attr.Langs[0] == "*" {
			return p.failAt(t, "The * symbol cannot be used as a valid language inside functions")
		}
		f.Subject, f.Attr = OnPredicate, attr
		return nil
	}
	p.i++
	var err error
	switch strings.ToLower(t.text) {
	case "val":
		f.Subject = OnVal
		f.Var, err = p.bracketVar()
	case "len":
		f.Subject = OnLen
		f.Var, err = p.bracketVar()
	case "count":
		f.Subject = OnCount
		if err := p.expect("("); err != nil {
			return err
		}
		if f.Attr, err = p.attr(); err == nil {
			err = p.expect(")")
		}
	default:
		return p.failAt(t, "Only val, count and len can be the subject of a function. Got: %s", t.text)
	}
	if err == nil && !isComparison(f.Name) {
		return p.failAt(t, "%s(...) can only be compared by eq, le, lt, ge, gt and between. Got: %s",
			t.text, f.Name)
	}
	return err
}

// functionArg reads one argument after the subject and adds it, or several of a list.
func (p *parser) functionArg(f *Func) error {
	t := p.peek()
	if f.Name == "similar_to" && t.kind == tName && p.peekAt(1).is(":") {
		p.i += 2
		s, err := p.literal("a value for ", t.text)
		if err != nil {
			return err
		}
		f.Options = append(f.Options, Option{Name: t.text, Text: s})
		return p.arg()
	}
	if !t.is("[") {
		return p.oneArg(f)
	}
	p.i++
	if !takesList(f.Name) {
		raw, err := p.rawList(t)
		if err != nil {
			return err
		}
		return p.addArg(f, Arg{Kind: TextArg, Text: raw})
	}
	if p.peek().is("]") {
		return p.failAt(t, "Empty Argument: a list needs a value")
	}
	for !p.accept("]") {
		if p.accept(",") {
			continue
		}
		if err := p.oneArg(f); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) addArg(f *Func, a Arg) error {
	if f.Args == nil {
		f.Args = p.tree.oneArg()
	}
	f.Args = append(f.Args, a)
	return p.arg()
}

// oneArg reads a literal, val(x), uid(v), a query variable or a regular expression.
func (p *parser) oneArg(f *Func) error {
	t := p.peek()
	switch {
	case f.Name == "regexp":
		return p.regexpArg(f)
	case f.Name == "uid_in":
		return p.uidInArg(f)
	case t.kind == tName && p.peekAt(1).is("("):
		if !strings.EqualFold(t.text, "val") {
			return p.failAt(t, "Only val(x) can be an argument of %s. Got: %s(", f.Name, t.text)
		}
		p.i++
		v, err := p.bracketVar()
		if err != nil {
			return err
		}
		return p.addArg(f, Arg{Kind: ValVarArg, Text: v})
	case t.is(")") || t.is(",") || t.is("]"):
		return p.failAt(t, "Empty Argument in function %s", f.Name)
	}
	s, err := p.literal("an argument of ", f.Name)
	if err != nil {
		return err
	}
	return p.addArg(f, Arg{Kind: TextArg, Text: s})
}

// regexpArg reads /re/flags, or a query variable that holds one.
func (p *parser) regexpArg(f *Func) error {
	t := p.next()
	if t.kind == tVar || t.kind == tString {
		s := t.text
		if t.kind == tVar {
			var err error
			if s, err = p.value(t); err != nil {
				return err
			}
		}
		l := &lexer{text: s, line: 1, mathAt: -1}
		if !strings.HasPrefix(s, "/") || l.regexp() != nil || l.off != len(s) {
			return p.failAt(t, "Expected a regular expression in slashes. Got: %s", quote(s))
		}
		t = &token{kind: tRegexp, text: l.toks[0].text, flags: l.toks[0].flags, pos: t.pos}
	}
	if t.kind != tRegexp {
		return p.failAt(t, "Expected a regular expression in slashes. Got: %s", t.show())
	}
	if t.flags != "" && t.flags != "i" {
		return p.failAt(t, "Unknown flag of a regular expression: %s: only i is", t.flags)
	}
	if t.text == "" {
		return p.failAt(t, "Empty regular expression")
	}
	return p.addArg(f, Arg{Kind: RegexpArg, Text: t.text, Flags: t.flags})
}

// uidInArg reads 0x1, uid(v), uid(0x1, 0x2) or $x.
func (p *parser) uidInArg(f *Func) error {
	t := p.peek()
	if t.kind == tName && strings.EqualFold(t.text, "uid") && p.peekAt(1).is("(") {
		p.i++
		args, err := p.uidArgs()
		f.Args = append(f.Args, args...)
		return err
	}
	if t.kind == tVar {
		p.i++
		args, err := p.uidValue(t)
		f.Args = append(f.Args, args...)
		return err
	}
	s, err := p.literal("a uid")
	if err != nil {
		return err
	}
	uid, err := parseUID(t, s)
	if err != nil {
		return err
	}
	return p.addArg(f, Arg{Kind: UIDArg, UID: uid})
}

// uidArgs reads (0x1, v, $x).
func (p *parser) uidArgs() ([]Arg, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var args []Arg
	for !p.accept(")") {
		if p.accept(",") {
			continue
		}
		if err := p.arg(); err != nil {
			return nil, err
		}
		switch t := p.next(); t.kind {
		case tName:
			p.use(t.text)
			args = append(args, Arg{Kind: UIDVarArg, Text: t.text})
		case tNumber, tString:
			uid, err := parseUID(t, t.text)
			if err != nil {
				return nil, err
			}
			args = append(args, Arg{Kind: UIDArg, UID: uid})
		case tVar:
			more, err := p.uidValue(t)
			if err != nil {
				return nil, err
			}
			args = append(args, more...)
		default:
			return nil, p.failAt(t, "Unexpected character %s while parsing uid()", t.show())
		}
	}
	return args, nil
}

// uidValue reads the uids in the value of a query variable: one, or a bracketed list.
func (p *parser) uidValue(t *token) ([]Arg, error) {
	s, err := p.value(t)
	if err != nil {
		return nil, err
	}
	s = strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if s, ok = strings.CutSuffix(inner, "]"); !ok {
			return nil, p.failAt(t, "The list of uids in %s is not closed", t.text)
		}
	}
	var args []Arg
	for word := range strings.SplitSeq(s, ",") {
		word = strings.Trim(strings.TrimSpace(word), `"`)
		if word == "" {
			continue
		}
		if err := p.arg(); err != nil {
			return nil, err
		}
		uid, err := parseUID(t, word)
		if err != nil {
			return nil, err
		}
		args = append(args, Arg{Kind: UIDArg, UID: uid})
	}
	return args, nil
}

// rawList returns the text of a nested list from its opening bracket, which was just passed, without white
// space.
func (p *parser) rawList(open *token) (string, error) {
	b := []byte{'['}
	for level := 1; level > 0; {
		t := p.next()
		switch {
		case t.is("["):
			level++
			if level > p.opts.Depth {
				return "", &LimitError{What: "levels of nesting", Limit: p.opts.Depth}
			}
		case t.is("]"):
			level--
		case t.is(","), t.kind == tNumber, t.kind == tName:
		case t.kind == tString:
			b = appendQuoted(b, t.text)
			continue
		case t.kind == tVar:
			v, err := p.value(t)
			if err != nil {
				return "", err
			}
			if _, err := strconv.ParseFloat(v, 64); err != nil {
				return "", p.failAt(t, "Expected a number in a list. Got: %s = %s", t.text, quote(v))
			}
			b = append(b, v...)
			continue
		default:
			return "", p.failAt(t, "Unexpected %s in the list that starts at line %d column %d", t.show(),
				open.pos.Line, open.pos.Col)
		}
		b = append(b, t.text...)
		if t.kind != tPunct && (p.peek().kind == tNumber || p.peek().kind == tName) {
			b = append(b, ' ')
		}
	}
	return string(b), nil
}

// checkArity checks how many arguments a function got.
func (p *parser) checkArity(f *Func, t *token) error {
	a, _ := functionArity(f.Name)
	n := len(f.Args)
	switch {
	case n >= a.min && n <= a.max:
		return p.checkArgs(f, t)
	case f.Name == "eq":
		return p.failAt(t, "eq expects atleast 1 argument")
	case f.Name == "uid_in":
		return p.failAt(t, "uid_in function expects an argument, got none")
	case isComparison(f.Name) && a.max == 1:
		return p.failAt(t, "function %s expects only 1 argument, but got %d", f.Name, n)
	}
	return p.failAt(t, "Function '%s' requires %d arguments, but got %d", f.Name, a.max, n)
}

// checkArgs checks arguments whose type the function alone decides.
func (p *parser) checkArgs(f *Func, t *token) error {
	number := func(i int) (int64, error) {
		n, err := strconv.ParseInt(f.Args[i].Text, 0, 64)
		if err != nil {
			return 0, &SyntaxError{Pos: t.pos, Msg: fmt.Sprintf("function %s: %v", f.Name, err), Err: err}
		}
		return n, nil
	}
	switch {
	case f.Name == "match":
		n, err := number(1)
		if err == nil && n < 0 {
			err = p.failAt(t, "Levenshtein distance must be greater than 0, got %d", n)
		}
		return err
	case f.Subject == OnLen:
		for i, a := range f.Args {
			if a.Kind != TextArg {
				return p.failAt(t, "len(%s) can only be compared with a number", f.Var)
			}
			if _, err := number(i); err != nil {
				return err
			}
		}
	case f.Subject == OnCount:
		for i, a := range f.Args {
			if a.Kind != TextArg {
				continue
			}
			if _, err := number(i); err != nil {
				return err
			}
		}
	}
	return nil
}
