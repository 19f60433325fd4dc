package dql

import "slices"

func appendBody(dst []byte, fields []*Field) []byte {
	dst = append(dst, " { "...)
	for _, f := range fields {
		dst = append(appendField(dst, f, whole), ' ')
	}
	return append(dst, '}')
}

// fieldPart says how much of a field to print.
type fieldPart bool

const (
	headOnly fieldPart = false // what must be unique within a body (dql.md fact 32)
	whole    fieldPart = true
)

func appendField(dst []byte, f *Field, part fieldPart) []byte {
	if f.Alias != "" {
		dst = append(appendName(dst, f.Alias), ": "...)
	}
	if f.Var != "" {
		dst = append(append(dst, f.Var...), " as "...)
	}
	switch f.Kind {
	case UIDField:
		return append(dst, "uid"...)
	case ValField:
		return appendCall(dst, "val", f.ValVar)
	case CountUIDField:
		return append(dst, "count(uid)"...)
	case AggregateField:
		dst = append(append(dst, f.Agg...), '(')
		if f.ValVar != "" {
			return append(appendCall(dst, "val", f.ValVar), ')')
		}
		return append(f.Attr.appendText(dst), ')')
	case MathField:
		dst = append(dst, "math("...)
		if part == whole {
			dst = f.Math.appendText(dst, 1)
		}
		return append(dst, ')')
	case CheckPwdField:
		dst = f.Attr.appendText(append(dst, "checkpwd("...))
		if part == whole {
			dst = appendQuoted(append(dst, ", "...), f.Password)
		}
		return append(dst, ')')
	case CountField:
		dst = f.Attr.appendText(append(dst, "count("...))
		if part == whole {
			dst = f.appendTail(dst)
		}
		return append(dst, ')')
	case ExpandField:
		dst = f.Expand.appendText(dst)
	default:
		dst = f.Attr.appendText(dst)
	}
	if part == headOnly {
		return dst
	}
	return f.appendTail(dst)
}

// appendTail appends the arguments, directives and body.
func (f *Field) appendTail(dst []byte) []byte {
	if f.Page != (Page{}) || len(f.Order) > 0 {
		dst = append(dst, " ("...)
		dst = append(appendPaging(dst, len(dst), f.Page, f.Order), ')')
	}
	dst = f.Facets.appendText(dst)
	if f.FacetFilter != nil {
		dst = append(f.FacetFilter.appendText(append(dst, " @facets("...), true), ')')
	}
	if f.Filter != nil {
		dst = append(f.Filter.appendText(append(dst, " @filter("...), true), ')')
	}
	dst = f.Cascade.appendText(dst)
	if f.Normalize {
		dst = append(dst, " @normalize"...)
	}
	dst = appendGroupBy(dst, f.GroupBy)
	if f.Braces {
		dst = appendBody(dst, f.Fields)
	}
	return dst
}

func (e *Expand) appendText(dst []byte) []byte {
	switch {
	case e.All:
		return append(dst, "expand(_all_)"...)
	case e.Var != "":
		return append(appendCall(append(dst, "expand("...), "val", e.Var), ')')
	}
	dst = append(dst, "expand("...)
	start := len(dst)
	for _, t := range e.Types {
		dst = appendName(appendSep(dst, start), t)
	}
	return append(dst, ')')
}

func (s *Facets) appendText(dst []byte) []byte {
	if s == nil {
		return dst
	}
	dst = append(dst, " @facets"...)
	if s.All {
		return dst
	}
	dst = append(dst, '(')
	start := len(dst)
	// A sort key selects its facet too: the two are one item, so that reading it again selects nothing more.
	ordered := map[FacetKey]bool{}
	for _, o := range s.Order {
		ordered[s.selected(o.Key)] = true
	}
	for _, k := range s.Keys {
		if !ordered[k] {
			dst = k.appendText(appendSep(dst, start))
		}
	}
	for _, o := range s.Order {
		dst = appendSep(dst, start)
		if o.Desc {
			dst = append(dst, "orderdesc: "...)
		} else {
			dst = append(dst, "orderasc: "...)
		}
		dst = s.selected(o.Key).appendText(dst)
	}
	return append(dst, ')')
}

// selected returns how a key is selected: plainly if it is, else in the first way.
func (s *Facets) selected(key string) FacetKey {
	plain := FacetKey{Key: key}
	if slices.Contains(s.Keys, plain) {
		return plain
	}
	if i := slices.IndexFunc(s.Keys, func(k FacetKey) bool { return k.Key == key }); i >= 0 {
		return s.Keys[i]
	}
	return plain
}

func (k FacetKey) appendText(dst []byte) []byte {
	if k.Alias != "" {
		dst = append(append(dst, k.Alias...), ": "...)
	}
	if k.Var != "" {
		dst = append(append(dst, k.Var...), " as "...)
	}
	return appendName(dst, k.Key)
}

func (f *FacetFilter) appendText(dst []byte, top bool) []byte {
	switch f.Op {
	case FilterFunc:
		dst = appendName(append(append(dst, f.Func...), '('), f.Key)
		return append(appendQuoted(append(dst, ", "...), f.Arg), ')')
	case FilterNot:
		// The brackets keep "not" from reading as a facet's key.
		inner := f.Children[0].appendText(append(dst, "(not "...), false)
		return append(inner, ')')
	}
	return appendOperands(dst, f.Op, f.Children, top)
}
