package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxNameBytes bounds the name of a predicate or type (dql.md 1.9).
const maxNameBytes = 1<<16 - 1

// itemKind classifies what the lexer finds.
type itemKind uint8

const (
	itemEOF itemKind = iota
	itemNewline
	itemName   // bare or between angle brackets
	itemString // between double quotes, without them
	itemMark   // one of : . [ ] ( ) { } , @ !
)

// item is one piece of schema text.
type item struct {
	kind itemKind
	text string
	at   place
}

// place is where in a text something begins; both count from 1, the column in bytes.
type place struct{ line, column int }

// String shows the item in an error message.
func (it item) String() string {
	switch it.kind {
	case itemEOF:
		return "end of text"
	case itemNewline:
		return " "
	default:
		return it.text
	}
}

func (it item) is(mark string) bool { return it.kind == itemMark && it.text == mark }

// lexer cuts schema text into items. Blanks and comments separate items and are not items; line breaks are.
type lexer struct {
	text string
	pos  int
	// line is the number of the line that pos is in, and lineStart where that begins.
	line, lineStart int
	// at is where the item begins that was scanned last, or that cannot be scanned.
	at place
	// ahead is an item that was looked at and not taken.
	ahead    item
	hasAhead bool
}

func newLexer(text string) *lexer { return &lexer{text: text, line: 1} }

// peek returns the next item without taking it.
func (l *lexer) peek() (item, error) {
	if !l.hasAhead {
		it, err := l.scan()
		if err != nil {
			return item{}, err
		}
		l.ahead, l.hasAhead = it, true
	}
	return l.ahead, nil
}

// next takes the next item. At the end of the text it goes on returning itemEOF.
func (l *lexer) next() (item, error) {
	it, err := l.peek()
	l.hasAhead = false
	return it, err
}

func (l *lexer) scan() (item, error) {
	l.skipBlanks()
	l.at = place{l.line, l.pos - l.lineStart + 1}
	if l.pos == len(l.text) {
		return item{kind: itemEOF, at: l.at}, nil
	}
	switch c := l.text[l.pos]; {
	case c == '\n':
		l.pos++
		l.line, l.lineStart = l.line+1, l.pos
		return item{kind: itemNewline, at: l.at}, nil
	case c == '<':
		return l.scanQuoted(itemName, '>')
	case c == '"':
		return l.scanQuoted(itemString, '"')
	case strings.IndexByte(":.[](){},@!", c) >= 0:
		l.pos++
		return item{kind: itemMark, text: l.text[l.pos-1 : l.pos], at: l.at}, nil
	case isNameByte(c):
		start := l.pos
		for l.pos < len(l.text) && isNameByte(l.text[l.pos]) {
			l.pos++
		}
		return l.name(l.text[start:l.pos])
	}
	r, _ := utf8.DecodeRuneInString(l.text[l.pos:])
	return item{}, fmt.Errorf("unrecognized character %q", r)
}

// skipBlanks passes blanks and a comment, but no line break.
func (l *lexer) skipBlanks() {
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; c {
		case ' ', '\t', '\r':
			l.pos++
		case '#':
			if end := strings.IndexByte(l.text[l.pos:], '\n'); end >= 0 {
				l.pos += end
			} else {
				l.pos = len(l.text)
			}
		default:
			return
		}
	}
}

// scanQuoted takes a text up to the closing mark, which must come on the same line.
func (l *lexer) scanQuoted(kind itemKind, closing byte) (item, error) {
	body := l.text[l.pos+1:]
	end := strings.IndexByte(body, closing)
	if end < 0 || strings.IndexByte(body[:end], '\n') >= 0 {
		return item{}, fmt.Errorf("missing %q", closing)
	}
	l.pos += end + 2
	if kind == itemName {
		return l.name(body[:end])
	}
	return item{kind: kind, text: body[:end], at: l.at}, nil
}

func (l *lexer) name(text string) (item, error) {
	if err := CheckName(strings.TrimPrefix(text, "~")); err != nil {
		return item{}, err
	}
	return item{kind: itemName, text: text, at: l.at}, nil
}

// CheckName reports whether a predicate or type may be called name: any valid text of less than 64 KiB
// without ~, @, angle brackets, quotes, blanks and control characters (dql.md fact 114).
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("empty name")
	case len(name) > maxNameBytes:
		return fmt.Errorf("predicate name length cannot be bigger than 2^16. Predicate: %s", name[:80])
	case !utf8.ValidString(name):
		return fmt.Errorf("name is not valid UTF-8: %q", name)
	case strings.ContainsAny(name, "~@<>\"") || strings.ContainsFunc(name, isBlankOrControl):
		return fmt.Errorf(
			"predicate %q: names may not contain ~, @, <, >, quotes, blanks or control characters",
			name,
		)
	}
	return nil
}

func isBlankOrControl(r rune) bool {
	return r <= ' ' || r >= 0x7f && r <= 0xa0 || r == 0x2028 || r == 0x2029
}
