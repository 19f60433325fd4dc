package query

import (
	"math/bits"
	"slices"

	"dragg/graph"
)

// rows are the edges of one level: row i belongs to the i-th uid of the parent's frontier.
type rows struct {
	offsets []uint32
	targets []graph.UID
	facets  [][]graph.Facet // parallel to targets, or nil
	// uids are the distinct targets, ascending, and index[i] is where targets[i] is among them.
	uids  []graph.UID
	index []uint32
	// shared says that offsets, targets and facets belong to the runner and must be copied before a change.
	shared bool
}

// len returns how many rows there are.
func (x *rows) len() int { return max(len(x.offsets)-1, 0) }

// row returns the bounds of row i.
func (x *rows) row(i int) (from, to int) { return int(x.offsets[i]), int(x.offsets[i+1]) }

// oneRow returns a single row of the given uids. ascend says that they do so without duplicates, and then the
// rows share the slice.
func oneRow(uids []graph.UID, ascend bool) rows {
	x := rows{offsets: []uint32{0, uint32(len(uids))}, targets: uids, shared: true}
	if !ascend {
		x.distinct()
		return x
	}
	x.uids, x.index = uids, ascending(len(uids))
	return x
}

// ascending returns 0, 1, 2 up to n-1: the index where every target has its own uid.
func ascending(n int) []uint32 {
	index := make([]uint32, n)
	for i := range index {
		index[i] = uint32(i)
	}
	return index
}

// distinct computes uids and index from targets. It is linear: a bitmap where the uids lie close together,
// as uids leased in blocks do, and else a radix sort.
func (x *rows) distinct() {
	n := len(x.targets)
	x.index = make([]uint32, n)
	if n == 0 {
		x.uids = nil
		return
	}
	lo, hi := x.targets[0], x.targets[0]
	for _, u := range x.targets {
		lo, hi = min(lo, u), max(hi, u)
	}
	if span := uint64(hi - lo); span/32 <= uint64(n)+32 {
		x.distinctDense(lo, span)
		return
	}
	x.distinctSparse(lo, uint64(hi-lo))
}

func (x *rows) distinctDense(lo graph.UID, span uint64) {
	words := make([]uint64, span/64+1)
	for _, u := range x.targets {
		d := uint64(u - lo)
		words[d/64] |= 1 << (d % 64)
	}
	before := make([]uint32, len(words)) // uids in the words to the left
	count := 0
	for i, w := range words {
		before[i] = uint32(count)
		count += bits.OnesCount64(w)
	}
	x.uids = make([]graph.UID, 0, count)
	for i, w := range words {
		for base := lo + graph.UID(i*64); w != 0; w &= w - 1 {
			x.uids = append(x.uids, base+graph.UID(bits.TrailingZeros64(w)))
		}
	}
	for i, u := range x.targets {
		d := uint64(u - lo)
		x.index[i] = before[d/64] + uint32(bits.OnesCount64(words[d/64]&(1<<(d%64)-1)))
	}
}

// place is a uid and where it was found.
type place struct {
	uid graph.UID
	at  uint32
}

func (x *rows) distinctSparse(lo graph.UID, span uint64) {
	list := make([]place, len(x.targets))
	for i, u := range x.targets {
		list[i] = place{u, uint32(i)}
	}
	if len(list) < 128 {
		slices.SortFunc(list, func(a, b place) int {
			if a.uid < b.uid {
				return -1
			}
			return 1 // order among equal uids does not matter
		})
	} else {
		list = radixSort(list, lo, span)
	}
	x.uids = make([]graph.UID, 0, len(list))
	for i, p := range list {
		if i == 0 || p.uid != list[i-1].uid {
			x.uids = append(x.uids, p.uid)
		}
		x.index[p.at] = uint32(len(x.uids) - 1)
	}
}

// radixSort sorts by uid, least significant digit first. lo is the smallest uid and span the distance to
// the largest.
func radixSort(list []place, lo graph.UID, span uint64) []place {
	const digitBits = 11
	other := make([]place, len(list))
	for shift := 0; shift < 64 && span>>shift != 0; shift += digitBits {
		var counts [1 << digitBits]uint32
		for _, p := range list {
			counts[uint64(p.uid-lo)>>shift&(1<<digitBits-1)]++
		}
		sum := uint32(0)
		for i, c := range counts {
			counts[i] = sum
			sum += c
		}
		for _, p := range list {
			d := uint64(p.uid-lo) >> shift & (1<<digitBits - 1)
			other[counts[d]] = p
			counts[d]++
		}
		list, other = other, list
	}
	return list
}

// keepUIDs drops the targets that are not in keep, which ascends and is a subset of x.uids.
func (x *rows) keepUIDs(keep []graph.UID) {
	if len(keep) == len(x.uids) {
		return
	}
	kept := make([]bool, len(x.uids))
	j := 0
	for _, u := range keep {
		for x.uids[j] != u {
			j++
		}
		kept[j] = true
	}
	x.keep(func(i int) bool { return kept[x.index[i]] })
	x.compact()
}

// keep drops the elements that fn refuses. compact has to follow.
func (x *rows) keep(fn func(i int) bool) {
	x.own()
	w := 0
	from := 0
	for r := range x.len() {
		to := int(x.offsets[r+1])
		for i := from; i < to; i++ {
			if fn(i) {
				x.move(w, i)
				w++
			}
		}
		from = to
		x.offsets[r+1] = uint32(w)
	}
	x.cut(w)
}

