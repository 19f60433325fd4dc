package answer

import (
	"encoding/json"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
)

// sample is a block of two nodes with every kind of field.
func sample() *Answer {
	friend := &Node{
		Kind: Edge, Key: "friend", List: true,
		Offsets: []uint32{0, 2, 3}, Targets: []graph.UID{2, 3, 1}, Index: []uint32{1, 2, 0},
		Facets:    [][]graph.Facet{{{Key: "w", Value: types.OfInt(1)}}, nil, nil},
		FacetKeys: &FacetKeys{All: true},
	}
	name := func(n int) Node {
		return Node{
			Kind: Scalar, Key: "name", Offsets: []uint32{0, 1, 2, 2}[:n+1],
			Values: []types.Value{types.OfString("a<b"), types.OfString("c")},
		}
	}
	friend.Children = []Node{name(3), {Kind: CountUID, Key: "count"}}
	root := &Node{Kind: Edge, Offsets: []uint32{0, 2}, Targets: []graph.UID{1, 2}, Index: []uint32{0, 1}}
	root.Children = []Node{
		{Kind: CountUID, Key: "n"},
		name(2),
		{Kind: Count, Key: "count(f)", Counts: []int64{5, 0}},
		*friend,
		{Kind: Scalar, Key: "tag", List: true, Offsets: []uint32{0, 2, 2}, Values: []types.Value{types.OfInt(1), types.OfInt(2)}},
		{
			Kind: Scalar, Key: "t", Offsets: []uint32{0, 2, 2}, Langs: []string{"", "en"},
			Values: []types.Value{types.OfString("x"), types.OfString("y")},
		},
		{Kind: Groups, Key: "g", Groups: [][]Group{{{Members: []Member{{Key: "k", Value: types.OfUID(7)}}}}, nil}},
	}
	return &Answer{Blocks: []Block{{Key: "q", Root: *root}}}
}

func TestJSON(t *testing.T) {
	for debug, want := range map[bool]string{
		false: `{"q":[{"n":2},{"name":"a\u003cb","count(f)":5,"friend":[{"name":"c","friend|w":1},{"count":2}],` +
			`"tag":[1,2],"t":"x","t@en":"y","g":[{"@groupby":[{"k":"0x7"}]}]},` +
			`{"name":"c","count(f)":0,"friend":[{"name":"a\u003cb"},{"count":1}]}]}`,
		true: `{"q":[{"n":2},{"name":"a\u003cb","count(f)":5,"friend":[{"name":"c","friend|w":1,"uid":"0x2"},{"count":2}],` +
			`"tag":[1,2],"t":"x","t@en":"y","g":[{"@groupby":[{"k":"0x7"}]}],"uid":"0x1"},` +
			`{"name":"c","count(f)":0,"friend":[{"name":"a\u003cb","uid":"0x1"},{"count":1}],"uid":"0x2"}]}`,
	} {
		got, err := sample().AppendJSON([]byte("x"), Options{Debug: debug})
		if err != nil || string(got[1:]) != want || !json.Valid(got[1:]) {
			t.Errorf("%v\ngot  %s\nwant %s", err, got[1:], want)
		}
	}
}

func TestRDFRefusesWhatItCannotShow(t *testing.T) {
	if _, err := sample().AppendRDF(nil, Options{}); err == nil {
		t.Error("count(uid) was written as RDF")
	}
	a := sample()
	a.Blocks[0].Normalize = true
	if _, err := a.AppendRDF(nil, Options{}); err == nil {
		t.Error("@normalize was written as RDF")
	}
}

func TestEmptyAnswers(t *testing.T) {
	for want, a := range map[string]*Answer{
		`{}`:                 {},
		`{"schema":[]}`:      {Schema: []byte(`{"schema":[]}`)},
		`{"q":[]}`:           {Blocks: []Block{{Key: "q", Root: Node{Kind: Edge}}}},
		`{"b":[],"c":[]}`:    {Blocks: []Block{{Key: "g", Kind: Grouped, Root: Node{Kind: Groups}}, {Key: "b", Root: Node{}}, {Key: "c", Root: Node{}}}},
		`{"q":[{"s":null}]}`: {Blocks: []Block{{Key: "q", Kind: Aggregates, Root: Node{Children: []Node{{Kind: Scalar, Key: "s"}}}}}},
		`{"_path_":[{"uid":"0x1","_weight_":0}]}`: {Paths: []Path{{Nodes: []graph.UID{1}}}},
	} {
		got, err := a.AppendJSON(nil, Options{})
		if err != nil || string(got) != want {
			t.Errorf("got %s, want %s: %v", got, want, err)
		}
	}
}
