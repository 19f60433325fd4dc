package keys_test

import (
	"fmt"

	"dragg/posting/keys"
)

func Example() {
	prefix := keys.IndexLangPrefix(7, 3, "de")
	key := keys.Index(7, 3, "de", "hafen")
	fmt.Printf("%x\n%s\n", key, key[len(prefix):])
	k, err := keys.Parse(key)
	fmt.Println(k.Incarnation, k.Lang, k.Token, err)
	// Output:
	// 00000000000000070303646500686166656e
	// hafen
	// 7 de hafen <nil>
}
