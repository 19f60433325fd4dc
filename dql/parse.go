package dql

import (
	"fmt"
	"strings"
	"sync"
)

// Parse reads a query document. vars are the values of its query variables, by name with the $; nil for none.
// The error is a *SyntaxError, a *LimitError or ErrEmpty.
func Parse(text string, vars map[string]string) (*Document, error) {
	return ParseWith(text, vars, nil, Options{})
}

// ParseWithUses is Parse for the query of a mutation: uses are the variables that the mutation and its
// conditions use, which count as used and must be defined.
func ParseWithUses(text string, vars map[string]string, uses []string) (*Document, error) {
	return ParseWith(text, vars, uses, Options{})
}

// ParseWith is ParseWithUses with bounds other than the default ones.
func ParseWith(text string, vars map[string]string, uses []string, opts Options) (*Document, error) {
	p, err := newParser(text, opts)
	if err != nil {
		return nil, err
	}
	defer p.free()
	if p.peek().kind == tEOF {
		return nil, ErrEmpty
	}
	p.given, p.tree = vars, trees.Get().(*tree)
	doc, err := p.document()
	if err == nil && doc.Schema == nil {
		for _, v := range uses {
			p.use(v)
		}
		err = p.checkVars()
	}
	if err != nil {
		p.tree.free()
		return nil, err
	}
	doc.tree = p.tree
	return doc, nil
}

// parser reads tokens by recursive descent.
type parser struct {
	toks  []token
	i     int
	opts  Options
	depth int
	nodes int
	args  int

	given     map[string]string // values of query variables by the caller
	params    map[string]string // values of the declared query variables
	fragments map[string]int    // index of the { of each fragment
	open      []string          // fragments that are being expanded

	defined map[string]bool
	used    map[string]bool

	// read are the fields of the bodies that are open, siblings together.
	read []*Field
	tree *tree // what the document is made of
}

// parsers are those that wait for a text: the memory for the tokens outweighs what a small query is parsed to.
var parsers = sync.Pool{New: func() any { return &parser{} }}

// keptTokens is for how many tokens, and fields, a parser keeps the memory.
const keptTokens = 1024

// newParser returns a parser at the first token of a text. Its user frees it.
func newParser(text string, opts Options) (*parser, error) {
	opts = opts.withDefaults()
	if len(text) > opts.TextBytes {
		return nil, &LimitError{What: "bytes", Limit: opts.TextBytes}
	}
	p := parsers.Get().(*parser)
	p.opts = opts
	var err error
	if p.toks, err = lex(p.toks, text); err != nil {
		p.free()
		return nil, err
	}
	return p, nil
}

// free gives a parser back. What it read stays as it is, and is not kept alive by it.
func (p *parser) free() {
	if max(cap(p.toks), cap(p.read)) > keptTokens {
		return
	}
	clear(p.toks)
	clear(p.read)
	*p = parser{toks: p.toks[:0], read: p.read[:0]}
	parsers.Put(p)
}

func (p *parser) peek() *token { return &p.toks[p.i] }

// peekAt returns the token n places ahead.
func (p *parser) peekAt(n int) *token {
	return &p.toks[min(p.i+n, len(p.toks)-1)]
}

func (p *parser) next() *token {
	t := &p.toks[p.i]
	if t.kind != tEOF {
		p.i++
	}
	return t
}

// accept passes the punctuation s if it is next.
func (p *parser) accept(s string) bool {
	if p.peek().is(s) {
		p.i++
		return true
	}
	return false
}

func (p *parser) failAt(t *token, format string, args ...any) error {
	return &SyntaxError{Pos: t.pos, Msg: fmt.Sprintf(format, args...)}
}

func (p *parser) expect(s string) error {
	if p.accept(s) {
		return nil
	}
	t := p.peek()
	switch s {
	case "(":
		return p.failAt(t, "Expected Left round brackets. Got: %s", t.show())
	case ")":
		return p.failAt(t, "Expected Right round brackets. Got: %s", t.show())
	}
	return p.failAt(t, "Expected %q. Got: %s", s, t.show())
}

