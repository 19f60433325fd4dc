package schema

import "strconv"

// AppendText appends p as a line of schema text, without a line break. Parsing it gives p again, but for
// Building.
func (p *Predicate) AppendText(dst []byte) []byte {
	if p.Name.Namespace != 0 {
		dst = append(dst, "[0x"...)
		dst = strconv.AppendUint(dst, uint64(p.Name.Namespace), 16)
		dst = append(dst, "] "...)
	}
	dst = appendName(dst, p.Name.Name)
	dst = append(dst, ": "...)
	dst = append(dst, p.typeText()...)
	if len(p.Index) > 0 || p.Vector != nil {
		dst = p.appendIndex(dst)
	}
	for _, d := range []struct {
		on   bool
		word string
	}{
		{p.Reverse, " @reverse"},
		{p.Count, " @count"},
		{p.Lang, " @lang"},
		{p.Upsert, " @upsert"},
		{p.Unique, " @unique"},
		{p.NoConflict, " @noconflict"},
	} {
		if d.on {
			dst = append(dst, d.word...)
		}
	}
	return append(dst, " ."...)
}

func (p *Predicate) appendIndex(dst []byte) []byte {
	dst = append(dst, " @index("...)
	for i, t := range p.Index {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, t.Name()...)
	}
	if p.Vector == nil {
		return append(dst, ')')
	}
	if len(p.Index) > 0 {
		dst = append(dst, ", "...)
	}
	dst = append(dst, p.Vector.Name...)
	if len(p.Vector.Options) > 0 {
		dst = append(dst, '(')
		for i, o := range p.Vector.Options {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(dst, o.Key...)
			dst = append(dst, `: "`...)
			dst = append(dst, o.Value...)
			dst = append(dst, '"')
		}
		dst = append(dst, ')')
	}
	return append(dst, ')')
}

func (p *Predicate) typeText() string {
	if p.List {
		return "[" + p.Type.String() + "]"
	}
	return p.Type.String()
}

// AppendText appends t as schema text of several lines, without a line break after the last. Parsing it gives
// t again.
func (t *Type) AppendText(dst []byte) []byte {
	dst = append(dst, "type "...)
	dst = appendName(dst, t.Name)
	dst = append(dst, " {\n"...)
	for _, f := range t.Fields {
		dst = append(dst, '\t')
		dst = appendName(dst, f)
		dst = append(dst, '\n')
	}
	return append(dst, '}')
}

// Text returns the whole schema as text: predicates by name, then types by name.
func (s Snapshot) Text() string {
	var dst []byte
	for _, p := range s.Predicates() {
		dst = append(p.AppendText(dst), '\n')
	}
	for _, t := range s.Types() {
		dst = append(t.AppendText(dst), '\n')
	}
	return string(dst)
}

// appendName appends a name bare where the language allows it, else between angle brackets.
func appendName(dst []byte, name string) []byte {
	if isBare(name) {
		return append(dst, name...)
	}
	dst = append(dst, '<')
	dst = append(dst, name...)
	return append(dst, '>')
}

func isBare(name string) bool {
	if name == "" || name == "type" || !isNameStart(name[0]) {
		return false
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return false
		}
	}
	return true
}

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '~'
}

func isNameByte(c byte) bool {
	return isNameStart(c) || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '/'
}
