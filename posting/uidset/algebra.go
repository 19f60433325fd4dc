package uidset

import (
	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"dragg/graph"
)

// And returns the members of both a and b. The smaller set drives: its cost does not grow with the larger one.
func And(a, b Set) Set {
	if a.n > b.n {
		a, b = b, a
	}
	switch {
	case a.n == 0:
		return Set{}
	case a.bitmap != nil && b.bitmap != nil:
		return ofBitmap(roaring64.And(a.bitmap, b.bitmap))
	case b.bitmap != nil:
		return Of(keep(a.slice, b.bitmap, true))
	case a.bitmap != nil: // a sparse slice that is larger than a bitmap
		return Of(keep(b.slice, a.bitmap, true))
	}
	return Of(Intersect(make([]graph.UID, 0, a.n), a.slice, b.slice))
}

// AndNot returns the members of a that are not in b.
func AndNot(a, b Set) Set {
	switch {
	case a.n == 0 || b.n == 0:
		return a
	case a.bitmap != nil && b.bitmap != nil:
		return ofBitmap(roaring64.AndNot(a.bitmap, b.bitmap))
	case b.bitmap != nil:
		return Of(keep(a.slice, b.bitmap, false))
	case a.bitmap != nil:
		c := a.bitmap.Clone()
		for _, u := range b.slice {
			c.Remove(uint64(u))
		}
		return ofBitmap(c)
	}
	return Of(Difference(make([]graph.UID, 0, a.n), a.slice, b.slice))
}

// Or returns the members of any of the sets.
func Or(sets ...Set) Set {
	switch len(sets) {
	case 0:
		return Set{}
	case 1:
		return sets[0]
	}
	if len(sets) == 2 && sets[0].n == 0 {
		return sets[1]
	}
	if len(sets) == 2 && sets[1].n == 0 {
		return sets[0]
	}
	largest := -1
	for i, s := range sets {
		if s.bitmap != nil && (largest < 0 || s.n > sets[largest].n) {
			largest = i
		}
	}
	if largest < 0 {
		lists := make([][]graph.UID, 0, len(sets))
		for _, s := range sets {
			lists = append(lists, s.slice)
		}
		return Of(MergeK(nil, lists...))
	}
	acc := sets[largest].bitmap.Clone()
	for i, s := range sets {
		switch {
		case i == largest:
		case s.bitmap != nil:
			acc.Or(s.bitmap)
		default:
			acc.AddMany(raw(s.slice))
		}
	}
	return ofBitmap(acc)
}

// keep returns the uids whose membership in b is want.
func keep(sorted []graph.UID, b *roaring64.Bitmap, want bool) []graph.UID {
	out := make([]graph.UID, 0, len(sorted))
	for _, u := range sorted {
		if b.Contains(uint64(u)) == want {
			out = append(out, u)
		}
	}
	return out
}
