package types_test

import (
	"fmt"

	"dragg/graph/types"
)

// A literal is parsed, converted to the type of the schema, and shown in an answer.
func Example() {
	v, err := types.Parse("86400", types.Int)
	if err != nil {
		fmt.Println(err)
		return
	}
	if v, err = types.Convert(v, types.DateTime); err != nil {
		fmt.Println(err)
		return
	}
	json, shown := types.AppendJSON(nil, v)
	fmt.Println(string(json), shown)
	// Output: "1970-01-02T00:00:00Z" true
}
