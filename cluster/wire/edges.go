// Package wire turns what nodes say to one another into messages and back: edges of mutations, tasks of queries and their answers.
//
// Inside one process nothing is turned into anything. What comes from the wire is checked as far as a value of its Go type can
// be wrong; errors are of class fault.Invalid.
package wire

import (
	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// FromSteps returns the messages for the edges of a transaction's steps.
func FromSteps(steps [][]graph.Edge) []*pb.WriteStep {
	out := make([]*pb.WriteStep, len(steps))
	for i, edges := range steps {
		out[i] = &pb.WriteStep{Edges: make([]*pb.Edge, len(edges))}
		for j := range edges {
			out[i].Edges[j] = fromEdge(&edges[j])
		}
	}
	return out
}

func fromEdge(e *graph.Edge) *pb.Edge {
	m := &pb.Edge{
		Subject: uint64(e.Subject), Namespace: uint64(e.Predicate.Namespace), Predicate: e.Predicate.Name, Op: uint32(e.Op),
		Object: uint64(e.Object), Lang: e.Lang,
	}
	if e.Object == 0 && e.Op != graph.DeleteAll {
		m.Value = fromValue(e.Value)
	}
	for _, f := range e.Facets {
		m.Facets = append(m.Facets, &pb.Facet{Key: f.Key, Value: fromValue(f.Value)})
	}
	return m
}

func fromValue(v types.Value) *pb.Value {
	return &pb.Value{Type: uint32(v.Type()), Data: types.AppendBinary(nil, v)}
}

// ToSteps returns the edges that messages stand for.
func ToSteps(steps []*pb.WriteStep) ([][]graph.Edge, error) {
	out := make([][]graph.Edge, len(steps))
	for i, s := range steps {
		out[i] = make([]graph.Edge, len(s.GetEdges()))
		for j, m := range s.GetEdges() {
			e, err := toEdge(m)
			if err != nil {
				return nil, fault.New(fault.Invalid, "edge %d of step %d: %w", j, i, err)
			}
			out[i][j] = e
		}
	}
	return out, nil
}

func toEdge(m *pb.Edge) (graph.Edge, error) {
	e := graph.Edge{
		Subject: graph.UID(m.GetSubject()), Object: graph.UID(m.GetObject()), Op: graph.EdgeOp(m.GetOp()), Lang: m.GetLang(),
		Predicate: graph.Predicate{Namespace: graph.Namespace(m.GetNamespace()), Name: m.GetPredicate()},
	}
	if m.GetOp() > uint32(graph.DeleteAll) {
		return e, fault.New(fault.Invalid, "operation %d", m.GetOp())
	}
	var err error
	if m.Value != nil {
		if e.Value, err = toValue(m.Value); err != nil {
			return e, err
		}
	}
	for _, f := range m.GetFacets() {
		v, err := toValue(f.GetValue())
		if err != nil {
			return e, err
		}
		e.Facets = append(e.Facets, graph.Facet{Key: f.GetKey(), Value: v})
	}
	return e, nil
}

func toValue(m *pb.Value) (types.Value, error) {
	if m.GetType() > 255 {
		return types.Value{}, fault.New(fault.Invalid, "a value of type %d", m.GetType())
	}
	return types.Decode(types.ID(m.GetType()), m.GetData())
}
