package posting

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"unsafe"

	"dragg/graph"
	"dragg/posting/uidset"
)

// packed is a list that rests, as most do: no changes lie above its content. It is one piece of memory without pointers, so that a
// cached value takes some sixty bytes, lies in one place and costs the collector nothing. Once made only its mark and its chain
// change; its bytes stay what they are when it has left the cache. A nil packed is no list.
//
//	size (4) | mark (4) | elements (2) | payloads (2) | key length (2) | form (1) | 0 (1) | from (8) | [chain (12) | 0 (4)]
//	key, and zeros up to 8 bytes
//	ids, 8 bytes each, in the machine's order, unless the form says that the only one is 0
//	[ids of the elements with a payload, as above]
//	where each payload ends (4 each) | payloads, and zeros up to 8 bytes
type packed []byte

// The bounds of what is packed.
const (
	maxPackedIDs   = 256
	maxPackedKey   = 1 << 10
	maxPackedBytes = 4 << 10 // of the content
)

// Where the parts of the head lie.
const (
	packedMark   = 4
	packedN      = 8
	packedPays   = 10
	packedKeyLen = 12
	packedForm   = 14
	packedFrom   = 16
	packedChain  = 24 // where the form says that there is one, else this is the end of the head
	chainBytes   = 16
)

// The bits of a packed list's form.
const (
	packedZero     = 1 << iota // the only element is 0: its id is not spelled out
	packedSome                 // some elements have a payload: theirs ids are there
	packedHasChain             // a chain follows the head
)

// rests returns st as it can be packed, without what only readers below ts could ask for; nil where it has to stay as it is.
func rests(st *state, key string, ts graph.Timestamp) *state {
	switch {
	case st.n > maxPackedIDs || st.base.ids.Len() > maxPackedIDs || st.size > maxPackedBytes || len(key) > maxPackedKey:
		return nil
	case len(st.runs) == 0 && st.prev == nil:
		return st
	case st.last > ts:
		return nil
	}
	if st = newState(st.content(st.last), st.last); st.size > maxPackedBytes {
		return nil
	}
	return st
}

// packedSize returns how many bytes a resting list takes.
func packedSize(st *state, key string, ch chain) int {
	size := packedChain + align(len(key))
	if ch != (chain{}) {
		size += chainBytes
	}
	c := &st.base
	if c.one != nil {
		if c.oneID != 0 {
			size += 8
		}
		return size + align(4+len(c.one))
	}
	size += 8 * c.ids.Len()
	if c.pay == nil {
		return size
	}
	return size + 8*len(c.pay.at) + align(4*(len(c.pay.off)-1)+len(c.pay.data))
}

func align(n int) int { return (n + 7) &^ 7 }

// pack writes a resting list to mem, which is zero and as long as packedSize says.
func pack(mem []byte, st *state, key string, ch chain) packed {
	p, c := packed(mem), &st.base
	binary.LittleEndian.PutUint32(p, uint32(len(p)))
	binary.LittleEndian.PutUint16(p[packedN:], uint16(c.len()))
	binary.LittleEndian.PutUint16(p[packedKeyLen:], uint16(len(key)))
	binary.LittleEndian.PutUint64(p[packedFrom:], uint64(st.from))
	if ch != (chain{}) {
		p[packedForm] |= packedHasChain
		p.setChain(ch)
	}
	copy(p[p.keyAt():], key)
	if c.one != nil {
		return p.packOne(c)
	}
	copy(uidsAt(p[p.body():], c.ids.Len()), c.ids.Slice())
	if c.pay == nil {
		return p
	}
	binary.LittleEndian.PutUint16(p[packedPays:], uint16(len(c.pay.off)-1))
	if c.pay.at != nil {
		p[packedForm] |= packedSome
		copy(uidsAt(p[p.body()+8*p.len():], len(c.pay.at)), c.pay.at)
	}
	ends, data := p.payloads()
	for i, end := range c.pay.off[1:] {
		binary.LittleEndian.PutUint32(ends[4*i:], end)
	}
	copy(data, c.pay.data)
	return p
}

// packOne writes the payload of the only element, and its id where that is not 0.
func (p packed) packOne(c *content) packed {
	binary.LittleEndian.PutUint16(p[packedPays:], 1)
	if c.oneID == 0 {
		p[packedForm] |= packedZero
	} else {
		uidsAt(p[p.body():], 1)[0] = graph.UID(c.oneID)
	}
	ends, data := p.payloads()
	binary.LittleEndian.PutUint32(ends, uint32(len(c.one)))
	copy(data, c.one)
	return p
}

// uidsAt views the start of b, which lies at a multiple of 8 bytes, as n uids.
func uidsAt(b []byte, n int) []graph.UID {
	return unsafe.Slice((*graph.UID)(unsafe.Pointer(unsafe.SliceData(b[:8*n]))), n)
}

func (p packed) len() int { return int(binary.LittleEndian.Uint16(p[packedN:])) }

// from returns from which timestamp on the list is what p says.
func (p packed) from() graph.Timestamp {
	return graph.Timestamp(binary.LittleEndian.Uint64(p[packedFrom:]))
}

