package dql

import (
	"slices"
	"strings"
)

// context says what kind of body a list of fields stands in.
type context struct {
	empty bool // a block without a function: aggregates and formulas only
	group bool // under @groupby: count(uid) and aggregates only
}

// fields reads a body up to its closing brace.
func (p *parser) fields(ctx context) ([]*Field, error) {
	from := len(p.read)
	if err := p.readFields(ctx); err != nil {
		return nil, err
	}
	if from == len(p.read) {
		return nil, nil
	}
	list := p.tree.lists.Take(len(p.read) - from)
	copy(list, p.read[from:])
	clear(p.read[from:])
	p.read = p.read[:from]
	return list, checkHeads(list)
}

// fewHeads is how many names are compared one by one: a map costs more.
const fewHeads = 8

// checkHeads refuses a body that asks for the same twice.
func checkHeads(list []*Field) error {
	few := make([]string, 0, fewHeads)
	var many map[string]bool
	for i, f := range list {
		head := f.head()
		if slices.Contains(few, head) || many[head] {
			return &SyntaxError{Pos: f.Pos, Msg: f.Key() + " not allowed multiple times in same sub-query."}
		}
		switch {
		case i < fewHeads:
			few = append(few, head)
		case many == nil:
			many = map[string]bool{head: true}
		default:
			many[head] = true
		}
	}
	return nil
}

// head returns what must be unique within a body (dql.md fact 32).
func (f *Field) head() string {
	plain := f.Kind == PredicateField && f.Alias == "" && f.Var == "" && !f.Attr.Reverse && len(f.Attr.Langs) == 0
	if plain && isBare(f.Attr.Name) {
		return f.Attr.Name
	}
	return string(appendField(nil, f, headOnly))
}

// readFields reads a body, or that of a fragment, to its closing brace.
func (p *parser) readFields(ctx context) error {
	if err := p.enter(); err != nil {
		return err
	}
	defer p.leave()
	for !p.accept("}") {
		switch {
		case p.accept(","):
		case p.peek().kind == tSpread:
			p.i++
			if err := p.spread(ctx); err != nil {
				return err
			}
		default:
			f, err := p.field(ctx)
			if err != nil {
				return err
			}
			p.read = append(p.read, f)
		}
	}
	return nil
}

// spread reads the fields of a fragment in place of ...name.
func (p *parser) spread(ctx context) error {
	if err := p.node(); err != nil {
		return err
	}
	t := p.next()
	at, ok := p.fragments[t.text]
	if t.kind != tName || !ok {
		return p.failAt(t, "Missing fragment: %s", t.show())
	}
	if slices.Contains(p.open, t.text) {
		return p.failAt(t, "Cycle detected: %s", strings.Join(append(p.open, t.text), " -> "))
	}
	p.open = append(p.open, t.text)
	back := p.i
	p.i = at + 1
	if err := p.readFields(ctx); err != nil {
		return err
	}
	p.i = back
	p.open = p.open[:len(p.open)-1]
	return nil
}

// field reads one field with its alias, variable, arguments and body.
func (p *parser) field(ctx context) (*Field, error) {
	if err := p.node(); err != nil {
		return nil, err
	}
	f := &p.tree.fields.Take(1)[0]
	f.Pos = p.peek().pos
	if err := p.fieldNames(f); err != nil {
		return nil, err
	}
	t := p.peek()
	if t.kind != tName && t.kind != tIRI && !t.is("~") {
		return nil, p.failAt(t, "Expected a field. Got: %s", t.show())
	}
	if err := p.fieldHead(f, ctx); err != nil {
		return nil, err
	}
	if err := f.allowedIn(ctx); err != nil {
		return nil, err
	}
	if f.Kind == PredicateField || f.Kind == ExpandField {
		if err := p.fieldTail(f); err != nil {
			return nil, err
		}
	}
	return f, p.checkField(f)
}

// fieldNames reads v as and alias: in either order.
func (p *parser) fieldNames(f *Field) error {
	for range 2 {
		t := p.peek()
		switch {
		case t.kind != tName && t.kind != tIRI:
			return nil
		case p.peekAt(1).is(":") && f.Alias == "":
			f.Alias = t.text
			p.i += 2
		case t.kind == tName && p.peekAt(1).isAs() && f.Var == "":
			if err := p.define(t); err != nil {
				return err
			}
			f.Var = t.text
			p.i += 2
		default:
			return nil
		}
	}
	return nil
}

