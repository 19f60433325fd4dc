package query

import (
	"fmt"
	"slices"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/query/answer"
	"dragg/query/task"
	"dragg/schema"
)

// field plans one field and what is below it. n is empty.
func (b *builder) field(n *node, f *dql.Field, inherited *cascade) error {
	n.kind, n.src, n.attr = f.Kind, f, &f.Attr
	n.key, n.aliased, n.varName = f.Key(), f.Alias != "", f.Var
	n.cascade, n.normalize, n.shown = cascadeOf(f.Cascade, inherited), f.Normalize, true
	switch f.Kind {
	case dql.PredicateField, dql.CountField, dql.CheckPwdField:
		return b.predicate(n, f)
	case dql.AggregateField:
		if f.ValVar != "" {
			return nil
		}
		def, err := b.attr(f.Attr)
		n.pred, n.def = graph.Pred(f.Attr.Name), def
		return err
	case dql.ExpandField:
		var err error
		n.expandTypes, err = b.filter(f.Filter)
		return err
	}
	return nil
}

// predicate plans a field that asks a tablet.
func (b *builder) predicate(n *node, f *dql.Field) error {
	def, err := b.attr(f.Attr)
	if err != nil {
		return err
	}
	n.pred, n.def = graph.Pred(f.Attr.Name), def
	if def == nil {
		return nil
	}
	if n.everyLanguage() && !n.aliased {
		n.key = f.Attr.Key() // each language adds its own tag
	}
	n.edges = def.IsUID()
	n.list = def.List || f.Attr.Reverse
	if f.Kind == dql.CheckPwdField {
		if def.Type != types.Password {
			return fmt.Errorf("checkpwd fn can only be used on attr: [%s] with schema type password. Got type: %s",
				f.Attr.Name, def.Type)
		}
		return nil
	}
	if err := b.level(n, f.Filter, f.Order, f.Page, f.GroupBy); err != nil {
		return err
	}
	if err := b.facets(n, f); err != nil {
		return err
	}
	if f.Kind == dql.CountField {
		return nil
	}
	n.shown = !n.edges && def.Type != types.Password || n.edges && (f.Braces || b.recurse)
	if !n.edges {
		return nil
	}
	if n.children, err = b.fields(f.Fields, n.cascade, len(n.groupBy) > 0); err != nil {
		return err
	}
	return n.checkGroupVars()
}

// everyLanguage says whether the field shows every tag under a key of its own: name@*.
func (n *node) everyLanguage() bool { return len(n.attr.Langs) == 1 && n.attr.Langs[0] == "*" }

// facets plans the facet selection, filter, order and variables of a field.
func (b *builder) facets(n *node, f *dql.Field) error {
	if f.Facets == nil && f.FacetFilter == nil {
		return nil
	}
	n.facets = &task.Facets{Filter: facetFilter(f.FacetFilter)}
	if f.Facets == nil {
		return nil
	}
	n.facets.All = f.Facets.All
	n.facetOrder = f.Facets.Order
	n.facetKeys = &answer.FacetKeys{All: f.Facets.All}
	for _, k := range f.Facets.Keys {
		n.facets.Keys = append(n.facets.Keys, k.Key)
		shown := answer.FacetKey{Key: k.Key, Alias: k.Alias}
		if !slices.Contains(n.facetKeys.Keys, shown) { // with and without a variable it is one field
			n.facetKeys.Keys = append(n.facetKeys.Keys, shown)
		}
		if k.Var == "" {
			continue
		}
		if !n.edges {
			return fmt.Errorf("facet variable %s: only the facets of edges can become variables, %s has values",
				k.Var, f.Attr.Name)
		}
		n.facetVars = append(n.facetVars, k)
	}
	return nil
}

func facetFilter(f *dql.FacetFilter) *task.FacetFilter {
	if f == nil {
		return nil
	}
	out := &task.FacetFilter{Key: f.Key, Arg: f.Arg, Func: task.FuncName(f.Func)}
	switch f.Op {
	case dql.FilterAnd:
		out.Op = task.And
	case dql.FilterOr:
		out.Op = task.Or
	case dql.FilterNot:
		out.Op = task.Not
	}
	for _, c := range f.Children {
		out.Children = append(out.Children, facetFilter(c))
	}
	return out
}

// order plans sort keys (dql.md facts 38, 43, 47, 96).
func (b *builder) order(src []dql.Order, p dql.Page) ([]orderKey, error) {
	var keys []orderKey
	for _, o := range src {
		if o.Var != "" {
			return []orderKey{{varName: o.Var, desc: o.Desc}}, nil
		}
		if p.First < 0 {
			return nil, fmt.Errorf("we do not yet support negative or infinite count with sorting: %s %d. "+
				"Try flipping order and return first few elements instead", o.Attr.Name, p.First)
		}
		if err := b.sortable(o.Attr); err != nil {
			return nil, err
		}
		keys = append(keys, orderKey{pred: graph.Pred(o.Attr.Name), langs: o.Attr.Langs, desc: o.Desc})
	}
	return keys, nil
}

func (b *builder) sortable(a dql.Attr) error {
	def, err := b.attr(a)
	if err != nil {
		return err
	}
	switch {
	case def == nil:
		return fmt.Errorf("cannot sort by unknown attribute %s", a.Name)
	case def.IsUID() || def.List:
		kind := "scalar"
		if def.IsUID() {
			kind = "uid"
		}
		return fmt.Errorf("sorting not supported on attr: %s of type: [%s]", a.Name, kind)
	case !types.Comparable(def.Type):
		return fmt.Errorf("attribute %s of type %s isn't sortable", a.Name, def.Type)
	}
	return nil
}

// expanded plans the field that expand makes of a predicate of a type. ok is false where there is nothing
// to show.
func (b *builder) expanded(expand *node, name string) (n *node, ok bool, err error) {
	attr := &dql.Attr{Name: name}
	if len(name) > 1 && name[0] == '~' {
		attr = &dql.Attr{Name: name[1:], Reverse: true}
	}
	def, err := b.attr(*attr)
	if err != nil || def == nil || def.Type == types.Password {
		return nil, false, err
	}
	n = &node{
		kind: dql.PredicateField, key: attr.Key(), attr: attr, pred: graph.Pred(attr.Name), def: def,
		edges: def.IsUID(), list: def.List || attr.Reverse, shown: true, cascade: expand.cascade,
		facets: &task.Facets{All: true}, facetKeys: &answer.FacetKeys{All: true, Implied: true},
	}
	if !n.edges {
		if def.Lang {
			n.attr.Langs = []string{"*"}
		}
		return n, true, nil
	}
	src := expand.src
	if err := b.level(n, nil, src.Order, src.Page, src.GroupBy); err != nil {
		return nil, false, err
	}
	n.filter, n.normalize = expand.expandTypes, src.Normalize
	if src.Facets != nil || src.FacetFilter != nil {
		if err := b.facets(n, src); err != nil {
			return nil, false, err
		}
	}
	n.shown = src.Braces || b.recurse
	if n.children, err = b.fields(src.Fields, n.cascade, len(n.groupBy) > 0); err != nil {
		return nil, false, err
	}
	return n, n.shown || len(n.facetVars) > 0, n.checkGroupVars()
}

// typeFields returns the fields of the named types in the order of the names, each once.
func typeFields(s schema.Snapshot, names []string) []string {
	var fields []string
	seen := map[string]bool{}
	for _, name := range names {
		t, ok := s.Type(name)
		if !ok {
			continue
		}
		for _, f := range t.Fields {
			if !seen[f] {
				seen[f] = true
				fields = append(fields, f)
			}
		}
	}
	return fields
}
