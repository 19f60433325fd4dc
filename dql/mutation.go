package dql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Request is a document that changes data: an upsert block, or a list of set and delete blocks.
type Request struct {
	// Query is the text of the query with its fragments, for ParseWithUses; empty where the document has
	// none. Other parts of a small document are blanked out, so that the blocks know their places in it.
	Query string
	// QueryFrom is where Query stands in the document.
	QueryFrom Origin
	// Mutations are the changes, in the order of the text; at least one.
	Mutations []Mutation
}

// Mutation is one block of changes.
type Mutation struct {
	// Cond is the text of the condition with its @if, for ParseCond; empty for none.
	Cond string
	// Set and Del are N-Quads as they stand in the text; nil for none.
	Set, Del []byte
	// CondFrom, SetFrom and DelFrom are where these stand in the document.
	CondFrom, SetFrom, DelFrom Origin
}

// IsMutation says whether the text reads as a document for ParseMutationDoc rather than as a query.
func IsMutation(text string) bool {
	d := newDocScanner(text)
	switch d.word() {
	case "upsert":
		return d.peekByte() == '{'
	case "":
		if !d.acceptByte('{') {
			return false
		}
		w := d.word()
		return (w == "set" || w == "delete") && d.peekByte() == '{'
	}
	return false
}

// ParseMutationDoc reads a document of one of the forms
//
//	upsert { query { ... } fragment name { ... } mutation @if(...) { set { N-Quads } delete { N-Quads } } ... }
//	{ set { N-Quads } delete { N-Quads } ... }
//
// It neither reads the query nor the N-Quads. The error is a *SyntaxError or ErrEmpty.
func ParseMutationDoc(text string) (*Request, error) {
	return newDocScanner(text).document()
}

// docScanner walks over a document whose bodies it does not understand: it only knows where strings, names
// in angle brackets, regular expressions and comments end.
type docScanner struct {
	text string
	off  int
	// counted is how much of the text place has seen; line and lineStart are those of there.
	counted, line, lineStart int
}

func newDocScanner(text string) *docScanner { return &docScanner{text: text, line: 1} }

// place returns where an offset is. Offsets come in ascending order, so that the text is counted once.
func (d *docScanner) place(off int) Pos {
	passed := d.text[d.counted:off]
	if i := strings.LastIndexByte(passed, '\n'); i >= 0 {
		d.line += strings.Count(passed, "\n")
		d.lineStart = d.counted + i + 1
	}
	d.counted = off
	return Pos{Line: d.line, Col: off - d.lineStart + 1}
}

// document reads the whole text.
func (d *docScanner) document() (*Request, error) {
	d.skipSpace()
	if d.off == len(d.text) {
		return nil, ErrEmpty
	}
	r := &Request{}
	var err error
	switch w := d.word(); w {
	case "upsert":
		err = d.upsert(r)
	case "":
		r.Mutations = make([]Mutation, 1)
		err = d.changes(&r.Mutations[0])
	default:
		err = d.fail("Unexpected %s: expected upsert { or { set { ... } }", w)
	}
	if err != nil {
		return nil, err
	}
	d.skipSpace()
	if d.off < len(d.text) {
		return nil, d.fail("Unexpected text after the closing brace")
	}
	return r, nil
}

func (d *docScanner) fail(format string, args ...any) error {
	return &SyntaxError{Pos: d.place(min(d.off, len(d.text))), Msg: fmt.Sprintf(format, args...)}
}

func (d *docScanner) skipSpace() {
	for d.off < len(d.text) {
		switch d.text[d.off] {
		case ' ', '\t', '\r', '\n':
			d.off++
		case '#':
			d.skipComment()
		default:
			return
		}
	}
}

func (d *docScanner) skipComment() {
	if i := strings.IndexByte(d.text[d.off:], '\n'); i >= 0 {
		d.off += i
		return
	}
	d.off = len(d.text)
}

// word passes white space and a word of ASCII letters, and returns the word; empty where there is none.
func (d *docScanner) word() string {
	d.skipSpace()
	start := d.off
	for d.off < len(d.text) && isLetter(d.text[d.off]) {
		d.off++
	}
	return d.text[start:d.off]
}

// peekByte returns the next byte after white space; 0 at the end.
func (d *docScanner) peekByte() byte {
	d.skipSpace()
	if d.off < len(d.text) {
		return d.text[d.off]
	}
	return 0
}

func (d *docScanner) acceptByte(c byte) bool {
	if d.peekByte() != c || d.off == len(d.text) {
		return false
	}
	d.off++
	return true
}

func (d *docScanner) expectByte(c byte) error {
	if d.acceptByte(c) {
		return nil
	}
	if d.off == len(d.text) {
		return d.fail("Expected %q. Got: end of input", c)
	}
	r, _ := utf8.DecodeRuneInString(d.text[d.off:])
	return d.fail("Expected %q. Got: %q", c, r)
}

