package alpha

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"dragg/alpha/shard"
	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/fault"
	"dragg/mutation"
	"dragg/mutation/nquad"
	"dragg/query"
	"dragg/query/task"
)

// quads is one mutation as it was read.
type quads mutation.Step

// variables returns the variables that the mutation uses.
func (q quads) variables() []string {
	var out []string
	for _, list := range [][]nquad.Quad{q.Set, q.Delete} {
		for i := range list {
			for _, node := range []nquad.Node{list[i].Subject, list[i].Object} {
				if node.Kind == nquad.Variable {
					out = append(out, node.Name)
				}
			}
			if v := list[i].ValueOf; v != "" {
				out = append(out, v)
			}
		}
	}
	return out
}

// placedIn returns an error about N-Quads or JSON with its place in the document that they come from.
func placedIn(from dql.Origin, err error) error {
	if e := (*nquad.Error)(nil); errors.As(err, &e) {
		at := from.Place(dql.Pos{Line: e.Line, Col: e.Column})
		return &nquad.Error{Line: at.Line, Column: at.Col, Text: e.Text}
	}
	if e := (*nquad.JSONError)(nil); errors.As(err, &e) {
		at := from.Place(dql.Pos{Line: e.Line, Col: e.Column})
		return &nquad.JSONError{Line: at.Line, Column: at.Col, Err: e.Err}
	}
	return err
}

// readMutation reads the statements of a mutation from all the forms it may have.
func (r *request) readMutation(i int) (q quads, err error) {
	m := r.req.Mutations[i]
	if q.Set, err = nquad.ReadRDF(m.SetNquads); err != nil {
		return q, placedIn(r.origins(i).set, err)
	}
	if q.Delete, err = nquad.ReadRDF(m.DelNquads); err != nil {
		return q, placedIn(r.origins(i).del, err)
	}
	add := func(dst *[]nquad.Quad, more []nquad.Quad, err error) error {
		*dst = append(*dst, more...)
		return err
	}
	if len(m.SetJson) > 0 {
		more, err := nquad.ReadJSON(m.SetJson, r.n.newBlank)
		if err := add(&q.Set, more, err); err != nil {
			return q, placedIn(r.origins(i).set, err)
		}
	}
	if len(m.DeleteJson) > 0 {
		more, err := nquad.ReadJSONDelete(m.DeleteJson)
		if err := add(&q.Delete, more, err); err != nil {
			return q, placedIn(r.origins(i).del, err)
		}
	}
	more, err := fromWire(m.Set)
	if err := add(&q.Set, more, err); err != nil {
		return q, err
	}
	more, err = fromWire(m.Del)
	if err := add(&q.Delete, more, err); err != nil {
		return q, err
	}
	if len(q.Set)+len(q.Delete) > r.n.cfg.Limits.MutationEdges {
		return q, fmt.Errorf("the mutation has %d N-Quads, the most is %d", len(q.Set)+len(q.Delete), r.n.cfg.Limits.MutationEdges)
	}
	return q, nil
}

// blanks numbers the nodes that JSON objects without a uid make.
type blanks struct{ last atomic.Uint64 }

// newBlank returns a name that no other object gets: dg.<node>.<n> (dql.md fact 102).
func (n *Node) newBlank() string {
	return "dg." + strconv.FormatInt(n.started.UnixNano(), 10) + "." + strconv.FormatUint(n.blanks.last.Add(1), 10)
}

// maxSchemaRaces is how often a request is built again because its new predicates came out otherwise.
const maxSchemaRaces = 10

