package query

import (
	"context"
	"fmt"

	"dragg/dql"
	"dragg/query/answer"
)

func Example() {
	// Any task.Runner will do; this one holds its data in maps.
	data := newFake()
	data.step(step{cmd: "schema", body: "name: string @index(exact) .\nfriend: [uid] ."})
	data.step(step{cmd: "set", body: "<0x1> <name> \"Ann\" .\n<0x1> <friend> <0x2> .\n<0x2> <name> \"Bob\" ."})

	doc, err := dql.Parse(`{ q(func: eq(name, "Ann")) { v as friend { name } } r(func: uid(v)) { uid } }`, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := Build(doc, data.schema)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := Execute(context.Background(), plan, data, 1, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := res.Answer.AppendJSON(nil, answer.Options{})
	fmt.Println(string(out), err)
	fmt.Println("rounds:", res.Rounds, "touched:", res.NumUIDs["_total"])
	// Output:
	// {"q":[{"friend":[{"name":"Bob"}]}],"r":[{"uid":"0x2"}]} <nil>
	// rounds: 3 touched: 4
}
