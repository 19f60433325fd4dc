package posting

import "unsafe"

// place is where a packed list lies: a segment by its number, modulo 2^segmentBits, and where in it the list begins, in units of 8
// bytes.
type place uint32

const (
	offsetBits  = 13 // maxSegment / 8
	segmentBits = 32 - offsetBits
)

func placeOf(segment uint32, offset int) place {
	return place(segment<<offsetBits | uint32(offset/8))
}

func (p place) offset() int { return int(p&(1<<offsetBits-1)) * 8 }

// segment returns how many segments lie before that of p, where first is the number of the oldest.
func (p place) segment(first uint32) int {
	return int((uint32(p)>>offsetBits - first) & (1<<segmentBits - 1))
}

// table maps hashes of keys to places: a hash table with linear probing, one word a slot. A slot holds a tag, which is half of the
// hash and is never 0, and a place. The tag says where the search for a slot begins, so the table grows without looking at the
// lists. Two keys may have one tag: who asks compares the key. The zero table is empty.
type table struct {
	slots []uint64 // 0 is free, freed was in use; their number is a power of two
	shift uint     // 32 less the binary logarithm of that number
	n     int      // in use
	gone  int      // freed
}

// freed is a slot that was in use: searches go on behind it.
const freed = 1

const minSlots = 8

// tagOf returns the tag of a hash. The low half of the hash chooses the shard.
func tagOf(h uint64) uint32 { return uint32(h>>32) | 1 }

func (t *table) bytes() int64 { return 8 * int64(len(t.slots)) }

// first returns where the search for a hash begins, and after where it goes on.
func (t *table) first(h uint64) int { return int(uint64(tagOf(h)) >> t.shift) }
func (t *table) after(slot int) int { return (slot + 1) & (len(t.slots) - 1) }

// next returns the first slot with the tag of h, searching from slot i on, and its place.
func (t *table) next(h uint64, i int) (slot int, at place, ok bool) {
	if len(t.slots) == 0 {
		return 0, 0, false
	}
	for tag := tagOf(h); ; i = t.after(i) {
		switch s := t.slots[i]; {
		case s == 0:
			return 0, 0, false
		case uint32(s>>32) == tag:
			return i, place(s), true
		}
	}
}

// fetch has the memory fetched where the search for a hash begins.
func (t *table) fetch(h uint64) {
	if len(t.slots) > 0 {
		prefetch(unsafe.Pointer(&t.slots[t.first(h)]))
	}
}

// find returns the slot of a hash and a place.
func (t *table) find(h uint64, at place) (slot int, ok bool) {
	for i := t.first(h); ; i = t.after(i) {
		got := place(0)
		if i, got, ok = t.next(h, i); !ok || got == at {
			return i, ok
		}
	}
}

// add adds a place.
func (t *table) add(h uint64, at place) {
	if 4*(t.n+t.gone+1) > 3*len(t.slots) {
		t.rebuild()
	}
	t.insert(tagOf(h), at)
}

func (t *table) insert(tag uint32, at place) {
	i := int(uint64(tag) >> t.shift)
	for t.slots[i] > freed {
		i = t.after(i)
	}
	if t.slots[i] == freed {
		t.gone--
	}
	t.slots[i] = uint64(tag)<<32 | uint64(at)
	t.n++
}

// rebuild makes room, and drops what is freed.
func (t *table) rebuild() {
	size, shift := minSlots, uint(32-3)
	for 2*(t.n+1) > size {
		size, shift = 2*size, shift-1
	}
	old := t.slots
	*t = table{slots: make([]uint64, size), shift: shift}
	for _, s := range old {
		if s > freed {
			t.insert(uint32(s>>32), place(s))
		}
	}
}

// move changes the place in a slot that is in use.
func (t *table) move(slot int, at place) {
	t.slots[slot] = t.slots[slot]>>32<<32 | uint64(at)
}

// remove frees a slot that is in use.
func (t *table) remove(slot int) {
	t.slots[slot] = freed
	t.n--
	t.gone++
}

// each visits the slots in use. fn may remove the one that it is given.
func (t *table) each(fn func(slot int, at place)) {
	for i, s := range t.slots {
		if s > freed {
			fn(i, place(s))
		}
	}
}
