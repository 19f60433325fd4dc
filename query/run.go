package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dragg/graph"
	"dragg/query/task"
)

// run is one execution of a plan.
type run struct {
	ctx    context.Context //nolint:containedctx // a run lives no longer than the call that made it
	plan   *Plan
	runner task.Runner
	readTs graph.Timestamp
	opts   Options
	now    time.Time // see clock

	blocks  []blockRun
	pending []job
	tasks   []task.Task // of pending, in order
	asked   asked       // what the next round is put together in
	edges   int         // edges followed
	steps   int         // of long loops; see gone
	left    bool
	result  *Result
	profile profile
	memory  runMemory
	// expansions are the fields that expands were found to stand for: a @recurse has the same at every level.
	expansions map[expansion]*node
}

// job is a question of one level, so many tasks, and what to do with the answers.
type job struct {
	level *level
	tasks int
	then  func(*level, []task.Result) error
}

// blockRun is one block at work.
type blockRun struct {
	*block
	open    int // jobs that are not answered yet
	started bool
	done    bool
	root    *level // nil before it is started
	top     level  // what root points at
	// locals are the value variables of the block, by name; nil before the first.
	locals map[string]*local
	// uidVars are the levels whose frontiers make a uid variable.
	uidVars []uidVar
	// internals are the fields to compute when everything is fetched.
	internals []*level
	walker    *recursion  // set for @recurse
	search    *pathSearch // set for shortest
}

// uidVar says that the targets of a level belong to a uid variable.
type uidVar struct {
	name  string
	level *level
}

// errRunner says that a runner broke its contract.
var errRunner = errors.New("query: the answer of a tablet does not fit its question")

// Execute runs a plan on what was committed at or before readTs. The errors are those of the runner with
// the path of the field in front, a *LimitError, or what the data show to be wrong; all results are lost
// then.
func Execute(
	ctx context.Context, plan *Plan, runner task.Runner, readTs graph.Timestamp, opts Options,
) (*Result, error) {
	result := newResult(opts.Budget)
	if plan.schemaQuery != nil {
		result.Answer.Schema = schemaAnswer(plan.schema, plan.schemaQuery)
		return result, nil
	}
	r := newRun()
	r.ctx, r.plan, r.runner, r.readTs, r.opts, r.result = ctx, plan, runner, readTs, opts.withDefaults(), result
	if opts.Profile {
		r.profile = newProfile(plan)
	}
	r.blocks = r.memory.blocks.Take(len(plan.blocks))
	for i, b := range plan.blocks {
		r.blocks[i].block = b
	}
	if err := r.loop(); err != nil {
		result.Release()
		return nil, err
	}
	for i := range r.blocks {
		r.show(&r.blocks[i])
	}
	if opts.Profile {
		result.Profile = plan.steps(r.profile)
	}
	total := uint64(0)
	for _, n := range result.NumUIDs {
		total += n
	}
	result.NumUIDs["_total"] = total
	r.free()
	return result, nil
}

// clock returns what since() counts to, the same for all of the run.
func (r *run) clock() time.Time {
	if r.now.IsZero() {
		r.now = time.Now()
	}
	return r.now
}

// loop starts and finishes blocks and makes rounds until every block is done.
func (r *run) loop() error {
	for {
		progress, done, err := r.advance()
		if err != nil || done {
			return err
		}
		if len(r.pending) > 0 {
			if err := r.round(); err != nil {
				return err
			}
			continue
		}
		if !progress {
			return errors.New("query: blocks wait for one another") // schedule has ruled it out
		}
	}
}

// advance starts the blocks that are ready and finishes those that wait for nothing more.
func (r *run) advance() (progress, done bool, err error) {
	done = true
	for i := range r.blocks {
		b := &r.blocks[i]
		if !b.started && r.ready(b) {
			b.started, progress = true, true
			if err := r.start(b); err != nil {
				return false, false, err
			}
		}
		if b.started && !b.done && b.open == 0 {
			b.done, progress = true, true
			if err := r.finish(b); err != nil {
				return false, false, err
			}
		}
		done = done && b.done
	}
	return progress, done, nil
}

func (r *run) ready(b *blockRun) bool {
	for _, i := range b.needs {
		if !r.blocks[i].done {
			return false
		}
	}
	return true
}

// ask puts tasks into the next round. Without tasks the continuation runs at once.
func (r *run) ask(l *level, tasks []task.Task, then func(*level, []task.Result) error) error {
	if len(tasks) == 0 {
		return then(l, nil)
	}
	l.block.open++
	r.tasks = append(r.tasks, tasks...)
	r.pending = append(r.pending, job{level: l, tasks: len(tasks), then: then})
	return nil
}

