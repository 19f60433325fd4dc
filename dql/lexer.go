package dql

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// lexer cuts a text into tokens. It also checks what can be seen without a grammar: strings that end,
// brackets and braces that match.
type lexer struct {
	text      string
	off       int
	line      int
	lineStart int
	braces    int
	// parens counts the open round brackets; a brace inside one is an error.
	parens int
	// mathAt is the value of parens outside the math() that is being read, or -1.
	mathAt int
	toks   []token
	// ended says that the error is about the end of the text: more of it could have been right.
	ended bool
}

// lex appends the tokens of text to toks, a tEOF last. With an error they are of no use, but the memory is.
func lex(toks []token, text string) ([]token, error) {
	l := &lexer{text: text, line: 1, mathAt: -1, toks: slices.Grow(toks, len(text)/4+8)}
	for {
		l.skipSpace()
		if l.off >= len(text) {
			break
		}
		if err := l.next(); err != nil {
			return l.toks, err
		}
	}
	if l.parens > 0 {
		return l.toks, l.failEnd("Unclosed Brackets")
	}
	if l.braces > 0 {
		return l.toks, l.failEnd("Unclosed action")
	}
	l.emit(tEOF, len(text), "")
	return l.toks, nil
}

func (l *lexer) pos(off int) Pos { return Pos{Line: l.line, Col: off - l.lineStart + 1} }

func (l *lexer) emit(kind tokenKind, off int, text string) {
	l.toks = append(l.toks, token{kind: kind, text: text, pos: l.pos(off)})
}

const shownInput = 256 // bytes of the text that an error of the lexer quotes

// shown is how an error of the lexer quotes a text.
func shown(text string) string {
	if len(text) > shownInput {
		return strings.ToValidUTF8(text[:shownInput], "") + "..."
	}
	return text
}

func (l *lexer) fail(off int, format string, args ...any) error {
	return &SyntaxError{Pos: l.pos(off), Input: shown(l.text), Msg: fmt.Sprintf(format, args...)}
}

// failEnd reports an error at the last character of the text.
func (l *lexer) failEnd(msg string) error {
	l.ended = true
	return l.fail(max(len(l.text)-1, l.lineStart), "%s", msg)
}

// skipSpace passes white space and comments.
func (l *lexer) skipSpace() {
	for l.off < len(l.text) {
		switch c := l.text[l.off]; {
		case c == '\n':
			l.off++
			l.newLine()
		case c == ' ' || c == '\t' || c == '\r':
			l.off++
		case c == '#':
			for l.off < len(l.text) && l.text[l.off] != '\n' {
				l.off++
			}
		case strings.HasPrefix(l.text[l.off:], "\ufeff"):
			l.off += len("\ufeff")
		default:
			return
		}
	}
}

func (l *lexer) newLine() {
	l.line++
	l.lineStart = l.off
}

// next reads one token. There is at least one character left, and it is not white space.
func (l *lexer) next() error {
	c := l.text[l.off]
	switch {
	case isLetter(c):
		l.word()
		return nil
	case c == '"':
		return l.quoted()
	case c == '$':
		return l.variable()
	case l.mathAt >= 0:
		return l.mathToken(c)
	case isDigit(c) || (c == '-' || c == '+' || c == '.') && l.digitAt(l.off+1) ||
		(c == '-' || c == '+') && l.at(l.off+1) == '.' && l.digitAt(l.off+2):
		l.number()
		return nil
	case c == '<':
		return l.iri()
	case c == '/':
		return l.regexp()
	case strings.HasPrefix(l.text[l.off:], "..."):
		l.emit(tSpread, l.off, "...")
		l.off += 3
		return nil
	}
	return l.punct(c)
}

func (l *lexer) at(off int) byte {
	if off < len(l.text) {
		return l.text[off]
	}
	return 0
}

func (l *lexer) digitAt(off int) bool { return isDigit(l.at(off)) }

// punct reads one character of punctuation and keeps count of the brackets.
func (l *lexer) punct(c byte) error {
	switch c {
	case '(':
		if l.mathAt < 0 && l.opensMath() {
			l.mathAt = l.parens
		}
		l.parens++
	case ')':
		l.parens--
		if l.parens < 0 {
			return l.fail(l.off, "Too many right round brackets")
		}
		if l.parens == l.mathAt {
			l.mathAt = -1
		}
	case '{', '}':
		if l.parens > 0 {
			return l.fail(l.off, "Unclosed Brackets")
		}
		if c == '{' {
			l.braces++
			break
		}
		l.braces--
		if l.braces < 0 {
			return l.fail(l.off, "Too many right curl")
		}
	case '[', ']', ':', ',', '@', '=', '!', '*', '.', '~':
	default:
		r, _ := utf8.DecodeRuneInString(l.text[l.off:])
		return l.fail(l.off, "Unrecognized character %#U", r)
	}
	l.emit(tPunct, l.off, l.text[l.off:l.off+1])
	l.off++
	return nil
}

