package uidset_test

import (
	"fmt"

	"dragg/graph"
	"dragg/posting/uidset"
)

func Example() {
	friends := uidset.FromUnsorted([]graph.UID{9, 3, 7, 3})
	online := uidset.Of([]graph.UID{3, 4, 9})
	both := uidset.And(friends, online)
	for u := range both.After(3) {
		fmt.Println(u)
	}
	stored := both.AppendBinary(nil)
	back, err := uidset.FromBinary(stored)
	fmt.Println(back.Len(), len(stored), err)
	// Output:
	// 0x9
	// 2 3 <nil>
}
