package posting

import (
	"encoding/binary"
	"unsafe"
)

// The sizes of an arena's segments. They grow with the arena, so that a small cache does not consist of empty segments.
const (
	minSegment = 1 << 10
	maxSegment = 64 << 10 // more than any packed list
)

// arena holds the packed lists of one shard of the cache, one after the other in segments, as a log-structured store does
// (Rosenblum and Ousterhout 1992). What is taken out leaves a gap; the oldest segment is emptied as a whole, be it to make room or to
// close gaps, and what stays moves to the newest. The collector sees a few large pieces without pointers. The zero arena is empty.
type arena struct {
	table    table
	segments []segment // oldest first
	first    uint32    // the number of segments[0]
	room     int64     // bytes of the segments
	live     int64     // bytes of the lists that are held
}

// segment is memory that is filled from its start, at multiples of 8 bytes.
type segment struct {
	mem  []byte
	used int
}

// bytes returns how much memory the arena takes.
func (a *arena) bytes() int64 { return a.room + a.table.bytes() }

// len returns how many lists are held.
func (a *arena) len() int { return a.table.n }

// find returns the list of the key with hash h, nil where there is none.
func (a *arena) find(h uint64, key []byte) packed {
	_, p := a.slot(h, key)
	return p
}

// maybe returns a list that is probably the one of the key with hash h, if that is held. It looks at no list, so that the memory
// of several can be asked for at once.
func (a *arena) maybe(h uint64) (at place, ok bool) {
	_, at, ok = a.table.next(h, a.table.first(h))
	return at, ok
}

// slot returns where in the table the list of a key is, and the list; nil where it is not held.
func (a *arena) slot(h uint64, key []byte) (int, packed) {
	for i := a.table.first(h); ; i = a.table.after(i) {
		at, ok := place(0), false
		if i, at, ok = a.table.next(h, i); !ok {
			return 0, nil
		}
		if p := a.get(at); p.is(key) {
			return i, p
		}
	}
}

func (a *arena) get(at place) packed {
	mem := a.segments[at.segment(a.first)].mem[at.offset():]
	size := binary.LittleEndian.Uint32(mem)
	return packed(mem[:size:size])
}

// cacheLine is how much memory is fetched at once.
const cacheLine = 64

// fetch has the memory of a list fetched: its head, its key and the first of its content.
func (a *arena) fetch(at place) {
	mem := a.segments[at.segment(a.first)].mem[at.offset():]
	prefetch(unsafe.Pointer(&mem[0]))
	prefetch(unsafe.Pointer(&mem[min(cacheLine, len(mem)-1)]))
}

// put packs a resting list, in place of what is held of the key.
func (a *arena) put(h uint64, key string, st *state, ch chain) packed {
	a.forget(h, []byte(key))
	size := packedSize(st, key, ch)
	at, mem := a.take(size)
	a.live += int64(size)
	a.table.add(h, at)
	return pack(mem, st, key, ch)
}

// take finds memory for a list.
func (a *arena) take(size int) (place, []byte) {
	if n := len(a.segments); n == 0 || len(a.segments[n-1].mem)-a.segments[n-1].used < size {
		a.grow(size)
	}
	last := len(a.segments) - 1
	seg := &a.segments[last]
	at := placeOf(a.first+uint32(last), seg.used)
	mem := seg.mem[seg.used : seg.used+size : seg.used+size]
	seg.used += size
	return at, mem
}

func (a *arena) grow(least int) {
	size := minSegment
	for size < maxSegment && int64(size) < a.room/4 {
		size *= 2
	}
	words := make([]uint64, max(size, least)/8) // of uint64, so that it begins at a multiple of 8
	mem := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words))
	a.segments = append(a.segments, segment{mem: mem})
	a.room += int64(len(mem))
}

// forget takes out the list of a key, if it is held.
func (a *arena) forget(h uint64, key []byte) {
	if i, p := a.slot(h, key); p != nil {
		a.live -= int64(len(p))
		a.table.remove(i)
		a.settle()
	}
}

// forgetWhere takes out the lists of the keys that which names.
func (a *arena) forgetWhere(which func(key []byte) bool) {
	a.table.each(func(i int, at place) {
		if p := a.get(at); which(p.key()) {
			a.live -= int64(len(p))
			a.table.remove(i)
		}
	})
	a.settle()
}

// settle gives up everything where nothing is held.
func (a *arena) settle() {
	if a.table.n == 0 {
		*a = arena{first: a.first + uint32(len(a.segments))}
	}
}

// evict empties the oldest segment: what was used moves to the newest, and loses its mark; the rest is forgotten.
func (a *arena) evict(hash func(key []byte) uint64) { a.empty(hash, packed.unmark) }

// tidy empties the oldest segment where gaps are more than a fifth of the arena, and some segments. What is held moves. It takes as
// long as copying one segment, and is called for each change, so the gaps stay within that.
func (a *arena) tidy(hash func(key []byte) uint64) {
	if a.room > a.live/4*5+4*maxSegment {
		a.empty(hash, func(packed) bool { return true })
	}
}

// empty gives up the oldest segment. Of the lists that are held there those move that stay says; the others are forgotten.
func (a *arena) empty(hash func(key []byte) uint64, stay func(packed) bool) {
	if len(a.segments) == 0 {
		return
	}
	oldest := a.segments[0]
	for offset := 0; offset < oldest.used; {
		p := packed(oldest.mem[offset:])
		p = p[:binary.LittleEndian.Uint32(p)]
		if i, held := a.table.find(hash(p.key()), placeOf(a.first, offset)); held {
			if stay(p) {
				if len(a.segments) == 1 {
					a.grow(len(p))
				}
				at, mem := a.take(len(p))
				copy(mem, p)
				a.table.move(i, at)
			} else {
				a.live -= int64(len(p))
				a.table.remove(i)
			}
		}
		offset += len(p)
	}
	a.room -= int64(len(oldest.mem))
	a.segments = append([]segment(nil), a.segments[1:]...)
	a.first++
	a.settle()
}
