package posting_test

import (
	"context"
	"fmt"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/schema"
	"dragg/storage/memkv"
)

// Example derives, commits and reads one mutation: a name with an index.
func Example() {
	update, err := schema.Parse("name: string @index(exact) .")
	if err != nil {
		fmt.Println(err)
		return
	}
	name, _ := schema.Snapshot{}.With(update).Predicate(graph.Pred("name"))
	const inc graph.Incarnation = 1 // the tablet copy

	store := posting.NewStore(memkv.New(memkv.Config{}), posting.Config{})
	snapshot := store.View(4, nil)
	derived, err := posting.Derive(snapshot, name, inc, []graph.Edge{
		{Subject: 0x1, Predicate: name.Name, Value: types.OfString("Jena")},
	})
	snapshot.Close()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(derived.Pending.Len(), "keys change,", len(derived.Conflicts), "conflict key")

	c := store.Begin()
	if err := c.Commit(5, derived.Pending, func(graph.Incarnation) *schema.Predicate { return name }); err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Flush(context.Background()); err != nil {
		fmt.Println(err)
		return
	}

	view := store.View(5, nil)
	defer view.Close()
	l, err := view.List(keys.Index(inc, name.Index[0].ID(), "", "Jena"))
	fmt.Println(l.UIDs().Slice(), err)
	// Output:
	// 2 keys change, 1 conflict key
	// [0x1] <nil>
}
