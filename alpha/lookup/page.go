package lookup

import (
	"sort"

	"dragg/graph"
	"dragg/posting/uidset"
	"dragg/query/task"
)

// bounds returns the part [lo, hi) of a row that the page selects, among n elements of which the first passed
// are at or below page.After (dql.md fact 41).
func bounds(pg task.Page, n, passed int) (lo, hi int) {
	lo, hi = passed, n
	switch {
	case pg.First < 0:
		// -First may be too large to negate without overflow; n-lo is the most there is.
		if pg.First > -(hi - lo) {
			lo = hi + pg.First
		}
	default:
		if pg.Offset > 0 {
			lo += min(pg.Offset, hi-lo)
		}
		if pg.First > 0 && pg.First < hi-lo {
			hi = lo + pg.First
		}
	}
	return lo, hi
}

// appendPage appends the members of set that the page selects.
func appendPage(dst []graph.UID, set uidset.Set, pg task.Page) []graph.UID {
	if pg == (task.Page{}) {
		return set.AppendTo(dst)
	}
	passed := 0
	if pg.After > 0 {
		passed = set.Rank(pg.After)
	}
	lo, hi := bounds(pg, set.Len(), passed)
	if hi <= lo {
		return dst
	}
	if lo == 0 && hi == set.Len() {
		return set.AppendTo(dst)
	}
	left := hi - lo
	for u := range set.After(set.At(lo) - 1) {
		dst = append(dst, u)
		if left--; left == 0 {
			break
		}
	}
	return dst
}

// page returns the members of set that the page selects.
func page(set uidset.Set, pg task.Page) uidset.Set {
	if pg == (task.Page{}) || set.IsEmpty() {
		return set
	}
	return uidset.Of(appendPage(nil, set, pg))
}

// cut drops the elements of the row that begins at start and that the page does not select, and returns the
// row's new end. move(to, from) copies one element.
func cut(pg task.Page, start, end, passed int, move func(to, from int)) int {
	lo, hi := bounds(pg, end-start, passed)
	for i := lo; i < hi; i++ {
		move(start+i-lo, start+i)
	}
	return start + max(hi-lo, 0)
}

// passedBy returns how many of the ascending uids are at or below after.
func passedBy(uids []graph.UID, after graph.UID) int {
	if after == 0 {
		return 0
	}
	return sort.Search(len(uids), func(i int) bool { return uids[i] > after })
}