// opensMath says whether the bracket at the current place opens a formula: math( in a body, but not a root
// block that is called math.
func (l *lexer) opensMath() bool {
	n := len(l.toks)
	if l.braces == 0 || n == 0 || l.toks[n-1].kind != tName || !strings.EqualFold(l.toks[n-1].text, "math") {
		return false
	}
	rest := strings.TrimLeft(l.text[l.off+1:], " \t\r\n")
	arg, ok := strings.CutPrefix(rest, "func")
	return !ok || !strings.HasPrefix(strings.TrimLeft(arg, " \t\r\n"), ":")
}

// word reads a bare name. Inside math a name has no dash, as that is minus.
func (l *lexer) word() {
	start := l.off
	for l.off < len(l.text) {
		c := l.text[l.off]
		if !isLetter(c) && !isDigit(c) && !(c == '.' && l.at(l.off+1) != '.') && (c != '-' || l.mathAt >= 0) {
			break
		}
		l.off++
	}
	l.emit(tName, start, l.text[start:l.off])
}

// number reads a number, a uid in hex or a date without quotes.
func (l *lexer) number() {
	start := l.off
	l.off++
	for l.off < len(l.text) {
		c := l.text[l.off]
		joins := isLetter(c) || isDigit(c) || c == '.' || c == '-' ||
			(c == ':' || c == '+') && l.digitAt(l.off+1)
		if !joins {
			break
		}
		l.off++
	}
	l.emit(tNumber, start, l.text[start:l.off])
}

func (l *lexer) variable() error {
	start := l.off
	l.off++
	for l.off < len(l.text) && (isLetter(l.text[l.off]) || isDigit(l.text[l.off])) {
		l.off++
	}
	if l.off == start+1 {
		return l.fail(start, "Expected a name after $")
	}
	l.emit(tVar, start, l.text[start:l.off])
	return nil
}

func (l *lexer) iri() error {
	start := l.off
	for l.off++; l.off < len(l.text); l.off++ {
		switch c := l.text[l.off]; {
		case c == '>':
			if l.off == start+1 {
				return l.fail(start, "Empty name <>")
			}
			name := l.text[start+1 : l.off]
			if !utf8.ValidString(name) {
				return l.fail(start, "Name is not valid UTF-8")
			}
			l.emit(tIRI, start, name)
			l.off++
			return nil
		case c <= ' ' || c == '<' || c == '"' || c == 0x7f:
			return l.fail(l.off, "Unexpected character %q in <...>", c)
		}
	}
	return l.failEnd("Unexpected end of input in <...>")
}

// regexp reads /text/flags. A slash inside is written \/.
func (l *lexer) regexp() error {
	start := l.off
	for l.off++; l.off < len(l.text); l.off++ {
		switch l.text[l.off] {
		case '\\':
			if l.off+1 < len(l.text) && l.text[l.off+1] != '\n' {
				l.off++
			}
		case '\n':
			return l.fail(start, "Unclosed regexp")
		case '/':
			body := l.text[start+1 : l.off]
			l.off++
			from := l.off
			for l.off < len(l.text) && isLetter(l.text[l.off]) {
				l.off++
			}
			l.emit(tRegexp, start, strings.ReplaceAll(body, `\/`, `/`))
			l.toks[len(l.toks)-1].flags = l.text[from:l.off]
			return nil
		}
	}
	return l.failEnd("Unclosed regexp: Unexpected end of input")
}

// mathToken reads a number, an operator or a bracket inside math().
func (l *lexer) mathToken(c byte) error {
	if isDigit(c) || c == '.' && l.digitAt(l.off+1) {
		l.mathNumber()
		return nil
	}
	two := l.text[l.off:min(l.off+2, len(l.text))]
	switch two {
	case "<=", ">=", "==", "!=":
		l.emit(tOp, l.off, two)
		l.off += 2
		return nil
	}
	switch c {
	case '+', '-', '*', '/', '%', '<', '>':
		l.emit(tOp, l.off, l.text[l.off:l.off+1])
		l.off++
		return nil
	}
	return l.punct(c)
}

func (l *lexer) mathNumber() {
	start := l.off
	for l.off < len(l.text) {
		c := l.text[l.off]
		exp := (c == '+' || c == '-') && (l.text[l.off-1] == 'e' || l.text[l.off-1] == 'E') && l.digitAt(l.off+1)
		if !isDigit(c) && c != '.' && c != 'e' && c != 'E' && !exp {
			break
		}
		l.off++
	}
	l.emit(tNumber, start, l.text[start:l.off])
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }
