package posting

// The stored forms: golden bytes, round trips, and decoding of hostile bytes.

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/keys"
	"dragg/posting/uidset"
)

func setOf(uids ...graph.UID) uidset.Set { return uidset.Of(uids) }

// TestGoldenRecords pins the bytes of docs/format/posting.md. A change here is a change of format: it needs a
// new version.
func TestGoldenRecords(t *testing.T) {
	facets := appendFacets(nil, []graph.Facet{{Key: "w", Value: types.OfInt(7)}})
	scalar := contentOf([]element{{Untagged, appendValue(nil, "", types.OfString("Jena"), nil)}})
	tagged := contentOf([]element{
		{Untagged, appendValue(nil, "", types.OfInt(-2), nil)},
		{LangSlot("de"), appendValue(nil, "de", types.OfBool(true), facets)},
	})
	plain := contentOf([]element{{id: 3}, {id: 5}, {id: 300}})
	one := contentOf([]element{{3, facets}})
	some := contentOf([]element{{id: 3}, {5, facets}})
	none := content{}
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"empty list", appendRecord(nil, true, &none, noUIDs()), "01 01 00"},
		{"scalar", appendRecord(nil, true, &scalar, noUIDs()), "01 05 01 00 05 01 4a656e61"},
		{
			"value in a language, with a facet", appendRecord(nil, false, &tagged, noUIDs()),
			"01 04 02 00 " + packedSlot(t, "de") + " 02 02 03 0c c4 02 6465 06 01 01 77 02 02 0e 01",
		},
		{"edges added", appendRecord(nil, false, &plain, noUIDs()), "01 00 03 03 01 a602"},
		{"an edge removed", appendRecord(nil, false, &none, setOf(9)), "01 02 00 01 09"},
		{"the only edge, with a facet", appendRecord(nil, true, &one, noUIDs()), "01 05 01 03 06 01 01 77 02 02 0e"},
		{
			"one of two edges with a facet, one removed", appendRecord(nil, false, &some, setOf(9)),
			"01 0a 02 03 01 01 05 06 01 01 77 02 02 0e 01 09",
		},
		{
			"directory", appendDirectory(nil, []part{{0, 2}, {0x1234, 1000}}),
			"01 11 02 0000000000000000 02 0000000000001234 e807",
		},
		{"part", appendPart(nil, &plain, 0x1234), "01 21 0000000000001234 03 03 01 a602"},
		{"last part, with a facet", appendPart(nil, &some, 0), "01 29 0000000000000000 02 03 01 01 05 06 01 01 77 02 02 0e"},
		{
			"pending", (&Pending{keys: [][]byte{keys.Data(1, 2)}, recs: [][]byte{{1, 0, 1, 5}}}).AppendBinary(nil),
			"01 01 11 0000000000000001 01 0000000000000002 04 01000105",
		},
	} {
		if want := strings.ReplaceAll(c.want, " ", ""); hex.EncodeToString(c.got) != want {
			t.Errorf("%s:\n got %x\nwant %s", c.name, c.got, want)
		}
		if c.name == "pending" {
			continue
		}
		if _, err := decodeRecord(c.got); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// packedSlot returns the slot of a language as the gap after slot 0.
func packedSlot(t *testing.T, lang string) string {
	t.Helper()
	b := setOf(0, graph.UID(LangSlot(lang))).AppendBinary(nil)
	return hex.EncodeToString(b[2:])
}

// TestSmallRecords: the short cut for records of one element writes what the general way does.
func TestSmallRecords(t *testing.T) {
	pay := appendValue(nil, "", types.OfInt(5), nil)
	for _, sets := range [][]element{nil, {{id: 0}}, {{id: 1 << 40}}, {{7, pay}}} {
		for _, dels := range [][]graph.UID{nil, {3}} {
			for _, whole := range []bool{false, true} {
				c := contentOf(sets)
				want := appendRecord(nil, whole, &c, uidset.Of(slices.Clone(dels)))
				if got := encodeChanges(nil, whole, sets, dels); !bytes.Equal(got, want) {
					t.Errorf("%v, %v, %v: %x, want %x", whole, sets, dels, got, want)
				}
			}
		}
	}
}

func randomContent(rng *rand.Rand) content {
	var elems []element
	id, mode := uint64(0), rng.IntN(3)
	for range rng.IntN(200) {
		id += 1 + rng.Uint64N(1<<rng.IntN(20))
		e := element{id: id}
		if mode == 1 || mode == 2 && rng.IntN(2) == 0 {
			e.pay = bytes.Repeat([]byte{byte(id)}, 1+rng.IntN(5))
		}
		elems = append(elems, e)
	}
	return contentOf(elems)
}

func elements(c *content) (out []element) {
	c.each(func(e element) bool {
		out = append(out, element{e.id, slices.Clone(e.pay)})
		return true
	})
	return out
}

func TestContentRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		c := randomContent(rng)
		rec := appendRecord(nil, true, &c, noUIDs())
		r, err := decodeRecord(rec)
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b element) bool { return a.id == b.id && bytes.Equal(a.pay, b.pay) }
		if !slices.EqualFunc(elements(&c), elements(&r.sets), same) || r.sets.len() != c.len() {
			t.Fatalf("%d elements came back as %d", c.len(), r.sets.len())
		}
		for _, e := range elements(&c) {
			if pay, ok := r.sets.get(e.id); !ok || !bytes.Equal(pay, e.pay) {
				t.Fatalf("element %d: %x, %v", e.id, pay, ok)
			}
			if _, ok := r.sets.get(e.id + 1<<50); ok {
				t.Fatalf("element %d is there", e.id+1<<50)
			}
		}
		total := 0
		pieces := splitContent(&c, 0, 64)
		for i, p := range pieces {
			n := len(appendRecord(nil, true, &p.c, noUIDs()))
			if n > 64 && p.c.len() > 1 || i > 0 && (p.c.len() == 0 || p.first <= pieces[i-1].first) {
				t.Fatalf("piece %d of %d: %d bytes, %d elements", i, len(pieces), n, p.c.len())
			}
			total += p.c.len()
		}
		if total != c.len() {
			t.Fatalf("%d elements were split into %d", c.len(), total)
		}
	}
}

