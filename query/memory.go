package query

import (
	"sync"

	"dragg/internal/slab"
	"dragg/query/answer"
	"dragg/query/task"
)

// planMemory is what a plan is made of.
type planMemory struct {
	plan      Plan
	tops      slab.Slab[*block]
	blocks    slab.Slab[block]
	nodes     slab.Slab[node]
	children  slab.Slab[*node]
	functions slab.Slab[function]
}

// plans wait for a document.
var plans = sync.Pool{New: func() any { return new(planMemory) }}

// free takes back what the plan was made of.
func (m *planMemory) free() {
	m.plan = Plan{}
	m.tops.Reset()
	m.blocks.Reset()
	m.nodes.Reset()
	m.children.Reset()
	m.functions.Reset()
	plans.Put(m)
}

// function returns memory for a function; a condition of a mutation has no other.
func (m *planMemory) function() *function {
	if m == nil {
		return new(function)
	}
	return &m.functions.Take(1)[0]
}

// runMemory is what a run is made of, besides what it finds.
type runMemory struct {
	blocks   slab.Slab[blockRun]
	levels   slab.Slab[level]
	children slab.Slab[*level]
}

// runs wait for a plan to execute.
var runs = sync.Pool{New: func() any { return new(run) }}

func newRun() *run { return runs.Get().(*run) }

// free gives a run back that has come to its end: whoever still answers one that failed would read what it asks.
func (r *run) free() {
	m := r.memory
	m.blocks.Reset()
	m.levels.Reset()
	m.children.Reset()
	*r = run{memory: m, pending: r.pending[:0], tasks: r.tasks[:0], asked: r.asked}
	runs.Put(r)
}

// asked is what was put together for a round and is answered: room for one to come.
type asked struct {
	jobs  []job
	tasks []task.Task
}

// keptTasks is for how many tasks a round's memory is kept.
const keptTasks = 128

// reuse takes what a round has answered.
func (a *asked) reuse(jobs []job, tasks []task.Task) {
	if len(tasks) > keptTasks {
		*a = asked{}
		return
	}
	clear(jobs)
	clear(tasks)
	*a = asked{jobs[:0], tasks[:0]}
}

// nodes are what an answer is made of.
type nodes = slab.Slab[answer.Node]

// answers wait for a result.
var answers = sync.Pool{New: func() any { return new(nodes) }}