// round asks everything that is pending in one batch and hands out the answers.
func (r *run) round() error {
	jobs, tasks := r.pending, r.tasks
	r.pending, r.tasks = r.asked.jobs, r.asked.tasks
	began := r.profile.clock()
	results, err := r.call(r.batch(tasks), jobs)
	if err != nil {
		return err
	}
	took := r.profile.clock().Sub(began)
	left := tasks
	for _, j := range jobs {
		own, err := r.answers(left[:j.tasks], &results)
		if err != nil {
			return err
		}
		left = left[j.tasks:]
		j.level.block.open--
		r.profile.took(j.level, own, took)
		thinking := r.profile.clock()
		if err := j.then(j.level, own); err != nil {
			return err
		}
		r.profile.since(j.level, thinking)
	}
	r.asked.reuse(jobs, tasks)
	return nil
}

// batch returns what is asked of the runner: nothing about no nodes.
func (r *run) batch(tasks []task.Task) []task.Task {
	room, all := r.room(), true
	for i := range tasks {
		t := &tasks[i]
		t.Room = room
		all = all && needed(t)
		if !t.AtRoot {
			r.result.NumUIDs[t.Predicate.Name] += uint64(len(t.Src))
		}
	}
	if all {
		return tasks
	}
	return slices.DeleteFunc(slices.Clone(tasks), func(t task.Task) bool { return !needed(&t) })
}

func needed(t *task.Task) bool { return t.AtRoot || len(t.Src) > 0 }

// answers takes the answers to a job's tasks off the front of results.
func (r *run) answers(tasks []task.Task, results *[]task.Result) ([]task.Result, error) {
	all := true
	for i := range tasks {
		all = all && needed(&tasks[i])
	}
	n := len(tasks)
	var own []task.Result
	if all {
		own, *results = (*results)[:n:n], (*results)[n:]
	} else {
		own = make([]task.Result, n)
	}
	for i := range tasks {
		t := &tasks[i]
		if !needed(t) {
			own[i].Offsets = []uint32{0}
			continue
		}
		if !all {
			own[i], *results = (*results)[0], (*results)[1:]
		}
		if err := r.check(t, &own[i]); err != nil {
			return nil, err
		}
	}
	return own, nil
}

func (r *run) call(batch []task.Task, jobs []job) ([]task.Result, error) {
	if err := r.quit(); err != nil {
		return nil, err
	}
	if len(batch) == 0 {
		return nil, nil
	}
	results, err := r.runner.Run(r.ctx, r.readTs, batch)
	if err != nil {
		where := "" // clients know the colon also where nothing stands before it
		if len(jobs) == 1 {
			where = jobs[0].level.path()
		}
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	if len(results) != len(batch) {
		return nil, errRunner
	}
	r.result.Rounds++
	for i := range results {
		r.result.Lists += results[i].Lists
	}
	return results, nil
}

// check holds a result against its task, and accounts for what it holds.
func (r *run) check(t *task.Task, res *task.Result) error {
	elements := 0
	switch t.Kind {
	case task.Edges, task.Values:
		elements = max(len(res.Targets), len(res.Values))
		if len(res.Offsets) != len(t.Src)+1 || res.Offsets[0] != 0 || int(res.Offsets[len(t.Src)]) != elements {
			return errRunner
		}
		if res.Facets != nil && len(res.Facets) != elements || res.Langs != nil && len(res.Langs) != elements {
			return errRunner
		}
	case task.Counts:
		if len(res.Counts) != len(t.Src) {
			return errRunner
		}
	}
	if t.Kind == task.Edges {
		if err := r.room().Edges.Left(len(res.Targets), task.CountedEdges); err != nil {
			return err
		}
		r.edges += len(res.Targets)
	}
	return r.hold(res.Bytes())
}

// room is what is left for the answers to the next batch.
func (r *run) room() task.Room {
	return task.Room{
		Edges: task.Bound{Limit: r.opts.QueryEdges, Used: r.edges},
		Bytes: task.Bound{Limit: r.opts.MemoryBytes, Used: r.result.held},
	}
}

// hold accounts for memory.
func (r *run) hold(bytes int) error {
	if err := r.room().Bytes.Left(bytes, task.CountedBytes); err != nil {
		return err
	}
	if !r.opts.Budget.take(bytes) {
		return r.opts.Budget.exceeded()
	}
	r.result.held += bytes
	return nil
}

// finish computes the values of a block, prunes it and publishes its variables.
func (r *run) finish(b *blockRun) error {
	if err := r.compute(b); err != nil {
		return err
	}
	r.prune(b)
	if err := r.quit(); err != nil {
		return err
	}
	b.defines(func(name string) {
		if l := b.locals[name]; l != nil {
			r.result.set(name, l.v)
		} else {
			r.result.set(name, &Var{})
		}
	})
	for _, u := range b.uidVars {
		v := r.result.Vars[u.name]
		v.UIDs = merge(v.UIDs, u.level.reachedUIDs())
	}
	if b.search != nil && b.src.Var != "" {
		r.result.set(b.src.Var, b.search.variable())
	}
	return nil
}
