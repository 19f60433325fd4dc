package posting

import (
	"slices"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/posting/uidset"
	"dragg/storage"
)

func noUIDs() uidset.Set { return uidset.Set{} }

// piece is a part that is to be written: its elements and where it starts.
type piece struct {
	first uint64
	c     content
}

// splitContent cuts a content that starts at first into pieces of at most limit stored bytes, of one element at
// least.
func splitContent(c *content, first uint64, limit int) []piece {
	stored := len(appendRecord(nil, true, c, noUIDs()))
	if stored <= limit || c.len() < 2 {
		return []piece{{first, *c}}
	}
	// As many pieces as their mean size calls for, with room to grow; what turns out too large is cut again.
	n := max(2, (stored*3/2+limit-1)/limit)
	size := max(1, (c.len()+n-1)/n)
	var out []piece
	var elems []element
	cut := func() {
		if len(elems) == 0 {
			return
		}
		start := elems[0].id
		if len(out) == 0 {
			start = first
		}
		sub := contentOf(elems)
		out = append(out, splitContent(&sub, start, limit)...)
		elems = elems[:0]
	}
	c.each(func(e element) bool {
		if elems = append(elems, e); len(elems) == size {
			cut()
		}
		return true
	})
	cut()
	return out
}

// writeWhole adds the pieces of a list as its whole version at ts: one record, or parts and their directory.
func writeWhole(parts, lists *storage.Batch, key []byte, pieces []piece, ts graph.Timestamp) {
	if len(pieces) == 1 {
		lists.SetFolded(key, appendRecord(nil, true, &pieces[0].c, noUIDs()), ts)
		return
	}
	lists.SetFolded(key, appendDirectory(nil, writePieces(parts, parts, key, pieces, 0, ts)), ts)
}

// writePieces adds the pieces of one part, of which next follows the last, and returns their lines of the directory.
// The first piece takes the part's place; the others are new.
func writePieces(
	place, ahead *storage.Batch, key []byte, pieces []piece, next uint64, ts graph.Timestamp,
) (lines []part) {
	for i := range pieces {
		p := &pieces[i]
		link, batch := next, place
		if i+1 < len(pieces) {
			link = pieces[i+1].first
		}
		if i > 0 {
			batch = ahead
		}
		batch.SetFolded(keys.Part(key, p.first), appendPart(nil, &p.c, link), ts)
		lines = append(lines, part{p.first, uint64(p.c.len())})
	}
	return lines
}

// rollupParts folds changes into a split list. Parts that no change touches are not read and not written.
func (s *Store) rollupParts(
	out *rollupWrites, r storage.Reader, key []byte, versions []version,
) (chain, error) {
	ts := versions[0].ts
	st, ch, err := stateOf(nil, key, versions[:len(versions)-1])
	if err != nil {
		return chain{}, err
	}
	changes := visible(st.runs, ts)
	lines := versions[len(versions)-1].parts
	var fresh rollupWrites
	for len(changes) > 0 {
		p, at, err := partOf(r, key, lines, changes[0].id)
		if err != nil {
			return chain{}, err
		}
		n := len(changes)
		if p.next != 0 {
			n, _ = slices.BinarySearchFunc(changes, p.next, func(o op, id uint64) int { return compareID(o.id, id) })
		}
		c := apply(&p.sets, changes[:n], ts)
		changes = changes[n:]
		pieces := splitContent(&c, at, s.cfg.SplitBytes)
		lines = replaceLines(lines, at, writePieces(&fresh.parts, &fresh.ahead, key, pieces, p.next, ts))
	}
	joined, err := s.join(out, r, key, versions, lines)
	if err != nil || joined {
		return ch, err
	}
	out.ahead.Ops = append(out.ahead.Ops, fresh.ahead.Ops...)
	out.parts.Ops = append(out.parts.Ops, fresh.parts.Ops...)
	out.lists.SetFolded(key, appendDirectory(nil, lines), ts)
	return ch, nil
}

// partOf returns the part that an element belongs to and where it starts. The directory says where to look; from
// there it goes on by the links, for the part may have been cut since.
func partOf(r storage.Reader, key []byte, lines []part, id uint64) (version, uint64, error) {
	i, found := slices.BinarySearchFunc(lines, id, func(l part, id uint64) int { return compareID(l.first, id) })
	if !found {
		i--
	}
	for first := lines[i].first; ; {
		p, err := readPart(r, key, first)
		if err != nil || p.next == 0 || id < p.next {
			return p, first, err
		}
		first = p.next
	}
}

// apply returns the elements of c after the changes.
func apply(c *content, changes []op, ts graph.Timestamp) content {
	st := newState(*c, 0)
	st.runs = []run{{changes, 0, ts}}
	return st.content(ts)
}

// replaceLines returns the directory with the given lines in place of the part at.
func replaceLines(lines []part, at uint64, with []part) []part {
	i, found := slices.BinarySearchFunc(lines, at, func(l part, id uint64) int { return compareID(l.first, id) })
	out := append(slices.Clone(lines[:i]), with...)
	if found {
		i++
	}
	return append(out, lines[i:]...)
}

// joinParts is how many parts a list may have at most to be joined.
const joinParts = 4

// join writes a list as one record again if it has become small: half of what it may have, so that it is not soon
// split anew.
func (s *Store) join(
	out *rollupWrites, r storage.Reader, key []byte, versions []version, lines []part,
) (joined bool, err error) {
	total, limit := uint64(0), s.cfg.SplitBytes/2
	for _, l := range lines {
		total += l.n
	}
	if total > 0 && (len(lines) > joinParts || total > uint64(limit)) {
		return false, nil
	}
	st, _, err := stateOf(r, key, versions)
	if err != nil {
		return false, err
	}
	ts := versions[0].ts
	c := st.content(ts)
	rec := appendRecord(nil, true, &c, noUIDs())
	if len(rec) > limit && c.len() > 0 {
		return false, nil
	}
	out.lists.SetFolded(key, rec, ts)
	for _, l := range lines {
		out.after.DeleteFolded(keys.Part(key, l.first), ts)
	}
	return true, nil
}
