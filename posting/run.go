package posting

import (
	"slices"
	"sort"

	"dragg/graph"
)

// op is one change of one element at a commit.
type op struct {
	id    uint64
	stamp uint64 // commit timestamp << 1, plus 1 for a deletion
	pay   []byte
}

// maxStampTs is the largest commit timestamp that fits a stamp.
const maxStampTs = graph.Timestamp(1)<<63 - 1

func (o *op) ts() graph.Timestamp { return graph.Timestamp(o.stamp >> 1) }
func (o *op) deleted() bool       { return o.stamp&1 != 0 }

// run is an immutable sequence of changes, by element, and for one element newest first. Runs of one list
// follow each other in time: every change of a later run is newer than every change of an earlier one.
type run struct {
	ops      []op
	min, max graph.Timestamp
}

// runOf makes the run of one record that was committed at ts.
func runOf(r *record, ts graph.Timestamp) run {
	ops := make([]op, 0, r.sets.len()+r.dels.Len())
	r.sets.each(func(e element) bool {
		ops = append(ops, op{e.id, uint64(ts) << 1, e.pay})
		return true
	})
	if r.dels.Len() > 0 {
		sets := len(ops)
		for u := range r.dels.All() {
			ops = append(ops, op{uint64(u), uint64(ts)<<1 | 1, nil})
		}
		if sets > 0 {
			// A set wins over a deletion of the same element in one commit: the sort is stable and sets came
			// first.
			slices.SortStableFunc(ops, func(a, b op) int { return compareID(a.id, b.id) })
			ops = slices.CompactFunc(ops, func(a, b op) bool { return a.id == b.id })
		}
	}
	return run{ops, ts, ts}
}

func compareID(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// find returns the newest change of id at or below ts.
func (r *run) find(id uint64, ts graph.Timestamp) (*op, bool) {
	if r.min > ts {
		return nil, false
	}
	i := sort.Search(len(r.ops), func(i int) bool { return r.ops[i].id >= id })
	for ; i < len(r.ops) && r.ops[i].id == id; i++ {
		if r.ops[i].ts() <= ts {
			return &r.ops[i], true
		}
	}
	return nil, false
}

// mergeRuns merges two runs of which b is the newer.
func mergeRuns(a, b run) run {
	out := make([]op, 0, len(a.ops)+len(b.ops))
	i, j := 0, 0
	for i < len(a.ops) && j < len(b.ops) {
		if b.ops[j].id <= a.ops[i].id {
			out = append(out, b.ops[j])
			j++
			continue
		}
		out = append(out, a.ops[i])
		i++
	}
	out = append(append(out, a.ops[i:]...), b.ops[j:]...)
	return run{out, a.min, b.max}
}

// pushRun returns runs with r, the newest, at the end, and merges neighbours of like size, so that there are
// about log2(changes) runs and each change is copied as often. runs itself does not change.
func pushRun(runs []run, r run) []run {
	if len(r.ops) == 0 {
		return runs
	}
	n := len(runs)
	for n > 0 && len(runs[n-1].ops) <= len(r.ops) {
		r = mergeRuns(runs[n-1], r)
		n--
	}
	out := make([]run, n, n+1)
	copy(out, runs[:n])
	return append(out, r)
}

// visible returns, by element, the newest change of each at or below ts.
func visible(runs []run, ts graph.Timestamp) []op {
	var out []op
	for i := range runs {
		if runs[i].min > ts {
			break
		}
		out = overlay(out, newest(runs[i], ts))
	}
	return out
}

// newest returns the newest change of each element of r at or below ts.
func newest(r run, ts graph.Timestamp) []op {
	if r.min == r.max {
		return r.ops
	}
	out := make([]op, 0, len(r.ops))
	for i := range r.ops {
		if r.ops[i].ts() > ts || len(out) > 0 && out[len(out)-1].id == r.ops[i].id {
			continue
		}
		out = append(out, r.ops[i])
	}
	return out
}

// overlay merges two sequences with at most one change an element; b wins.
func overlay(a, b []op) []op {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := make([]op, 0, len(a)+len(b))
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i].id < b[j].id:
			out = append(out, a[i])
			i++
		case a[i].id > b[j].id:
			out = append(out, b[j])
			j++
		default:
			out = append(out, b[j])
			i, j = i+1, j+1
		}
	}
	return append(append(out, a[i:]...), b[j:]...)
}
