package query

import (
	"slices"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema"
)

// schemaAnswer writes the answer of a schema query (dql.md facts 116 to 118).
func schemaAnswer(s schema.Snapshot, q *dql.SchemaQuery) []byte {
	all := !q.ByPred && !q.ByType
	dst := []byte{'{'}
	if preds := chosenPredicates(s, q); len(preds) > 0 && (all || q.ByPred) {
		dst = append(dst, `"schema":[`...)
		for i, p := range preds {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendPredicate(dst, p, q.Fields)
		}
		dst = append(dst, ']')
	}
	if ts := chosenTypes(s, q); len(ts) > 0 && (all || q.ByType) {
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(dst, `"types":[`...)
		for i, t := range ts {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendType(dst, t)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func chosenPredicates(s schema.Snapshot, q *dql.SchemaQuery) []*schema.Predicate {
	if !q.ByPred {
		return s.Predicates()
	}
	names := slices.Clone(q.Preds)
	slices.Sort(names)
	var out []*schema.Predicate
	for _, n := range slices.Compact(names) {
		if p, ok := s.Predicate(graph.Pred(n)); ok {
			out = append(out, p)
		}
	}
	return out
}

func chosenTypes(s schema.Snapshot, q *dql.SchemaQuery) []*schema.Type {
	if !q.ByType {
		return s.Types()
	}
	names := slices.Clone(q.Types)
	slices.Sort(names)
	var out []*schema.Type
	for _, n := range slices.Compact(names) {
		if t, ok := s.Type(n); ok {
			out = append(out, t)
		}
	}
	return out
}

// appendPredicate writes one entry: what is false or empty is left out, and what fields does not name, if
// it names any.
func appendPredicate(dst []byte, p *schema.Predicate, fields []string) []byte {
	wanted := func(name string) bool { return len(fields) == 0 || slices.Contains(fields, name) }
	dst = types.AppendQuoted(append(dst, `{"predicate":`...), p.Name.Name)
	if wanted("type") {
		dst = types.AppendQuoted(append(dst, `,"type":`...), p.Type.String())
	}
	flag := func(name string, on bool) {
		if on && wanted(name) {
			dst = append(append(append(dst, `,"`...), name...), `":true`...)
		}
	}
	tokenizers := p.TokenizerNames()
	flag("index", p.Indexed())
	if len(tokenizers) > 0 && wanted("tokenizer") {
		for i, t := range tokenizers {
			dst = append(dst, []string{`,"tokenizer":[`, `,`}[min(i, 1)]...)
			dst = types.AppendQuoted(dst, t)
		}
		dst = append(dst, ']')
	}
	flag("reverse", p.Reverse)
	flag("count", p.Count)
	flag("list", p.List)
	flag("upsert", p.Upsert)
	flag("lang", p.Lang)
	flag("no_conflict", p.NoConflict)
	flag("unique", p.Unique)
	if p.Vector != nil && wanted("index_specs") {
		dst = appendIndexSpecs(dst, p.Vector)
	}
	return append(dst, '}')
}

func appendIndexSpecs(dst []byte, v *schema.VectorIndex) []byte {
	dst = types.AppendQuoted(append(dst, `,"index_specs":[{"name":`...), v.Name)
	for i, o := range v.Options {
		dst = append(dst, []string{`,"options":[`, `,`}[min(i, 1)]...)
		dst = types.AppendQuoted(append(dst, `{"key":`...), o.Key)
		dst = append(types.AppendQuoted(append(dst, `,"value":`...), o.Value), '}')
	}
	if len(v.Options) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, "}]"...)
}

func appendType(dst []byte, t *schema.Type) []byte {
	dst = append(dst, `{"fields":[`...)
	for i, f := range t.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(types.AppendQuoted(append(dst, `{"name":`...), f), '}')
	}
	return append(types.AppendQuoted(append(dst, `],"name":`...), t.Name), '}')
}
