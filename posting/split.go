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
	rec   []byte
}

// splitContent cuts a content that starts at first into pieces of at most limit stored bytes, of one element
// at least.
func splitContent(c *content, first uint64, limit int) []piece {
	rec := appendRecord(nil, true, c, noUIDs())
	if len(rec) <= limit || c.len() < 2 {
		return []piece{{first, *c, rec}}
	}
	// As many pieces as their mean size calls for, with room to grow; what turns out too large is cut again.
	n := max(2, (len(rec)*3/2+limit-1)/limit)
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

// writeList adds the list c of key as the whole version at ts, split where it is larger than limit.
func writeList(batch *storage.Batch, key []byte, c *content, limit int, ts graph.Timestamp) []piece {
	pieces := splitContent(c, 0, limit)
	if len(pieces) == 1 {
		batch.SetComplete(key, pieces[0].rec, ts)
		return nil
	}
	parts := make([]part, 0, len(pieces))
	for _, p := range pieces {
		batch.SetComplete(keys.Part(key, p.first), p.rec, ts)
		parts = append(parts, part{p.first, ts, uint64(p.c.len())})
	}
	batch.SetComplete(key, appendDirectory(nil, parts), ts)
	return pieces
}

// rollupParts folds changes into a split list. Parts that no change touches are not read and not written.
func (s *Store) rollupParts(
	batch *storage.Batch, r storage.Reader, key []byte, versions []version,
) (chain, error) {
	directory := versions[len(versions)-1]
	ts := versions[0].ts
	st, ch, err := stateOf(nil, key, versions[:len(versions)-1])
	if err != nil {
		return chain{}, err
	}
	changes := visible(st.runs, ts)
	var parts []part
	for i, p := range directory.parts {
		mine := changes
		if i+1 < len(directory.parts) {
			next := directory.parts[i+1].first
			n, _ := slices.BinarySearchFunc(changes, next, func(o op, id uint64) int { return compareID(o.id, id) })
			mine, changes = changes[:n], changes[n:]
		}
		if len(mine) == 0 {
			parts = append(parts, p)
			continue
		}
		c, err := readPart(r, key, p)
		if err != nil {
			return chain{}, err
		}
		whole := newState(c, p.ts)
		whole.runs = []run{{mine, mine[0].ts(), ts}}
		c = whole.content(ts)
		if c.len() == 0 && i > 0 { // the first part stays, so that the directory covers every element
			batch.Delete(keys.Part(key, p.first), ts)
			continue
		}
		for _, piece := range splitContent(&c, p.first, s.cfg.SplitBytes) {
			batch.SetComplete(keys.Part(key, piece.first), piece.rec, ts)
			parts = append(parts, part{piece.first, ts, uint64(piece.c.len())})
		}
	}
	if len(parts) == 1 { // small again
		return ch, s.joinParts(batch, r, key, parts[0], ts)
	}
	batch.SetComplete(key, appendDirectory(nil, parts), ts)
	return ch, nil
}

// joinParts writes a list whose only part is p as one record again.
func (s *Store) joinParts(
	batch *storage.Batch, r storage.Reader, key []byte, p part, ts graph.Timestamp,
) error {
	partKey := keys.Part(key, p.first)
	for i := range batch.Ops {
		if op := &batch.Ops[i]; op.Ts == ts && string(op.Key) == string(partKey) && !op.Delete {
			rec := op.Value
			*op = storage.Op{Key: partKey, Ts: ts, Delete: true, Complete: true}
			batch.SetComplete(key, rec, ts)
			return nil
		}
	}
	c, err := readPart(r, key, p)
	if err != nil {
		return err
	}
	batch.Delete(partKey, ts)
	batch.SetComplete(key, appendRecord(nil, true, &c, noUIDs()), ts)
	return nil
}
