package posting

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"

	"dragg/graph"
	"dragg/graph/types"
)

// ErrCorrupt says that stored or received bytes are not what this package writes.
var ErrCorrupt = errors.New("posting: corrupt record")

// Posting is one value of a list.
type Posting struct {
	// Slot is where in the list the value is: Untagged, the fingerprint of the language tag, or, in a list
	// predicate, the fingerprint of the value.
	Slot uint64
	// Lang is the language tag, "" for untagged.
	Lang   string
	Value  types.Value
	Facets []graph.Facet
}

// Untagged is the slot of the one value of a scalar predicate that has no language tag. It sorts before every
// tag.
const Untagged uint64 = 0

// LangSlot returns the slot of the value with the given language tag: Untagged for "", else a fingerprint
// that is never 0. The order of tags in a list is the order of their slots (dql.md fact 85).
func LangSlot(lang string) uint64 {
	if lang == "" {
		return Untagged
	}
	return max(xxhash.Sum64String(lang), 1)
}

// The first byte of a value payload is the type of the value and these flags.
const (
	payloadLang   = 0x80
	payloadFacets = 0x40
	payloadType   = 0x3F
)

// maxLang is the longest language tag that can be stored.
const maxLang = 255

// appendValue appends the payload of a value: | flags and type (1) | [length (1) | lang] | [length uvarint |
// facets] | value |.
func appendValue(dst []byte, lang string, v types.Value, facets []byte) []byte {
	head := len(dst)
	dst = append(dst, byte(v.Type()))
	if lang != "" {
		dst[head] |= payloadLang
		dst = append(append(dst, byte(len(lang))), lang...)
	}
	if len(facets) > 0 {
		dst[head] |= payloadFacets
		dst = append(binary.AppendUvarint(dst, uint64(len(facets))), facets...)
	}
	return types.AppendBinary(dst, v)
}

// splitValue takes a value payload apart. The parts refer to b.
func splitValue(b []byte) (id types.ID, lang, facets, value []byte, err error) {
	if len(b) == 0 {
		return 0, nil, nil, nil, fmt.Errorf("%w: empty value", ErrCorrupt)
	}
	flags := b[0]
	id, b = types.ID(flags&payloadType), b[1:]
	if flags&payloadLang != 0 {
		if len(b) == 0 || b[0] == 0 || len(b) < 1+int(b[0]) {
			return 0, nil, nil, nil, fmt.Errorf("%w: language tag", ErrCorrupt)
		}
		lang, b = b[1:1+int(b[0])], b[1+int(b[0]):]
	}
	if flags&payloadFacets != 0 {
		if facets, b, err = cut(b); err != nil {
			return 0, nil, nil, nil, err
		}
	}
	if !id.Valid() {
		return 0, nil, nil, nil, fmt.Errorf("%w: type %d", ErrCorrupt, id)
	}
	return id, lang, facets, b, nil
}

func decodePosting(slot uint64, b []byte) (Posting, error) {
	id, lang, facets, value, err := splitValue(b)
	if err != nil {
		return Posting{}, err
	}
	p := Posting{Slot: slot, Lang: string(lang)}
	if p.Value, err = types.View(id, value); err != nil {
		return Posting{}, err
	}
	p.Facets, err = decodeFacets(facets)
	return p, err
}

// appendFacets appends the facets, which are sorted by key without duplicates; nothing where there are none:
// | count uvarint | per facet: length uvarint | key | length uvarint | type (1) | value |.
func appendFacets(dst []byte, facets []graph.Facet) []byte {
	if len(facets) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(facets)))
	var buf [64]byte
	for _, f := range facets {
		dst = append(binary.AppendUvarint(dst, uint64(len(f.Key))), f.Key...)
		v := types.AppendBinary(append(buf[:0], byte(f.Value.Type())), f.Value)
		dst = append(binary.AppendUvarint(dst, uint64(len(v))), v...)
	}
	return dst
}

func decodeFacets(b []byte) ([]graph.Facet, error) {
	if len(b) == 0 {
		return nil, nil
	}
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)) {
		return nil, fmt.Errorf("%w: facet count", ErrCorrupt)
	}
	b = b[k:]
	facets := make([]graph.Facet, 0, min(n, 16))
	for range n {
		key, rest, err := cut(b)
		if err != nil {
			return nil, err
		}
		value, rest, err := cut(rest)
		if err != nil {
			return nil, err
		}
		if len(value) == 0 {
			return nil, fmt.Errorf("%w: facet without a value", ErrCorrupt)
		}
		v, err := types.Decode(types.ID(value[0]), value[1:])
		if err != nil {
			return nil, err
		}
		facets, b = append(facets, graph.Facet{Key: string(key), Value: v}), rest
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after the facets", ErrCorrupt, len(b))
	}
	return facets, nil
}

// sortFacets returns the facets sorted by key; of two with one key the later stays.
func sortFacets(facets []graph.Facet) []graph.Facet {
	sorted := true
	for i := 1; i < len(facets); i++ {
		sorted = sorted && facets[i-1].Key < facets[i].Key
	}
	if sorted {
		return facets
	}
	out := make([]graph.Facet, 0, len(facets))
	for _, f := range facets {
		i := 0
		for i < len(out) && out[i].Key < f.Key {
			i++
		}
		if i < len(out) && out[i].Key == f.Key {
			out[i] = f
			continue
		}
		out = append(out, graph.Facet{})
		copy(out[i+1:], out[i:])
		out[i] = f
	}
	return out
}

// cut splits b after a length-prefixed piece.
func cut(b []byte) (piece, rest []byte, err error) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, fmt.Errorf("%w: length", ErrCorrupt)
	}
	return b[k : k+int(n) : k+int(n)], b[k+int(n):], nil
}

// checkLang refuses a language tag that keys and payloads cannot hold.
func checkLang(lang string) error {
	if len(lang) > maxLang || strings.IndexByte(lang, 0) >= 0 {
		return fmt.Errorf("language tag %q is too long or holds a zero byte", lang)
	}
	return nil
}
