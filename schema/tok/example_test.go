package tok_test

import (
	"fmt"

	"dragg/graph/types"
	"dragg/schema/tok"
)

// The tokens under which a full-text index finds a text.
func Example() {
	fulltext, _ := tok.Lookup(tok.FullText)
	tokens, err := fulltext.AppendTokens(nil, types.OfString("The runners were running"), "en")
	fmt.Println(tokens, err)
	// Output: [run runner] <nil>
}

// What a text must have for an expression to match it.
func ExampleRegexpQuery() {
	q, err := tok.RegexpQuery("(bolt|nut)s?$", "")
	fmt.Println(q, err)
	// Output: ("nut" OR ("bol" AND "olt")) <nil>
}