func (p packed) keyAt() int {
	if p[packedForm]&packedHasChain != 0 {
		return packedChain + chainBytes
	}
	return packedChain
}

func (p packed) key() []byte {
	at := p.keyAt()
	return p[at : at+int(binary.LittleEndian.Uint16(p[packedKeyLen:]))]
}

// is says that p is the list of key.
func (p packed) is(key []byte) bool { return p != nil && bytes.Equal(p.key(), key) }

// body is where the ids begin.
func (p packed) body() int {
	return p.keyAt() + align(int(binary.LittleEndian.Uint16(p[packedKeyLen:])))
}

// mark notes that somebody used the list; unmark takes the note away and reports whether there was one.
func (p packed) mark() {
	if m := p.markWord(); atomic.LoadUint32(m) == 0 {
		atomic.StoreUint32(m, 1)
	}
}

func (p packed) unmark() bool { return atomic.SwapUint32(p.markWord(), 0) != 0 }

func (p packed) markWord() *uint32 { return (*uint32)(unsafe.Pointer(&p[packedMark])) }

// chain returns what lies on disk above the last whole version. Like setChain it is for who holds the lock of the shard.
func (p packed) chain() chain {
	if p[packedForm]&packedHasChain == 0 {
		return chain{}
	}
	at := func(i int) int { return int(binary.LittleEndian.Uint32(p[packedChain+4*i:])) }
	return chain{records: at(0), ops: at(1), tried: at(2)}
}

// setChain changes the chain of a list that has one.
func (p packed) setChain(ch chain) {
	for i, n := range [...]int{ch.records, ch.ops, ch.tried} {
		binary.LittleEndian.PutUint32(p[packedChain+4*i:], uint32(n))
	}
}

// rolledUp takes a part that was rolled up off the chain.
func (p packed) rolledUp(rolled chain) {
	if p[packedForm]&packedHasChain != 0 {
		p.setChain(p.chain().without(rolled))
	}
}

// ids returns the elements, which lie in p.
func (p packed) ids() []graph.UID {
	if p[packedForm]&packedZero != 0 {
		return []graph.UID{0}
	}
	return uidsAt(p[p.body():], p.len())
}

func (p packed) set() uidset.Set { return uidset.Of(p.ids()) }

func (p packed) pays() int {
	switch {
	case binary.LittleEndian.Uint16(p[packedPays:]) == 0:
		return paysNone
	case p[packedForm]&packedSome != 0:
		return paysSome
	}
	return paysAll
}

// withPayload returns the ids of the elements that have a payload, where not all have one.
func (p packed) withPayload() []graph.UID {
	return uidsAt(p[p.body()+8*p.len():], int(binary.LittleEndian.Uint16(p[packedPays:])))
}

// payloads returns where each payload ends, and all of them.
func (p packed) payloads() (ends, data []byte) {
	n := int(binary.LittleEndian.Uint16(p[packedPays:]))
	at := p.body()
	if p[packedForm]&packedZero == 0 {
		at += 8 * p.len()
	}
	if p[packedForm]&packedSome != 0 {
		at += 8 * n
	}
	return p[at : at+4*n], p[at+4*n:]
}

// payload returns the i-th of the payloads.
func (p packed) payload(i int) []byte {
	ends, data := p.payloads()
	from, to := uint32(0), binary.LittleEndian.Uint32(ends[4*i:])
	if i > 0 {
		from = binary.LittleEndian.Uint32(ends[4*i-4:])
	}
	return data[from:to:to]
}

// get returns the payload of id and whether id is there.
func (p packed) get(id uint64) (pay []byte, ok bool) {
	if p[packedForm]&packedZero != 0 {
		if id != 0 {
			return nil, false
		}
		return p.payload(0), true
	}
	ids := p.ids()
	switch p.pays() {
	case paysAll:
		i, ok := slices.BinarySearch(ids, graph.UID(id))
		if !ok {
			return nil, false
		}
		return p.payload(i), true
	case paysSome:
		if i, ok := slices.BinarySearch(p.withPayload(), graph.UID(id)); ok {
			return p.payload(i), true
		}
	}
	_, ok = slices.BinarySearch(ids, graph.UID(id))
	return nil, ok
}

// each visits the elements in order, with their payloads, which lie in p.
func (p packed) each(fn func(element) bool) {
	pays, next := p.pays(), 0
	var some []graph.UID
	if pays == paysSome {
		some = p.withPayload()
	}
	for i, u := range p.ids() {
		e := element{id: uint64(u)}
		switch {
		case pays == paysAll:
			e.pay = p.payload(i)
		case next < len(some) && some[next] == u:
			e.pay = p.payload(next)
			next++
		}
		if !fn(e) {
			return
		}
	}
}

// unpack returns the list as a state that shares nothing with p.
func (p packed) unpack() *state {
	elems := make([]element, 0, p.len())
	p.each(func(e element) bool {
		elems = append(elems, e)
		return true
	})
	return newState(contentOf(elems), p.from())
}
