package dql

import (
	"regexp"
	"strconv"
	"strings"
)

// placeWords are how SyntaxError.Error writes a place, and errors about JSON that is broken.
var placeWords = regexp.MustCompile(`\bline ([0-9]+)(?: column|, character) ([0-9]+): `)

// Place returns the place in text that an error message names, if it names one that exists: message is what an error about a
// query, a document of mutations or schema text said of text, whatever stands around it by now. The column may be one past the end
// of its line.
func Place(message, text string) (Pos, bool) {
	// Errors of the lexer quote the text, which may hold such words itself.
	const lexing = "while lexing "
	if i := strings.Index(message, lexing+shown(text)+" at line "); i >= 0 {
		message = message[i+len(lexing)+len(shown(text)):]
	} else if _, after, ok := strings.Cut(message, lexing); ok && !strings.HasPrefix(after, "N-Quads at line ") {
		return Pos{}, false // about another text
	}
	m := placeWords.FindStringSubmatch(message)
	if m == nil {
		return Pos{}, false
	}
	line, lineErr := strconv.Atoi(m[1])
	col, colErr := strconv.Atoi(m[2])
	p := Pos{Line: line, Col: col}
	at, ok := p.lineOf(text)
	return p, lineErr == nil && colErr == nil && ok && 1 <= col && col <= len(at)+1
}

// lineOf returns the line of text that p is in, without its end.
func (p Pos) lineOf(text string) (string, bool) {
	if p.Line < 1 {
		return "", false
	}
	for range p.Line - 1 {
		_, rest, ok := strings.Cut(text, "\n")
		if !ok {
			return "", false
		}
		text = rest
	}
	line, _, _ := strings.Cut(text, "\n")
	return line, true
}
