package wire

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// Every edge comes out as it went in.
func TestEdgesRoundTrip(t *testing.T) {
	p := graph.Predicate{Namespace: 3, Name: "p"}
	facets := []graph.Facet{{Key: "a", Value: types.OfInt(7)}, {Key: "b", Value: types.OfString("x")}}
	steps := [][]graph.Edge{
		{
			{Subject: 1, Predicate: p, Object: 2, Facets: facets},
			{Subject: graph.MaxUID, Predicate: p, Value: types.OfString("text"), Lang: "de"},
			{Subject: 1, Predicate: p, Value: types.OfDefault("")},
			{Subject: 1, Predicate: p, Value: types.OfFloat(-1.5), Op: graph.Delete},
			{Subject: 1, Predicate: p, Value: types.OfTime(time.Unix(1, 2).UTC())},
			{Subject: 1, Predicate: p, Value: types.OfBool(true)},
		},
		nil,
		{{Subject: 1, Predicate: p, Op: graph.DeleteAll, Lang: "en"}},
	}
	data, err := proto.Marshal(&pb.WriteRequest{Steps: FromSteps(steps)})
	if err != nil {
		t.Fatal(err)
	}
	var r pb.WriteRequest
	if err := proto.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	got, err := ToSteps(r.Steps)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range steps {
		if got, want := fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want); got != want { // values are equal by what they say
			t.Errorf("step %d: %s, want %s", i, got, want)
		}
	}
}

// What no edge could have become is refused.
func TestBadEdges(t *testing.T) {
	for name, e := range map[string]*pb.Edge{
		"operation":       {Op: 9},
		"type":            {Value: &pb.Value{Type: 999}},
		"unknown":         {Value: &pb.Value{Type: 250}},
		"data":            {Value: &pb.Value{Type: uint32(types.Float), Data: []byte{1}}},
		"facet":           {Object: 1, Facets: []*pb.Facet{{Key: "x", Value: &pb.Value{Type: uint32(types.Bool), Data: []byte{1, 2, 3}}}}},
		"a facet's value": {Object: 1, Facets: []*pb.Facet{{Key: "x", Value: &pb.Value{Type: 300}}}},
	} {
		if _, err := ToSteps([]*pb.WriteStep{{Edges: []*pb.Edge{e}}}); fault.ClassOf(err) != fault.Invalid {
			t.Errorf("a bad %s: %v", name, err)
		}
	}
}

// Goal: whatever the wire brings, reading it ends without a panic.
func FuzzSteps(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var r pb.WriteRequest
		if proto.Unmarshal(data, &r) != nil {
			return
		}
		steps, err := ToSteps(r.Steps)
		if err != nil {
			return
		}
		if again, err := ToSteps(FromSteps(steps)); err != nil || len(again) != len(steps) {
			t.Errorf("%v", err)
		}
	})
}
