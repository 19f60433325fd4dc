package dql

import "strings"

// tokenKind says what a token is.
type tokenKind uint8

const (
	tEOF    tokenKind = iota
	tName             // a bare word that starts with a letter
	tIRI              // <...>, text without the brackets
	tString           // "...", text unescaped
	tNumber           // a bare word that starts with a digit or a sign
	tVar              // $name, text with the $
	tRegexp           // /.../flags, text and flags
	tPunct            // one character of { } ( ) [ ] : , @ = ! * . ~
	tSpread           // ...
	tOp               // an operator inside math()
)

// token is one word of the text. text and flags share the memory of the input where nothing was unescaped.
type token struct {
	kind  tokenKind
	text  string
	flags string
	pos   Pos
}

// is says whether t is the punctuation or operator s.
func (t *token) is(s string) bool {
	return (t.kind == tPunct || t.kind == tOp) && t.text == s
}

// isAs says whether t is the keyword as.
func (t *token) isAs() bool { return t.kind == tName && strings.EqualFold(t.text, "as") }

// show is how an error message quotes t.
func (t *token) show() string {
	switch t.kind {
	case tEOF:
		return "end of input"
	case tIRI:
		return "<" + t.text + ">"
	case tString:
		return quote(t.text)
	case tRegexp:
		return "/" + strings.ReplaceAll(t.text, "/", `\/`) + "/" + t.flags
	case tSpread:
		return "..."
	}
	return t.text
}
