package posting

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"testing"

	"dragg/graph"
)

// randomElements draws a list: of edges, of values, or of edges some of which have facets.
func randomElements(rng *rand.Rand) []element {
	var elems []element
	pays := rng.IntN(3)
	id := uint64(rng.IntN(2))
	for range rng.IntN(1 << rng.IntN(8)) {
		e := element{id: id}
		if pays == paysAll || pays == paysSome && rng.IntN(3) == 0 {
			e.pay = bytes.Repeat([]byte{byte(id)}, 1+rng.IntN(1<<rng.IntN(6)))
		}
		elems = append(elems, e)
		id += 1 + rng.Uint64N(1<<rng.IntN(50))
	}
	return elems
}

// Goal: packing changes nothing. Method: random lists with random keys and chains, asked in every way before and after.
func TestPackedIsTheList(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		elems := randomElements(rng)
		st := newState(contentOf(elems), graph.Timestamp(rng.Uint64N(1<<40)))
		key := string(bytes.Repeat([]byte{'k'}, rng.IntN(40)))
		var ch chain
		if rng.IntN(2) == 0 {
			ch = chain{1 + rng.IntN(9), rng.IntN(99), rng.IntN(9)}
		}
		if rests(st, key, 0) != st {
			if st.n <= maxPackedIDs && st.size <= maxPackedBytes {
				t.Fatalf("a list of %d elements and %d bytes does not rest", st.n, st.size)
			}
			continue
		}
		var a arena
		a.put(5, "before", newState(content{}, 1), chain{})
		p := a.put(7, key, st, ch)
		if a.put(9, "after", newState(content{}, 1), chain{}); len(p) != packedSize(st, key, ch) || !a.find(7, []byte(key)).is([]byte(key)) {
			t.Fatalf("%d bytes, want %d", len(p), packedSize(st, key, ch))
		}
		checkPacked(t, p, st, key, ch)
		if got := p.unpack(); got.from != st.from || got.last != st.last || got.n != st.n || got.size != st.size {
			t.Fatalf("unpacked as %+v, want %+v", got, st)
		} else if !slices.EqualFunc(elementsOf(got.base.each), elementsOf(st.base.each), sameElement) {
			t.Fatalf("unpacked as %v", elementsOf(got.base.each))
		}
	}
}

func checkPacked(t *testing.T, p packed, st *state, key string, ch chain) {
	t.Helper()
	if p.len() != st.n || p.from() != st.from || string(p.key()) != key || p.pays() != st.base.pays() || p.chain() != ch {
		t.Fatalf("%d elements from %d, key %q, payloads %d, chain %v", p.len(), p.from(), p.key(), p.pays(), p.chain())
	}
	want := elementsOf(st.base.each)
	if got := elementsOf(p.each); !slices.EqualFunc(got, want, sameElement) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if !slices.Equal(p.set().Slice(), st.base.set().Slice()) {
		t.Fatalf("ids %v", p.ids())
	}
	for _, e := range want {
		for _, id := range []uint64{e.id, e.id + 1, e.id - 1} {
			pay, ok := p.get(id)
			if wantPay, wantOK := st.base.get(id); ok != wantOK || !bytes.Equal(pay, wantPay) || (pay == nil) != (wantPay == nil) {
				t.Fatalf("element %d: %q %v, want %q %v", id, pay, ok, wantPay, wantOK)
			}
		}
	}
	if p.unmark() || p.key() == nil {
		t.Fatal("it is marked at once")
	}
	if p.mark(); !p.unmark() || p.unmark() {
		t.Fatal("a mark is one mark")
	}
}

func elementsOf(each func(func(element) bool)) (out []element) {
	each(func(e element) bool { out = append(out, e); return true })
	return out
}

func sameElement(a, b element) bool { return a.id == b.id && bytes.Equal(a.pay, b.pay) }

// Goal: an arena holds what was put there last and not taken out, and after an eviction what was used. Method: random calls against
// a map, also with hashes that hardly tell keys apart and numbers of segments that overflow; lists that were marked since the last
// eviction must outlive one.
func TestArenaIsAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	seed := maphash.MakeSeed()
	for round := range 30 {
		hash := func(key []byte) uint64 { return maphash.Bytes(seed, key) }
		a := arena{first: ^uint32(0) - 5}
		if round%2 == 0 {
			hash = func(key []byte) uint64 { return maphash.Bytes(seed, key) >> 58 << 32 }
			a.first = 1<<segmentBits - 5
		}
		twin := map[string]*state{}
		marked := map[string]bool{}
		for range 3000 {
			key := fmt.Sprint("key ", rng.IntN(400))
			h := hash([]byte(key))
			held := a.find(h, []byte(key))
			if (held != nil) != (twin[key] != nil) {
				t.Fatalf("%s is held: %v", key, held != nil)
			}
			switch rng.IntN(8) {
			case 0:
				if held != nil {
					a.forget(h, []byte(key))
					delete(twin, key)
				}
			case 1, 2, 3:
				if st := newState(contentOf(randomElements(rng)), 9); rests(st, key, 0) != nil {
					a.put(h, key, st, chain{})
					twin[key] = st
					delete(marked, key)
				}
			case 4, 5, 6:
				if held != nil {
					held.mark()
					marked[key] = true
					checkPackedContent(t, held, twin[key])
				}
			case 7:
				if rng.IntN(20) == 0 {
					a.evict(hash)
					evicted(t, &a, twin, marked, hash)
				}
			}
		}
		for range 2 * len(a.segments) {
			a.tidy(hash)
		}
		live := int64(0)
		for key, st := range twin {
			p := a.find(hash([]byte(key)), []byte(key))
			checkPackedContent(t, p, st)
			live += int64(len(p))
		}
		room := int64(0)
		for _, seg := range a.segments {
			room += int64(len(seg.mem))
		}
		if a.room != room || a.live != live || a.len() != len(twin) {
			t.Fatalf("%d lists in %d bytes, %d of them live; want %d in %d, %d", a.len(), a.room, a.live, len(twin), room, live)
		}
		if most := live/2*3 + 4*maxSegment; room > most {
			t.Fatalf("%d bytes after it was tidied, want at most %d", room, most)
		}
		for range len(a.segments) + 2*len(twin) + 2 { // two rounds: the first takes the marks
			a.evict(hash)
		}
		if a.len() > 0 || a.bytes() != 0 || a.live != 0 {
			t.Fatalf("%d lists in %d bytes after all was evicted", a.len(), a.bytes())
		}
	}
}

func checkPackedContent(t *testing.T, p packed, st *state) {
	t.Helper()
	if !slices.EqualFunc(elementsOf(p.each), elementsOf(st.base.each), sameElement) {
		t.Fatalf("%q holds %v, want %v", p.key(), elementsOf(p.each), elementsOf(st.base.each))
	}
}

// evicted takes out of the twin what the arena has evicted: nothing that was marked.
func evicted(t *testing.T, a *arena, twin map[string]*state, marked map[string]bool, hash func([]byte) uint64) {
	t.Helper()
	for key := range twin {
		if a.find(hash([]byte(key)), []byte(key)) != nil {
			continue
		}
		if marked[key] {
			t.Fatalf("%s was used and is gone", key)
		}
		delete(twin, key)
	}
	a.table.each(func(_ int, at place) { // what the eviction took the marks of cannot be told from outside: all begin anew
		a.get(at).unmark()
	})
	clear(marked)
}
