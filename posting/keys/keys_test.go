package keys_test

// Golden bytes, order, and parsing of hostile bytes.

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/posting/keys"
)

// TestGolden pins the bytes of docs/format/keys.md.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name string
		key  []byte
		want string
		is   keys.Key
	}{
		{
			"data", keys.Data(258, 0x1234), "0000000000000102 01 0000000000001234",
			keys.Key{Incarnation: 258, Kind: keys.KindData, UID: 0x1234},
		},
		{
			"reverse", keys.Reverse(1, graph.MaxUID), "0000000000000001 02 fffffffffffffffe",
			keys.Key{Incarnation: 1, Kind: keys.KindReverse, UID: graph.MaxUID},
		},
		{
			"index", keys.Index(1, 0x20, "", "ab\x00c"), "0000000000000001 03 20 00 61620063",
			keys.Key{Incarnation: 1, Kind: keys.KindIndex, Tokenizer: 0x20, Token: "ab\x00c"},
		},
		{
			"index in a language", keys.Index(1, 0x20, "de", ""), "0000000000000001 03 20 6465 00",
			keys.Key{Incarnation: 1, Kind: keys.KindIndex, Tokenizer: 0x20, Lang: "de"},
		},
		{
			"count", keys.Count(1, false, 3), "0000000000000001 04 00000003",
			keys.Key{Incarnation: 1, Kind: keys.KindCount, Count: 3},
		},
		{
			"reverse count", keys.Count(1, true, 1<<31), "0000000000000001 05 80000000",
			keys.Key{Incarnation: 1, Kind: keys.KindReverseCount, Count: 1 << 31},
		},
		{
			"part", keys.Part(keys.Index(1, 0x20, "", "x"), 77), "0000000000000001 06 03 20 00 78 000000000000004d",
			keys.Key{Incarnation: 1, Kind: keys.KindPart, Parent: keys.Index(1, 0x20, "", "x"), First: 77},
		},
		{
			"meta", keys.Meta("applied"), "0000000000000000 00 6170706c696564",
			keys.Key{Kind: keys.KindMeta, Name: "applied"},
		},
	} {
		if want := strings.ReplaceAll(c.want, " ", ""); hex.EncodeToString(c.key) != want {
			t.Errorf("%s: %x, want %s", c.name, c.key, want)
		}
		got, err := keys.Parse(c.key)
		if err != nil || !reflect.DeepEqual(got, c.is) {
			t.Errorf("%s: parsed as %+v, %v", c.name, got, err)
		}
		if keys.IncarnationOf(c.key) != c.is.Incarnation || keys.KindOf(c.key) != c.is.Kind || !bytes.HasPrefix(c.key, keys.Prefix(c.is.Incarnation)) {
			t.Errorf("%s: incarnation or kind", c.name)
		}
	}
}

// TestOrder: keys sort by incarnation, kind, and then as uids, counts and tokens do.
func TestOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	token := func() string {
		b := make([]byte, rng.IntN(4))
		for i := range b {
			b[i] = []byte{0, 1, 'a', 0xFF}[rng.IntN(4)]
		}
		return string(b)
	}
	for range 2000 {
		a, b := graph.UID(rng.Uint64()>>rng.IntN(64)), graph.UID(rng.Uint64()>>rng.IntN(64))
		if bytes.Compare(keys.Data(1, a), keys.Data(1, b)) < 0 != (a < b) {
			t.Fatalf("data keys of %s and %s", a, b)
		}
		if n, m := uint32(a), uint32(b); bytes.Compare(keys.Count(1, true, n), keys.Count(1, true, m)) < 0 != (n < m) {
			t.Fatalf("count keys of %d and %d", n, m)
		}
		x, y := token(), token()
		if bytes.Compare(keys.Index(1, 9, "de", x), keys.Index(1, 9, "de", y)) < 0 != (x < y) {
			t.Fatalf("index keys of %q and %q", x, y)
		}
		p := keys.IndexLangPrefix(1, 9, "de")
		if k := keys.Index(1, 9, "de", x); !bytes.HasPrefix(k, p) || string(k[len(p):]) != x || bytes.Compare(k, keys.End(p)) >= 0 {
			t.Fatalf("prefix of %q", x)
		}
		if k := keys.Index(1, 9, "de-AT", x); bytes.HasPrefix(k, p) {
			t.Fatal("another language lies under the prefix")
		}
	}
}

