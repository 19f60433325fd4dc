package schema

import (
	"maps"
	"slices"
	"strings"

	"dragg/graph"
)

// Snapshot is everything defined at one moment. It is immutable and may be shared; the zero Snapshot is
// empty.
type Snapshot struct {
	predicates map[graph.Predicate]*Predicate
	types      map[string]*Type
}

// Update is a set of changes to a Snapshot. Drops are applied before definitions.
type Update struct {
	Predicates     []*Predicate
	Types          []*Type
	DropPredicates []graph.Predicate
	DropTypes      []string
}

// Predicate returns the definition of p.
func (s Snapshot) Predicate(p graph.Predicate) (*Predicate, bool) {
	def, ok := s.predicates[p]
	return def, ok
}

// Type returns the type definition called name.
func (s Snapshot) Type(name string) (*Type, bool) {
	t, ok := s.types[name]
	return t, ok
}

// Predicates returns all definitions, sorted by namespace and name. The caller owns the slice.
func (s Snapshot) Predicates() []*Predicate {
	return slices.SortedFunc(
		maps.Values(s.predicates),
		func(a, b *Predicate) int { return a.Name.Compare(b.Name) },
	)
}

// Types returns all type definitions, sorted by name. The caller owns the slice.
func (s Snapshot) Types() []*Type {
	return slices.SortedFunc(
		maps.Values(s.types),
		func(a, b *Type) int { return strings.Compare(a.Name, b.Name) },
	)
}

// Len returns how many predicates are defined.
func (s Snapshot) Len() int { return len(s.predicates) }

// With returns s with the changes of u. s stays as it is. It costs time in proportion to the whole schema:
// put all changes of one moment into one Update.
func (s Snapshot) With(u Update) Snapshot {
	if len(u.Predicates)+len(u.DropPredicates) > 0 {
		s.predicates = cloneMap(s.predicates, len(u.Predicates))
		for _, p := range u.DropPredicates {
			delete(s.predicates, p)
		}
		for _, p := range u.Predicates {
			s.predicates[p.Name] = p
		}
	}
	if len(u.Types)+len(u.DropTypes) > 0 {
		s.types = cloneMap(s.types, len(u.Types))
		for _, name := range u.DropTypes {
			delete(s.types, name)
		}
		for _, t := range u.Types {
			s.types[t.Name] = t
		}
	}
	return s
}

func cloneMap[K comparable, V any](m map[K]V, room int) map[K]V {
	c := make(map[K]V, len(m)+room)
	maps.Copy(c, m)
	return c
}
