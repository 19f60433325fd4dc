package query

import (
	"dragg/dql"
	"dragg/graph"
	"dragg/query/task"
)

// Holds evaluates the condition of a mutation over the variables of its query (dql.md fact 109). As the
// condition is a filter on no node in particular, a function on a predicate holds for nothing; lengths and
// constants compare as they are. vars may lack a variable: it is empty.
func Holds(cond *dql.Cond, vars map[string]*Var) (bool, error) {
	if cond == nil || cond.Filter == nil {
		return true, nil
	}
	f, err := new(builder).filter(cond.Filter)
	if err != nil || f == nil {
		return f == nil, err
	}
	r := &run{result: &Result{Vars: vars}}
	var tasks []task.Task
	e, err := r.prepare(f, []graph.UID{0}, &tasks)
	if err != nil {
		return false, err
	}
	return len(e.eval(nil)) == 1, nil
}
