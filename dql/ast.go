package dql

import (
	"dragg/graph"
	"dragg/graph/types"
)

// Pos is a place in the text: line, and column in bytes, both counted from 1. The zero Pos is "nowhere".
type Pos struct{ Line, Col int }

// Document is a parsed request: query blocks, or one schema query.
type Document struct {
	// Name is the name of a named query, else empty.
	Name string
	// Blocks are the query blocks in the order of the text, fragments expanded.
	Blocks []*Block
	// Schema is set for a schema {} query, and then Blocks is empty.
	Schema *SchemaQuery

	tree *tree // nil where Release does nothing
}

// BlockKind says what a root block is for.
type BlockKind uint8

// The kinds of root block.
const (
	ResultBlock   BlockKind = iota + 1 // alias(func: ...): appears in the answer
	VarBlock                           // var(...): only fills variables
	ShortestBlock                      // shortest(from:, to:): appears as _path_
)

// Block is one root block.
type Block struct {
	Pos  Pos
	Kind BlockKind
	// Alias is the key of a ResultBlock in the answer.
	Alias string
	// Var is the uid variable that the block defines, or empty.
	Var string
	// Func finds the root nodes; nil for a block of aggregates only: q() { sum(val(x)) }.
	Func   *Func
	Page   Page
	Order  []Order
	Filter *Filter
	// Cascade is nil without the directive.
	Cascade      *Cascade
	Normalize    bool
	IgnoreReflex bool
	// GroupBy is empty without the directive.
	GroupBy []GroupKey
	// Recurse is nil without the directive.
	Recurse *Recurse
	// Path is set for a ShortestBlock.
	Path   *Path
	Fields []*Field
}

// FieldKind says what a Field asks for.
type FieldKind uint8

// The kinds of field.
const (
	PredicateField FieldKind = iota + 1 // name, friend { ... }, ~friend, name@en
	UIDField                            // uid
	ValField                            // val(x)
	CountField                          // count(friend @filter(...))
	CountUIDField                       // count(uid)
	AggregateField                      // min(val(x)); inside @groupby also min(price)
	MathField                           // math(x + 1)
	ExpandField                         // expand(_all_) { ... }
	CheckPwdField                       // checkpwd(pin, "secret")
)

// Field is one entry in the body of a block.
type Field struct {
	Pos  Pos
	Kind FieldKind
	// Braces says that the field has a body, be it empty.
	Braces    bool
	Normalize bool
	// Alias replaces the key in the answer; empty for none.
	Alias string
	// Var is the variable that the field defines, or empty.
	Var string
	// Attr is the predicate of a PredicateField, CountField or CheckPwdField, and of an AggregateField over a
	// predicate.
	Attr Attr
	// ValVar is the variable of a ValField, and of an AggregateField over a variable.
	ValVar string
	// Agg is the function of an AggregateField: min, max, sum or avg.
	Agg string
	// Math is the formula of a MathField.
	Math *Math
	// Expand is set for an ExpandField.
	Expand *Expand
	// Password is the plain text of a CheckPwdField.
	Password string

	Page   Page
	Order  []Order
	Filter *Filter
	// Facets is the facet selection, nil without one.
	Facets *Facets
	// FacetFilter keeps edges by their facets, nil without one.
	FacetFilter *FacetFilter
	Cascade     *Cascade
	GroupBy     []GroupKey
	Fields      []*Field
}

// Attr names a predicate with its direction and languages.
type Attr struct {
	Name string
	// Reverse is set for ~name.
	Reverse bool
	// Langs is the preference list of name@en:fr:. or {"*"}; empty for untagged.
	Langs []string
}

// Page is a slice of a list. The zero Page is the whole list.
type Page struct {
	// First is how many elements, negative for the last -First, 0 for all.
	First int
	// Offset is how many elements to skip; it is ignored with a negative First.
	Offset int
	// After keeps only nodes with a greater uid.
	After graph.UID
}

// Order is one sort key: a predicate or a value variable.
type Order struct {
	Pos  Pos
	Attr Attr
	// Var is set for orderasc: val(x), and then Attr is empty.
	Var  string
	Desc bool
}

// SubjectKind says what a function looks at.
type SubjectKind uint8

// What a function may look at.
const (
	OnNothing   SubjectKind = iota // uid(...)
	OnPredicate                    // eq(name, ...)
	OnCount                        // eq(count(friend), ...)
	OnVal                          // eq(val(x), ...)
	OnLen                          // eq(len(v), ...), in conditions of upserts only
)

