package keys

import (
	"bytes"
	"encoding/binary"

	"dragg/graph"
)

// Prefix returns the prefix of every key of a tablet copy.
func Prefix(inc graph.Incarnation) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8), uint64(inc))
}

// KindPrefix returns the prefix of every key of one kind of a tablet copy.
func KindPrefix(inc graph.Incarnation, k Kind) []byte {
	return appendHeader(make([]byte, 0, headerLen), inc, k)
}

// DataPrefix returns the prefix of every Data key: a scan over it is has(predicate).
func DataPrefix(inc graph.Incarnation) []byte { return KindPrefix(inc, KindData) }

// ReversePrefix returns the prefix of every Reverse key: a scan over it is has(~predicate).
func ReversePrefix(inc graph.Incarnation) []byte { return KindPrefix(inc, KindReverse) }

// IndexPrefix returns the prefix of every Index key of one tokenizer, in all languages.
func IndexPrefix(inc graph.Incarnation, tokenizer byte) []byte {
	return append(appendHeader(make([]byte, 0, headerLen+1), inc, KindIndex), tokenizer)
}

// IndexLangPrefix returns the prefix of every Index key of one tokenizer and language tag, "" for untagged.
// What follows it in a key is the token.
func IndexLangPrefix(inc graph.Incarnation, tokenizer byte, lang string) []byte {
	return Index(inc, tokenizer, lang, "")
}

// IndexTokenPrefix returns the prefix of every Index key whose token starts with token.
func IndexTokenPrefix(inc graph.Incarnation, tokenizer byte, lang, token string) []byte {
	return Index(inc, tokenizer, lang, token)
}

// CountPrefix returns the prefix of every Count key; with reverse, of the counts of edges that point at a node.
func CountPrefix(inc graph.Incarnation, reverse bool) []byte {
	return KindPrefix(inc, countKind(reverse))
}

// Family returns the prefix that an Index key shares with the others of its tokenizer and language, and a Count key with the other
// counts; nil of any other key. It shares the memory of the key. A prefix itself counts as a key.
func Family(key []byte) []byte {
	switch KindOf(key) {
	case KindCount, KindReverseCount:
		return key[:headerLen]
	case KindIndex:
		if i := bytes.IndexByte(key[min(headerLen+1, len(key)):], 0); i >= 0 {
			return key[:headerLen+1+i+1]
		}
	}
	return nil
}

// End returns the first key above every key that starts with prefix, so that [prefix, End(prefix)) is the
// range of the prefix. It is nil, which scans take as the end of the store, where there is no such key.
func End(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xFF {
			end := append(make([]byte, 0, i+1), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}