func TestPrefixes(t *testing.T) {
	all := [][]byte{
		keys.Data(5, 1), keys.Reverse(5, 1), keys.Index(5, 2, "", "t"), keys.Index(5, 2, "en", "t"), keys.Index(5, 3, "", "t"),
		keys.Count(5, false, 1), keys.Count(5, true, 1), keys.Part(keys.Data(5, 1), 3),
	}
	if !slices.IsSortedFunc(all, bytes.Compare) {
		t.Error("kinds are not in order")
	}
	for _, c := range []struct {
		prefix []byte
		want   []int
	}{
		{keys.Prefix(5), []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{keys.DataPrefix(5), []int{0}},
		{keys.ReversePrefix(5), []int{1}},
		{keys.IndexPrefix(5, 2), []int{2, 3}},
		{keys.IndexLangPrefix(5, 2, ""), []int{2}},
		{keys.IndexTokenPrefix(5, 2, "en", "t"), []int{3}},
		{keys.CountPrefix(5, false), []int{5}},
		{keys.CountPrefix(5, true), []int{6}},
		{keys.Prefix(4), nil},
	} {
		var got []int
		for i, k := range all {
			in := bytes.Compare(k, c.prefix) >= 0 && bytes.Compare(k, keys.End(c.prefix)) < 0
			if in != bytes.HasPrefix(k, c.prefix) {
				t.Errorf("key %x, range of prefix %x", k, c.prefix)
			}
			if in {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("prefix %x: keys %v, want %v", c.prefix, got, c.want)
		}
	}
	if keys.End([]byte{0xFF, 0xFF}) != nil || !bytes.Equal(keys.End([]byte{1, 0xFF}), []byte{2}) {
		t.Error("End at the end of the store")
	}
}

func TestAppendFormsDoNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 64)
	n := testing.AllocsPerRun(100, func() {
		buf = keys.AppendData(buf[:0], 1, 2)
		buf = keys.AppendReverse(buf[:0], 1, 2)
		buf = keys.AppendIndex(buf[:0], 1, 2, "en", "token")
		buf = keys.AppendCount(buf[:0], 1, true, 2)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(keys.Data(258, 0x1234))
	f.Add(keys.Index(1, 0x20, "de", "t"))
	f.Add(keys.Part(keys.Count(1, false, 9), 77))
	f.Add(keys.Meta("x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := keys.Parse(b)
		if err != nil {
			if !errors.Is(err, keys.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		var again []byte
		switch k.Kind {
		case keys.KindMeta:
			again = keys.Meta(k.Name)
		case keys.KindData:
			again = keys.Data(k.Incarnation, k.UID)
		case keys.KindReverse:
			again = keys.Reverse(k.Incarnation, k.UID)
		case keys.KindIndex:
			again = keys.Index(k.Incarnation, k.Tokenizer, k.Lang, k.Token)
		case keys.KindCount, keys.KindReverseCount:
			again = keys.Count(k.Incarnation, k.Kind == keys.KindReverseCount, k.Count)
		case keys.KindPart:
			again = keys.Part(k.Parent, k.First)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%x parsed as %+v, which is %x", b, k, again)
		}
	})
}

func BenchmarkAppendIndex(b *testing.B) {
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = keys.AppendIndex(buf[:0], 1, 2, "en", "some token")
	}
}

// TestFamily: keys of one tokenizer and language, and the counts of one predicate, are a family, which is itself one of their
// prefixes.
func TestFamily(t *testing.T) {
	for _, c := range []struct {
		name      string
		key, want []byte
	}{
		{"token", keys.Index(7, 3, "de", "ha\x00fen"), keys.IndexLangPrefix(7, 3, "de")},
		{"untagged token", keys.Index(7, 0, "", "x"), keys.IndexLangPrefix(7, 0, "")},
		{"family of tokens", keys.IndexLangPrefix(7, 3, "de"), keys.IndexLangPrefix(7, 3, "de")},
		{"count", keys.Count(7, false, 3), keys.CountPrefix(7, false)},
		{"reverse count", keys.Count(7, true, 3), keys.CountPrefix(7, true)},
		{"data", keys.Data(7, 3), nil},
		{"part", keys.Part(keys.Index(7, 3, "", "x"), 9), nil},
		{"index without a language", keys.IndexPrefix(7, 3), nil},
		{"short", []byte{1, 2}, nil},
		{"only a kind", keys.Index(7, 3, "", "")[:9], nil},
	} {
		if got := keys.Family(c.key); !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: %x, want %x", c.name, got, c.want)
		}
	}
}
