package dql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dragg/graph"
)

// blocks reads the root blocks up to the closing brace.
func (p *parser) blocks(doc *Document) error {
	for !p.accept("}") {
		if p.accept(",") {
			continue
		}
		if len(doc.Blocks) >= p.opts.Blocks {
			return &LimitError{What: "blocks", Limit: p.opts.Blocks}
		}
		b, err := p.block()
		if err != nil {
			return err
		}
		same := func(o *Block) bool { return o.Kind == ResultBlock && o.Alias == b.Alias }
		if b.Kind == ResultBlock && slices.ContainsFunc(doc.Blocks, same) {
			return &SyntaxError{Pos: b.Pos, Msg: fmt.Sprintf("Duplicate aliases not allowed: %s", b.Alias)}
		}
		doc.Blocks = append(doc.Blocks, b)
	}
	return nil
}

// block reads [v as] name(args) @directives { fields }.
func (p *parser) block() (*Block, error) {
	if err := p.node(); err != nil {
		return nil, err
	}
	name := p.next()
	b := &p.tree.blocks.Take(1)[0]
	b.Pos = name.pos
	if name.kind == tName && p.peek().isAs() {
		if err := p.define(name); err != nil {
			return nil, err
		}
		b.Var = name.text
		p.i++
		name = p.next()
	}
	if name.kind != tName && name.kind != tIRI {
		return nil, p.failAt(name, "Expected the name of a block. Got: %s", name.show())
	}
	b.Kind, b.Alias = ResultBlock, name.text
	switch {
	case name.kind == tIRI:
	case strings.EqualFold(name.text, "var"):
		b.Kind, b.Alias = VarBlock, ""
	case strings.EqualFold(name.text, "shortest"):
		b.Kind, b.Alias = ShortestBlock, ""
		b.Path = &Path{NumPaths: 1, Depth: -1}
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if err := p.blockArgs(b); err != nil {
		return nil, err
	}
	if err := p.blockDirectives(b); err != nil {
		return nil, err
	}
	if !p.accept("{") {
		return b, p.checkBlock(b, name)
	}
	var err error
	b.Fields, err = p.fields(context{empty: b.Func == nil && b.Path == nil, group: len(b.GroupBy) > 0})
	if err != nil {
		return nil, err
	}
	return b, p.checkBlock(b, name)
}

// checkBlock checks what the parts of a block say together.
func (p *parser) checkBlock(b *Block, name *token) error {
	if b.Path != nil && (b.Path.From.Kind == 0 || b.Path.To.Kind == 0) {
		return p.failAt(name, "from/to can't be nil for shortest path queries")
	}
	if b.Recurse == nil && b.Path == nil {
		return nil
	}
	for _, f := range b.Fields {
		switch {
		case f.Kind == ExpandField && b.Path != nil:
			return &SyntaxError{Pos: f.Pos, Msg: "expand() not allowed inside shortest"}
		case len(f.Fields) > 0 && f.Kind != ExpandField:
			return &SyntaxError{Pos: f.Pos, Msg: "Recurse and shortest queries require that all predicates are " +
				"specified in one level"}
		}
	}
	return nil
}

// blockArgs reads the arguments of a root block after the opening bracket.
func (p *parser) blockArgs(b *Block) error {
	seen := make([]string, 0, 8) // what else may stand here is an error
	var order orderKeys
	for !p.accept(")") {
		if p.accept(",") {
			continue
		}
		key := p.next()
		if key.kind != tName {
			return p.failAt(key, "Expecting argument name. Got: %s", key.show())
		}
		if err := p.expectColon(key); err != nil {
			return err
		}
		k := strings.ToLower(key.text)
		if k != "orderasc" && k != "orderdesc" {
			if slices.Contains(seen, k) && k == "func" {
				return p.failAt(key, "Only one function allowed at root")
			}
			if slices.Contains(seen, k) {
				return p.failAt(key, "Repeated key %q at root", key.text)
			}
			seen = append(seen, k)
		}
		if err := p.blockArg(b, key, k, &order); err != nil {
			return err
		}
	}
	b.Order = order.keys
	return nil
}

func (p *parser) expectColon(key *token) error {
	if p.accept(":") {
		return nil
	}
	return p.failAt(p.peek(), "Expected a colon after %s. Got: %s", key.text, p.peek().show())
}

func (p *parser) blockArg(b *Block, key *token, k string, order *orderKeys) (err error) {
	switch k {
	case "func":
		b.Func, err = p.function(true)
	case "orderasc", "orderdesc":
		err = p.orderKey(order, k == "orderdesc")
	case "first", "offset", "after":
		err = p.pageArg(&b.Page, k)
	case "from", "to", "numpaths", "minweight", "maxweight", "maxfrontiersize", "depth":
		if b.Path == nil {
			return p.failAt(key, "Got invalid keyword: %s at root", key.text)
		}
		err = p.pathArg(b.Path, k)
	default:
		err = p.failAt(key, "Got invalid keyword: %s at root", key.text)
	}
	return err
}

// pageArg reads the value of first, offset or after.
func (p *parser) pageArg(page *Page, key string) (err error) {
	switch key {
	case "first":
		page.First, err = p.number(key)
	case "offset":
		t := p.peek()
		page.Offset, err = p.number(key)
		if err == nil && page.Offset < 0 {
			err = p.failAt(t, "offset cannot be negative: %d", page.Offset)
		}
	case "after":
		t := p.peek()
		s, lerr := p.literal("a uid after after")
		if lerr != nil {
			return lerr
		}
		page.After, err = parseUID(t, s)
	}
	return err
}

func parseUID(t *token, s string) (graph.UID, error) {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return 0, &SyntaxError{Pos: t.pos, Msg: fmt.Sprintf("Expected a uid. Got: %s: %v", s, err), Err: err}
	}
	return graph.UID(n), nil
}

