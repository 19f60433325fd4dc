package mutation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/mutation/nquad"
	"dragg/query/task"
	"dragg/schema"
)

// typePredicate holds the types of a node.
var typePredicate = graph.Pred("dgraph.type") //nolint:gochecknoglobals // a constant that Go cannot spell as one

// expansion collects the edges of a request, step by step.
type expansion struct {
	b      *Builder
	schema schema.Snapshot
	edges  []graph.Edge
	// subject and object are where single nodes of a statement are resolved.
	subject, object [1]graph.UID
}

func (e *expansion) step(ctx context.Context, s Step) error {
	if err := e.deleteNodes(ctx, s.Delete); err != nil {
		return err
	}
	for i := range s.Delete {
		if !s.Delete[i].StarPredicate {
			if err := e.quad(ctx, &s.Delete[i], true); err != nil {
				return err
			}
		}
	}
	for i := range s.Set {
		if err := e.quad(ctx, &s.Set[i], false); err != nil {
			return err
		}
	}
	return nil
}

func (e *expansion) add(edge graph.Edge) error {
	if e.edges = append(e.edges, edge); len(e.edges) > e.b.MaxEdges {
		return fmt.Errorf("the mutation has more than %d N-Quads after the expansion of its variables", e.b.MaxEdges)
	}
	return nil
}

// quad adds the edges of one statement: one for each pair of subject and object.
func (e *expansion) quad(ctx context.Context, q *nquad.Quad, deletes bool) error {
	def, known := e.schema.Predicate(graph.Pred(q.Predicate))
	if !known {
		return nil // a deletion of what nobody knows; sets are known by inference
	}
	if err := checkKind(q, def, deletes); err != nil {
		if deletes {
			return nil // mistakes of the past can always be named
		}
		return err
	}
	subjects, err := e.b.resolve(ctx, q.Subject, deletes, &e.subject)
	if err != nil {
		return err
	}
	edge := graph.Edge{Predicate: def.Name, Op: graph.Set, Lang: q.Lang, Facets: q.Facets}
	if deletes {
		edge.Op, edge.Facets = graph.Delete, nil
	}
	switch {
	case q.IsStar():
		edge.Op = graph.DeleteAll
		return e.addAll(subjects, edge)
	case q.ValueOf != "":
		return e.valueOf(q.ValueOf, subjects, edge, def)
	case q.HasValue():
		if edge.Value, err = convert(q.Value, def, deletes); err != nil {
			return err
		}
		return e.addAll(subjects, edge)
	}
	objects, err := e.b.resolve(ctx, q.Object, deletes, &e.object)
	if err != nil {
		return err
	}
	for _, o := range objects {
		edge.Object = o
		if err := e.addAll(subjects, edge); err != nil {
			return err
		}
	}
	return nil
}

func (e *expansion) addAll(subjects []graph.UID, edge graph.Edge) error {
	for _, s := range subjects {
		edge.Subject = s
		if err := e.add(edge); err != nil {
			return err
		}
	}
	return nil
}

// valueOf gives each subject its own value of a variable; subjects without one get nothing (dql.md fact 110).
func (e *expansion) valueOf(variable string, subjects []graph.UID, edge graph.Edge, def *schema.Predicate) error {
	if _, ok := e.b.uidsOf(variable); !ok {
		return fmt.Errorf("variables [%s] not defined", variable)
	}
	for _, s := range subjects {
		v, ok := e.b.Vars.Value(variable, s)
		if !ok {
			continue
		}
		var err error
		if edge.Value, err = convert(v, def, edge.Op == graph.Delete); err != nil {
			return err
		}
		edge.Subject = s
		if err := e.add(edge); err != nil {
			return err
		}
	}
	return nil
}

