package dql

import "strings"

// Key returns the key under which the field appears in an answer: its alias, or what was asked for (dql.md
// facts 17 to 21). For an ExpandField it is the text of the call, which appears nowhere.
func (f *Field) Key() string {
	if f.Alias != "" {
		return f.Alias
	}
	switch f.Kind {
	case UIDField:
		return "uid"
	case ValField:
		return "val(" + f.ValVar + ")"
	case CountField:
		return "count(" + f.Attr.Key() + ")"
	case CountUIDField:
		return "count"
	case AggregateField:
		if f.ValVar != "" {
			return f.Agg + "(val(" + f.ValVar + "))"
		}
		return f.Agg + "(" + f.Attr.Key() + ")"
	case MathField:
		return "val(" + f.Var + ")"
	case ExpandField:
		return f.Expand.key()
	case CheckPwdField:
		return "checkpwd(" + f.Attr.Key() + ")"
	}
	if len(f.Attr.Langs) == 0 {
		return f.Attr.Key()
	}
	return f.Attr.Key() + "@" + strings.Join(f.Attr.Langs, ":")
}

func (e *Expand) key() string {
	switch {
	case e.All:
		return "expand(_all_)"
	case e.Var != "":
		return "expand(val(" + e.Var + "))"
	}
	return "expand(" + strings.Join(e.Types, ", ") + ")"
}

// Key returns the predicate's name, with ~ in front for a reverse edge and without languages.
func (a Attr) Key() string {
	if a.Reverse {
		return "~" + a.Name
	}
	return a.Name
}
