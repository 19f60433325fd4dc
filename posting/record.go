package posting

import (
	"encoding/binary"
	"fmt"

	"dragg/graph"
	"dragg/posting/uidset"
)

// A record is one stored version of a key: | version (1) | form (1) | elements set | elements deleted or
// directory |.
const recordVersion = 1

// The bits of a record's form.
const (
	formWhole = 1 << 0 // forget everything older
	formDels  = 1 << 1 // a set of deleted elements follows the content
	formAll   = 1 << 2 // every element has a payload
	formSome  = 1 << 3 // some elements have a payload
	formParts = 1 << 4 // a directory of parts instead of elements; whole
	formKnown = formWhole | formDels | formAll | formSome | formParts
)

// record is a decoded version of a key.
type record struct {
	whole bool
	sets  content
	dels  uidset.Set
	parts []part
}

// part is a line of a split list's directory.
type part struct {
	first uint64          // the part holds elements from first up to the next part's first
	ts    graph.Timestamp // the version of the part's key
	n     uint64          // how many elements it holds
}

// emptyRecord is the whole version of a list without elements.
func emptyRecord() []byte { return []byte{recordVersion, formWhole, 0} }

// isEmptyRecord says that b is the whole version of a list without elements.
func isEmptyRecord(b []byte) bool {
	return len(b) == 3 && b[1] == formWhole && b[2] == 0
}

// setsSomething says, without decoding, that a list is not empty once b is its newest version: it adds an
// element.
func setsSomething(b []byte) bool {
	return len(b) > 2 && (b[1]&formParts != 0 || b[2] != 0)
}

// isWhole says that the record b makes older versions irrelevant.
func isWhole(b []byte) bool { return len(b) > 1 && b[1]&formWhole != 0 }

func appendRecord(dst []byte, whole bool, sets *content, dels uidset.Set) []byte {
	form := byte(0)
	if whole {
		form |= formWhole
	}
	switch sets.pays() {
	case paysAll:
		form |= formAll
	case paysSome:
		form |= formSome
	}
	if !dels.IsEmpty() {
		form |= formDels
	}
	dst = sets.appendBinary(append(dst, recordVersion, form))
	if form&formDels != 0 {
		dst = dels.AppendBinary(dst)
	}
	return dst
}

// appendDirectory appends the record of a split list: | version | form | count uvarint | per part: first (8)
// | ts uvarint | elements uvarint |.
func appendDirectory(dst []byte, parts []part) []byte {
	dst = binary.AppendUvarint(append(dst, recordVersion, formWhole|formParts), uint64(len(parts)))
	for _, p := range parts {
		dst = binary.BigEndian.AppendUint64(dst, p.first)
		dst = binary.AppendUvarint(dst, uint64(p.ts))
		dst = binary.AppendUvarint(dst, p.n)
	}
	return dst
}

// decodeRecord decodes a version of a key. What it returns does not refer to b.
func decodeRecord(b []byte) (record, error) {
	if len(b) < 3 {
		return record{}, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(b))
	}
	if b[0] != recordVersion {
		return record{}, fmt.Errorf("%w: version %d", ErrCorrupt, b[0])
	}
	form, b := b[1], b[2:]
	if form&^formKnown != 0 || form&(formAll|formSome) == formAll|formSome {
		return record{}, fmt.Errorf("%w: form %#x", ErrCorrupt, form)
	}
	if form&formParts != 0 {
		if form != formWhole|formParts {
			return record{}, fmt.Errorf("%w: form %#x", ErrCorrupt, form)
		}
		parts, err := decodeDirectory(b)
		return record{whole: true, parts: parts}, err
	}
	pays := paysNone
	switch {
	case form&formAll != 0:
		pays = paysAll
	case form&formSome != 0:
		pays = paysSome
	}
	sets, b, err := decodeContent(b, pays)
	if err != nil {
		return record{}, err
	}
	r := record{whole: form&formWhole != 0, sets: sets}
	if form&formDels != 0 {
		if r.dels, b, err = uidset.Decode(b); err != nil {
			return record{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	if len(b) > 0 {
		return record{}, fmt.Errorf("%w: %d bytes too many", ErrCorrupt, len(b))
	}
	return r, nil
}

func decodeDirectory(b []byte) ([]part, error) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n == 0 || n > uint64(len(b)/10) {
		return nil, fmt.Errorf("%w: part count", ErrCorrupt)
	}
	b = b[k:]
	parts := make([]part, n)
	for i := range parts {
		if len(b) < 8 {
			return nil, fmt.Errorf("%w: short directory", ErrCorrupt)
		}
		p := part{first: binary.BigEndian.Uint64(b)}
		b = b[8:]
		if i == 0 && p.first != 0 || i > 0 && p.first <= parts[i-1].first {
			return nil, fmt.Errorf("%w: order of parts", ErrCorrupt)
		}
		ts, k := binary.Uvarint(b)
		if k <= 0 {
			return nil, fmt.Errorf("%w: version of part", ErrCorrupt)
		}
		b = b[k:]
		if p.n, k = binary.Uvarint(b); k <= 0 {
			return nil, fmt.Errorf("%w: size of part", ErrCorrupt)
		}
		p.ts, b = graph.Timestamp(ts), b[k:]
		parts[i] = p
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after the directory", ErrCorrupt, len(b))
	}
	return parts, nil
}
