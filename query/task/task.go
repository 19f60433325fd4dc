// Package task is the waist between query and storage: what a tablet is asked and what it answers.
//
// A query asks for one level at a time, in one batch. Inside one process a batch is passed by reference and nothing is
// copied; the wire form lives in cluster/wire. Answers are columnar: one slice of targets with offsets, not a message each.
package task

import (
	"context"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/uidset"
)

// Runner answers a batch of tasks as of readTs. results[i] answers batch[i]. The first failing task fails the batch.
// A transaction's own pending writes are part of its snapshot: the runner finds them by readTs, which is its startTs.
type Runner interface {
	Run(ctx context.Context, readTs graph.Timestamp, batch []Task) (results []Result, err error)
}

// Kind says what a Task asks.
type Kind uint8

// The kinds of task.
const (
	Edges  Kind = iota + 1 // for each uid of Src, the edges of a uid predicate: Offsets, Targets, Facets
	Values                 // for each uid of Src, the values of a scalar predicate: Offsets, Values, Langs, Facets
	Counts                 // for each uid of Src, how many edges or values: Counts
	Match                  // the uids for which Func holds, among Src, or among all nodes where AtRoot: Set
)

// Task is one question to the tablet of one predicate.
type Task struct {
	Kind Kind
	// Reverse asks for the edges that point at Src: ~predicate.
	Reverse bool
	// AtRoot makes a Match search the whole predicate by its index instead of testing Src.
	AtRoot    bool
	Predicate graph.Predicate
	// Src is the frontier, ascending and without duplicates. The runner does not change it.
	Src []graph.UID
	// Langs is the language preference list of fact 85: the first tag present wins; "." as the last one means untagged,
	// else any. Empty means untagged only. {"*"} asks for every tag; then Result.Langs is filled.
	Langs []string
	Func  Func
	// Facets says which facets to return and which edges or values to leave out by their facets; nil for none.
	Facets *Facets
	// Page cuts each row of Edges and Values (Facets.Filter first), and the result of a root Match.
	Page Page
	// Best lets a root Match leave out nodes that come late in the order of the predicate, and Values leave their rows empty. A
	// runner may ignore it.
	Best Best
	// Room bounds the answers to the whole batch.
	Room Room
}

// Best says that of the nodes ordered by their values only the first N matter, the last N where Desc is set. All that share a
// value with one of them must be in the answer too, unless ByUID says that those with smaller uids come first; any others may be.
// Nodes without a value come last, wherever the order begins.
type Best struct {
	N           int
	Desc, ByUID bool
}

// Page is a slice of a list: After first, then Offset, then First. First < 0 takes the last -First and ignores Offset.
// The zero Page is the whole list.
type Page struct {
	First, Offset int
	After         graph.UID
}

// Facets selects facets.
type Facets struct {
	All  bool
	Keys []string
	// Filter keeps an element only when it holds; nil keeps all.
	Filter *FacetFilter
}

// FacetFilter is a tree: And, Or, Not over Children, or a leaf with Func over the facet Key.
type FacetFilter struct {
	Op       FilterOp
	Children []*FacetFilter
	Func     FuncName // leaf: Eq, Le, Lt, Ge, Gt, AllOfTerms, AnyOfTerms
	Key      string
	Arg      string
}

// FilterOp is the operator of a filter tree node.
type FilterOp uint8

// The operators of a filter tree.
const (
	Leaf FilterOp = iota
	And
	Or
	Not
)

// FuncName names a function of the language.
type FuncName string

// The functions that a tablet can answer.
const (
	Has        FuncName = "has"
	Eq         FuncName = "eq"
	Le         FuncName = "le"
	Lt         FuncName = "lt"
	Ge         FuncName = "ge"
	Gt         FuncName = "gt"
	Between    FuncName = "between"
	AnyOfTerms FuncName = "anyofterms"
	AllOfTerms FuncName = "allofterms"
	AnyOfText  FuncName = "anyoftext"
	AllOfText  FuncName = "alloftext"
	Ngram      FuncName = "ngram"
	Regexp     FuncName = "regexp"
	Fuzzy      FuncName = "match"
	UIDIn      FuncName = "uid_in"
	CheckPwd   FuncName = "checkpwd"
	Near       FuncName = "near"
	Within     FuncName = "within"
	Contains   FuncName = "contains"
	Intersects FuncName = "intersects"
)

// Func is a condition on a node's values or edges of the task's predicate.
type Func struct {
	Name FuncName
	// Args are the arguments as text; the tablet converts them to the predicate's type. For eq any may match.
	// Regexp: Args[0] the expression, Args[1] the flags. Fuzzy: the text, then the distance.
	Args []string
	// Count compares the number of edges or values instead: eq(count(friend), 3).
	Count bool
	// UIDs are the targets of uid_in, ascending.
	UIDs []graph.UID
	// Needs an index in a filter too: the terms and text functions do, by definition.
}

// Result answers one Task. The receiver may read it, not change it.
type Result struct {
	// Offsets has len(Src)+1 entries: row i is [Offsets[i], Offsets[i+1]) of Targets, Values, Langs and Facets.
	Offsets []uint32
	// Targets of each row ascend.
	Targets []graph.UID
	// Values of each row are in storage order (fact 23). CheckPwd answers with one Bool a row.
	Values []types.Value
	// Langs is parallel to Values where every tag was asked for, else nil.
	Langs []string
	// Facets is parallel to Targets or Values where facets were asked for, else nil. Each is sorted by key.
	Facets [][]graph.Facet
	Counts []int64
	Set    uidset.Set
	// Lists is how many posting lists were read, CacheHits how many of them were in memory.
	Lists, CacheHits int
}
