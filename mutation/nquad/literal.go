package nquad

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"dragg/graph/types"
)

// quoted reads "text" and resolves its escapes.
func (s *scanner) quoted() string {
	start := s.pos + 1
	escaped := false
	for i := start; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			s.pos = i + 1
			return s.literalText(s.text[start:i], escaped)
		}
	}
	s.fail("invalid syntax: the literal is not closed on its line")
	return ""
}

// literalText returns the text of a literal, which must be UTF-8.
func (s *scanner) literalText(raw string, escaped bool) string {
	if !utf8.ValidString(raw) {
		s.fail("invalid syntax: the literal is not valid UTF-8")
		return ""
	}
	if !escaped {
		return raw
	}
	text, problem := unescape(raw)
	if problem != "" {
		s.fail("%s", problem)
	}
	return text
}

// unescape resolves \t \b \n \r \f \" \' \\ \uXXXX \UXXXXXXXX. problem is "" when all is well.
func unescape(raw string) (text, problem string) {
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			b.WriteByte(raw[i])
			continue
		}
		i++
		if i == len(raw) {
			return "", "invalid syntax: a backslash at the end of a literal"
		}
		if c, ok := shortEscape(raw[i]); ok {
			b.WriteByte(c)
			continue
		}
		digits := 0
		switch raw[i] {
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			return "", fmt.Sprintf("Invalid escape character : '%c' in literal", raw[i])
		}
		r, ok := hexRune(raw[i+1:], digits)
		if !ok {
			return "", fmt.Sprintf("invalid syntax: \\%c wants %d hex digits of a character", raw[i], digits)
		}
		b.WriteRune(r)
		i += digits
	}
	return b.String(), ""
}

func shortEscape(c byte) (byte, bool) {
	switch c {
	case 't':
		return '\t', true
	case 'b':
		return '\b', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 'f':
		return '\f', true
	case '"', '\'', '\\':
		return c, true
	}
	return 0, false
}

func hexRune(s string, digits int) (rune, bool) {
	if len(s) < digits {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:digits], 16, 32)
	if err != nil || !utf8.ValidRune(rune(n)) {
		return 0, false
	}
	return rune(n), true
}

// xsd is the namespace of XML Schema's types.
const xsd = "http://www.w3.org/2001/XMLSchema#"

// typeOf returns the scalar type of a literal's type IRI: the short forms xs: and geo:, and XML Schema's full ones.
func typeOf(iri string) (types.ID, bool) {
	if iri == "geo:geojson" {
		return types.Geo, true
	}
	short, isShort := strings.CutPrefix(iri, "xs:")
	full, isFull := strings.CutPrefix(iri, xsd)
	switch {
	case isShort:
		return schemaType(short)
	case isFull && (full == "gYear" || full == "gYearMonth"):
		return types.DateTime, true
	case isFull:
		return schemaType(full)
	}
	return 0, false
}

func schemaType(name string) (types.ID, bool) {
	switch name {
	case "int", "integer", "positiveInteger":
		return types.Int, true
	case "boolean":
		return types.Bool, true
	case "double", "float":
		return types.Float, true
	case "date", "dateTime":
		return types.DateTime, true
	case "password":
		return types.Password, true
	case "string":
		return types.String, true
	case "decimal":
		return types.BigFloat, true
	case "base64Binary":
		return types.Binary, true
	case "[]float32":
		return types.Vector, true
	}
	return 0, false
}
