package uidset

// Sets against a naive twin (a sorted slice), the slice algebra, the stored form and its decoding of hostile
// bytes.

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dragg/graph"
)

// random returns sorted uids of one of several shapes: few, dense, sparse, runs, at the ends of the range.
func random(rng *rand.Rand) []graph.UID {
	var out []graph.UID
	n := []int{0, 1, 5, 64, 65, 256, 257, 1000, 5000}[rng.IntN(9)]
	u := graph.UID(rng.Uint64N(1 << (1 + rng.IntN(50))))
	spread := uint64(1) << rng.IntN(30)
	for range n {
		out = append(out, u)
		u += 1 + graph.UID(rng.Uint64N(spread))
	}
	if rng.IntN(5) == 0 {
		out = append(out, ^graph.UID(0)-2, ^graph.UID(0))
	}
	return out
}

func naive(a, b []graph.UID) (and, or, not []graph.UID) {
	in := make(map[graph.UID]int)
	for _, u := range a {
		in[u] |= 1
	}
	for _, u := range b {
		in[u] |= 2
	}
	for u, m := range in {
		or = append(or, u)
		switch m {
		case 1:
			not = append(not, u)
		case 3:
			and = append(and, u)
		}
	}
	slices.Sort(and)
	slices.Sort(or)
	slices.Sort(not)
	return and, or, not
}

func check(t *testing.T, s Set, want []graph.UID) {
	t.Helper()
	if got := s.Slice(); !slices.Equal(got, want) || s.Len() != len(want) || s.IsEmpty() != (len(want) == 0) {
		t.Fatalf("%d members, want %d", len(got), len(want))
	}
	if got := slices.Collect(s.All()); !slices.Equal(got, want) {
		t.Fatal("All differs")
	}
	if got := s.AppendTo([]graph.UID{7}); got[0] != 7 || !slices.Equal(got[1:], want) {
		t.Fatal("AppendTo differs")
	}
	if len(want) > 0 && (s.Min() != want[0] || s.Max() != want[len(want)-1]) || len(want) == 0 && (s.Min() != 0 || s.Max() != 0) {
		t.Fatal("Min or Max differs")
	}
	if s.At(-1) != 0 || s.At(len(want)) != 0 {
		t.Fatal("At outside of the set")
	}
	for i := 0; i < len(want); i += 1 + len(want)/50 {
		u := want[i]
		if s.At(i) != u || !s.Contains(u) || s.Rank(u) != i+1 {
			t.Fatalf("member %d", i)
		}
		if got := slices.Collect(s.After(u)); !slices.Equal(got, want[i+1:]) {
			t.Fatalf("After(%d)", u)
		}
		if _, there := slices.BinarySearch(want, u+1); s.Contains(u+1) != there {
			t.Fatalf("Contains(%d)", u+1)
		}
	}
}

func TestAgainstNaive(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 120 {
		a, b := random(rng), random(rng)
		if rng.IntN(2) == 0 && len(a) > 0 { // overlap
			b = append(slices.Clone(b), a[:rng.IntN(len(a))]...)
			slices.Sort(b)
			b = slices.Compact(b)
		}
		and, or, not := naive(a, b)
		x, y := Of(slices.Clone(a)), Of(slices.Clone(b))
		check(t, x, a)
		check(t, And(x, y), and)
		check(t, And(y, x), and)
		check(t, Or(x, y), or)
		check(t, Or(y, Set{}, x, y), or)
		check(t, AndNot(x, y), not)
		if got := Intersect(nil, a, b); !slices.Equal(got, and) {
			t.Fatal("Intersect")
		}
		if got := Intersect(slices.Clone(a)[:0], a, b); !slices.Equal(got, and) {
			t.Fatal("Intersect in place")
		}
		if got := Union(nil, a, b); !slices.Equal(got, or) {
			t.Fatal("Union")
		}
		if got := Difference(nil, a, b); !slices.Equal(got, not) {
			t.Fatal("Difference")
		}
		if got := MergeK(nil, a, nil, b, a, b); !slices.Equal(got, or) {
			t.Fatal("MergeK")
		}
		shuffled := append(slices.Clone(or), a...)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		check(t, FromUnsorted(slices.Clone(shuffled)), or)
		var bld Builder
		for i, u := range shuffled {
			if i%2 == 0 {
				bld.Add(u)
			}
		}
		bld.AddMany(shuffled)
		bld.AddSet(x)
		built := bld.Set()
		check(t, built, or)
		check(t, bld.Set(), nil)
		if !Equal(built, Of(slices.Clone(or))) || Equal(built, x) != slices.Equal(or, a) {
			t.Fatal("Equal")
		}
		// The stored form depends on the members alone.
		stored := built.AppendBinary(nil)
		if !bytes.Equal(stored, Of(slices.Clone(or)).AppendBinary(nil)) ||
			!bytes.Equal(stored, Or(x, y).AppendBinary(nil)) {
			t.Fatal("equal sets are stored in different bytes")
		}
		back, err := FromBinary(stored)
		if err != nil {
			t.Fatal(err)
		}
		check(t, back, or)
		if _, rest, err := Decode(append(stored, 1, 2, 3)); err != nil || len(rest) != 3 {
			t.Fatalf("Decode left %d bytes, %v", len(rest), err)
		}
	}
}