// fieldHead reads what the field asks for, up to its arguments.
func (p *parser) fieldHead(f *Field, ctx context) (err error) {
	t := p.peek()
	call := t.kind == tName && p.peekAt(1).is("(")
	low := ""
	if call {
		low = strings.ToLower(t.text)
	}
	switch {
	case t.kind == tName && t.text == "uid" && !call:
		p.i++
		f.Kind = UIDField
	case low == "val":
		p.i++
		f.Kind = ValField
		f.ValVar, err = p.bracketVar()
	case low == "count":
		p.i++
		err = p.countField(f)
	case low == "min" || low == "max" || low == "sum" || low == "avg":
		p.i++
		err = p.aggregate(f, low, ctx)
	case low == "math":
		p.i++
		f.Kind = MathField
		f.Math, err = p.math()
	case low == "expand":
		p.i++
		f.Kind = ExpandField
		f.Expand, err = p.expand()
	case low == "checkpwd":
		p.i++
		err = p.checkPwd(f)
	default:
		f.Kind = PredicateField
		if call && ctx.empty {
			f.Attr.Name = t.text // refused by allowedIn
			break
		}
		f.Attr, err = p.attr()
	}
	return err
}

// allowedIn checks a field against the body it stands in.
func (f *Field) allowedIn(ctx context) error {
	onVal := f.Kind == AggregateField && f.ValVar != ""
	switch {
	case ctx.empty && !onVal && f.Kind != MathField && f.Kind != ValField:
		return &SyntaxError{Pos: f.Pos, Msg: "Only aggregation/math functions allowed inside empty blocks. Got: " +
			f.Key()}
	case ctx.group && f.Kind != CountUIDField && (f.Kind != AggregateField || onVal):
		return &SyntaxError{Pos: f.Pos, Msg: "Only aggregator/count functions allowed inside @groupby. Got: " +
			f.Key()}
	}
	return nil
}

// countField reads (uid) or (predicate with filter and facets).
func (p *parser) countField(f *Field) error {
	if err := p.expect("("); err != nil {
		return err
	}
	t := p.peek()
	if t.is(")") {
		return p.failAt(t, "Cannot use count(), please use count(uid)")
	}
	if t.kind == tName && t.text == "uid" && p.peekAt(1).is(")") {
		p.i += 2
		f.Kind = CountUIDField
		return nil
	}
	f.Kind = CountField
	var err error
	if f.Attr, err = p.attr(); err != nil {
		return err
	}
	if err := p.fieldTail(f); err != nil {
		return err
	}
	if err := p.expect(")"); err != nil {
		return err
	}
	// What may stand inside the brackets may also stand after them.
	return p.fieldTail(f)
}

// aggregate reads (val(x)), or (predicate) under @groupby.
func (p *parser) aggregate(f *Field, agg string, ctx context) error {
	f.Kind, f.Agg = AggregateField, agg
	if err := p.expect("("); err != nil {
		return err
	}
	t := p.peek()
	if t.kind == tName && strings.EqualFold(t.text, "val") && p.peekAt(1).is("(") {
		p.i++
		v, err := p.bracketVar()
		if err != nil {
			return err
		}
		f.ValVar = v
		return p.expect(")")
	}
	if !ctx.group {
		return p.failAt(t, "Only val(variable) can be the argument of %s outside @groupby. Got: %s", agg, t.show())
	}
	var err error
	if f.Attr, err = p.attr(); err != nil {
		return err
	}
	return p.expect(")")
}

// expand reads (_all_), (TypeA, TypeB) or (val(x)).
func (p *parser) expand() (*Expand, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	e := &Expand{}
	for !p.accept(")") {
		if p.accept(",") {
			continue
		}
		t := p.next()
		switch {
		case t.kind == tName && strings.EqualFold(t.text, "val") && p.peek().is("("):
			v, err := p.bracketVar()
			if err != nil {
				return nil, err
			}
			e.Var = v
		case t.kind == tName && t.text == "_all_":
			e.All = true
		case t.kind == tName || t.kind == tIRI:
			e.Types = append(e.Types, t.text)
		default:
			return nil, p.failAt(t, "Expected _all_, val(x) or types in expand(). Got: %s", t.show())
		}
		if err := p.arg(); err != nil {
			return nil, err
		}
	}
	ways := 0
	for _, given := range []bool{e.All, e.Var != "", len(e.Types) > 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, p.failAt(p.peek(), "expand() takes _all_, one val(x) or a list of types")
	}
	return e, nil
}