// Func is a function call at root or in a filter.
type Func struct {
	Pos Pos
	// Name is in lower case.
	Name    string
	Subject SubjectKind
	Attr    Attr   // OnPredicate, OnCount
	Var     string // OnVal, OnLen
	// Args are the arguments after the subject; a list [a, b] counts as several.
	Args []Arg
	// Options are the named arguments of similar_to, in the order of the text.
	Options []Option
}

// ArgKind says what an Arg is.
type ArgKind uint8

// The kinds of argument.
const (
	TextArg   ArgKind = iota + 1 // a literal, unquoted; a number, a word or a bracketed list is its text
	UIDArg                       // a uid literal, in uid(...) and uid_in(...)
	UIDVarArg                    // the variable v of uid(v), uid_in(p, uid(v))
	ValVarArg                    // val(x)
	RegexpArg                    // /text/flags
)

// Arg is one argument of a function.
type Arg struct {
	Kind ArgKind
	// Text is the literal, the name of the variable, or the regular expression.
	Text string
	// Flags are those of a RegexpArg.
	Flags string
	// UID is the number of a UIDArg.
	UID graph.UID
}

// Option is a named argument: ef: 20.
type Option struct{ Name, Text string }

// FilterOp is the operator of a Filter.
type FilterOp uint8

// The operators of a filter tree.
const (
	FilterFunc FilterOp = iota + 1
	FilterAnd
	FilterOr
	FilterNot
)

// Filter is a boolean tree of functions. An And without children is true: @filter().
type Filter struct {
	Op       FilterOp
	Func     *Func     // FilterFunc
	Children []*Filter // FilterAnd and FilterOr: any number; FilterNot: one
}

// Cascade is @cascade, or @cascade(a, b) with Names. Without names every requested field counts.
type Cascade struct{ Names []string }

// GroupKey is one key of @groupby(alias: attr@lang).
type GroupKey struct {
	Alias string
	Attr  Attr
}

// Recurse is @recurse(depth: n, loop: bool). Depth 0 means until nothing new is found.
type Recurse struct {
	Depth int
	Loop  bool
}

// Path holds the arguments of a shortest block.
type Path struct {
	From, To Arg // UIDArg or UIDVarArg
	// NumPaths is how many paths, at least 1.
	NumPaths int
	// MinWeight and MaxWeight bound the weight, inclusive; nil for no bound.
	MinWeight, MaxWeight *float64
	// MaxFrontier caps the queue; 0 for the default.
	MaxFrontier int
	// Depth bounds the hops; -1 for no bound.
	Depth int
}

// Expand is expand(_all_), expand(TypeA, TypeB) or expand(val(x)).
type Expand struct {
	All   bool
	Types []string
	// Var is the list variable of expand(val(x)).
	Var string
}

// Facets selects facets of an edge or value.
type Facets struct {
	// All is set for @facets without a list.
	All  bool
	Keys []FacetKey
	// Order lists sort keys, in the order of the text.
	Order []FacetOrder
}

// FacetKey is one selected facet, with its alias or variable.
type FacetKey struct {
	Key, Alias, Var string
}

// FacetOrder is orderasc: key or orderdesc: key.
type FacetOrder struct {
	Key  string
	Desc bool
}

// FacetFilter is a boolean tree of comparisons on facets.
type FacetFilter struct {
	Op       FilterOp
	Func     string // FilterFunc: eq, le, lt, ge, gt, allofterms, anyofterms
	Key      string
	Arg      string
	Children []*FacetFilter
}

// Math is a formula: a variable, a constant, or an operator over operands.
type Math struct {
	Pos Pos
	// Op is the operator: + - * / % dot < > <= >= == != neg pow logbase min max exp ln sqrt floor ceil
	// since cond; empty for a leaf.
	Op   string
	Args []*Math
	// Var is the variable of a leaf; empty for a constant.
	Var string
	// Const is the constant of a leaf: an Int, Float or Bool.
	Const types.Value
}

// SchemaQuery is schema(pred: [...]) { fields } or schema(type: [...]) {}.
type SchemaQuery struct {
	// Preds are the predicates asked for; empty for all.
	Preds []string
	// Types are the types asked for; empty for all.
	Types []string
	// ByPred and ByType say which argument was given.
	ByPred, ByType bool
	// Fields are the attributes to show; empty for all.
	Fields []string
}
