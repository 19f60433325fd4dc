package schema

import (
	"strings"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema/tok"
)

// TypePredicate is the name of the predicate that holds a node's types. Every schema has it.
const TypePredicate = graph.Reserved + "type"

// IsReserved reports whether name belongs to the system, in whatever letter case (dql.md fact 123).
func IsReserved(name string) bool {
	return len(name) >= len(graph.Reserved) && strings.EqualFold(name[:len(graph.Reserved)], graph.Reserved)
}

// Reserved returns the built-in predicates and types, as an Update to start from and to restore after drop
// all. The caller owns it.
func Reserved() Update {
	text := func(name string, tokenizers ...string) *Predicate {
		return &Predicate{
			Name:  graph.Pred(graph.Reserved + name),
			Type:  types.String,
			Index: tokenizersOf(tokenizers),
		}
	}
	typ := text("type", tok.Exact)
	typ.List = true
	xid := text("graphql.xid", tok.Exact)
	xid.Upsert = true
	spaceName := text("namespace.name", tok.Exact)
	spaceName.Upsert, spaceName.Unique = true, true
	spaceID := text("namespace.id", tok.Int)
	spaceID.Type, spaceID.Upsert, spaceID.Unique = types.Int, true, true

	fields := func(name string, of ...*Predicate) *Type {
		t := &Type{Name: graph.Reserved + name}
		for _, p := range of {
			t.Fields = append(t.Fields, p.Name.Name)
		}
		return t
	}
	dropOp, persisted, gql := text("drop.op"), text("graphql.p_query", tok.SHA256), text("graphql.schema")
	return Update{
		Predicates: []*Predicate{dropOp, persisted, gql, xid, spaceID, spaceName, typ},
		Types: []*Type{
			fields("graphql", gql, xid),
			fields("graphql.persisted_query", persisted),
			fields("namespace", spaceName, spaceID),
		},
	}
}

// tokenizersOf returns tokenizers by name; names are constants of tok, unknown ones are left out.
func tokenizersOf(names []string) []tok.Tokenizer {
	var index []tok.Tokenizer
	for _, name := range names {
		if t, ok := tok.Lookup(name); ok {
			index = append(index, t)
		}
	}
	return index
}
