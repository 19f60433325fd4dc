package mutation

import (
	"maps"
	"slices"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/mutation/nquad"
	"dragg/schema"
)

// infer returns definitions for the predicates that are set and not known yet, sorted by name (dql.md fact 107).
func (b *Builder) infer(steps []Step) ([]*schema.Predicate, error) {
	sights := map[string]*sighting{}
	for _, s := range steps {
		for i := range s.Set {
			q := &s.Set[i]
			if _, known := b.Schema.Predicate(graph.Pred(q.Predicate)); known {
				continue
			}
			if sights[q.Predicate] == nil {
				sights[q.Predicate] = &sighting{subjects: map[nquad.Node]bool{}, first: b.firstSight(q)}
			}
			sights[q.Predicate].note(q)
		}
	}
	var defs []*schema.Predicate
	for _, name := range slices.Sorted(maps.Keys(sights)) {
		def, err := schema.Infer(graph.Pred(name), sights[name].first)
		if err != nil {
			return nil, err
		}
		defs = append(defs, def)
	}
	return defs, nil
}

// sighting is what one request shows of an unknown predicate.
type sighting struct {
	first    schema.FirstSight
	subjects map[nquad.Node]bool
}

func (s *sighting) note(q *nquad.Quad) {
	if s.subjects[q.Subject] || q.Origin == nquad.FromArray {
		s.first.Many = true
	}
	s.subjects[q.Subject] = true
	s.first.Tagged = s.first.Tagged || q.Lang != ""
}

// firstSight returns what one statement shows.
func (b *Builder) firstSight(q *nquad.Quad) schema.FirstSight {
	switch {
	case q.Object.Kind != nquad.Absent:
		return schema.FirstSight{Type: types.UID, Many: q.Origin != nquad.FromObject}
	case q.ValueOf != "":
		return schema.FirstSight{Type: b.typeOfVariable(q)}
	}
	id := q.Value.Type()
	if id == types.String && q.Origin != nquad.FromRDF {
		if _, isVector := types.ParseVector(q.Value.Str()); isVector {
			id = types.Vector
		}
	}
	return schema.FirstSight{Type: id}
}

// typeOfVariable returns the type of a variable's first value, default when it has none.
func (b *Builder) typeOfVariable(q *nquad.Quad) types.ID {
	uids, _ := b.uidsOf(q.ValueOf)
	for _, u := range uids {
		if v, ok := b.Vars.Value(q.ValueOf, u); ok {
			return v.Type()
		}
	}
	return types.Default
}