// checkKind refuses values where edges belong, edges where values belong, and tags on what has no languages.
func checkKind(q *nquad.Quad, def *schema.Predicate, deletes bool) error {
	isEdge := q.Object.Kind != nquad.Absent && !q.IsStar()
	switch {
	case q.IsStar():
	case def.IsUID() && !isEdge:
		return fmt.Errorf("Input for predicate %q of type uid is scalar: %s", def.Name, describe(q))
	case !def.IsUID() && isEdge:
		return fmt.Errorf("Input for predicate %q of type scalar is uid: %s", def.Name, describe(q))
	case def.Type == types.Vector && !def.List && q.Origin == nquad.FromArray:
		return fmt.Errorf("Input for predicate %q of type vector is not vector. "+
			"Did you forget to add quotes before []?", def.Name)
	}
	if q.Lang != "" && !def.Lang && !deletes {
		return fmt.Errorf("Attr: [%s] should have @lang directive in schema to take a value with the language tag %q",
			def.Name, q.Lang)
	}
	return nil
}

// maxTokenBytes bounds one index token together with the name of its predicate (dql.md fact 113): what fits into a key of 65 000
// bytes beside its other parts.
const maxTokenBytes = 64900

// convert gives a value the type of the schema.
func convert(v types.Value, def *schema.Predicate, deletes bool) (types.Value, error) {
	if def.Type == types.Password && v.Type().Textual() {
		if deletes {
			return v, nil
		}
		return types.Encrypt(v.Str())
	}
	out, err := types.Convert(v, def.Type)
	if err != nil {
		return out, fmt.Errorf("predicate %s: %w", def.Name, err)
	}
	if !deletes && def.Type.Textual() && len(out.Str()) > maxTokenBytes-len(def.Name.Name) {
		return out, checkTokens(out, def)
	}
	return out, nil
}

// checkTokens refuses a text whose index tokens would not fit into a key.
func checkTokens(v types.Value, def *schema.Predicate) error {
	for _, t := range def.Index {
		tokens, err := t.AppendTokens(nil, v, "")
		if err != nil {
			return err
		}
		for _, token := range tokens {
			if len(token) > maxTokenBytes-len(def.Name.Name) {
				return fmt.Errorf("value in the mutation is too large for the index: a %s token of predicate %s has %d bytes, "+
					"the most is %d", t.Name(), def.Name, len(token), maxTokenBytes-len(def.Name.Name))
			}
		}
	}
	return nil
}

// deleteNodes expands S * *: every field that the types of the node list, and the types (dql.md fact 100).
func (e *expansion) deleteNodes(ctx context.Context, quads []nquad.Quad) error {
	var uids []graph.UID
	for i := range quads {
		if quads[i].StarPredicate {
			resolved, err := e.b.resolve(ctx, quads[i].Subject, true, &e.subject)
			if err != nil {
				return err
			}
			uids = append(uids, resolved...)
		}
	}
	if len(uids) == 0 {
		return nil
	}
	slices.Sort(uids)
	uids = slices.Compact(uids)
	res, err := e.b.Source.Read(ctx, []task.Task{{Kind: task.Values, Predicate: typePredicate, Src: uids}})
	if err != nil {
		return err
	}
	for i, u := range uids {
		for _, p := range e.fieldsOf(res[0].Values[res[0].Offsets[i]:res[0].Offsets[i+1]]) {
			if err := e.add(graph.Edge{Subject: u, Predicate: p, Op: graph.DeleteAll}); err != nil {
				return err
			}
		}
	}
	return nil
}

// fieldsOf returns the predicates that the types list, without reverse ones, and the type predicate; none for no types.
func (e *expansion) fieldsOf(typeNames []types.Value) []graph.Predicate {
	if len(typeNames) == 0 {
		return nil
	}
	fields := []graph.Predicate{typePredicate}
	for _, name := range typeNames {
		t, ok := e.schema.Type(name.Str())
		if !ok {
			continue
		}
		for _, f := range t.Fields {
			p := graph.Pred(f)
			if _, known := e.schema.Predicate(p); known && !strings.HasPrefix(f, "~") && !slices.Contains(fields, p) {
				fields = append(fields, p)
			}
		}
	}
	return fields
}
