package keys

import (
	"encoding/binary"

	"dragg/graph"
)

// Kind says what the posting list under a key holds. The numbers are on disk: never renumber, only append.
type Kind uint8

// The kinds of key, in the order in which they lie on disk.
const (
	KindMeta         Kind = 0 // a replica's own record; only under incarnation 0
	KindData         Kind = 1 // subject → its values or targets
	KindReverse      Kind = 2 // target → subjects
	KindIndex        Kind = 3 // token → subjects
	KindCount        Kind = 4 // n → subjects with n values or targets
	KindReverseCount Kind = 5 // n → targets with n subjects
	KindPart         Kind = 6 // one part of a list that was split
)

// headerLen is the length of what every key of a tablet starts with: incarnation and kind.
const headerLen = 9

func appendHeader(dst []byte, inc graph.Incarnation, k Kind) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(inc)), byte(k))
}

// Data returns the key of the values or targets of uid.
func Data(inc graph.Incarnation, uid graph.UID) []byte {
	return AppendData(make([]byte, 0, headerLen+8), inc, uid)
}

// AppendData appends Data(inc, uid) to dst.
func AppendData(dst []byte, inc graph.Incarnation, uid graph.UID) []byte {
	return binary.BigEndian.AppendUint64(appendHeader(dst, inc, KindData), uint64(uid))
}

// Reverse returns the key of the subjects that have an edge to uid.
func Reverse(inc graph.Incarnation, uid graph.UID) []byte {
	return AppendReverse(make([]byte, 0, headerLen+8), inc, uid)
}

// AppendReverse appends Reverse(inc, uid) to dst.
func AppendReverse(dst []byte, inc graph.Incarnation, uid graph.UID) []byte {
	return binary.BigEndian.AppendUint64(appendHeader(dst, inc, KindReverse), uint64(uid))
}

// Index returns the key of the subjects that have a value with this token. tokenizer is tok.Tokenizer.ID,
// lang the language tag of the value ("" for untagged), which must not hold a zero byte. The token may be any
// bytes; within one tokenizer and language keys sort as their tokens do.
func Index(inc graph.Incarnation, tokenizer byte, lang, token string) []byte {
	return AppendIndex(make([]byte, 0, headerLen+2+len(lang)+len(token)), inc, tokenizer, lang, token)
}

// AppendIndex appends Index(inc, tokenizer, lang, token) to dst.
func AppendIndex(dst []byte, inc graph.Incarnation, tokenizer byte, lang, token string) []byte {
	dst = append(appendHeader(dst, inc, KindIndex), tokenizer)
	dst = append(dst, lang...)
	return append(append(dst, 0), token...)
}

// Count returns the key of the uids with n values or targets; with reverse, of those that n edges point at.
func Count(inc graph.Incarnation, reverse bool, n uint32) []byte {
	return AppendCount(make([]byte, 0, headerLen+4), inc, reverse, n)
}

// AppendCount appends Count(inc, reverse, n) to dst.
func AppendCount(dst []byte, inc graph.Incarnation, reverse bool, n uint32) []byte {
	return binary.BigEndian.AppendUint32(appendHeader(dst, inc, countKind(reverse)), n)
}

func countKind(reverse bool) Kind {
	if reverse {
		return KindReverseCount
	}
	return KindCount
}

// Part returns the key of the part of the list under parent that starts with the element first. parent must
// be a key of a tablet, other than a part.
func Part(parent []byte, first uint64) []byte {
	dst := make([]byte, 0, len(parent)+headerLen)
	dst = append(append(dst, parent[:8]...), byte(KindPart))
	return binary.BigEndian.AppendUint64(append(dst, parent[8:]...), first)
}

// Meta returns the key of a replica's own record called name.
func Meta(name string) []byte {
	return append(appendHeader(make([]byte, 0, headerLen+len(name)), 0, KindMeta), name...)
}
