package uidset

import (
	"iter"
	"slices"
	"unsafe"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"dragg/graph"
)

// maxSlice is up to how many members a set is a slice, however dense it is.
const maxSlice = 256

// minPerContainer is how many members a Roaring container must hold on average for a bitmap to be worth its
// headers.
const minPerContainer = 16

// Set is an immutable set of uids. The zero Set is empty. Any number of goroutines may read one Set.
type Set struct {
	// One of the two is set, or neither.
	slice  []graph.UID
	bitmap *roaring64.Bitmap
	n      int
}

// Of returns the set of the uids in sorted, which must ascend without duplicates. It takes ownership of the
// slice.
func Of(sorted []graph.UID) Set {
	if len(sorted) <= maxSlice || sparse(sorted) {
		return Set{slice: sorted, n: len(sorted)}
	}
	b := roaring64.New()
	b.AddMany(raw(sorted))
	return Set{bitmap: b, n: len(sorted)}
}

// FromUnsorted returns the set of the given uids, in any order, duplicates allowed. It takes ownership of the
// slice and sorts it.
func FromUnsorted(uids []graph.UID) Set {
	if !slices.IsSorted(uids) {
		slices.Sort(uids)
	}
	return Of(slices.Compact(uids))
}

// ofBitmap takes ownership of b.
func ofBitmap(b *roaring64.Bitmap) Set {
	n := int(b.GetCardinality())
	if n > maxSlice {
		return Set{bitmap: b, n: n}
	}
	return Set{slice: uids(b.ToArray()), n: n}
}

// sparse says that a bitmap of the sorted uids would spend more on containers than on members.
func sparse(sorted []graph.UID) bool {
	containers, budget := 0, len(sorted)/minPerContainer
	last := ^graph.UID(0)
	for _, u := range sorted {
		if u>>16 == last {
			continue
		}
		last = u >> 16
		if containers++; containers > budget {
			return true
		}
	}
	return false
}

// raw views uids as plain numbers, without a copy: a UID is a uint64.
func raw(s []graph.UID) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.SliceData(s)), len(s))
}

// uids is the inverse of raw.
func uids(s []uint64) []graph.UID {
	return unsafe.Slice((*graph.UID)(unsafe.SliceData(s)), len(s))
}

// Len returns the number of members. It costs nothing.
func (s Set) Len() int { return s.n }

// IsEmpty says that s has no members.
func (s Set) IsEmpty() bool { return s.n == 0 }

// Bytes returns roughly how much memory s holds.
func (s Set) Bytes() int {
	if s.bitmap != nil {
		return int(s.bitmap.GetSizeInBytes()) + 64
	}
	return 8 * cap(s.slice)
}

// Contains says whether u is a member.
func (s Set) Contains(u graph.UID) bool {
	if s.bitmap != nil {
		return s.bitmap.Contains(uint64(u))
	}
	_, ok := slices.BinarySearch(s.slice, u)
	return ok
}

// Min returns the smallest member, or 0 of an empty set.
func (s Set) Min() graph.UID {
	switch {
	case s.n == 0:
		return 0
	case s.bitmap != nil:
		return graph.UID(s.bitmap.Minimum())
	}
	return s.slice[0]
}

// Max returns the largest member, or 0 of an empty set.
func (s Set) Max() graph.UID {
	switch {
	case s.n == 0:
		return 0
	case s.bitmap != nil:
		return graph.UID(s.bitmap.Maximum())
	}
	return s.slice[s.n-1]
}

// At returns the member with i smaller ones, 0 <= i < Len; it returns 0 outside of that range.
func (s Set) At(i int) graph.UID {
	if i < 0 || i >= s.n {
		return 0
	}
	if s.bitmap == nil {
		return s.slice[i]
	}
	u, err := s.bitmap.Select(uint64(i))
	if err != nil { // only out of range, which was just excluded
		return 0
	}
	return graph.UID(u)
}

// Rank returns how many members are at or below u.
func (s Set) Rank(u graph.UID) int {
	if s.bitmap != nil {
		return int(s.bitmap.Rank(uint64(u)))
	}
	i, found := slices.BinarySearch(s.slice, u)
	if found {
		i++
	}
	return i
}

// AppendTo appends the members to dst in ascending order.
func (s Set) AppendTo(dst []graph.UID) []graph.UID {
	if s.bitmap == nil {
		return append(dst, s.slice...)
	}
	dst = slices.Grow(dst, s.n)
	it := s.bitmap.ManyIterator()
	for {
		n := it.NextMany(raw(dst[len(dst):cap(dst)]))
		if n == 0 {
			return dst
		}
		dst = dst[:len(dst)+n]
	}
}

// Slice returns the members in ascending order. The caller must not change them: they may be the set's own.
func (s Set) Slice() []graph.UID {
	if s.bitmap == nil {
		return s.slice
	}
	return s.AppendTo(nil)
}

// All visits the members in ascending order.
func (s Set) All() iter.Seq[graph.UID] {
	if s.bitmap == nil {
		return slices.Values(s.slice)
	}
	return func(yield func(graph.UID) bool) { visit(s.bitmap.Iterator(), yield) }
}

// After visits the members above u in ascending order.
func (s Set) After(u graph.UID) iter.Seq[graph.UID] {
	if s.bitmap == nil {
		return slices.Values(s.slice[s.Rank(u):])
	}
	return func(yield func(graph.UID) bool) {
		if u == ^graph.UID(0) {
			return
		}
		it := s.bitmap.Iterator()
		it.AdvanceIfNeeded(uint64(u) + 1)
		visit(it, yield)
	}
}

func visit(it roaring64.IntPeekable64, yield func(graph.UID) bool) {
	for it.HasNext() {
		if !yield(graph.UID(it.Next())) {
			return
		}
	}
}

// Equal says that a and b have the same members.
func Equal(a, b Set) bool {
	switch {
	case a.n != b.n:
		return false
	case a.bitmap != nil && b.bitmap != nil:
		return a.bitmap.Equals(b.bitmap)
	}
	return slices.Equal(a.Slice(), b.Slice())
}
