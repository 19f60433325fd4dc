package oracle

import (
	"iter"

	"dragg/graph"
)

// recent maps the latest of what was added, in the order in which it was added: keys, of which each may come several times, and
// the timestamp that came with it last. It forgets the oldest first. An addition takes 16 bytes and, for the table that finds it, 5
// to 11; the collector sees nothing of it. Its memory shrinks as it forgets.
type recent struct {
	chunks []*[chunkLen]addition // in order
	first  uint64                // number of the oldest addition: they are counted from 0
	end    uint64                // number of the next
	shards [shards]shard         // of the table, by the key's hash: one grows at a time, so no addition waits long
}

type addition struct {
	key uint64
	ts  graph.Timestamp
}

const (
	chunkLen  = 1 << 10
	shards    = 1 << 6
	minSlots  = 8
	slotCount = 1<<24 - 1 // numbers of additions are held modulo this: fewer are remembered at a time
	tagShift  = 24
)

// maxRecent bounds what may be remembered.
const maxRecent = slotCount - 1

// shard is a hash table with linear probing. A slot holds one more than the number of the newest addition of its key, 0 where it is
// free, and above that a byte of the key's hash: an addition is looked at only where it agrees, for each is a wait for main memory.
// The number of slots is a power of two, more than the keys.
type shard struct {
	slots []uint32
	n     int
}

func (r *recent) len() int { return int(r.end - r.first) }

// oldest returns what is forgotten next. There must be something.
func (r *recent) oldest() addition { return *r.at(r.first) }

// get returns the timestamp that key was added with last.
func (r *recent) get(key uint64) (graph.Timestamp, bool) {
	s := r.shard(key)
	if i := r.find(s, key); s.n > 0 && s.slots[i] != 0 {
		return r.at(r.number(s.slots[i])).ts, true
	}
	return 0, false
}

// add remembers key with ts.
func (r *recent) add(key uint64, ts graph.Timestamp) {
	if r.end/chunkLen-r.first/chunkLen == uint64(len(r.chunks)) {
		r.chunks = append(r.chunks, new([chunkLen]addition))
	}
	number := r.end
	r.end++
	*r.at(number) = addition{key, ts}
	s := r.shard(key)
	if 4*(s.n+1) > 3*len(s.slots) {
		r.resize(s)
	}
	i := r.find(s, key)
	if s.slots[i] == 0 {
		s.n++
	}
	s.slots[i] = slot(key, number)
}

// forget forgets the oldest addition. The key stays where it was added again.
func (r *recent) forget() {
	number := r.first
	key := r.at(number).key
	s := r.shard(key)
	if i := r.find(s, key); s.slots[i] == slot(key, number) {
		r.free(s, i)
	}
	if r.first++; r.first%chunkLen == 0 {
		r.chunks[0] = nil
		r.chunks = r.chunks[1:]
	}
	if len(s.slots) > minSlots && 8*s.n < len(s.slots) {
		r.resize(s)
	}
}

// all visits what is remembered, oldest first.
func (r *recent) all() iter.Seq[addition] {
	return func(yield func(addition) bool) {
		for number := r.first; number < r.end; number++ {
			if !yield(*r.at(number)) {
				return
			}
		}
	}
}

func (r *recent) at(number uint64) *addition {
	return &r.chunks[number/chunkLen-r.first/chunkLen][number%chunkLen]
}

// slot is what stands for the addition of a key with a number, and number the number that a slot stands for.
func slot(key, number uint64) uint32 { return tag(key) | uint32(number%slotCount) + 1 }

func (r *recent) number(slot uint32) uint64 {
	return r.first + (uint64(slot&(1<<tagShift-1))-1+slotCount-r.first%slotCount)%slotCount
}

// tag is the byte of the hash that a slot holds, where it holds it. Neither shard nor home looks at it.
func tag(key uint64) uint32 { return uint32(hash(key)>>56) << tagShift }

// hash spreads keys, of which many differ in few bits (Steele, Lea and Flood 2014: the last step of SplitMix64).
func hash(key uint64) uint64 {
	key = (key ^ key>>30) * 0xbf58476d1ce4e5b9
	key = (key ^ key>>27) * 0x94d049bb133111eb
	return key ^ key>>31
}

func (r *recent) shard(key uint64) *shard { return &r.shards[hash(key)%shards] }

// home is where the search for a key begins.
func (s *shard) home(key uint64) int { return int(hash(key)/shards) & (len(s.slots) - 1) }

// find returns the slot of a key, or the free one where it would be. A shard without slots has none.
func (r *recent) find(s *shard, key uint64) int {
	if len(s.slots) == 0 {
		return 0
	}
	i, tag := s.home(key), tag(key)
	for s.slots[i] != 0 && (s.slots[i]>>tagShift != tag>>tagShift || r.at(r.number(s.slots[i])).key != key) {
		i = (i + 1) & (len(s.slots) - 1)
	}
	return i
}

// free empties slot i and moves up what was pushed behind it.
func (r *recent) free(s *shard, i int) {
	s.n--
	mask := len(s.slots) - 1
	for j := (i + 1) & mask; s.slots[j] != 0; j = (j + 1) & mask {
		home := s.home(r.at(r.number(s.slots[j])).key)
		if (j-home)&mask >= (j-i)&mask { // i lies on the way from its home to j
			s.slots[i] = s.slots[j]
			i = j
		}
	}
	s.slots[i] = 0
}

// resize makes the table of a shard twice to four times as large as what it holds.
func (r *recent) resize(s *shard) {
	size := minSlots
	for size < 2*(s.n+1) {
		size *= 2
	}
	old := s.slots
	s.slots = make([]uint32, size)
	for _, v := range old {
		if v != 0 {
			s.slots[r.find(s, r.at(r.number(v)).key)] = v
		}
	}
}
