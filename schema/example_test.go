package schema_test

import (
	"fmt"

	"dragg/graph"
	"dragg/schema"
)

// Text becomes definitions, definitions become a snapshot, and a change of one says what must be rebuilt.
func Example() {
	before, err := schema.Parse("name: string @index(term) .")
	if err != nil {
		fmt.Println(err)
		return
	}
	s := schema.Snapshot{}.With(schema.Reserved()).With(before)
	after, err := schema.Parse("name: string @index(exact) @lang .")
	if err != nil {
		fmt.Println(err)
		return
	}
	noData := func(graph.Predicate) (bool, error) { return false, nil }
	if err := s.Check(after, noData); err != nil {
		fmt.Println(err)
		return
	}
	old, _ := s.Predicate(graph.Pred("name"))
	work := schema.Diff(old, after.Predicates[0])
	fmt.Println("add", work.AddIndex[0].Name(), "drop", work.DropIndex[0].Name())
	// Output: add exact drop term
}
