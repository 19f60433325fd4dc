package nquad

import (
	"encoding/base64"

	"dragg/graph/types"
)

// Append appends q as an N-Quad with a line break, so that ReadLine gives q again (its Origin aside). Named nodes are
// written as they are; names with characters that an IRI cannot hold do not come back.
func (q *Quad) Append(dst []byte) []byte {
	dst = append(appendNode(dst, q.Subject), ' ')
	if q.StarPredicate {
		dst = append(dst, '*')
	} else {
		dst = append(append(dst, '<'), q.Predicate...)
		if q.Lang != "" && !q.HasValue() {
			dst = append(append(dst, '@'), q.Lang...)
		}
		dst = append(dst, '>')
	}
	dst = append(dst, ' ')
	switch {
	case q.ValueOf != "":
		dst = append(append(append(dst, "val("...), q.ValueOf...), ')')
	case q.HasValue():
		dst = q.appendValue(dst)
	default:
		dst = appendNode(dst, q.Object)
	}
	return append(q.appendFacets(dst), " .\n"...)
}

func appendNode(dst []byte, n Node) []byte {
	switch n.Kind {
	case Named:
		return append(append(append(dst, '<'), n.Name...), '>')
	case Blank:
		return append(append(dst, "_:"...), n.Name...)
	case Variable:
		return append(append(append(dst, "uid("...), n.Name...), ')')
	case Star:
		return append(dst, '*')
	case Absent:
	}
	return dst
}

func (q *Quad) appendValue(dst []byte) []byte {
	id := q.Value.Type()
	if id == types.Binary {
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(q.Value.Str()))
		dst = append(dst, '"')
	} else if id.Textual() {
		dst = appendLiteral(dst, q.Value.Str())
	} else {
		dst = appendLiteral(dst, q.Value.Text())
	}
	if q.Lang != "" {
		return append(append(dst, '@'), q.Lang...)
	}
	if name := typeName(id); name != "" {
		dst = append(append(append(dst, "^^<"...), name...), '>')
	}
	return dst
}

// typeName returns the type of a literal as typeOf reads it, "" for none.
func typeName(id types.ID) string {
	switch id {
	case types.String:
		return "xs:string"
	case types.Int:
		return "xs:int"
	case types.Float:
		return "xs:float"
	case types.Bool:
		return "xs:boolean"
	case types.DateTime:
		return "xs:dateTime"
	case types.Geo:
		return "geo:geojson"
	case types.Password:
		return "xs:password"
	case types.BigFloat:
		return "xs:decimal"
	case types.Vector:
		return "xs:[]float32"
	case types.Binary:
		return "xs:base64Binary"
	case types.Default, types.UID:
	}
	return ""
}

// appendLiteral appends text in quotes with the escapes that ReadLine resolves.
func appendLiteral(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for i := range len(text) {
		switch c := text[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

func (q *Quad) appendFacets(dst []byte) []byte {
	for i, f := range q.Facets {
		if i == 0 {
			dst = append(dst, " ("...)
		} else {
			dst = append(dst, ", "...)
		}
		dst = append(append(dst, f.Key...), '=')
		if f.Value.Type().Textual() {
			dst = appendLiteral(dst, f.Value.Str())
		} else if f.Value.Type() == types.Float {
			dst = appendFloat(dst, f.Value)
		} else {
			dst = types.AppendText(dst, f.Value)
		}
	}
	if len(q.Facets) > 0 {
		dst = append(dst, ')')
	}
	return dst
}

// appendFloat writes a float so that it is not taken for an int.
func appendFloat(dst []byte, v types.Value) []byte {
	from := len(dst)
	dst = types.AppendText(dst, v)
	for _, c := range dst[from:] {
		if c == '.' || c == 'e' || c == 'E' {
			return dst
		}
	}
	return append(dst, ".0"...)
}
