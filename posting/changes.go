package posting

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"dragg/graph"
	"dragg/posting/uidset"
)

// changeKind says what a change does with an element. The order matters: within a key, clearing comes first.
type changeKind uint8

const (
	clearAll changeKind = iota // forget every element
	setElement
	delElement
)

// change is one change of one element of one key, in the order they were made.
type change struct {
	key  []byte
	id   uint64
	pay  []byte
	kind changeKind
	seq  int32
}

// changes gathers changes of many keys, in any order, and turns them into one record a key. Keys and payloads
// lie in large chunks, so that gathering allocates next to nothing.
type changes struct {
	list  []change
	chunk []byte
}

// Room for keys and payloads is allocated in chunks that double, so that a transaction of three values costs
// little and one of thousands allocates seldom.
const (
	firstChunkBytes = 128
	chunkBytes      = 16 << 10
	// changeBytes is the room for what one edge without an index needs: a key and a short value.
	changeBytes = 48
)

// newChanges returns changes with room for about n.
func newChanges(n int) changes {
	return changes{list: make([]change, 0, 2*n), chunk: make([]byte, 0, min(n*changeBytes, chunkBytes))}
}

// nextChunk returns the size of the chunk after one of size last, for at least n bytes.
func nextChunk(last, n int) int { return max(n, min(max(2*last, firstChunkBytes), chunkBytes)) }

// room returns an empty slice with space for n bytes; what the caller appended is kept by keepRoom.
func (c *changes) room(n int) []byte {
	if cap(c.chunk)-len(c.chunk) < n {
		c.chunk = make([]byte, 0, nextChunk(cap(c.chunk), n))
	}
	return c.chunk[len(c.chunk):len(c.chunk):cap(c.chunk)]
}

// taken marks b, which was appended to a room, as used.
func (c *changes) taken(b []byte) []byte {
	if cap(b) > 0 && cap(b) == cap(c.chunk)-len(c.chunk) {
		c.chunk = c.chunk[:len(c.chunk)+len(b)]
	}
	return b[:len(b):len(b)]
}

func (c *changes) add(key []byte, kind changeKind, id uint64, pay []byte) {
	c.list = append(c.list, change{key, id, pay, kind, int32(len(c.list))})
}

// sort sorts the changes from one on, which share no key with those before.
func (c *changes) sort(from int) {
	slices.SortFunc(c.list[from:], func(a, b change) int {
		return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(min(a.kind, 1), min(b.kind, 1)),
			cmp.Compare(a.id, b.id), cmp.Compare(a.seq, b.seq))
	})
}

// pending returns the changes, which are sorted, as records. Of several changes of one element the last counts,
// but a deletion never undoes a set: within one mutation deletions come first (dql.md fact 99).
func (c *changes) pending() *Pending {
	p := newPending(len(c.list))
	var sets []element
	var dels []graph.UID
	arena := make([]byte, 0, nextChunk(16*len(c.list), 0))
	for i := 0; i < len(c.list); {
		key := c.list[i].key
		whole := false
		sets, dels = sets[:0], dels[:0]
		for i < len(c.list) && bytes.Equal(c.list[i].key, key) {
			ch := c.list[i]
			i++
			if ch.kind == clearAll {
				whole = true
				continue
			}
			set := ch.kind == setElement
			for ; i < len(c.list) && c.list[i].id == ch.id && bytes.Equal(c.list[i].key, key); i++ {
				if c.list[i].kind == setElement {
					ch, set = c.list[i], true
				}
			}
			if set {
				sets = append(sets, element{ch.id, ch.pay})
			} else if !whole {
				dels = append(dels, graph.UID(ch.id))
			}
		}
		if cap(arena)-len(arena) < 64 {
			arena = make([]byte, 0, nextChunk(cap(arena), 64))
		}
		rec := encodeChanges(arena[len(arena):len(arena):cap(arena)], whole, sets, dels)
		if cap(rec) == cap(arena)-len(arena) {
			arena = arena[:len(arena)+len(rec)]
		}
		p.add(key, rec[:len(rec):len(rec)])
	}
	return p
}

// encodeChanges appends the record of the given changes; small ones without building a content.
func encodeChanges(dst []byte, whole bool, sets []element, dels []graph.UID) []byte {
	if len(sets) > 1 || len(dels) > 1 {
		c := contentOf(sets)
		return appendRecord(dst, whole, &c, uidset.Of(slices.Clone(dels)))
	}
	form := byte(0)
	if whole {
		form |= formWhole
	}
	if len(dels) > 0 {
		form |= formDels
	}
	if len(sets) == 1 && sets[0].pay != nil {
		form |= formAll
	}
	dst = append(dst, recordVersion, form, byte(len(sets)))
	if len(sets) == 1 {
		dst = binary.AppendUvarint(dst, sets[0].id)
		if sets[0].pay != nil {
			dst = append(binary.AppendUvarint(dst, uint64(len(sets[0].pay))), sets[0].pay...)
		}
	}
	if len(dels) == 1 {
		dst = binary.AppendUvarint(append(dst, 1), uint64(dels[0]))
	}
	return dst
}
