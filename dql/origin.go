package dql

import (
	"errors"
	"sort"
	"strings"
)

// Origin says where in a document a text stands that was cut out of it, so that errors about the text name places in the document.
// The zero Origin is that of a text that stands for itself.
type Origin struct {
	document string
	pieces   []piece // in the order of the text
	breaks   int     // line breaks in the text
}

// piece is a part of a text that stands in one place of the document. It begins a line of the text.
type piece struct {
	line int // of the text, from 1
	at   Pos // in the document
}

// extend adds a piece to the text, on a line of its own.
func (o *Origin) extend(at Pos, body string) {
	if len(o.pieces) > 0 {
		o.breaks++
	}
	o.pieces = append(o.pieces, piece{line: o.breaks + 1, at: at})
	o.breaks += strings.Count(body, "\n")
}

// Place returns the place in the document of a place in the text.
func (o Origin) Place(p Pos) Pos {
	i := sort.Search(len(o.pieces), func(i int) bool { return o.pieces[i].line > p.Line }) - 1
	if i < 0 {
		return p
	}
	from := o.pieces[i]
	if p.Line == from.line {
		return Pos{Line: from.at.Line, Col: from.at.Col + p.Col - 1}
	}
	return Pos{Line: from.at.Line + p.Line - from.line, Col: p.Col}
}

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