// mutate builds the edges of the mutations whose conditions hold, writes them, and commits if that was asked for.
func (r *request) mutate(ctx context.Context) error {
	steps, err := r.steps()
	if err != nil {
		return err
	}
	b := &mutation.Builder{
		Source: asker{r}, MaxEdges: r.n.cfg.Limits.MutationEdges, Vars: r.variables(),
	}
	built, err := r.build(ctx, b, steps)
	if err != nil {
		return err
	}
	written := wrote{}
	if built.Edges > 0 {
		w := shard.Writing{Start: r.start.Ts, After: r.start.After, Steps: built.Steps, Last: r.req.CommitNow}
		if r.req.CommitNow && r.req.StartTs == 0 { // else it may have written to other groups
			w.Ask = r.n.ask(r.start.Ts)
		}
		written, err = r.n.write(ctx, w)
		if err != nil {
			r.n.abandon(r.start.Ts)
			r.again = r.req.StartTs == 0 && fault.ClassOf(err) == fault.Aborted
			return r.refusal(err)
		}
	}
	r.resp.Uids = make(map[string]string, len(built.UIDs))
	for name, uid := range built.UIDs {
		r.resp.Uids[name] = uid.String()
	}
	if r.resp.Metrics == nil {
		r.resp.Metrics = &r.reply.metrics
		r.resp.Metrics.NumUids = map[string]uint64{}
	}
	r.resp.Metrics.NumUids["mutation_cost"] = uint64(built.Edges)
	if r.req.CommitNow {
		return r.commitNow(ctx, written)
	}
	r.resp.Txn.Keys, r.resp.Txn.Preds = keysToWire(written.Keys), r.n.predsToWire(built.Steps)
	return nil
}

// asker is whom the builder of a request's edges asks.
type asker struct{ r *request }

// NewUIDs implements mutation.Source.
func (s asker) NewUIDs(ctx context.Context, n int) (graph.UID, error) { return s.r.n.uids.take(ctx, n) }

// CheckUID implements mutation.Source.
func (s asker) CheckUID(ctx context.Context, u graph.UID) error { return s.r.n.checkUID(ctx, u) }

// Read implements mutation.Source.
func (s asker) Read(ctx context.Context, batch []task.Task) ([]task.Result, error) {
	return s.r.reader.Run(ctx, s.r.start.Ts, batch)
}

// refusal gives an error of a write the class that clients expect: aborted with commit-now, else a failed precondition.
func (r *request) refusal(err error) error {
	if fault.ClassOf(err) == fault.Aborted && !r.req.CommitNow {
		return fault.New(fault.Conflict, "%w", err)
	}
	return err
}

// steps returns the mutations whose conditions hold.
func (r *request) steps() ([]mutation.Step, error) {
	var steps []mutation.Step
	for i, q := range r.quads {
		holds, err := r.holds(r.conds[i])
		if err != nil {
			return nil, err
		}
		if holds {
			steps = append(steps, mutation.Step(q))
		}
	}
	return steps, nil
}

func (r *request) holds(c *dql.Cond) (bool, error) {
	if c.Filter == nil {
		return true, nil
	}
	if r.found == nil {
		return false, fmt.Errorf("a condition needs a query that defines its variables")
	}
	return query.Holds(c, r.found.Vars)
}

// build validates the steps, and makes the predicates that nobody has seen before.
func (r *request) build(ctx context.Context, b *mutation.Builder, steps []mutation.Step) (*mutation.Built, error) {
	for range maxSchemaRaces {
		b.Schema = r.n.shard.Schema()
		built, err := b.Build(ctx, steps)
		if err != nil || len(built.Unknown) == 0 {
			return built, err
		}
		if err := r.n.createPredicates(ctx, built.Unknown); err != nil {
			return nil, err
		}
	}
	return nil, fault.New(fault.Unavailable, "the schema keeps changing under this mutation; please retry")
}

// found variables, for package mutation.
type variables struct{ found *query.Result }

func (r *request) variables() mutation.Variables {
	if r.found == nil {
		return nil
	}
	return variables{r.found}
}

func (v variables) UIDs(name string) ([]graph.UID, bool) {
	x, ok := v.found.Vars[name]
	if !ok {
		return nil, false
	}
	return x.UIDs, true
}

func (v variables) Value(name string, uid graph.UID) (types.Value, bool) {
	x, ok := v.found.Vars[name]
	if !ok {
		return types.Value{}, false
	}
	return x.Value(uid)
}

// checkUID refuses uids that nobody has leased: they would collide with new nodes later.
func (n *Node) checkUID(ctx context.Context, u graph.UID) error {
	if u < n.shard.MaxUID() {
		return nil
	}
	st, err := n.zero.State(ctx)
	if err != nil {
		return err
	}
	if uint64(u) >= st.UidBound {
		return fmt.Errorf("Uid: [%d] cannot be greater than lease: [%d]; lease more with /assign?what=uids",
			uint64(u), st.UidBound-1)
	}
	return nil
}

func uniqueSorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
