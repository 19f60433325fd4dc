package dql

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// queryHead reads what stands between the word query and the brace: a name and declared variables.
func (p *parser) queryHead(doc *Document) error {
	if t := p.peek(); t.kind == tName {
		doc.Name = t.text
		p.i++
	}
	t := p.peek()
	if !p.accept("(") {
		return nil
	}
	if doc.Name == "" {
		return p.failAt(t, "Variables can be defined only in named queries")
	}
	for !p.accept(")") {
		if err := p.param(); err != nil {
			return err
		}
		if !p.accept(",") && !p.peek().is(")") {
			return p.failAt(p.peek(), "Expected a comma or a right round bracket. Got: %s", p.peek().show())
		}
	}
	return nil
}

// param reads $name: type! = default and settles its value.
func (p *parser) param() error {
	name := p.next()
	if name.kind != tVar {
		return p.failAt(name, "Expected a variable that starts with $. Got: %s", name.show())
	}
	if _, ok := p.params[name.text]; ok {
		return p.failAt(name, "Variable %s declared multiple times", name.text)
	}
	if err := p.expect(":"); err != nil {
		return err
	}
	typ := p.next()
	if typ.kind != tName {
		return p.failAt(typ, "Expected the type of variable %s. Got: %s", name.text, typ.show())
	}
	mandatory := p.accept("!")
	value, given := p.given[name.text]
	if eq := p.peek(); p.accept("=") {
		def, err := p.paramDefault()
		if err != nil {
			return err
		}
		if mandatory {
			return p.failAt(eq, "Type ending with ! can't have default value: Got: %s", def)
		}
		if !given {
			value = def
		}
	}
	if mandatory && value == "" {
		return p.failAt(name, "Variable %s should be initialised", name.text)
	}
	if err := checkParam(typ.text, value); err != nil {
		return &SyntaxError{Pos: name.pos, Msg: fmt.Sprintf("variable %s: %v", name.text, err), Err: err}
	}
	if p.params == nil {
		p.params = map[string]string{}
	}
	p.params[name.text] = value
	return nil
}

func (p *parser) paramDefault() (string, error) {
	t := p.next()
	switch {
	case t.kind == tString || t.kind == tName || t.kind == tNumber:
		return t.text, nil
	case t.is("["):
		return p.rawList(t)
	case t.kind == tRegexp:
		return t.show(), nil
	}
	return "", p.failAt(t, "Expected a default value. Got: %s", t.show())
}

// checkParam checks a value against the declared type.
func checkParam(typ, value string) error {
	var err error
	switch typ {
	case "int":
		_, err = strconv.ParseInt(value, 0, 64)
	case "float":
		_, err = strconv.ParseFloat(value, 64)
	case "bool":
		_, err = strconv.ParseBool(value)
	case "string", "uid":
	case "float32vector":
		if s := strings.TrimSpace(value); s != "" && (!strings.HasPrefix(s, "[") || !strings.HasSuffix(s, "]")) {
			return fmt.Errorf("cannot convert %q to a vector", value)
		}
	default:
		return fmt.Errorf("type %q not supported", typ)
	}
	return err
}

// value returns the value of a declared query variable.
func (p *parser) value(t *token) (string, error) {
	v, ok := p.params[t.text]
	if !ok {
		return "", p.failAt(t, "Variable not defined %s", t.text)
	}
	return v, nil
}

// literal reads a string, number or bare word, or the value of a query variable.
func (p *parser) literal(what ...string) (string, error) {
	t := p.next()
	switch t.kind {
	case tString, tNumber, tName:
		return t.text, nil
	case tVar:
		return p.value(t)
	}
	return "", p.failAt(t, "Expected %s. Got: %s", strings.Join(what, ""), t.show())
}

// number reads a whole number.
func (p *parser) number(key string) (int, error) {
	t := p.peek()
	s, err := p.literal("a value for ", key)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 0, 32)
	if err != nil {
		return 0, &SyntaxError{Pos: t.pos, Msg: fmt.Sprintf("%s: %v", key, err), Err: err}
	}
	return int(n), nil
}
