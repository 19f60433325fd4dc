package dql

import "strings"

// Cond is the condition of a conditional mutation.
type Cond struct {
	// Filter is the condition; nil is true.
	Filter *Filter
	// Uses are the variables it looks at, sorted. Hand them to ParseWithUses with the query.
	Uses []string
}

// ParseCond reads the condition of a mutation: @if(...), also spelled @filter(...). An empty text is true.
// The error is a *SyntaxError or a *LimitError.
func ParseCond(text string) (*Cond, error) {
	if strings.TrimSpace(text) == "" {
		return &Cond{}, nil
	}
	if end := matchBracket(text, strings.IndexByte(text, '(')); end < 0 {
		return nil, &SyntaxError{Pos: Pos{Line: 1, Col: 1}, Msg: "Matching brackets not found in the condition"}
	}
	p, err := newParser(text, Options{})
	if err != nil {
		return nil, err
	}
	defer p.free()
	at := p.next()
	word := p.next()
	if !at.is("@") || word.kind != tName || word.text != "if" && word.text != "filter" {
		return nil, p.failAt(at, "Expected @if, found [%s%s]", at.show(), word.show())
	}
	c := &Cond{}
	if c.Filter, err = p.filter(); err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tEOF {
		return nil, p.failAt(t, "Unexpected %s after the condition", t.show())
	}
	c.Uses = sorted(p.used)
	return c, nil
}

// matchBracket returns the index of the bracket that closes the one at open, or -1. A brace before it
// counts as its absence.
func matchBracket(text string, open int) int {
	if open < 0 {
		return -1
	}
	level := 0
	for i := open; i < len(text); i++ {
		switch text[i] {
		case '(':
			level++
		case ')':
			level--
			if level == 0 {
				return i
			}
		case '"':
			i = skipString(text, i)
		case '{', '}':
			return -1
		}
	}
	return -1
}

// skipString returns the index of the quote that closes the one at i, or the length of the text.
func skipString(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text)
}
