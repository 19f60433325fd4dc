package nquad

import (
	"fmt"
	"strings"

	"dragg/graph/types"
)

// Error is a statement that cannot be read.
type Error struct {
	Line, Column int // from 1; Column counts bytes
	Text         string
}

// Error names the place and what is wrong there.
func (e *Error) Error() string {
	return fmt.Sprintf("while lexing N-Quads at line %d column %d: %s", e.Line, e.Column, e.Text)
}

// ReadRDF reads a document of N-Quads, one statement a line. The quads share no memory with text, but with one another.
func ReadRDF(text []byte) ([]Quad, error) {
	if len(text) == 0 {
		return nil, nil
	}
	lines := strings.TrimSuffix(string(text), "\n")
	quads := make([]Quad, 0, strings.Count(lines, "\n")+1)
	for n := 1; lines != ""; n++ {
		var line string
		line, lines, _ = strings.Cut(lines, "\n")
		q, ok, err := readLine(line)
		if err != nil {
			err.Line = n
			return nil, err
		}
		if ok {
			quads = append(quads, q)
		}
	}
	return quads, nil
}

// ReadLine reads one line, without its line break. It returns false for a line that holds no statement. The error has Line 1. The quad
// shares no memory with line.
func ReadLine(line []byte) (q Quad, ok bool, err *Error) { return readLine(string(line)) }

func readLine(line string) (q Quad, ok bool, err *Error) {
	s := scanner{text: line}
	s.blanks()
	if s.atEnd() {
		return Quad{}, false, nil
	}
	s.statement(&q)
	if s.failed != nil {
		return Quad{}, false, s.failed
	}
	return q, true, nil
}

// scanner reads one line. After the first failure every step is a no-op.
type scanner struct {
	text   string
	pos    int
	failed *Error
}

func (s *scanner) fail(format string, args ...any) {
	if s.failed == nil {
		s.failed = &Error{Line: 1, Column: s.pos + 1, Text: fmt.Sprintf(format, args...)}
		s.pos = len(s.text)
	}
}

// What wrong expects in each place of a statement.
const (
	wantSubject   = "a subject (<0x2a>, _:name or uid(v))"
	wantPredicate = "a predicate in angle brackets"
	wantObject    = "an object (a value in double quotes, <0x2a>, _:name, uid(v) or val(v))"
	wantDot       = "a dot"
)

// wrong fails at the current character, where something else was wanted.
func (s *scanner) wrong(want string) {
	if s.pos >= len(s.text) {
		s.fail("invalid end of input. A statement ends with a dot")
		return
	}
	s.fail("Invalid input: %c where %s belongs", s.rune(), want)
}

func (s *scanner) rune() rune {
	for _, r := range s.text[s.pos:] {
		return r
	}
	return 0
}

// peek returns the current byte, 0 at the end of the line.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) blanks() {
	for s.pos < len(s.text) && (s.text[s.pos] == ' ' || s.text[s.pos] == '\t' || s.text[s.pos] == '\r') {
		s.pos++
	}
}

// atEnd reports whether only a comment is left.
func (s *scanner) atEnd() bool { return s.pos >= len(s.text) || s.text[s.pos] == '#' }

// take skips the word if it is next.
func (s *scanner) take(word string) bool {
	if strings.HasPrefix(s.text[s.pos:], word) {
		s.pos += len(word)
		return true
	}
	return false
}

// statement reads subject, predicate, object, label, facets and the dot.
func (s *scanner) statement(q *Quad) {
	q.Subject = s.subject()
	s.blanks()
	s.predicate(q)
	s.blanks()
	s.object(q)
	s.blanks()
	if c := s.peek(); c == '<' || c == '_' {
		s.label()
		s.blanks()
	}
	if s.peek() == '(' {
		s.facets(q)
		s.blanks()
	}
	switch {
	case s.failed != nil:
		return
	case s.peek() == '"':
		s.fail("Invalid quote for non-object.")
	case !s.take("."):
		s.wrong(wantDot)
	}
	s.blanks()
	if s.failed == nil && !s.atEnd() {
		s.fail("invalid end of input. Only one statement may stand on a line, found %q after the dot", s.text[s.pos:])
	}
	if s.failed == nil && (q.Predicate == "" || q.Subject.Kind == Named && q.Subject.Name == "" ||
		q.Object.Kind == Named && q.Object.Name == "" ||
		q.Subject.Kind == Blank && q.Subject.Name == "" || q.Object.Kind == Blank && q.Object.Name == "") {
		s.fail("empty required fields in NQuad")
	}
}

func (s *scanner) subject() Node {
	switch s.peek() {
	case '<':
		return bracketed(s.iri())
	case '_':
		return Node{Blank, s.blankName()}
	case '*':
		s.pos++
		return Node{Kind: Star}
	case 'u':
		if s.take("uid") {
			return Node{Variable, s.variable()}
		}
	case '"':
		s.fail("Invalid quote for non-object.")
	}
	s.wrong(wantSubject)
	return Node{}
}

// bracketed returns the node that <text> names: <0x2a> or, as exports write them, <_:name>.
func bracketed(text string) Node {
	if name, blank := strings.CutPrefix(text, "_:"); blank {
		return Node{Blank, name}
	}
	return Node{Named, text}
}

