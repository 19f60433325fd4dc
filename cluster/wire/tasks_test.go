package wire

import (
	"fmt"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/uidset"
	"dragg/protos/pb"
	"dragg/query/task"
)

// Every task and every answer comes out as it went in.
func TestTasksRoundTrip(t *testing.T) {
	p := graph.Predicate{Namespace: 1, Name: "p"}
	leaf := &task.FacetFilter{Func: task.Eq, Key: "k", Arg: "v"}
	batch := []task.Task{
		{
			Kind: task.Edges, Predicate: p, Reverse: true, Src: []graph.UID{1, 5, graph.MaxUID}, Page: task.Page{First: -3, Offset: 2, After: 7},
			Room: task.Room{Edges: task.Bound{Limit: 1_000, Used: 7}, Bytes: task.Bound{Limit: 1 << 40}},
		},
		{
			Kind: task.Values, Predicate: p, Src: []graph.UID{9}, Langs: []string{"de", "."},
			Facets: &task.Facets{All: true, Keys: []string{"a"}, Filter: &task.FacetFilter{
				Op: task.And, Children: []*task.FacetFilter{leaf, {Op: task.Not, Children: []*task.FacetFilter{leaf}}},
			}},
		},
		{Kind: task.Match, Predicate: p, AtRoot: true, Func: task.Func{Name: task.Has}, Best: task.Best{N: 5, Desc: true, ByUID: true}},
		{Kind: task.Match, Predicate: p, AtRoot: true, Func: task.Func{Name: task.UIDIn, Args: []string{"x", ""}, Count: true, UIDs: []graph.UID{3, 4}}},
	}
	data, err := proto.Marshal(&pb.TaskRequest{Tasks: FromTasks(batch)})
	if err != nil {
		t.Fatal(err)
	}
	var req pb.TaskRequest
	if err := proto.Unmarshal(data, &req); err != nil {
		t.Fatal(err)
	}
	got, err := ToTasks(req.Tasks)
	if err != nil || !reflect.DeepEqual(got, batch) {
		t.Errorf("%+v %v\nwant %+v", got, err, batch)
	}
	facets := []graph.Facet{{Key: "a", Value: types.OfInt(1)}}
	results := []task.Result{
		{Offsets: []uint32{0, 2, 2}, Targets: []graph.UID{3, 9}, Facets: [][]graph.Facet{facets, nil}, Lists: 2, CacheHits: 1},
		{
			Offsets: []uint32{0, 1, 3}, Values: []types.Value{types.OfString("x"), types.OfInt(-4), types.OfBool(true)},
			Langs: []string{"", "de", "en"},
		},
		{Offsets: []uint32{0, 0}, Langs: []string{}},
		{Counts: []int64{0, 4, 1 << 40}},
		{Set: uidset.Of([]graph.UID{1, 2, 3, 1 << 50})},
		{},
	}
	data, err = proto.Marshal(&pb.TaskReply{Results: FromResults(results)})
	if err != nil {
		t.Fatal(err)
	}
	var reply pb.TaskReply
	if err := proto.Unmarshal(data, &reply); err != nil {
		t.Fatal(err)
	}
	back, err := ToResults(reply.Results)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range results {
		set := back[i].Set
		if !reflect.DeepEqual(set.AppendTo(nil), want.Set.AppendTo(nil)) {
			t.Errorf("answer %d has the set %v", i, set)
		}
		back[i].Set, want.Set = uidset.Set{}, uidset.Set{}
		if got, want := fmt.Sprintf("%+v", back[i]), fmt.Sprintf("%+v", want); got != want { // values are equal by what they say
			t.Errorf("answer %d is %s, want %s", i, got, want)
		}
	}
}

// Goal: whatever another node answers, reading it ends without a panic, and what is read fits together.
func FuzzResults(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var reply pb.TaskReply
		if proto.Unmarshal(data, &reply) != nil {
			return
		}
		results, err := ToResults(reply.Results)
		if err != nil {
			return
		}
		for _, r := range results {
			for i := 1; i < len(r.Offsets); i++ {
				if len(r.Values) > 0 {
					_ = r.Values[r.Offsets[i-1]:r.Offsets[i]]
				}
			}
		}
	})
}

// Goal: whatever another node asks, reading it ends without a panic.
func FuzzTasks(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var r pb.TaskRequest
		if proto.Unmarshal(data, &r) == nil {
			_, _ = ToTasks(r.Tasks) // an error is fine
		}
	})
}
