package query

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/query/answer"
	"dragg/schema"
)

// Goal: a filter asks about few nodes where few can matter. Method: 2,000 nodes, and how many of them each predicate was asked
// about, which Result.NumUIDs tells.
func TestFiltersAskAboutFewNodes(t *testing.T) {
	f := newFake()
	up, err := schema.Parse("name: string @index(exact) .\nage: int .\nfriend: [uid] .")
	if err != nil {
		t.Fatal(err)
	}
	f.schema = f.schema.With(up)
	const nodes = 2000
	for i := graph.UID(1); i <= nodes; i++ {
		f.put(graph.Pred("name"), i, entry{value: types.OfString(fmt.Sprintf("n%d", i%100))})
		f.put(graph.Pred("age"), i, entry{value: types.OfInt(int64(i))})
		f.put(graph.Pred("friend"), i, entry{to: i})
	}
	for _, c := range []struct {
		text string
		pred string
		most uint64
		want int
	}{
		{`{ q(func: has(age), first: 5) @filter(ge(age, 3)) { uid } }`, "age", firstPiece, 5},
		{`{ q(func: has(age), first: 5, after: 0x64) @filter(ge(age, 3)) { uid } }`, "age", firstPiece, 5},
		{`{ q(func: has(age), first: 3, offset: 4) @filter(ge(age, 1990)) { uid } }`, "age", nodes, 3},
		{`{ q(func: has(age)) @filter(ge(count(friend), 1) and eq(name, "n7")) { uid } }`, "friend", nodes / 100, nodes / 100},
		{`{ q(func: has(age)) @filter(ge(count(friend), 1) and eq(name, "none")) { uid } }`, "friend", 0, 0},
	} {
		doc, err := dql.Parse(c.text, nil)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := Build(doc, f.schema)
		if err != nil {
			t.Fatal(err)
		}
		res, err := Execute(context.Background(), plan, f, 1, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.NumUIDs[c.pred]; got > c.most {
			t.Errorf("%s asked about %d nodes, want at most %d", c.text, got, c.most)
		}
		text, err := res.Answer.AppendJSON(nil, answer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(text), "uid"); got != c.want {
			t.Errorf("%s found %d nodes, want %d", c.text, got, c.want)
		}
	}
}
