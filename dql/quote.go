package dql

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// quoted reads a string in double quotes. It may span lines.
func (l *lexer) quoted() error {
	start, pos := l.off, l.pos(l.off)
	escaped := false
	for l.off++; l.off < len(l.text); l.off++ {
		switch l.text[l.off] {
		case '\\':
			escaped = true
			l.off++
		case '\n':
			l.off++
			l.newLine()
			l.off--
		case '"':
			raw := l.text[start+1 : l.off]
			if escaped {
				text, bad := unescape(raw)
				if bad != "" {
					return l.fail(start, "Invalid escape %s in a string", bad)
				}
				raw = text
			}
			l.off++
			l.toks = append(l.toks, token{kind: tString, text: raw, pos: pos})
			return nil
		}
	}
	l.off = len(l.text)
	return l.failEnd("Unexpected end of input in a string")
}

// unescape resolves the escapes of a string body. bad is the first one that is none, or empty.
func unescape(s string) (text, bad string) {
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String(), ""
		}
		b.WriteString(s[:i])
		s = s[i:]
		if len(s) < 2 {
			return "", s
		}
		if i := strings.IndexByte(`abfnrtv"'\/`, s[1]); i >= 0 {
			b.WriteByte("\a\b\f\n\r\t\v\"'\\/"[i])
			s = s[2:]
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
		if digits == 0 || len(s) < 2+digits {
			return "", s[:2]
		}
		n, err := strconv.ParseUint(s[2:2+digits], 16, 32)
		if err != nil {
			return "", s[:2+digits]
		}
		s = s[2+digits:]
		r := rune(n)
		if digits == 4 && 0xd800 <= r && r < 0xdc00 && strings.HasPrefix(s, `\u`) && len(s) >= 6 {
			if lo, err := strconv.ParseUint(s[2:6], 16, 32); err == nil && 0xdc00 <= lo && lo < 0xe000 {
				r = 0x10000 + (r-0xd800)<<10 + rune(lo) - 0xdc00
				s = s[6:]
			}
		}
		b.WriteRune(r)
	}
}

// quote writes s as a string of the language.
func quote(s string) string { return string(appendQuoted(nil, s)) }

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for len(s) > 0 {
		c := s[0]
		if c >= utf8.RuneSelf {
			dst = append(dst, c)
			s = s[1:]
			continue
		}
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c < ' ' || c == 0x7f:
			dst = append(dst, `\u00`...)
			dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			dst = append(dst, c)
		}
		s = s[1:]
	}
	return append(dst, '"')
}
