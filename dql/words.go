package dql

// Words returns the words of the language that an editor may offer, in alphabetical order: functions, directives, arguments, and what
// computes. Names that requests make up are none of them.
func Words() []string {
	return []string{
		"@cascade", "@facets", "@filter", "@groupby", "@if", "@ignorereflex", "@normalize", "@recurse",
		"after", "allofterms", "alloftext", "and", "anyofterms", "anyoftext", "as", "avg",
		"between", "ceil", "checkpwd", "cond", "contains", "count", "delete", "depth",
		"eq", "exp", "expand", "first", "floor", "fragment", "from", "func", "ge", "gt", "has", "intersects",
		"le", "len", "ln", "logbase", "loop", "lt", "match", "math", "max", "maxweight", "min", "minweight", "mutation",
		"near", "ngram", "not", "numpaths", "offset", "or", "orderasc", "orderdesc", "pow", "query", "regexp",
		"schema", "set", "shortest", "since", "sqrt", "sum", "to", "type", "uid", "uid_in", "upsert", "val", "var", "within",
	}
}