// upsert reads the parts of an upsert block.
func (d *docScanner) upsert(r *Request) error {
	if err := d.expectByte('{'); err != nil {
		return err
	}
	var parts []span // the query and its fragments
	queries := 0
	for !d.acceptByte('}') {
		d.skipSpace()
		start := d.off
		switch w := d.word(); w {
		case "query", "fragment":
			if w == "query" {
				queries++
			}
			if queries > 1 {
				return d.fail("Multiple query ops inside upsert block")
			}
			at := d.place(start)
			if err := d.queryPart(); err != nil {
				return err
			}
			parts = append(parts, span{start, d.off, at})
		case "mutation":
			m, err := d.mutation()
			if err != nil {
				return err
			}
			r.Mutations = append(r.Mutations, m)
		case "":
			if d.off == len(d.text) {
				return d.fail("Unclosed upsert block")
			}
			return d.fail("Unexpected %q inside upsert block", d.text[d.off])
		default:
			return d.fail("Unexpected %s inside upsert block: expected query, fragment or mutation", w)
		}
	}
	switch {
	case queries == 0:
		return d.fail("Query op not found in upsert block")
	case len(r.Mutations) == 0:
		return d.fail("Empty mutation block: no mutation op in upsert block")
	}
	r.Query, r.QueryFrom = cutOut(d.text, parts)
	return nil
}

// span is a part of a document.
type span struct {
	start, end int
	at         Pos // of start
}

// keepPlaces is the size up to which the other parts of a document are blanked out instead of dropped.
const keepPlaces = 64 << 10

// cutOut returns the given parts of text with what is between them blanked out, and where they stand in it.
func cutOut(text string, parts []span) (string, Origin) {
	from := Origin{document: text}
	var b strings.Builder
	if len(text) > keepPlaces {
		for i, part := range parts {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(text[part.start:part.end])
			from.extend(part.at, text[part.start:part.end])
		}
		return b.String(), from
	}
	at := 0
	for _, part := range parts {
		for _, c := range []byte(text[at:part.start]) {
			if c != '\n' {
				c = ' '
			}
			b.WriteByte(c)
		}
		b.WriteString(text[part.start:part.end])
		at = part.end
	}
	from.extend(Pos{Line: 1, Col: 1}, b.String())
	return b.String(), from
}

// queryPart passes a query or fragment from its keyword to its closing brace.
func (d *docScanner) queryPart() error {
	for level := 0; d.off < len(d.text); d.off++ {
		switch d.text[d.off] {
		case '"':
			d.off = skipString(d.text, d.off)
		case '#':
			d.skipComment()
			d.off--
		case '<':
			d.skipName()
		case '/':
			d.skipRegexp()
		case '{':
			level++
		case '}':
			level--
			if level <= 0 {
				d.off++
				return nil
			}
		}
	}
	d.off = len(d.text)
	return d.fail("Unclosed action: the query of the upsert block does not end")
}

// skipName passes <...> if that is what the current character opens; else it may be less-than.
func (d *docScanner) skipName() {
	if i := strings.IndexAny(d.text[d.off+1:], "> \t\r\n\"<"); i >= 0 && d.text[d.off+1+i] == '>' {
		d.off += 1 + i
	}
}

// skipRegexp passes a regular expression; a slash that follows an operand divides.
func (d *docScanner) skipRegexp() {
	before := strings.TrimRight(d.text[:d.off], " \t\r\n")
	if before == "" || before[len(before)-1] != ',' && before[len(before)-1] != '(' {
		return
	}
	for i := d.off + 1; i < len(d.text) && d.text[i] != '\n'; i++ {
		switch d.text[i] {
		case '\\':
			i++
		case '/':
			d.off = i
			return
		}
	}
}

// mutation reads @if(...) { set { } delete { } } after its keyword.
func (d *docScanner) mutation() (Mutation, error) {
	var m Mutation
	if d.peekByte() == '@' {
		start := d.off
		d.off++
		if w := d.word(); w != "if" {
			return m, d.fail("Expected @if, found [@%s]", w)
		}
		end := -1
		if d.peekByte() == '(' {
			end = matchBracket(d.text, d.off)
		}
		if end < 0 {
			return m, d.fail("Matching brackets not found")
		}
		d.off = end + 1
		m.Cond, m.CondFrom.document = d.text[start:d.off], d.text
		m.CondFrom.extend(d.place(start), m.Cond)
	}
	return m, d.changes(&m)
}

// changes reads { set { } delete { } }.
func (d *docScanner) changes(m *Mutation) error {
	if err := d.expectByte('{'); err != nil {
		return err
	}
	for !d.acceptByte('}') {
		var dst *[]byte
		var from *Origin
		switch w := d.word(); w {
		case "set":
			dst, from = &m.Set, &m.SetFrom
		case "delete":
			dst, from = &m.Del, &m.DelFrom
		case "":
			if d.off == len(d.text) {
				return d.fail("Unclosed mutation block")
			}
			return d.fail("Unexpected %q inside mutation block: expected set or delete", d.text[d.off])
		default:
			return d.fail("Unexpected %s inside mutation block: expected set or delete", w)
		}
		if err := d.expectByte('{'); err != nil {
			return err
		}
		at := d.place(d.off)
		body, err := d.quads()
		if err != nil {
			return err
		}
		from.document = d.text
		from.extend(at, body)
		if *dst != nil {
			*dst = append(*dst, '\n')
		}
		*dst = append(*dst, body...)
	}
	return nil
}

// quads returns the text up to the brace that closes the block, and passes the brace.
func (d *docScanner) quads() (string, error) {
	start := d.off
	for level := 1; d.off < len(d.text); d.off++ {
		switch d.text[d.off] {
		case '"':
			d.off = skipString(d.text, d.off)
		case '#':
			d.skipComment()
			d.off--
		case '<':
			d.skipName()
		case '{':
			level++
		case '}':
			level--
			if level == 0 {
				d.off++
				return d.text[start : d.off-1], nil
			}
		}
	}
	d.off = len(d.text)
	return "", d.fail("Unclosed mutation block: the N-Quads do not end")
}
