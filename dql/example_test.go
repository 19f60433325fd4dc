package dql_test

import (
	"fmt"

	"dragg/dql"
)

func ExampleParse() {
	doc, err := dql.Parse(`query people($name: string, $n: int = 2) {
		q(func: eq(name, $name), first: $n) @filter(ge(age, 18) or not has(age)) {
			name
			friends: friend (orderasc: name) { ...who }
		}
	}
	fragment who { name age }`, map[string]string{"$name": `O"Neill`})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(doc)
	// Output:
	// query people {
	//   q(func: eq(name, "O\"Neill"), first: 2) @filter(ge(age, "18") or not has(age)) { name friends: friend (orderasc: name) { name age } }
	// }
}
