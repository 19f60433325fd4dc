package keys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"dragg/graph"
)

// ErrMalformed says that bytes are not a key of this layout.
var ErrMalformed = errors.New("keys: malformed key")

// Key is a key taken apart. Which fields are set depends on Kind.
type Key struct {
	Incarnation graph.Incarnation
	Kind        Kind
	UID         graph.UID // data, reverse
	Tokenizer   byte      // index
	Lang, Token string    // index
	Count       uint32    // count, reverse count
	Name        string    // meta
	Parent      []byte    // part: the key of the list it belongs to
	First       uint64    // part: its first element
}

// Parse takes a key apart. It returns ErrMalformed for bytes that no constructor of this package makes.
func Parse(key []byte) (Key, error) {
	if len(key) < headerLen {
		return Key{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(key))
	}
	k := Key{Incarnation: graph.Incarnation(binary.BigEndian.Uint64(key)), Kind: Kind(key[8])}
	if (k.Incarnation == 0) != (k.Kind == KindMeta) {
		return Key{}, fmt.Errorf("%w: kind %d of incarnation %d", ErrMalformed, k.Kind, k.Incarnation)
	}
	rest := key[headerLen:]
	ok := false
	switch k.Kind {
	case KindMeta:
		k.Name, ok = string(rest), true
	case KindData, KindReverse:
		if ok = len(rest) == 8; ok {
			k.UID = graph.UID(binary.BigEndian.Uint64(rest))
		}
	case KindCount, KindReverseCount:
		if ok = len(rest) == 4; ok {
			k.Count = binary.BigEndian.Uint32(rest)
		}
	case KindIndex:
		ok = k.parseIndex(rest)
	case KindPart:
		ok = k.parsePart(key)
	}
	if !ok {
		return Key{}, fmt.Errorf("%w: kind %d with %d bytes", ErrMalformed, k.Kind, len(key))
	}
	return k, nil
}

func (k *Key) parseIndex(rest []byte) bool {
	if len(rest) == 0 {
		return false
	}
	k.Tokenizer = rest[0]
	end := bytes.IndexByte(rest[1:], 0)
	if end < 0 {
		return false
	}
	k.Lang, k.Token = string(rest[1:1+end]), string(rest[2+end:])
	return true
}

func (k *Key) parsePart(key []byte) bool {
	if len(key) < 2*headerLen || Kind(key[headerLen]) == KindPart {
		return false
	}
	k.First = binary.BigEndian.Uint64(key[len(key)-8:])
	k.Parent = append(append(make([]byte, 0, len(key)-headerLen), key[:8]...), key[headerLen:len(key)-8]...)
	_, err := Parse(k.Parent)
	return err == nil
}

// UID returns the uid at the end of a data or reverse key, without checking that it is one.
func UID(key []byte) graph.UID {
	if len(key) < headerLen+8 {
		return 0
	}
	return graph.UID(binary.BigEndian.Uint64(key[headerLen:]))
}

// IncarnationOf returns the incarnation at the start of a key; 0 of bytes that are too short to be one.
func IncarnationOf(key []byte) graph.Incarnation {
	if len(key) < headerLen {
		return 0
	}
	return graph.Incarnation(binary.BigEndian.Uint64(key))
}

// KindOf returns the kind of a key; KindMeta of bytes that are too short to be one.
func KindOf(key []byte) Kind {
	if len(key) < headerLen {
		return KindMeta
	}
	return Kind(key[8])
}
