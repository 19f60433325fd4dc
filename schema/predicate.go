package schema

import (
	"slices"
	"strings"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema/tok"
)

// Predicate is the definition of one predicate. It is immutable once published.
type Predicate struct {
	Name graph.Predicate
	Type types.ID
	// List says that a node may have many values or edges of this predicate: [string], [uid].
	List bool
	// Index holds the tokenizers in the order of the schema text; empty when there is no index.
	Index []tok.Tokenizer
	// Vector is the vector index of a float32vector predicate, nil when there is none.
	Vector *VectorIndex
	// Building names tokenizers of Index (and "reverse", "count") whose keys are written but not yet complete
	// for older data: writes maintain them, queries may not use them.
	Building   []string
	Reverse    bool
	Count      bool
	Lang       bool
	Upsert     bool
	Unique     bool
	NoConflict bool

	// impliedUpsert says that the text had @unique only, which brings @upsert along.
	impliedUpsert bool
}

// VectorIndex is @index(hnsw(metric: "cosine", efSearch: "50")).
type VectorIndex struct {
	// Name is the index method: "hnsw".
	Name string
	// Options are in the order of the schema text.
	Options []Option
}

// Option is one option of a vector index. The value is kept as the text between the quotes.
type Option struct{ Key, Value string }

// Names that Building may hold beside those of tokenizers.
const (
	BuildingReverse = "reverse"
	BuildingCount   = "count"
)

// Type is a type definition: a name and the fields that expand and delete-all go by.
type Type struct {
	Name string
	// Fields are predicate names in the order of the text; a reverse field starts with ~.
	Fields []string
}

// IsUID reports whether p is a predicate of edges.
func (p *Predicate) IsUID() bool { return p.Type == types.UID }

// Indexed reports whether p has any token index, complete or not.
func (p *Predicate) Indexed() bool { return len(p.Index) > 0 }

// Tokenizer returns the tokenizer of p's index called name, if queries may use it.
func (p *Predicate) Tokenizer(name string) (tok.Tokenizer, bool) {
	for _, t := range p.Index {
		if t.Name() == name {
			return t, p.Ready(name)
		}
	}
	return nil, false
}

// Ready reports whether the keys of a tokenizer ("reverse", "count") are complete, so that queries may use
// them.
func (p *Predicate) Ready(name string) bool { return !slices.Contains(p.Building, name) }

// TokenizerNames returns the index as the schema query shows it: the names of the tokenizers in the order of
// the text, then the vector index with its options by name: hnsw("exponent":"5","metric":"euclidean").
func (p *Predicate) TokenizerNames() []string {
	var names []string
	for _, t := range p.Index {
		names = append(names, t.Name())
	}
	if p.Vector != nil {
		names = append(names, p.Vector.String())
	}
	return names
}

// String renders the index with its options sorted by name.
func (v *VectorIndex) String() string {
	if len(v.Options) == 0 {
		return v.Name
	}
	opts := slices.Clone(v.Options)
	slices.SortFunc(opts, func(a, b Option) int { return strings.Compare(a.Key, b.Key) })
	var b strings.Builder
	b.WriteString(v.Name)
	b.WriteByte('(')
	for i, o := range opts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + o.Key + `":"` + o.Value + `"`)
	}
	b.WriteByte(')')
	return b.String()
}

// Equal reports whether p and q define the same predicate in the same state.
func (p *Predicate) Equal(q *Predicate) bool {
	return p.Name == q.Name && p.SameDefinition(q) && slices.Equal(p.Building, q.Building)
}

// SameDefinition reports whether p and q say the same, whatever their names are and whatever is still being
// built.
func (p *Predicate) SameDefinition(q *Predicate) bool {
	return p.Type == q.Type && p.List == q.List && p.Reverse == q.Reverse && p.Count == q.Count &&
		p.Lang == q.Lang && p.Upsert == q.Upsert && p.Unique == q.Unique && p.NoConflict == q.NoConflict &&
		slices.EqualFunc(p.Index, q.Index, sameTokenizer) && p.Vector.equal(q.Vector)
}

func sameTokenizer(a, b tok.Tokenizer) bool { return a.ID() == b.ID() }

func (v *VectorIndex) equal(w *VectorIndex) bool {
	if v == nil || w == nil {
		return v == w
	}
	return v.Name == w.Name && slices.Equal(v.Options, w.Options)
}

// Equal reports whether t and u are the same definition.
func (t *Type) Equal(u *Type) bool { return t.Name == u.Name && slices.Equal(t.Fields, u.Fields) }