// TestBuilderFlushes adds more than a Builder keeps unsorted.
func TestBuilderFlushes(t *testing.T) {
	var b Builder
	var want []graph.UID
	for i := range graph.UID(3 * flushLen) {
		b.Add(i * 7 % (3 * flushLen) * 3)
		want = append(want, i*3)
	}
	check(t, b.Set(), want)
}

func TestGolden(t *testing.T) {
	dense := make([]graph.UID, 300)
	for i := range dense {
		dense[i] = graph.UID(i + 5)
	}
	sparse := make([]graph.UID, 65)
	for i := range sparse {
		sparse[i] = graph.UID(i) << 20
	}
	for _, c := range []struct {
		uids []graph.UID
		want string
	}{
		{nil, "00"},
		{[]graph.UID{1}, "0101"},
		{[]graph.UID{0, 1, 300, 1 << 63}, "0400 00 aa02 d3fdffffffffffff7f"},
		{sparse, "fe41 00" + strings.Repeat("ffff3f", 64)},
		{dense, "ff1b 0100000000000000 00000000 3b300000 01 0000 2b01 0100 0500 2b01"},
	} {
		want := strings.ReplaceAll(c.want, " ", "")
		if got := hex.EncodeToString(Of(c.uids).AppendBinary(nil)); got != want {
			t.Errorf("%d uids:\n got %s\nwant %s", len(c.uids), got, want)
		}
	}
}

func FuzzFromBinary(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		f.Add(Of(random(rng)).AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := FromBinary(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if s.Len() > 1<<20 {
			return // a run may stand for many
		}
		uids := s.Slice()
		if len(uids) != s.Len() || !slices.IsSorted(uids) || len(slices.Compact(slices.Clone(uids))) != len(uids) {
			t.Fatalf("%d members of %d, or not in order", len(uids), s.Len())
		}
		again, err := FromBinary(s.AppendBinary(nil))
		if err != nil || !Equal(s, again) {
			t.Fatalf("second round: %v", err)
		}
		And(s, again)
		AndNot(s, Of([]graph.UID{s.Min()}))
		Or(s, Of([]graph.UID{1, 2}))
	})
}

func sets(n int, gap uint64) (Set, Set) {
	rng := rand.New(rand.NewPCG(5, 6))
	var a, b []graph.UID
	var u, v graph.UID
	for range n {
		u += 1 + graph.UID(rng.Uint64N(gap))
		v += 1 + graph.UID(rng.Uint64N(gap))
		a, b = append(a, u), append(b, v)
	}
	return Of(a), Of(b)
}

func BenchmarkAnd(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
		gap  uint64
	}{{"dense", 1_000_000, 4}, {"sparse", 1_000_000, 1 << 20}, {"small", 200, 100}} {
		b.Run(c.name, func(b *testing.B) {
			x, y := sets(c.n, c.gap)
			b.ReportAllocs()
			for b.Loop() {
				And(x, y)
			}
			b.ReportMetric(float64(2*c.n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Muids/s")
		})
	}
}

func BenchmarkAppendTo(b *testing.B) {
	x, _ := sets(1_000_000, 4)
	var out []graph.UID
	b.ReportAllocs()
	for b.Loop() {
		out = x.AppendTo(out[:0])
	}
	b.ReportMetric(float64(len(out))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Muids/s")
}

func BenchmarkIntersectGallop(b *testing.B) {
	x, _ := sets(1_000_000, 1<<20)
	long := x.Slice()
	var short []graph.UID
	for i := 0; i < len(long); i += 1000 {
		short = append(short, long[i]+graph.UID(i%2))
	}
	var out []graph.UID
	b.ReportAllocs()
	for b.Loop() {
		out = Intersect(out[:0], short, long)
	}
}

func BenchmarkDecode(b *testing.B) {
	x, _ := sets(1_000_000, 4)
	stored := x.AppendBinary(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(stored)))
	for b.Loop() {
		if _, err := FromBinary(stored); err != nil {
			b.Fatal(err)
		}
	}
}
