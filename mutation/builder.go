package mutation

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/mutation/nquad"
	"dragg/query/task"
	"dragg/schema"
)

// Step is one mutation of a request.
type Step struct {
	Set, Delete []nquad.Quad
}

// Variables are what the query of an upsert defined. A nil Variables defines nothing.
type Variables interface {
	// UIDs returns the uids of a variable (of a value variable: those that have a value); false if it is not defined.
	UIDs(name string) ([]graph.UID, bool)
	// Value returns the value that a value variable has for uid.
	Value(name string, uid graph.UID) (types.Value, bool)
}

// Source is whom a Builder asks.
type Source interface {
	// NewUIDs returns n consecutive uids that nobody else has.
	NewUIDs(ctx context.Context, n int) (graph.UID, error)
	// CheckUID refuses a uid that no lease covers.
	CheckUID(ctx context.Context, u graph.UID) error
	// Read answers tasks at the transaction's start timestamp, own writes included.
	Read(ctx context.Context, batch []task.Task) ([]task.Result, error)
}

// Builder holds what a request is built against. It serves one request and one goroutine.
type Builder struct {
	Schema schema.Snapshot
	Vars   Variables
	Source Source
	// MaxEdges bounds the edges of a request, after the expansion of variables.
	MaxEdges int

	assigned map[string]graph.UID // blank nodes and unmatched variables, by the key of the answer
}

// Built is a request ready to be written.
type Built struct {
	// Steps holds the edges of each step, in the order of the steps; some may be empty.
	Steps [][]graph.Edge
	// Edges is how many there are in all.
	Edges int
	// UIDs are the nodes made for blank nodes (by their name) and unmatched variables (as "uid(v)").
	UIDs map[string]graph.UID
	// Unknown are the definitions inferred for predicates on first sight. They must exist before the edges are written; if
	// they came out otherwise, the request is built again. Blank nodes keep their uids.
	Unknown []*schema.Predicate
}

// maxNameBytes bounds the name of a predicate.
const maxNameBytes = 1<<16 - 1

// Build validates the steps and returns their edges.
func (b *Builder) Build(ctx context.Context, steps []Step) (*Built, error) {
	quads := 0
	for _, s := range steps {
		if err := checkForms(s); err != nil {
			return nil, err
		}
		quads += len(s.Set) + len(s.Delete)
	}
	if err := b.assignBlanks(ctx, steps); err != nil {
		return nil, err
	}
	unknown, err := b.infer(steps)
	if err != nil {
		return nil, err
	}
	all := b.Schema.With(schema.Update{Predicates: unknown})
	e := expansion{b: b, schema: all, edges: make([]graph.Edge, 0, quads)}
	built := &Built{UIDs: b.assigned, Unknown: unknown, Steps: make([][]graph.Edge, 0, len(steps))}
	for _, s := range steps {
		from := len(e.edges)
		if err := e.step(ctx, s); err != nil {
			return nil, err
		}
		built.Steps = append(built.Steps, e.edges[from:len(e.edges):len(e.edges)])
	}
	if err := b.checkUnique(ctx, all, e.edges); err != nil {
		return nil, err
	}
	built.Edges = len(e.edges)
	return built, nil
}

// checkForms refuses stars where they mean nothing, and names that no predicate can have.
func checkForms(s Step) error {
	for i := range s.Set {
		q := &s.Set[i]
		if q.Subject.Kind == nquad.Star || q.StarPredicate || q.IsStar() {
			return fmt.Errorf("Cannot use star in set n-quad: %s", describe(q))
		}
		if err := checkName(q.Predicate); err != nil {
			return err
		}
	}
	for i := range s.Delete {
		q := &s.Delete[i]
		if q.Subject.Kind == nquad.Star || q.StarPredicate && !q.IsStar() {
			return fmt.Errorf("Only valid wildcard delete patterns are 'S * *' and 'S P *': %s; "+
				"to drop a predicate use alter", describe(q))
		}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case len(name) > maxNameBytes:
		return fmt.Errorf("Predicate name length cannot be bigger than 2^16. Predicate: %.80s...", name)
	case name == "":
		return fmt.Errorf("key error: a predicate must have a name")
	case strings.HasPrefix(name, "~"):
		return fmt.Errorf("key error: predicate %q may not start with ~, which marks a reverse edge; set the forward edge", name)
	}
	if err := schema.CheckName(name); err != nil {
		return fmt.Errorf("key error: %w", err)
	}
	return nil
}

func describe(q *nquad.Quad) string {
	return fmt.Sprintf("subject %s, predicate %s", q.Subject.Name, q.Predicate)
}

// assignBlanks gives a uid to every blank node that is set, and to every variable that matched nothing.
func (b *Builder) assignBlanks(ctx context.Context, steps []Step) error {
	var fresh []string
	note := func(n nquad.Node) {
		key := b.keyOf(n)
		if key == "" {
			return
		}
		if _, ok := b.assigned[key]; !ok {
			if b.assigned == nil {
				b.assigned = map[string]graph.UID{}
			}
			b.assigned[key] = 0
			fresh = append(fresh, key)
		}
	}
	for _, s := range steps {
		for i := range s.Set {
			note(s.Set[i].Subject)
			note(s.Set[i].Object)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	first, err := b.Source.NewUIDs(ctx, len(fresh))
	if err != nil {
		return err
	}
	for i, key := range fresh {
		b.assigned[key] = first + graph.UID(i)
	}
	return nil
}

// keyOf returns the name under which a new node is reported, "" if n needs none.
func (b *Builder) keyOf(n nquad.Node) string {
	switch n.Kind {
	case nquad.Blank:
		return n.Name
	case nquad.Variable:
		if uids, ok := b.uidsOf(n.Name); ok && len(uids) == 0 {
			return "uid(" + n.Name + ")"
		}
	default:
	}
	return ""
}

func (b *Builder) uidsOf(variable string) ([]graph.UID, bool) {
	if b.Vars == nil {
		return nil, false
	}
	return b.Vars.UIDs(variable)
}

// resolve returns the uids a node stands for, a single one in room. In a deletion an unmatched variable stands for none.
func (b *Builder) resolve(ctx context.Context, n nquad.Node, deletes bool, room *[1]graph.UID) ([]graph.UID, error) {
	switch n.Kind {
	case nquad.Named:
		u, err := strconv.ParseUint(n.Name, 0, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no node: a node is given by its uid, as _:name or as uid(v): %w", n.Name, err)
		}
		if u == 0 {
			return nil, fmt.Errorf("UID must to be greater than 0")
		}
		room[0] = graph.UID(u)
		return room[:], b.Source.CheckUID(ctx, graph.UID(u))
	case nquad.Blank:
		u, ok := b.assigned[n.Name]
		if !ok {
			return nil, fmt.Errorf("UID not found/generated for xid _:%s", n.Name)
		}
		room[0] = u
		return room[:], nil
	case nquad.Variable:
		uids, ok := b.uidsOf(n.Name)
		switch {
		case !ok:
			return nil, fmt.Errorf("variables [%s] not defined", n.Name)
		case len(uids) > 0 || deletes:
			return uids, nil
		}
		room[0] = b.assigned["uid("+n.Name+")"]
		return room[:], nil
	default:
		return nil, fmt.Errorf("a statement without a node as its subject")
	}
}
