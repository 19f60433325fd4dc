package lookup

import (
	"context"
	"fmt"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/query/task"
	"dragg/schema"
)

// Tablet is the predicate that a task asks about, as a snapshot has it.
type Tablet struct {
	*schema.Predicate
	Incarnation graph.Incarnation
	// Placed says that there is an incarnation. Without it the definition is checked, and there is no data.
	Placed bool
}

// Tablets are the predicates of a snapshot.
type Tablets interface {
	// Tablet returns a predicate, the zero Tablet where it is not known: it has no data then (dql.md fact 138). An error fails the
	// batch.
	Tablet(name graph.Predicate) (Tablet, error)
}

// Run answers batch as of view: results[i] answers batch[i]. The first failing task fails the batch. The results are valid until
// m is reset. They may refer to lists in the store's cache and to nothing of the view; the receiver must not change them. Run
// returns soon after ctx is done.
func Run(ctx context.Context, m *Memory, view *posting.View, tablets Tablets, batch []task.Task) ([]task.Result, error) {
	r := m.begin(view)
	results := m.results.Take(len(batch))
	for i := range batch {
		t := &batch[i]
		p, err := tablets.Tablet(t.Predicate)
		if err != nil {
			return nil, err
		}
		if p.Predicate == nil {
			results[i] = nothing(t)
			continue
		}
		lists, hits := view.Lists(), view.CacheHits()
		res, err := r.run(ctx, t, p)
		if err != nil {
			return nil, err
		}
		res.Lists, res.CacheHits = view.Lists()-lists, view.CacheHits()-hits
		r.spent(t, &res)
		results[i] = res
	}
	return results, nil
}

// runner holds what the tasks of one batch share.
type runner struct {
	view *posting.View
	mem  *Memory
	tick ticks
	key  []byte            // scratch space for keys; lists keep no reference to it
	vals []posting.Posting // scratch space for the values of one node
	next []byte            // scratch space for the keys of a batch
	// edgesGiven and bytesGiven are what the answers to the tasks before hold.
	edgesGiven, bytesGiven int
}

// spent counts the answer to a task.
func (r *runner) spent(t *task.Task, res *task.Result) {
	if t.Kind == task.Edges {
		r.edgesGiven += len(res.Targets)
	}
	if t.Room.Bytes.Limit > 0 {
		r.bytesGiven += res.Bytes()
	}
}

// within returns an error where what a task has gathered up to now, facets and texts of so many bytes among it, leaves its room.
func (r *runner) within(t *task.Task, res *task.Result, bytes int) error {
	bytes += task.TargetBytes*len(res.Targets) + task.ValueBytes*len(res.Values)
	if err := t.Room.Edges.Left(r.edgesGiven+len(res.Targets), task.CountedEdges); err != nil {
		return err
	}
	return t.Room.Bytes.Left(r.bytesGiven+bytes, task.CountedBytes)
}

func (r *runner) run(ctx context.Context, t *task.Task, p Tablet) (task.Result, error) {
	if t.Reverse {
		if err := p.checkReverse(); err != nil {
			return task.Result{}, err
		}
	}
	if len(t.Langs) > 0 && !p.Lang {
		return task.Result{}, fmt.Errorf(
			"language tags can only be used with predicates of string type having @lang "+
				"directive in schema. Got: [%s]",
			p.Name,
		)
	}
	switch t.Kind {
	case task.Edges:
		if !p.Placed || !p.IsUID() {
			return nothing(t), nil
		}
		return r.edges(ctx, t, p)
	case task.Values:
		if t.Func.Name == task.CheckPwd {
			return r.checkPasswords(ctx, t, p)
		}
		if !p.Placed || p.IsUID() || p.Type == types.Password {
			return nothing(t), nil
		}
		return r.values(ctx, t, p)
	case task.Counts:
		if !p.Placed {
			return nothing(t), nil
		}
		return r.counts(ctx, t, p)
	case task.Match:
		if err := ctx.Err(); err != nil { // few lists, but long ones
			return task.Result{}, err
		}
		set, err := r.match(ctx, t, p)
		return task.Result{Set: set}, err
	default:
		return task.Result{}, fmt.Errorf("unknown kind of task %d", t.Kind)
	}
}

func (p Tablet) checkReverse() error {
	if !p.Reverse {
		return fmt.Errorf("predicate %s doesn't have reverse edge", p.Name)
	}
	if !p.Ready(schema.BuildingReverse) {
		return fmt.Errorf("predicate %s doesn't have reverse edge yet: it is being built", p.Name)
	}
	return nil
}

// nothing is the answer about a predicate without data.
func nothing(t *task.Task) task.Result {
	switch t.Kind {
	case task.Edges, task.Values:
		return task.Result{Offsets: make([]uint32, len(t.Src)+1)}
	case task.Counts:
		return task.Result{Counts: make([]int64, len(t.Src))}
	default:
		return task.Result{}
	}
}

// row returns the list of a node: its values, its edges, or with reverse the edges that point at it.
func (r *runner) row(p Tablet, reverse bool, uid graph.UID) (posting.List, error) {
	if reverse {
		r.key = keys.AppendReverse(r.key[:0], p.Incarnation, uid)
	} else {
		r.key = keys.AppendData(r.key[:0], p.Incarnation, uid)
	}
	l, err := r.view.List(r.key)
	if err != nil {
		return posting.List{}, fmt.Errorf("read %s of %s: %w", p.Name, uid, err)
	}
	return l, nil
}

// ticks asks ctx now and then, so that long loops and batches notice that nobody waits for them any more.
type ticks uint32

// everyTick is how many steps lie between two looks at the context.
const everyTick = 256

func (t *ticks) check(ctx context.Context) error {
	if *t++; *t%everyTick == 0 {
		return ctx.Err()
	}
	return nil
}
