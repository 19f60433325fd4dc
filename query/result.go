package query

import (
	"slices"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/query/answer"
)

// Result is what an execution gave.
type Result struct {
	Answer *answer.Answer
	// Vars are all variables of the document by name; nil without any. A mutation takes uid(v) and val(v) from here.
	Vars map[string]*Var
	// NumUIDs counts the source uids read for each predicate, those of the root functions under the empty
	// name and all together under _total (dql.md fact 27).
	NumUIDs map[string]uint64
	// Truncated says that an ordered list was cut at Options.SortedRows.
	Truncated bool
	// Rounds is how many times the Runner was called, Lists how many posting lists it read.
	Rounds, Lists int
	// Profile is the plan with what its steps cost; nil without Options.Profile.
	Profile []*Step

	answer answer.Answer
	nodes  *nodes // of the answer
	budget *Budget
	held   int // bytes that were taken of it, roughly what is held
	text   int // bytes that were taken of it for the answer's text
}

func newResult(budget *Budget) *Result {
	r := &Result{NumUIDs: map[string]uint64{}, nodes: answers.Get().(*nodes), budget: budget}
	r.Answer = &r.answer
	return r
}

// HoldText takes what the text of the answer needs by now off Options.Budget: so many bytes in all. The error is a *LimitError.
func (r *Result) HoldText(bytes int) error {
	if more := bytes - r.text; more > 0 {
		if !r.budget.take(more) {
			return r.budget.exceeded()
		}
		r.text = bytes
	}
	return nil
}

// Release gives what the query took of Options.Budget back, and the memory of the Answer, which is gone then. Call it once the
// answer is written; again it does nothing.
func (r *Result) Release() {
	r.budget.give(r.held + r.text)
	r.held, r.text = 0, 0
	if r.nodes != nil {
		r.Answer, r.answer = nil, answer.Answer{}
		r.nodes.Reset()
		answers.Put(r.nodes)
		r.nodes = nil
	}
}

// set makes v the variable of that name.
func (r *Result) set(name string, v *Var) {
	if r.Vars == nil {
		r.Vars = map[string]*Var{}
	}
	r.Vars[name] = v
}

// Var is the content of a variable. It is not changed after the execution.
type Var struct {
	// UIDs ascend: the nodes of a uid variable, or those that have a value.
	UIDs []graph.UID
	// Values is parallel to UIDs; nil for a uid variable.
	Values []types.Value
	// Constant is the value that every node has, where IsConstant: count(uid), an aggregate of an empty
	// block.
	Constant   types.Value
	IsConstant bool

	// names are the values of nodes that have several, for expand(val(x)).
	names []types.Value
	// path is UIDs in the order of the path, for the variable of a shortest block (dql.md fact 79).
	path []graph.UID
}

// Value returns the value that node u has.
func (v *Var) Value(u graph.UID) (types.Value, bool) {
	if i, ok := slices.BinarySearch(v.UIDs, u); ok && v.Values != nil {
		return v.Values[i], true
	}
	return v.Constant, v.IsConstant
}

// Len returns how many nodes the variable has.
func (v *Var) Len() int { return len(v.UIDs) }