// checkPwd reads (predicate, "text").
func (p *parser) checkPwd(f *Field) (err error) {
	f.Kind = CheckPwdField
	if err := p.expect("("); err != nil {
		return err
	}
	if f.Attr, err = p.attr(); err != nil {
		return err
	}
	if t := p.peek(); t.is(")") {
		return p.failAt(t, "Function 'checkpwd' requires 2 arguments, but got 1 ([%s])", f.Attr.Key())
	}
	if err := p.expect(","); err != nil {
		return err
	}
	if f.Password, err = p.literal("a password"); err != nil {
		return err
	}
	return p.expect(")")
}

// fieldTail reads arguments, directives and the body of a field. Arguments may stand in several brackets, before and behind directives.
func (p *parser) fieldTail(f *Field) error {
	seen := map[string]bool(nil) // the arguments so far
	for {
		var err error
		switch {
		case p.accept("("):
			if seen == nil {
				seen = map[string]bool{}
			}
			err = p.fieldArgs(f, seen)
		case p.accept("@"):
			err = p.fieldAt(f)
		default:
			return p.fieldBody(f)
		}
		if err != nil {
			return err
		}
	}
}

// fieldAt reads what stands behind an @: a directive, or languages.
func (p *parser) fieldAt(f *Field) error {
	ok, err := p.fieldDirective(f)
	if ok || err != nil {
		return err
	}
	if len(f.Attr.Langs) > 0 || f.Kind == ExpandField {
		return p.failAt(p.peek(), "Unknown directive [%s]", p.peek().show())
	}
	return p.langs(&f.Attr)
}

// fieldBody reads the fields below a field.
func (p *parser) fieldBody(f *Field) error {
	if f.Kind == CountField {
		if p.peek().is("{") {
			return p.failAt(p.peek(), "Cannot have children for attribute %s when asking for count", f.Attr.Name)
		}
		return nil
	}
	if !p.accept("{") {
		return nil
	}
	f.Braces = true
	var err error
	f.Fields, err = p.fields(context{group: len(f.GroupBy) > 0})
	return err
}

// fieldArgs reads (first: 1, orderasc: name) after the bracket. seen has the arguments of earlier brackets.
func (p *parser) fieldArgs(f *Field, seen map[string]bool) error {
	order := orderKeys{keys: f.Order}
	for !p.accept(")") {
		if p.accept(",") {
			continue
		}
		key := p.next()
		if key.kind != tName {
			return p.failAt(key, "Expecting argument name. Got: %s", key.show())
		}
		k := strings.ToLower(key.text)
		switch k {
		case "orderasc", "orderdesc", "first", "offset", "after":
		default:
			return p.failAt(key, "Got invalid keyword: %s at child", key.text)
		}
		if err := p.expectColon(key); err != nil {
			return err
		}
		if k == "orderasc" || k == "orderdesc" {
			if err := p.orderKey(&order, k == "orderdesc"); err != nil {
				return err
			}
			continue
		}
		if seen[k] {
			return p.failAt(key, "Repeated key %q at child", key.text)
		}
		seen[k] = true
		if err := p.pageArg(&f.Page, k); err != nil {
			return err
		}
	}
	f.Order = order.keys
	return nil
}

// checkField checks what the parts of a field say together.
func (p *parser) checkField(f *Field) error {
	fail := func(msg string) error { return &SyntaxError{Pos: f.Pos, Msg: msg} }
	switch f.Kind {
	case MathField:
		if f.Alias == "" && f.Var == "" {
			return fail("Function math should be used with a variable or have an alias")
		}
	case ExpandField:
		if f.Alias != "" {
			return fail("expand() cannot have an alias")
		}
		if f.Var != "" {
			return fail("expand() cannot define a variable")
		}
		if !onlyTypes(f.Filter) {
			return fail("expand is only compatible with type filters")
		}
	case PredicateField:
		if f.Braces && len(f.Attr.Langs) > 0 {
			return fail("Cannot have children for attr: " + f.Attr.Name + " with lang tags: " +
				strings.Join(f.Attr.Langs, ":"))
		}
		if len(f.GroupBy) > 0 && !f.Braces {
			return fail("@groupby needs a body with count(uid) or aggregates")
		}
	}
	return nil
}

// onlyTypes says whether a filter consists of type() alone.
func onlyTypes(f *Filter) bool {
	if f == nil {
		return true
	}
	if f.Op == FilterFunc {
		return f.Func.Name == "type"
	}
	for _, c := range f.Children {
		if !onlyTypes(c) {
			return false
		}
	}
	return true
}
