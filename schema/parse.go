package schema

import (
	"fmt"
	"slices"
	"strconv"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema/tok"
)

// SyntaxError says why schema text is refused and where.
type SyntaxError struct {
	Line, Column int   // from 1; Column counts bytes
	Err          error // what is wrong
}

// Error returns the message with its place.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d column %d: %v", e.Line, e.Column, e.Err)
}

// Unwrap returns what is wrong.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Parse reads schema text: one predicate a line, type definitions with one field a line, comments from # on
// (dql.md 1.7). It checks every rule that needs no other definitions; Snapshot.Check checks the rest. The
// Update returned has Predicates and Types in the order of the text; the caller owns it. The error is a *SyntaxError.
func Parse(text string) (Update, error) {
	p := parser{lexer: newLexer(text), predicates: map[graph.Predicate]bool{}, types: map[string]bool{}}
	if err := p.all(); err != nil {
		return Update{}, &SyntaxError{Line: p.at.line, Column: p.at.column, Err: err}
	}
	return p.out, nil
}

// parser reads definitions off a lexer. Lines end with a newline item, so every rule sees where its line
// ends. An error is about the item that was scanned last, unless blame says otherwise.
type parser struct {
	*lexer
	out        Update
	predicates map[graph.Predicate]bool
	types      map[string]bool
}

// all reads the whole text.
func (p *parser) all() error {
	for {
		it, err := p.next()
		if err != nil {
			return err
		}
		switch it.kind {
		case itemEOF:
			return nil
		case itemNewline:
			continue
		}
		if err := p.definition(it); err != nil {
			return err
		}
	}
}

// blame returns err, which is about an item that was read before the last one.
func (p *parser) blame(it item, err error) error {
	if err != nil {
		p.at = it.at
	}
	return err
}

// definition reads a predicate or a type that starts with it.
func (p *parser) definition(it item) error {
	var space graph.Namespace
	if it.is("[") {
		var err error
		if space, err = p.namespace(); err != nil {
			return err
		}
		if it, err = p.next(); err != nil {
			return err
		}
	}
	if it.kind != itemName {
		return fmt.Errorf("expected a predicate, got %s", it)
	}
	if it.text == "type" {
		after, err := p.peek()
		if err != nil {
			return err
		}
		if after.kind == itemName {
			return p.typeDefinition()
		}
	}
	return p.predicate(space, it)
}

// namespace reads "0x1]".
func (p *parser) namespace() (graph.Namespace, error) {
	it, err := p.next()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(it.text, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("invalid namespace: %w", err)
	}
	if it, err = p.next(); err != nil {
		return 0, err
	}
	if !it.is("]") {
		return 0, fmt.Errorf("missing ] after namespace, got %s", it)
	}
	return graph.Namespace(n), nil
}

func (p *parser) predicate(space graph.Namespace, named item) error {
	name := graph.Predicate{Namespace: space, Name: named.text}
	it, err := p.next()
	if err != nil {
		return err
	}
	if !it.is(":") {
		return fmt.Errorf("missing colon after %s", name.Name)
	}
	if err := CheckName(name.Name); err != nil {
		return p.blame(named, err)
	}
	def := &Predicate{Name: name}
	if err := p.valueType(def); err != nil {
		return err
	}
	if err := p.directives(def); err != nil {
		return err
	}
	if err := checkDefinition(def); err != nil {
		return p.blame(named, err)
	}
	if p.predicates[name] {
		return p.blame(named, fmt.Errorf("predicate %s defined multiple times", name.Name))
	}
	p.predicates[name] = true
	p.out.Predicates = append(p.out.Predicates, def)
	return nil
}

// valueType reads "int" or "[int]".
func (p *parser) valueType(def *Predicate) error {
	it, err := p.next()
	if err != nil {
		return err
	}
	if it.is("[") {
		def.List = true
		if it, err = p.next(); err != nil {
			return err
		}
	}
	if it.kind != itemName {
		return fmt.Errorf("missing Type for predicate %s", def.Name.Name)
	}
	typ, ok := types.Named(it.text)
	if !ok {
		return fmt.Errorf("undefined Type %s", it.text)
	}
	def.Type = typ
	if !def.List {
		return nil
	}
	if !listable(typ) {
		//lint:ignore ST1005 clients know this text, full stop included
		return fmt.Errorf("unsupported type for list: [%s].", typ)
	}
	if it, err = p.next(); err != nil {
		return err
	}
	if !it.is("]") {
		return fmt.Errorf("unclosed [ while parsing schema for: %s", def.Name.Name)
	}
	return nil
}

// directives reads up to and including the dot and the end of the line.
func (p *parser) directives(def *Predicate) error {
	for {
		it, err := p.next()
		if err != nil {
			return err
		}
		switch {
		case it.is("."):
			return p.lineEnd()
		case !it.is("@"):
			return fmt.Errorf("invalid ending of %s: expected a directive or a dot, got %s", def.Name.Name, it)
		}
		if it, err = p.next(); err != nil {
			return err
		}
		if err := p.directive(def, it.text); err != nil {
			return err
		}
	}
}

