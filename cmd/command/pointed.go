package command

import (
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"dragg/dql"
)

// pointedError is an error about a place in a text, with the line of that place and a caret below it.
type pointedError struct {
	err     error
	excerpt string
}

// Error returns the message, and the excerpt on lines of its own.
func (e *pointedError) Error() string { return e.err.Error() + "\n" + e.excerpt }

// Unwrap returns the error without the excerpt.
func (e *pointedError) Unwrap() error { return e.err }

// pointed adds the place in text that err names, if it names one.
func pointed(err error, text string) error {
	if err == nil {
		return nil
	}
	at, ok := dql.Place(err.Error(), text)
	if !ok {
		return err
	}
	line := strings.TrimRight(strings.Split(text, "\n")[at.Line-1], "\r")
	return &pointedError{err: err, excerpt: excerpt(line, min(at.Col-1, len(line)))}
}

// Bytes of a line that an excerpt shows before and after the place: a query may be one line of a megabyte.
const (
	shownBefore = 60
	shownAfter  = 40
)

// excerpt returns a line, or the part of it around a place, and below it a caret under the character at the place. off is in
// bytes and may be the length of the line. Tabs stand before the caret as they do in the line, so that it is right for every
// width of them.
func excerpt(line string, off int) string {
	for off < len(line) && off > 0 && !utf8.RuneStart(line[off]) {
		off--
	}
	before, after := line[:off], line[off:]
	if len(before) > shownBefore+shownAfter {
		before = "…" + strings.ToValidUTF8(before[len(before)-shownBefore:], "")
	}
	if len(after) > shownAfter+shownBefore {
		after = strings.ToValidUTF8(after[:shownAfter], "") + "…"
	}
	before, after = printable(before), printable(after)
	fields := strings.Split(before, "\t")
	for i, f := range fields {
		fields[i] = strings.Repeat(" ", runewidth.StringWidth(f))
	}
	return "  " + before + after + "\n  " + strings.Join(fields, "\t") + "^"
}

// printable replaces what would move the cursor or is no text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r != '\t' && (r < ' ' || 0x7f <= r && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}
