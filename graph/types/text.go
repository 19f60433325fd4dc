package types

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendText appends the client text of v: what Parse reads, and what the value becomes as a string. Floats
// are in the style of %G (dql.md fact 95). A password's text is its hash and must not be shown to clients.
func AppendText(dst []byte, v Value) []byte {
	switch v.typ {
	case Int:
		return strconv.AppendInt(dst, v.Int(), 10)
	case Float:
		return strconv.AppendFloat(dst, v.Float(), 'G', -1, 64)
	case Bool:
		return strconv.AppendBool(dst, v.Bool())
	case UID:
		return strconv.AppendUint(append(dst, '0', 'x'), v.num, 16)
	case DateTime:
		return appendTime(dst, v.Time())
	case Geo:
		return appendGeoJSON(dst, v.Geom())
	case BigFloat:
		return appendBigFloat(dst, v.BigFloat())
	case Vector:
		return appendVector(dst, v.Vector(), 'g')
	case Binary:
		return base64.StdEncoding.AppendEncode(dst, []byte(v.Str()))
	default:
		return append(dst, v.Str()...)
	}
}

// String returns type and text of v, for messages and logs; of a password not the text.
func (v Value) String() string {
	if v.typ == Password {
		return v.typ.String()
	}
	return v.typ.String() + ":" + v.Text()
}

// Text returns the client text of v; see AppendText.
func (v Value) Text() string {
	if v.typ.Textual() && v.typ != Binary {
		return v.Str()
	}
	var buf [64]byte
	return string(AppendText(buf[:0], v))
}

// AppendJSON appends v as a JSON value. It reports false and appends nothing where the value is not shown: a
// number or vector that is not finite, and a password (dql.md facts 10-15).
func AppendJSON(dst []byte, v Value) (out []byte, shown bool) {
	switch v.typ {
	case Float:
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return dst, false
		}
		return strconv.AppendFloat(dst, f, 'g', -1, 64), true
	case Password:
		return dst, false
	case BigFloat:
		if f := v.BigFloat(); f != nil && checkBigFloat(f) != nil {
			return dst, false
		}
		return appendBigFloat(dst, v.BigFloat()), true
	case Vector:
		if !finite(v.Vector()) {
			return dst, false
		}
		return appendVector(dst, v.Vector(), 'E'), true
	case Int, Bool, Geo:
		return AppendText(dst, v), true
	case UID, DateTime, Binary:
		dst = append(dst, '"')
		return append(AppendText(dst, v), '"'), true
	default:
		return AppendQuoted(dst, v.Str()), true
	}
}

// AppendQuoted appends s as a JSON string with Go's HTML escapes: <, >, & and U+2028/9 become \u escapes,
// control bytes are escaped, invalid UTF-8 is replaced (dql.md fact 10).
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
				dst = append(dst, s[start:i]...)
				dst = appendEscapedRune(dst, r)
				start = i + size
			}
			i += size
			continue
		}
		if esc := asciiEscapes[c]; esc != 0 {
			dst = append(dst, s[start:i]...)
			if esc == 'u' {
				dst = append(dst, `\u00`...)
				dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
			} else {
				dst = append(dst, '\\', esc)
			}
			start = i + 1
		}
		i++
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// asciiEscapes is asciiEscape for each character: most of an answer's text passes here.
var asciiEscapes = func() (table [utf8.RuneSelf]byte) {
	for c := range table {
		table[c] = asciiEscape(byte(c))
	}
	return table
}()

// asciiEscape returns 0 where c stands for itself, 'u' where it needs \u00xx, else the letter after the
// backslash.
func asciiEscape(c byte) byte {
	switch {
	case c == '"' || c == '\\':
		return c
	case c == '<' || c == '>' || c == '&':
		return 'u'
	case c >= ' ':
		return 0
	}
	switch c {
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	}
	return 'u'
}

func appendEscapedRune(dst []byte, r rune) []byte {
	switch r {
	case '\u2028':
		return append(dst, `\u2028`...)
	case '\u2029':
		return append(dst, `\u2029`...)
	}
	return append(dst, `\ufffd`...)
}

// MarshalJSON makes values readable in logs and debug output. A value that is not shown becomes null.
func (v Value) MarshalJSON() ([]byte, error) {
	if b, shown := AppendJSON(nil, v); shown {
		return b, nil
	}
	return []byte("null"), nil
}

var _ json.Marshaler = Value{}