// pathArg reads the value of an argument of shortest.
func (p *parser) pathArg(path *Path, key string) (err error) {
	switch key {
	case "from":
		path.From, err = p.pathEnd()
	case "to":
		path.To, err = p.pathEnd()
	case "minweight":
		path.MinWeight, err = p.weight(key)
	case "maxweight":
		path.MaxWeight, err = p.weight(key)
	default:
		t := p.peek()
		n, nerr := p.number(key)
		if nerr != nil {
			return nerr
		}
		if n < 0 {
			return p.failAt(t, "%s cannot be negative: %d", key, n)
		}
		switch key {
		case "numpaths":
			path.NumPaths = max(n, 1)
		case "maxfrontiersize":
			path.MaxFrontier = n
		case "depth":
			path.Depth = n
		}
	}
	return err
}

func (p *parser) weight(key string) (*float64, error) {
	t := p.peek()
	s, err := p.literal("a value for ", key)
	if err != nil {
		return nil, err
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != f {
		return nil, p.failAt(t, "%s: %q is no number", key, s)
	}
	return &f, nil
}

// pathEnd reads 0x1, uid(v) or uid(0x1).
func (p *parser) pathEnd() (Arg, error) {
	t := p.peek()
	if t.kind != tName || !strings.EqualFold(t.text, "uid") {
		s, err := p.literal("a uid or uid(v)")
		if err != nil {
			return Arg{}, err
		}
		uid, err := parseUID(t, s)
		return Arg{Kind: UIDArg, UID: uid}, err
	}
	p.i++
	args, err := p.uidArgs()
	if err != nil {
		return Arg{}, err
	}
	if len(args) != 1 {
		return Arg{}, p.failAt(t, "from and to take one uid or one variable. Got: %d", len(args))
	}
	return args[0], nil
}

// orderKeys collects the sort keys of one level.
type orderKeys struct{ keys []Order }

// orderKey reads the key after orderasc: or orderdesc: (dql.md fact 38).
func (p *parser) orderKey(order *orderKeys, desc bool) error {
	t := p.peek()
	if t.is(")") || t.is(",") {
		return p.failAt(t, "Expecting argument name. Got: %s", t.show())
	}
	o := Order{Pos: t.pos, Desc: desc}
	if t.kind == tName && strings.EqualFold(t.text, "val") && p.peekAt(1).is("(") {
		p.i++
		v, err := p.bracketVar()
		if err != nil {
			return err
		}
		o.Var = v
	} else {
		attr, err := p.attr()
		if err != nil {
			return err
		}
		o.Attr = attr
	}
	if len(o.Attr.Langs) > 1 {
		return p.failAt(t, "Sorting by attribute: [%s] can only be done on one language", o.Attr.Name)
	}
	if len(o.Attr.Langs) == 1 && o.Attr.Langs[0] == "*" {
		return p.failAt(t, "Sorting by attribute: [%s] cannot be done on all languages", o.Attr.Name)
	}
	for _, k := range order.keys {
		if k.Var != "" || o.Var != "" {
			return p.failAt(t, "Val() is not allowed in multiple sorting. Got: [%s]", t.text)
		}
		if k.Attr.Name == o.Attr.Name && k.Attr.Reverse == o.Attr.Reverse {
			return p.failAt(t, "Sorting by an attribute: [%s] can only be done once", o.Attr.Name)
		}
	}
	if err := p.arg(); err != nil {
		return err
	}
	order.keys = append(order.keys, o)
	return nil
}

// bracketVar reads (x) and notes the use of x.
func (p *parser) bracketVar() (string, error) {
	if err := p.expect("("); err != nil {
		return "", err
	}
	t := p.next()
	if t.kind != tName {
		return "", p.failAt(t, "Expected a variable name. Got: %s", t.show())
	}
	p.use(t.text)
	return t.text, p.expect(")")
}

// attr reads ~name@lang:lang.
func (p *parser) attr() (Attr, error) {
	var a Attr
	a.Reverse = p.accept("~")
	t := p.next()
	if t.kind != tName && t.kind != tIRI {
		return a, p.failAt(t, "Expected a predicate. Got: %s", t.show())
	}
	a.Name = t.text
	if rest, ok := strings.CutPrefix(a.Name, "~"); ok && !a.Reverse {
		a.Name, a.Reverse = rest, true
	}
	if a.Name == "" || strings.HasPrefix(a.Name, "~") {
		return a, p.failAt(t, "Expected a predicate. Got: %s", t.show())
	}
	if len(a.Name) >= 1<<16 {
		return a, p.failAt(t, "Predicate name length cannot be bigger than 2^16")
	}
	if p.peek().is("@") && !isFieldDirective(p.peekAt(1)) {
		p.i++
		return a, p.langs(&a)
	}
	return a, nil
}

// isFieldDirective says whether the word after an @ is a directive and not a language.
func isFieldDirective(t *token) bool {
	if t.kind != tName {
		return false
	}
	switch strings.ToLower(t.text) {
	case "filter", "facets", "cascade", "normalize", "groupby":
		return true
	}
	return false
}

// langs reads en:fr:. after the @.
func (p *parser) langs(a *Attr) error {
	for {
		t := p.next()
		switch {
		case t.kind == tName || t.is("."):
		case t.is("*"):
			if len(a.Langs) > 0 || p.peek().is(":") {
				return p.failAt(t, "The language * stands alone")
			}
		default:
			return p.failAt(t, "Expected a language after %s@. Got: %s", a.Name, t.show())
		}
		if n := len(a.Langs); n > 0 && a.Langs[n-1] == "." {
			return p.failAt(t, "The language . can only be the last one")
		}
		if err := p.arg(); err != nil {
			return err
		}
		a.Langs = append(a.Langs, t.text)
		if !p.accept(":") {
			return nil
		}
	}
}