// enter goes one level deeper; every enter has a leave.
func (p *parser) enter() error {
	p.depth++
	if p.depth > p.opts.Depth {
		return &LimitError{What: "levels of nesting", Limit: p.opts.Depth}
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// node counts one node of the tree.
func (p *parser) node() error {
	p.nodes++
	if p.nodes > p.opts.Nodes {
		return &LimitError{What: "fields, functions and operators", Limit: p.opts.Nodes}
	}
	return nil
}

// arg counts one argument.
func (p *parser) arg() error {
	p.args++
	if p.args > p.opts.Args {
		return &LimitError{What: "arguments", Limit: p.opts.Args}
	}
	return nil
}

// document reads the top level.
func (p *parser) document() (*Document, error) {
	if t := p.peek(); t.kind == tName && t.text == "schema" {
		return p.schemaQuery()
	}
	body, doc, err := p.topLevel()
	if err != nil {
		return nil, err
	}
	if body < 0 {
		return nil, p.failAt(p.peek(), "Expected a query block. Got: %s", p.peek().show())
	}
	for name := range p.given {
		if _, ok := p.params[name]; !ok {
			return nil, &SyntaxError{Msg: fmt.Sprintf("Type of variable %s not specified", name)}
		}
	}
	p.i = body + 1
	if t := p.peek(); t.kind == tName && (t.text == "set" || t.text == "delete") && p.peekAt(1).is("{") {
		return nil, p.failAt(t, "Mutation block no longer allowed inside a query. Got: %s", t.text)
	}
	if err := p.blocks(doc); err != nil {
		return nil, err
	}
	return doc, nil
}

// topLevel passes over the text, notes where fragments are and returns the index of the query's opening
// brace, or -1.
func (p *parser) topLevel() (body int, doc *Document, err error) {
	body, doc = -1, p.tree.document()
	for {
		t := p.next()
		switch {
		case t.kind == tEOF:
			return body, doc, nil
		case t.is("{") || t.kind == tName && strings.EqualFold(t.text, "query"):
			if body >= 0 {
				return 0, nil, p.failAt(t, "Only one query block allowed in a request")
			}
			if !t.is("{") {
				if err := p.queryHead(doc); err != nil {
					return 0, nil, err
				}
				if err := p.expect("{"); err != nil {
					return 0, nil, err
				}
			}
			body = p.i - 1
			p.skipBraces()
		case t.kind == tName && t.text == "fragment":
			name := p.next()
			if name.kind != tName {
				return 0, nil, p.failAt(name, "Expected the name of a fragment. Got: %s", name.show())
			}
			if _, ok := p.fragments[name.text]; ok {
				return 0, nil, p.failAt(name, "Fragment %s defined more than once", name.text)
			}
			if p.fragments == nil {
				p.fragments = map[string]int{}
			}
			p.fragments[name.text] = p.i
			if err := p.expect("{"); err != nil {
				return 0, nil, err
			}
			p.skipBraces()
		case t.kind == tName && t.text == "mutation":
			return 0, nil, p.failAt(t, "Mutation block no longer allowed inside a query")
		case t.kind == tName && t.text == "schema":
			return 0, nil, p.failAt(t, "A schema block cannot follow a query block")
		default:
			return 0, nil, p.failAt(t, "Unexpected %s at the top level: expected query, fragment, schema or {",
				t.show())
		}
	}
}

// skipBraces passes everything up to the brace that closes the one just read. The lexer has checked that
// they match.
func (p *parser) skipBraces() {
	for level := 1; level > 0; {
		switch t := p.next(); {
		case t.kind == tEOF:
			return
		case t.is("{"):
			level++
		case t.is("}"):
			level--
		}
	}
}

// use notes that a variable is used.
func (p *parser) use(name string) {
	if p.used == nil {
		p.used = map[string]bool{}
	}
	p.used[name] = true
}

// define notes that a variable is defined.
func (p *parser) define(t *token) error {
	if p.defined[t.text] {
		return p.failAt(t, "Variable %s declared multiple times", t.text)
	}
	if len(p.defined) >= p.opts.Vars {
		return &LimitError{What: "variables", Limit: p.opts.Vars}
	}
	if p.defined == nil {
		p.defined = map[string]bool{}
	}
	p.defined[t.text] = true
	return nil
}

// checkVars compares the variables that are defined with those that are used (dql.md fact 34).
func (p *parser) checkVars() error {
	differ := func(a, b map[string]bool) bool {
		for v := range a {
			if !b[v] {
				return true
			}
		}
		return false
	}
	what := ""
	switch {
	case differ(p.defined, p.used):
		what = "defined but not used"
	case differ(p.used, p.defined):
		what = "used but not defined"
	default:
		return nil
	}
	return &SyntaxError{Msg: fmt.Sprintf("Some variables are %s\nDefined:%v\nUsed:%v", what, sorted(p.defined), sorted(p.used))}
}
