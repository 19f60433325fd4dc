package oracle

import (
	"fmt"
	"slices"
	"strings"
)

// predicate is what the schema says of one.
type predicate struct {
	name, schema string
	kind         string // int float string bool time geo uid
	list         bool
	lang         bool
	facets       bool // the graph has some on it
	indexed      bool // for eq at root
	sorted       bool // for inequality at root
	terms        bool
	reverse      bool
	counted      bool // for counts at root
}

// predicates returns the schema that every random graph has.
func predicates() []predicate {
	return []predicate{
		{name: "name", kind: "string", schema: "string @index(exact, term, trigram)", indexed: true, sorted: true, terms: true, facets: true},
		{name: "nick", kind: "string", schema: "string @index(hash, fulltext, ngram)", indexed: true},
		{
			name: "title", kind: "string", schema: "string @index(exact, term) @lang", lang: true, indexed: true, sorted: true, terms: true,
			facets: true,
		},
		{name: "age", kind: "int", schema: "int @index(int)", indexed: true, sorted: true},
		{name: "rank", kind: "int", schema: "int"},
		{name: "score", kind: "float", schema: "float @index(float)", indexed: true, sorted: true},
		{name: "alive", kind: "bool", schema: "bool @index(bool)", indexed: true},
		{name: "born", kind: "time", schema: "datetime @index(year)", indexed: true, sorted: true},
		{name: "loc", kind: "geo", schema: "geo @index(geo)"},
		{name: namesOf, kind: "string", schema: "string @index(hash)", indexed: true},
		{name: "tags", kind: "string", schema: "[string] @index(exact)", list: true, indexed: true, facets: true},
		{name: "nums", kind: "int", schema: "[int] @index(int)", list: true, indexed: true, sorted: true, facets: true},
		{name: "days", kind: "time", schema: "[datetime] @index(month)", list: true, indexed: true, sorted: true},
		{name: "friend", kind: "uid", schema: "[uid] @reverse @count", list: true, reverse: true, counted: true, facets: true},
		{name: "likes", kind: "uid", schema: "[uid] @reverse", list: true, reverse: true},
		{name: "boss", kind: "uid", schema: "uid @reverse", reverse: true, facets: true},
	}
}

// namesOf is the predicate whose values are names of predicates, for expand(val(x)).
const namesOf = "shows"

// expandable are the values of that one. Not all of them are predicates.
func expandable() []string {
	return []string{"age", "boss", "friend", "none", "shows", "tags", "title", "~boss"}
}

// isList says whether a predicate holds lists of values.
func isList(pred string) bool {
	return pred == typeOf || slices.ContainsFunc(predicates(), func(p predicate) bool { return p.name == pred && p.list })
}

// ordered says whether values of the predicate can be compared by more than equality.
func (p predicate) ordered() bool { return p.kind != "uid" && p.kind != "bool" && p.kind != "geo" }

// typeOf is the predicate of the types of a node.
const typeOf = "dgraph.type"

// nodeType is a type with its fields in the order of its definition.
type nodeType struct {
	name   string
	fields []string
}

// nodeTypes returns the types of the schema, by name.
func nodeTypes() []nodeType {
	return []nodeType{
		{"City", []string{"name", "born", "tags", "nums", "loc", "~likes"}},
		{"Person", []string{"name", "age", "title", "friend", "boss"}},
	}
}

// schema returns the text of the schema.
func schema() string {
	var b strings.Builder
	for _, p := range predicates() {
		fmt.Fprintf(&b, "%s: %s .\n", p.name, p.schema)
	}
	for _, t := range nodeTypes() {
		fmt.Fprintf(&b, "type %s {\n", t.name)
		for _, f := range t.fields {
			if f[0] == '~' {
				f = "<" + f + ">"
			}
			fmt.Fprintf(&b, "  %s\n", f)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// single reports whether an edge is answered as an object (fact 8).
func single(pred string) bool {
	return slices.ContainsFunc(predicates(), func(p predicate) bool { return p.name == pred && !p.list })
}
