package uidset

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"dragg/graph"
)

// flushLen is how many uids a Builder gathers before it folds them into a bitmap.
const flushLen = 1 << 16

// Builder gathers uids in any order into a Set. Its memory grows with the members, not with the calls. The
// zero Builder is ready; one goroutine may use it.
type Builder struct {
	pending []graph.UID
	bitmap  *roaring64.Bitmap
}

// Add makes u a member.
func (b *Builder) Add(u graph.UID) {
	if b.pending = append(b.pending, u); len(b.pending) >= flushLen {
		b.flush()
	}
}

// AddSet makes all members of s members.
func (b *Builder) AddSet(s Set) {
	if s.bitmap == nil {
		b.AddMany(s.slice)
		return
	}
	if b.bitmap == nil {
		b.bitmap = s.bitmap.Clone()
		return
	}
	b.bitmap.Or(s.bitmap)
}

// AddMany makes all of uids members.
func (b *Builder) AddMany(uids []graph.UID) {
	for len(uids) > 0 {
		n := min(len(uids), flushLen-len(b.pending))
		b.pending = append(b.pending, uids[:n]...)
		if uids = uids[n:]; len(b.pending) >= flushLen {
			b.flush()
		}
	}
}

func (b *Builder) flush() {
	if !slices.IsSorted(b.pending) {
		slices.Sort(b.pending)
	}
	if b.bitmap == nil {
		b.bitmap = roaring64.New()
	}
	b.bitmap.AddMany(raw(b.pending))
	b.pending = b.pending[:0]
}

// Set returns the members as a set and empties the builder.
func (b *Builder) Set() Set {
	if b.bitmap == nil {
		s := FromUnsorted(b.pending)
		b.pending = nil
		return s
	}
	b.flush()
	s := ofBitmap(b.bitmap)
	*b = Builder{}
	return s
}
