package dql

import (
	"errors"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Origin says where in a document a text stands that was cut out of it, so that errors about the text name places in the document.
// The zero Origin is that of a text that stands for itself.
type Origin struct {
	document string
	pieces   []piece // in the order of the text
	breaks   int     // line breaks in the text
}

// piece is a part of a text that stands in one place of the document.
type piece struct{ from, at Pos } // where it begins in the text, and in the document

// OriginAt is that of a text that stands in a document as it is, from a byte of it on.
func OriginAt(document string, offset int) Origin {
	return Origin{document: document, pieces: []piece{{Pos{1, 1}, placeOf(document, offset)}}}
}

// OriginOfString is that of a text that stands in a document as a JSON string, whose quote is at a byte of it.
func OriginOfString(document string, offset int) Origin {
	o := OriginAt(document, offset+1)
	from, at := o.pieces[0].from, o.pieces[0].at
	for rest := document[offset+1:]; rest != "" && rest[0] != '"'; {
		if rest[0] != '\\' || len(rest) < 2 {
			rest, from.Col, at.Col = rest[1:], from.Col+1, at.Col+1
			continue
		}
		raw, c := escape(rest)
		rest, at.Col = rest[raw:], at.Col+raw
		if from.Col += utf8.RuneLen(c); c == '\n' {
			from = Pos{from.Line + 1, 1}
		}
		o.pieces = append(o.pieces, piece{from, at})
	}
	return o
}

// escape returns how long the escape is that a text in JSON begins with, and what it stands for, as far as its size goes.
func escape(text string) (length int, c rune) {
	if text[1] == 'n' {
		return 2, '\n'
	}
	if text[1] != 'u' || len(text) < 6 {
		return 2, ' '
	}
	c = hexRune(text[2:6])
	if len(text) >= 12 && text[6:8] == `\u` {
		if pair := utf16.DecodeRune(c, hexRune(text[8:12])); pair != utf8.RuneError {
			return 12, pair
		}
	}
	if !utf8.ValidRune(c) {
		c = utf8.RuneError
	}
	return 6, c
}

// hexRune reads hex digits; what is none gives an error rune.
func hexRune(digits string) rune {
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

// placeOf returns the place of a byte of a text.
func placeOf(text string, offset int) Pos {
	before := text[:offset]
	return Pos{Line: strings.Count(before, "\n") + 1, Col: offset - strings.LastIndexByte(before, '\n')}
}

// extend adds a piece to the text, on a line of its own.
func (o *Origin) extend(at Pos, body string) {
	if len(o.pieces) > 0 {
		o.breaks++
	}
	o.pieces = append(o.pieces, piece{Pos{o.breaks + 1, 1}, at})
	o.breaks += strings.Count(body, "\n")
}

// Place returns the place in the document of a place in the text.
func (o Origin) Place(p Pos) Pos {
	i := sort.Search(len(o.pieces), func(i int) bool { return p.before(o.pieces[i].from) }) - 1
	if i < 0 {
		return p
	}
	from, at := o.pieces[i].from, o.pieces[i].at
	if p.Line == from.Line {
		return Pos{Line: at.Line, Col: at.Col + p.Col - from.Col}
	}
	return Pos{Line: at.Line + p.Line - from.Line, Col: p.Col}
}

func (p Pos) before(q Pos) bool { return p.Line < q.Line || p.Line == q.Line && p.Col < q.Col }

// Error returns an error about the text with its place in the document, if it is a *SyntaxError that has one; else the error.
func (o Origin) Error(err error) error {
	about := (*SyntaxError)(nil)
	if len(o.pieces) == 0 || !errors.As(err, &about) || about.Pos == (Pos{}) {
		return err
	}
	moved := *about
	moved.Pos = o.Place(about.Pos)
	if moved.Input != "" {
		moved.Input = shown(o.document)
	}
	return &moved
}