func (s *scanner) predicate(q *Quad) {
	switch s.peek() {
	case '<':
		q.Predicate = s.iri()
		if name, lang, tagged := strings.Cut(q.Predicate, "@"); tagged && isLang(lang) {
			q.Predicate, q.Lang = name, lang
		}
	case '*':
		s.pos++
		q.Predicate, q.StarPredicate = "*", true
	case '"':
		s.fail("Invalid quote for non-object.")
	case '_':
		s.fail("Invalid character '_' in predicate: a blank node cannot be one")
	case '.':
		s.fail("invalid end of input. The predicate and the object are missing")
	default:
		s.wrong(wantPredicate)
	}
}

func (s *scanner) object(q *Quad) {
	switch s.peek() {
	case '<':
		q.Object = bracketed(s.iri())
	case '_':
		q.Object = Node{Blank, s.blankName()}
	case '*':
		s.pos++
		q.Object = Node{Kind: Star}
	case '"':
		s.literal(q)
	case '.':
		s.fail("invalid end of input. The object is missing")
	case 'u':
		if s.take("uid") {
			q.Object = Node{Variable, s.variable()}
			return
		}
		s.wrong(wantObject)
	case 'v':
		if s.take("val") {
			q.ValueOf = s.variable()
			return
		}
		s.wrong(wantObject)
	default:
		s.wrong(wantObject)
	}
}

// label reads the name of a graph, which says nothing here.
func (s *scanner) label() {
	if s.peek() == '<' {
		s.iri()
		return
	}
	s.blankName()
}

// iri reads <text> and returns the text.
func (s *scanner) iri() string {
	start := s.pos + 1
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '>':
			s.pos = i + 1
			return s.unescaped(s.text[start:i])
		case c <= ' ' || c == '<' || c == '"' || c == '{' || c == '}' || c == '|' || c == '^' || c == '`':
			s.pos = i
			s.fail("Unexpected character '%c' while parsing IRI", c)
			return ""
		}
	}
	s.pos = len(s.text)
	s.fail("Unexpected end of line while parsing IRI")
	return ""
}

// unescaped resolves \u escapes of an IRI.
func (s *scanner) unescaped(iri string) string {
	if strings.IndexByte(iri, '\\') < 0 {
		return iri
	}
	out, err := unescape(iri)
	if err != "" {
		s.fail("%s", err)
	}
	return out
}

// blankName reads _:name and returns the name.
func (s *scanner) blankName() string {
	if !s.take("_:") {
		s.fail("Invalid input: _")
		return ""
	}
	start := s.pos
	for i, r := range s.text[start:] {
		if isBlankRune(r, i == 0) {
			s.pos = start + i + len(string(r))
			continue
		}
		break
	}
	name := strings.TrimRight(s.text[start:s.pos], ".")
	s.pos = start + len(name)
	if name == "" {
		s.fail("Expected the name of a blank node after _: , Got '%c'", s.rune())
	}
	return name
}

func isBlankRune(r rune, first bool) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == ':':
		return true
	case r >= 0x80 && r != '�':
		return true
	}
	return !first && (r == '-' || r == '.')
}

// variable reads (name).
func (s *scanner) variable() string {
	s.blanks()
	if !s.take("(") {
		s.fail("Expected ( after uid or val")
		return ""
	}
	end := strings.IndexByte(s.text[s.pos:], ')')
	if end < 0 {
		s.fail("Expected ) after the variable")
		return ""
	}
	name := strings.TrimSpace(s.text[s.pos : s.pos+end])
	if name == "" || strings.ContainsAny(name, " \t(,\"<") {
		s.fail("Expected one variable between the brackets, found %q", name)
		return ""
	}
	s.pos += end + 1
	return name
}

// literal reads "text", "text"@lang or "text"^^<type>.
func (s *scanner) literal(q *Quad) {
	text := s.quoted()
	switch {
	case s.failed != nil:
	case s.take("@"):
		q.Lang = s.lang()
		q.Value = types.OfDefault(text)
	case s.take("^^"):
		s.typed(q, text)
	case s.peek() == '^':
		s.fail("Expected ^^ before the type of a literal")
	default:
		q.Value = types.OfDefault(text)
	}
}

func (s *scanner) typed(q *Quad, text string) {
	if s.peek() != '<' {
		s.fail("Expected < of a type after ^^")
		return
	}
	name := s.iri()
	if s.failed != nil {
		return
	}
	id, ok := typeOf(name)
	if !ok {
		s.fail("unrecognized rdf type %s", name)
		return
	}
	if id == types.Password {
		q.Value = types.OfPassword(text)
		return
	}
	v, err := types.Parse(text, id)
	if err != nil {
		s.fail("%s", err)
	}
	q.Value = v
}

// lang reads a language tag: a letter, then letters, digits and dashes.
func (s *scanner) lang() string {
	start := s.pos
	for s.pos < len(s.text) && isLangByte(s.text[s.pos], s.pos == start) {
		s.pos++
	}
	if s.pos == start {
		r := s.rune()
		if r == 0 {
			r = ' '
		}
		s.fail("Invalid language tag prefix: '%c'", r)
	}
	return s.text[start:s.pos]
}

func isLangByte(c byte, first bool) bool {
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
		return true
	}
	return !first && (c >= '0' && c <= '9' || c == '-')
}

// isLang reports whether tag is a language tag.
func isLang(tag string) bool {
	for i := range len(tag) {
		if !isLangByte(tag[i], i == 0) {
			return false
		}
	}
	return tag != ""
}