// FuzzRecord: no bytes make the decoder panic or take much memory, and what it accepts keeps its meaning when
// written again.
func FuzzRecord(f *testing.F) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 20 {
		c := randomContent(rng)
		f.Add(appendRecord(nil, rng.IntN(2) == 0, &c, setOf(1, 9)))
	}
	f.Add(appendDirectory(nil, []part{{0, 2}, {0x1234, 1000}}))
	f.Add(appendRecord(nil, true, &content{one: appendValue(nil, "en", types.OfFloat(1), []byte{0})}, noUIDs()))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if r.parts != nil {
			if again, err := decodeRecord(appendDirectory(nil, r.parts)); err != nil || !slices.Equal(again.parts, r.parts) {
				t.Fatalf("directory %v: %v", r.parts, err)
			}
			return
		}
		again, err := decodeRecord(appendRecord(nil, r.whole, &r.sets, r.dels))
		if err != nil || again.sets.len() != r.sets.len() || !uidset.Equal(again.dels, r.dels) || again.whole != r.whole {
			t.Fatalf("second round: %v", err)
		}
		st := newState(content{}, 0).push(&r, 1, 0)
		l := List{s: st, ts: 1}
		if l.Len() != l.UIDs().Len() {
			t.Fatalf("length %d of %d", l.Len(), l.UIDs().Len())
		}
		for _, err := range l.Postings() {
			if err != nil {
				break
			}
		}
		for u := range l.UIDs().All() {
			if _, err := l.FacetsOf(u); err != nil {
				break
			}
		}
	})
}

// FuzzPending does the same for what comes out of the Raft log.
func FuzzPending(f *testing.F) {
	p := &Pending{}
	p.add(keys.Data(1, 2), []byte{1, 0, 1, 5})
	p.add(keys.Index(1, 3, "en", "token"), []byte{1, 2, 0, 1, 9})
	f.Add(p.AppendBinary(nil))
	f.Add((&Pending{}).AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePending(b)
		if err != nil {
			return
		}
		q, err := DecodePending(p.AppendBinary(nil))
		if err != nil || q.Len() != p.Len() || q.Bytes() != p.Bytes() {
			t.Fatalf("second round: %v", err)
		}
		if _, err := p.Merge(q); err != nil {
			t.Fatalf("merged with itself: %v", err)
		}
		s := NewStore(nil, Config{})
		v := s.View(1, p)
		for key := range p.All() {
			if r, err := v.own.record(key); err != nil || r == nil {
				t.Fatalf("key %x: %v", key, err)
			}
		}
	})
}

func TestFacetsAreSortedAndUnique(t *testing.T) {
	got := sortFacets([]graph.Facet{
		{Key: "b", Value: types.OfInt(1)}, {Key: "a", Value: types.OfInt(2)}, {Key: "b", Value: types.OfInt(3)},
	})
	if len(got) != 2 || got[0].Key != "a" || got[1].Key != "b" || got[1].Value.Int() != 3 {
		t.Errorf("facets: %v", got)
	}
}
