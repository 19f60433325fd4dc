package uidset

import (
	"slices"
	"sort"

	"dragg/graph"
)

// gallopRatio is from which ratio of lengths on it pays to search the longer slice instead of walking it.
const gallopRatio = 16

// Intersect appends to dst the uids that are in both a and b, which ascend without duplicates. dst may be
// a[:0] or b[:0]. Where one is much longer than the other, it gallops: cost O(short × log(long/short))
// (Bentley and Yao 1976).
func Intersect(dst, a, b []graph.UID) []graph.UID {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b) >= gallopRatio*len(a) {
		for _, u := range a {
			b = b[gallop(b, u):]
			if len(b) == 0 {
				return dst
			}
			if b[0] == u {
				dst, b = append(dst, u), b[1:]
			}
		}
		return dst
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		x, y := a[i], b[j]
		if x == y {
			dst = append(dst, x)
		}
		if x <= y {
			i++
		}
		if y <= x {
			j++
		}
	}
	return dst
}

// Difference appends to dst the uids of a that are not in b. Both ascend without duplicates. dst may be a[:0].
func Difference(dst, a, b []graph.UID) []graph.UID {
	search := len(b) >= gallopRatio*len(a)
	for i, u := range a {
		if search {
			b = b[gallop(b, u):]
		} else {
			for len(b) > 0 && b[0] < u {
				b = b[1:]
			}
		}
		if len(b) == 0 {
			return append(dst, a[i:]...)
		}
		if b[0] != u {
			dst = append(dst, u)
		}
	}
	return dst
}

// Union appends to dst the uids that are in a or b, which ascend without duplicates. dst must not overlap a or b.
func Union(dst, a, b []graph.UID) []graph.UID {
	dst = slices.Grow(dst, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch x, y := a[0], b[0]; {
		case x < y:
			dst, a = append(dst, x), a[1:]
		case x > y:
			dst, b = append(dst, y), b[1:]
		default:
			dst, a, b = append(dst, x), a[1:], b[1:]
		}
	}
	dst = append(dst, a...)
	return append(dst, b...)
}

// MergeK appends to dst the uids that are in any of the lists, each of which ascends without duplicates. dst
// must not overlap them.
func MergeK(dst []graph.UID, lists ...[]graph.UID) []graph.UID {
	live := make([][]graph.UID, 0, len(lists))
	for _, l := range lists {
		if len(l) > 0 {
			live = append(live, l)
		}
	}
	switch len(live) {
	case 0:
		return dst
	case 1:
		return append(dst, live[0]...)
	case 2:
		return Union(dst, live[0], live[1])
	}
	// Pairwise, shortest first: every uid is copied about log2(len(lists)) times, in straight runs without a
	// heap.
	sort.Slice(live, func(i, j int) bool { return len(live[i]) < len(live[j]) })
	for len(live) > 2 {
		next := live[:0]
		for i := 0; i < len(live); i += 2 {
			if i+1 == len(live) {
				next = append(next, live[i])
				break
			}
			next = append(next, Union(make([]graph.UID, 0, len(live[i])+len(live[i+1])), live[i], live[i+1]))
		}
		live = next
	}
	return Union(dst, live[0], live[1])
}

// gallop returns the index of the first uid in sorted that is at or above u.
func gallop(sorted []graph.UID, u graph.UID) int {
	if len(sorted) == 0 || sorted[0] >= u {
		return 0
	}
	lo, step := 0, 1
	for lo+step < len(sorted) && sorted[lo+step] < u {
		lo += step
		step *= 2
	}
	hi := min(lo+step, len(sorted))
	i, _ := slices.BinarySearch(sorted[lo+1:hi], u)
	return lo + 1 + i
}
