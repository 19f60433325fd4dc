package keys

import (
	"encoding/binary"

	"dragg/graph"
)

// incarnationLen is how much of a key names the tablet copy.
const incarnationLen = 8

// InCopy returns what a key is within its tablet copy: the rest after the incarnation, the same in every copy. It shares the
// memory of the key.
func InCopy(key []byte) []byte { return key[min(incarnationLen, len(key)):] }

// MoveTo makes a key of one tablet copy, in place, the key of the same list in another copy.
func MoveTo(key []byte, inc graph.Incarnation) {
	binary.BigEndian.PutUint64(key, uint64(inc))
}

// List returns the key of the list that a key belongs to: of a part the list that was split, else the key itself.
func List(key []byte) []byte {
	if KindOf(key) != KindPart {
		return key
	}
	k, err := Parse(key)
	if err != nil {
		return key
	}
	return k.Parent
}
