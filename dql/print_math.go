package dql

import (
	"strconv"
	"strings"

	"dragg/graph/types"
)

// appendText appends the formula, in brackets where it binds looser than rank.
func (m *Math) appendText(dst []byte, rank int) []byte {
	switch {
	case m.Op == "" && m.Var != "":
		return append(dst, m.Var...)
	case m.Op == "":
		return appendConst(dst, m.Const)
	case m.Op == "neg":
		return m.Args[0].appendText(append(dst, '-'), 7)
	}
	own := 0
	if len(m.Args) == 2 {
		own = mathRank(&token{kind: tOp, text: m.Op})
	}
	if m.Op == "dot" {
		own = 5
	}
	if own == 0 || mathArity(m.Op) > 0 && m.Op != "dot" {
		dst = append(append(dst, m.Op...), '(')
		for i, a := range m.Args {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = a.appendText(dst, 1)
		}
		return append(dst, ')')
	}
	if own < rank {
		return append(m.appendText(append(dst, '('), 1), ')')
	}
	dst = m.Args[0].appendText(dst, own)
	dst = append(append(append(dst, ' '), m.Op...), ' ')
	return m.Args[1].appendText(dst, own+1)
}

func appendConst(dst []byte, v types.Value) []byte {
	switch v.Type() {
	case types.Int:
		return strconv.AppendInt(dst, v.Int(), 10)
	case types.Float:
		s := strconv.FormatFloat(v.Float(), 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return append(dst, s...)
	}
	return strconv.AppendBool(dst, v.Bool())
}
