package posting

import (
	"encoding/binary"
	"fmt"

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
	formLink  = 1 << 5 // a part: where the next one starts comes first; whole
	formKnown = formWhole | formDels | formAll | formSome | formParts | formLink
)

// record is a decoded version of a key.
type record struct {
	whole bool
	sets  content
	dels  uidset.Set
	parts []part // of a directory
	next  uint64 // of a part: the first element of the next one, 0 for none
}

// part is a line of a split list's directory.
type part struct {
	first uint64 // the part holds elements from first on
	n     uint64 // how many, as of the directory's version
}

// isPart says that b is a directory or a part.
func isPart(b []byte) bool { return len(b) > 1 && b[1]&(formParts|formLink) != 0 }

// emptyRecord is the whole version of a list without elements.
func emptyRecord() []byte { return []byte{recordVersion, formWhole, 0} }

// isEmptyRecord says that b is the whole version of a list without elements.
func isEmptyRecord(b []byte) bool {
	return len(b) == 3 && b[1] == formWhole && b[2] == 0
}

// setsSomething says, without decoding, that a list is not empty once b is its newest version: it adds an
// element.
func setsSomething(b []byte) bool {
	return len(b) > 2 && b[2] != 0
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
		dst = binary.AppendUvarint(dst, p.n)
	}
	return dst
}

// appendPart appends the record of a part: | version | form | next (8) | elements set | payloads |.
func appendPart(dst []byte, c *content, next uint64) []byte {
	form := byte(formWhole | formLink)
	switch c.pays() {
	case paysAll:
		form |= formAll
	case paysSome:
		form |= formSome
	}
	return c.appendBinary(binary.BigEndian.AppendUint64(append(dst, recordVersion, form), next))
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
	r := record{whole: form&formWhole != 0}
	if form&formLink != 0 {
		if form&(formWhole|formDels) != formWhole || len(b) < 8 {
			return record{}, fmt.Errorf("%w: form %#x", ErrCorrupt, form)
		}
		r.next, b = binary.BigEndian.Uint64(b), b[8:]
	}
	pays := paysNone
	switch {
	case form&formAll != 0:
		pays = paysAll
	case form&formSome != 0:
		pays = paysSome
	}
	var err error
	if r.sets, b, err = decodeContent(b, pays); err != nil {
		return record{}, err
	}
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
	if k <= 0 || n == 0 || n > uint64(len(b)/9) {
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
		var k int
		if p.n, k = binary.Uvarint(b); k <= 0 {
			return nil, fmt.Errorf("%w: size of part", ErrCorrupt)
		}
		b = b[k:]
		parts[i] = p
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after the directory", ErrCorrupt, len(b))
	}
	return parts, nil
}
