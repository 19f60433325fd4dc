package answer

import (
	"fmt"

	"dragg/graph"
	"dragg/graph/types"
)

// Answer is what a query found.
type Answer struct {
	// Blocks are the visible blocks in the order of the text.
	Blocks []Block
	// Paths is what the shortest block found; nil without one or where there is no path.
	Paths []Path
	// Schema is the answer of a schema query, a JSON object; nil for any other.
	Schema []byte
}

// BlockKind says how a Block is shown.
type BlockKind uint8

// The kinds of block.
const (
	Objects    BlockKind = iota // an array of one object for each node of Root
	Aggregates                  // an array of one object for each value of Root.Children
	Grouped                     // an array of one object that holds the groups of Root
)

// Block is one visible block.
type Block struct {
	Kind BlockKind
	Key  string
	// Root is an Edge with a single row: the nodes of the block. For Aggregates only its Children matter:
	// one row each.
	Root         Node
	Normalize    bool
	IgnoreReflex bool
}

// Kind says what a Node holds for each row.
type Kind uint8

// The kinds of node.
const (
	Edge     Kind = iota + 1 // Offsets, Targets, Index, Facets, Children
	Scalar                   // Offsets, Values, Langs, Facets
	Count                    // Counts
	UID                      // nothing: the row's own uid is shown
	CountUID                 // nothing: the length of the enclosing Edge's row is shown
	Groups                   // Groups
)

// Node is one field for all objects of a level. Row i belongs to the i-th uid of the level.
type Node struct {
	Kind      Kind
	Normalize bool
	// Aliased says that Key was chosen by the client.
	Aliased bool
	// List says that the field is an array even where it has one element.
	List bool
	// Checks says that the values are answers of checkpwd.
	Checks bool
	// Key is the name in the answer.
	Key string

	// Offsets has one entry more than there are rows: row i is [Offsets[i], Offsets[i+1]).
	Offsets []uint32
	Targets []graph.UID
	// Index says for each target which row of the Children is its own.
	Index  []uint32
	Values []types.Value
	// Langs is parallel to Values for a field that shows every language, else nil.
	Langs  []string
	Counts []int64
	// Facets is parallel to Targets or Values, nil without facets.
	Facets [][]graph.Facet
	// FacetKeys says how facets are shown.
	FacetKeys *FacetKeys

	Children []Node
	// Groups are the groups of each row.
	Groups [][]Group
}

// FacetKeys says which facets are shown and under which names. The default name is the field's key, | and
// the facet's key.
type FacetKeys struct {
	All bool
	// Implied says that nobody asked for facets: expand brings them along.
	Implied bool
	// Keys are the selected facets; with All only those that have an alias.
	Keys []FacetKey
}

// FacetKey is one selected facet. An empty Alias stands for the default name.
type FacetKey struct{ Key, Alias string }

// Group is one group of @groupby: its keys and aggregates in the order they are shown.
type Group struct{ Members []Member }

// Member is a key or an aggregate of a Group.
type Member struct {
	Key   string
	Value types.Value
}

// Path is one path of a shortest block.
type Path struct {
	// Nodes are the uids from start to end, at least one.
	Nodes []graph.UID
	// Hops are the edges between them, one fewer than Nodes.
	Hops []Hop
	// Weight is the sum over the hops.
	Weight float64
}

// Hop is an edge of a Path.
type Hop struct {
	// Key is the name of the predicate, or its alias.
	Key string
	// FacetKey is the name of the weight facet in the answer; empty where the weight is not a facet.
	FacetKey string
	Facet    types.Value
}

// Options says how to write an Answer, within which bounds.
type Options struct {
	// Debug adds the uid to every object that is not empty (dql.md fact 25).
	Debug bool
	// MaxBytes is how long the text may become. 0 means 256 MiB.
	MaxBytes int
	// NormalizeNodes is how many objects @normalize may make of a block. 0 means 10,000.
	NormalizeNodes int
	// Room, if not nil, is asked now and then, and whenever the text takes more memory: bytes is how much it takes. An error
	// that it returns ends the writing.
	Room func(bytes int) error
}

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 256 << 20
	}
	if o.NormalizeNodes <= 0 {
		o.NormalizeNodes = 10_000
	}
	return o
}

// TooLargeError says that an answer is longer than Options.MaxBytes.
type TooLargeError struct{ Limit int }

// Error names the limit.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than the limit of %d bytes", e.Limit)
}

// TooManyError says that @normalize makes more objects than Options.NormalizeNodes.
type TooManyError struct{ Limit int }

// Error names the limit.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("@normalize makes too many results: more than %d objects", e.Limit)
}

// row returns the bounds of row i.
func (n *Node) row(i int) (from, to int) {
	if i+1 >= len(n.Offsets) {
		return 0, 0
	}
	return int(n.Offsets[i]), int(n.Offsets[i+1])
}