// move copies element i to place w, which is not after it.
func (x *rows) move(w, i int) {
	x.targets[w], x.index[w] = x.targets[i], x.index[i]
	if x.facets != nil {
		x.facets[w] = x.facets[i]
	}
}

func (x *rows) cut(n int) {
	x.targets, x.index = x.targets[:n], x.index[:n]
	if x.facets != nil {
		x.facets = x.facets[:n]
	}
}

// own gives x slices of its own where it shares the runner's.
func (x *rows) own() {
	if !x.shared {
		return
	}
	x.shared = false
	x.offsets, x.targets, x.facets = slices.Clone(x.offsets), slices.Clone(x.targets), slices.Clone(x.facets)
}

// compact drops the uids that no element refers to any more.
func (x *rows) compact() {
	if x.shared {
		return // nothing was dropped
	}
	if len(x.targets) == 0 {
		x.uids = nil
		return
	}
	used := make([]bool, len(x.uids))
	for _, i := range x.index {
		used[i] = true
	}
	place := make([]uint32, len(x.uids))
	uids := make([]graph.UID, 0, len(x.uids))
	for i, u := range x.uids {
		if used[i] {
			place[i] = uint32(len(uids))
			uids = append(uids, u)
		}
	}
	if len(uids) == len(x.uids) {
		return
	}
	x.uids = uids
	for i, at := range x.index {
		x.index[i] = place[at]
	}
}

// page cuts every row. compact has to follow.
func (x *rows) page(first, offset int, after graph.UID) {
	x.own()
	w, from := 0, 0
	for r := range x.len() {
		to := int(x.offsets[r+1])
		lo, hi := from, to
		if after > 0 {
			// The row may be in any order, so that after is a filter and not a place (dql.md fact 49).
			for i := from; i < to; i++ {
				if x.targets[i] > after {
					if lo != i {
						x.move(lo, i)
					}
					lo++
				}
			}
			lo, hi = from, lo
		}
		lo, hi = pageBounds(lo, hi, first, offset)
		for i := lo; i < hi; i++ {
			x.move(w, i)
			w++
		}
		from = to
		x.offsets[r+1] = uint32(w)
	}
	x.cut(w)
}

// pageBounds cuts [lo, hi) to a page: the first elements after offset, or the last -first ones.
func pageBounds(lo, hi, first, offset int) (int, int) {
	if first < 0 {
		return max(lo, hi+first), hi
	}
	lo = min(lo+offset, hi)
	if first > 0 {
		hi = min(hi, lo+first)
	}
	return lo, hi
}

// order puts every row into the order of rank, which is parallel to uids: an element whose rank is dropped
// goes away. Once gone says so the order does not matter any more.
func (x *rows) order(rank []uint32, gone func() bool) {
	x.keep(func(i int) bool { return rank[x.index[i]] != dropped })
	var buf []element
	var slots []uint32 // for each rank the element, where a row covers much of the frontier
	for r := range x.len() {
		from, to := x.row(r)
		buf = buf[:0]
		if gone() {
			return
		}
		if 8*(to-from) < len(x.uids) {
			for i := from; i < to; i++ {
				buf = append(buf, x.element(i))
			}
			slices.SortFunc(buf, func(a, b element) int {
				if gone() {
					return 0
				}
				return int(rank[a.index]) - int(rank[b.index])
			})
			x.put(from, buf)
			continue
		}
		if slots == nil {
			slots = make([]uint32, len(x.uids))
		}
		clear(slots)
		for i := from; i < to; i++ {
			slots[rank[x.index[i]]] = uint32(i + 1)
		}
		for _, i := range slots {
			if i > 0 {
				buf = append(buf, x.element(int(i-1)))
			}
		}
		x.put(from, buf)
	}
}

func (x *rows) element(i int) element {
	e := element{uid: x.targets[i], index: x.index[i]}
	if x.facets != nil {
		e.facets = x.facets[i]
	}
	return e
}

// single says that x is one row of which every target is the uid at the same place.
func (x *rows) single() bool {
	return x.len() == 1 && len(x.targets) == len(x.uids) && len(x.uids) > 0 && &x.targets[0] == &x.uids[0]
}

// pick returns the row of those elements of a single one, in that order.
func (x *rows) pick(list []ranked) rows {
	out := rows{offsets: []uint32{0, uint32(len(list))}, targets: make([]graph.UID, len(list)), index: make([]uint32, len(list))}
	if x.facets != nil {
		out.facets = make([][]graph.Facet, len(list))
	}
	for i, p := range list {
		out.targets[i] = x.targets[p.row]
		if x.facets != nil {
			out.facets[i] = x.facets[p.row]
		}
	}
	out.uids = slices.Sorted(slices.Values(out.targets))
	for i, u := range out.targets {
		at, _ := slices.BinarySearch(out.uids, u)
		out.index[i] = uint32(at)
	}
	return out
}

// element is one entry of a row.
type element struct {
	uid    graph.UID
	index  uint32
	facets []graph.Facet
}

func (x *rows) put(from int, list []element) {
	for i, e := range list {
		x.targets[from+i], x.index[from+i] = e.uid, e.index
		if x.facets != nil {
			x.facets[from+i] = e.facets
		}
	}
}

// dropped is the rank of a uid that is left out of an ordered list.
const dropped = ^uint32(0)
