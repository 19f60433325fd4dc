package posting

import (
	"encoding/binary"
	"unsafe"
)

// The sizes of an arena's segments. They grow with the arena, so that a small cache does not consist of empty segments.
const (
	minSegment = 1 << 10
	maxSegment = 64 << 10
)

// placeBytes is about what the map from hashes to places takes for one list.
const placeBytes = 24

// arena holds the packed lists of one shard of the cache, one after the other in segments, as a log-structured store does
// (Rosenblum and Ousterhout 1992). What is taken out leaves a gap; the oldest segment is emptied as a whole, be it to make room or to
// close gaps, and what stays moves to the newest. The collector sees a few large pieces without pointers.
type arena struct {
	// places says where the list is whose key has a hash. Of two keys with one hash, which hardly happens, one is held.
	places   map[uint64]place
	segments []segment // oldest first
	first    uint32    // the number of segments[0]
	bytes    int64     // of segments and places
	live     int64     // bytes of the lists that are held
}

// segment is memory that is filled from its start, at multiples of 8 bytes.
type segment struct {
	mem  []byte
	used int
}

// place is a segment by its number, and where in it a list begins.
type place struct{ segment, offset uint32 }

func newArena() arena { return arena{places: make(map[uint64]place)} }

// find returns the list of the key with hash h, nil where there is none.
func (a *arena) find(h uint64, key []byte) packed {
	if p := a.at(h); p.is(key) {
		return p
	}
	return nil
}

// at returns the list whose key has hash h, nil where there is none.
func (a *arena) at(h uint64) packed {
	at, ok := a.places[h]
	if !ok {
		return nil
	}
	return a.get(at)
}

func (a *arena) get(at place) packed {
	mem := a.segments[at.segment-a.first].mem[at.offset:]
	size := binary.LittleEndian.Uint32(mem)
	return packed(mem[:size:size])
}

// put packs a resting list.
func (a *arena) put(h uint64, key string, st *state, ch chain) packed {
	return pack(a.room(h, packedSize(st, key, ch)), st, key, ch)
}

// room makes room for a list of the given size, under its hash.
func (a *arena) room(h uint64, size int) []byte {
	if n := len(a.segments); n == 0 || len(a.segments[n-1].mem)-a.segments[n-1].used < size {
		a.grow(size)
	}
	last := len(a.segments) - 1
	seg := &a.segments[last]
	if at, held := a.places[h]; held {
		a.live -= int64(len(a.get(at)))
	} else {
		a.bytes += placeBytes
	}
	a.live += int64(size)
	a.places[h] = place{a.first + uint32(last), uint32(seg.used)}
	mem := seg.mem[seg.used : seg.used+size : seg.used+size]
	seg.used += size
	return mem
}

func (a *arena) grow(least int) {
	size := minSegment
	for size < maxSegment && int64(size) < a.bytes/4 {
		size *= 2
	}
	size = max(size, least)
	words := make([]uint64, (size+7)/8) // of uint64, so that it begins at a multiple of 8
	mem := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words))
	a.segments = append(a.segments, segment{mem: mem})
	a.bytes += int64(len(mem))
}

// forget takes out the list whose key has hash h, which is held.
func (a *arena) forget(h uint64) {
	a.live -= int64(len(a.at(h)))
	delete(a.places, h)
	a.bytes -= placeBytes
	if len(a.places) == 0 {
		a.drop(len(a.segments))
	}
}

// drop gives up the n oldest segments, in which nothing is held.
func (a *arena) drop(n int) {
	for i := range a.segments[:n] {
		a.bytes -= int64(len(a.segments[i].mem))
	}
	a.segments = append([]segment(nil), a.segments[n:]...)
	a.first += uint32(n)
}

// evict empties the oldest segment: what was used moves to the newest, and loses its mark; the rest is forgotten.
func (a *arena) evict(hash func(key []byte) uint64) { a.empty(hash, packed.unmark) }

// tidy empties the oldest segment where gaps are more than a third of the arena, and some segments. What is held moves. It takes as
// long as copying one segment, and is called for each change, so the gaps stay within that.
func (a *arena) tidy(hash func(key []byte) uint64) {
	if a.bytes-placeBytes*int64(len(a.places)) > a.live/2*3+4*maxSegment {
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
		h := hash(p.key())
		if at, held := a.places[h]; held && at == (place{a.first, uint32(offset)}) {
			if stay(p) {
				a.move(h, p)
			} else {
				delete(a.places, h)
				a.bytes -= placeBytes
				a.live -= int64(len(p))
			}
		}
		offset += len(p)
	}
	a.drop(1)
}

// move copies a list out of the oldest segment.
func (a *arena) move(h uint64, p packed) {
	if len(a.segments) == 1 {
		a.grow(len(p))
	}
	copy(a.room(h, len(p)), p)
}

// each visits the lists that are held. fn may forget the one that it is given.
func (a *arena) each(fn func(h uint64, p packed)) {
	for h, at := range a.places {
		fn(h, a.get(at))
	}
}