func (p *parser) directive(def *Predicate, word string) error {
	switch word {
	case "index":
		return p.index(def)
	case "reverse":
		if !def.IsUID() {
			return fmt.Errorf("cannot reverse for non-UID type: %s", def.Name.Name)
		}
		def.Reverse = true
	case "lang":
		if def.Type != types.String || def.List {
			return fmt.Errorf("@lang directive can only be specified for string type: %s", def.Name.Name)
		}
		def.Lang = true
	case "count":
		def.Count = true
	case "upsert":
		def.Upsert = true
	case "unique":
		def.Unique = true
	case "noconflict":
		def.NoConflict = true
	default:
		return fmt.Errorf("invalid index specification: @%s", word)
	}
	return nil
}

func (p *parser) lineEnd() error {
	it, err := p.next()
	if err != nil {
		return err
	}
	if it.kind != itemNewline && it.kind != itemEOF {
		return fmt.Errorf("invalid ending: expected a new line, got %s", it)
	}
	return nil
}

// index reads "(exact, term)".
func (p *parser) index(def *Predicate) error {
	if def.IsUID() || def.Type == types.Password || def.Type == types.Default || def.Type == types.Binary {
		return fmt.Errorf("indexing not allowed on predicate %s of type %s", def.Name.Name, def.Type)
	}
	it, err := p.peek()
	if err != nil {
		return err
	}
	if !it.is("(") {
		return fmt.Errorf("require type of tokenizer for pred: %s for indexing", def.Name.Name)
	}
	for {
		// The opening parenthesis or the comma.
		if _, err := p.next(); err != nil {
			return err
		}
		if it, err = p.next(); err != nil {
			return err
		}
		if it.kind != itemName {
			return fmt.Errorf("expected token or VectorFactory name, but found '%s'", it)
		}
		if err := p.tokenizer(def, it.text); err != nil {
			return err
		}
		if last, err := p.closed(); last || err != nil {
			return err
		}
	}
}

// closed says whether a list in parentheses ends here, and passes its end. A comma is left to the caller.
func (p *parser) closed() (bool, error) {
	it, err := p.peek()
	switch {
	case err != nil:
		return false, err
	case it.is(")"):
		_, err := p.next()
		return true, err
	case !it.is(","):
		return false, fmt.Errorf("expected ',' or ')' but found '%s'", it)
	}
	return false, nil
}

func (p *parser) tokenizer(def *Predicate, name string) error {
	if name == hnsw {
		return p.vectorIndex(def)
	}
	t, ok := tok.Lookup(name)
	if !ok {
		return fmt.Errorf("invalid tokenizer %s", name)
	}
	if t.Type() != def.Type {
		return fmt.Errorf("tokenizer: %s isn't valid for predicate: %s of type: %s", name, def.Name.Name, def.Type)
	}
	for _, u := range def.Index {
		if sameTokenizer(t, u) {
			return fmt.Errorf("duplicate tokenizers defined for pred %s", def.Name.Name)
		}
		if t.Sortable() && u.Sortable() {
			return fmt.Errorf("only one index tokenizer can be sortable for pred %s: %s or %s",
				def.Name.Name, u.Name(), name)
		}
	}
	def.Index = append(def.Index, t)
	return nil
}

// typeDefinition reads what follows the word type.
func (p *parser) typeDefinition() error {
	named, err := p.next()
	if err != nil {
		return err
	}
	def := &Type{Name: named.text}
	it, err := p.next()
	if err != nil {
		return err
	}
	if !it.is("{") {
		return fmt.Errorf("expected { after type %s, got %s", def.Name, it)
	}
	if err := CheckName(def.Name); err != nil {
		return p.blame(named, err)
	}
	if err := p.fields(def); err != nil {
		return err
	}
	if p.types[def.Name] {
		return p.blame(named, fmt.Errorf("type %s defined multiple times", def.Name))
	}
	p.types[def.Name] = true
	p.out.Types = append(p.out.Types, def)
	return p.lineEnd()
}

// fields reads the body of a type up to its closing brace.
func (p *parser) fields(def *Type) error {
	seen := map[string]bool{}
	for {
		it, err := p.next()
		if err != nil {
			return err
		}
		switch {
		case it.kind == itemNewline:
			continue
		case it.is("}"):
			return nil
		case it.kind != itemName:
			return fmt.Errorf("missing colon in type declaration. Got %s", it)
		case seen[it.text]:
			return fmt.Errorf("duplicate fields with name: %s", it.text)
		}
		seen[it.text] = true
		def.Fields = append(def.Fields, it.text)
		if err := p.fieldEnd(); err != nil {
			return err
		}
	}
}

// fieldEnd reads up to the end of a field's line. The old form with the field's type is read and forgotten:
// the type of a field is its predicate's.
func (p *parser) fieldEnd() error {
	it, err := p.peek()
	if err != nil {
		return err
	}
	if it.is("}") || it.kind == itemNewline {
		return nil
	}
	if !it.is(":") {
		return fmt.Errorf("missing colon in type declaration. Got %s", it)
	}
	for {
		if it, err = p.peek(); err != nil {
			return err
		}
		if it.kind == itemNewline || it.kind == itemEOF || it.is("}") {
			return nil
		}
		if it.kind != itemName && !slices.Contains([]string{":", "[", "]", "!"}, it.text) {
			return fmt.Errorf("unexpected %s in the type of a field", it)
		}
		if _, err := p.next(); err != nil {
			return err
		}
	}
}
