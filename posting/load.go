package posting

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/posting/uidset"
	"dragg/storage"
)

// errPartMoved says that a rollup replaced a part between reading the directory and reading the part.
var errPartMoved = errors.New("posting: a part was replaced while it was read")

// maxReadTries bounds how often a split list is read anew because rollups replaced its parts meanwhile.
const maxReadTries = 16

// maxListBytes bounds the payloads of one list in memory: offsets into them are 32 bits wide.
const maxListBytes = math.MaxUint32

// version is one decoded version of a key.
type version struct {
	ts graph.Timestamp
	record
}

// readVersions returns the versions of key that r sees, newest first, down to the first whole one.
func readVersions(r storage.Reader, key []byte) ([]version, error) {
	var (
		out  []version
		fail error
	)
	err := r.Versions(key, func(ts graph.Timestamp, v storage.Version) bool {
		var rec record
		if rec, fail = decodeRecord(v.Value); fail != nil {
			fail = fmt.Errorf("key %x at %d: %w", key, ts, fail)
			return false
		}
		out = append(out, version{ts, rec})
		return !rec.whole
	})
	if err == nil {
		err = fail
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	return out, nil
}

// readState returns the list of key as of ts, straight from disk. chain is what lies above its last whole
// version.
func (s *Store) readState(key []byte, ts graph.Timestamp) (*state, chain, error) {
	for range maxReadTries {
		r := s.engine.ReaderAt(ts)
		versions, err := readVersions(r, key)
		var st *state
		var ch chain
		if err == nil {
			st, ch, err = stateOf(r, key, versions)
		}
		r.Close()
		if !errors.Is(err, errPartMoved) {
			return st, ch, err
		}
	}
	return nil, chain{}, fmt.Errorf("key %x: %w", key, errPartMoved)
}

// stateOf folds versions, newest first, into a state. Parts are read through r.
func stateOf(r storage.Reader, key []byte, versions []version) (*state, chain, error) {
	var base content
	var from graph.Timestamp
	if n := len(versions); n > 0 && versions[n-1].whole {
		oldest := versions[n-1]
		versions, base, from = versions[:n-1], oldest.sets, oldest.ts
		if oldest.parts != nil {
			var err error
			if base, err = readParts(r, key, oldest.parts); err != nil {
				return nil, chain{}, err
			}
		}
	}
	st := newState(base, from)
	if len(versions) == 0 {
		return st, chain{}, nil
	}
	all := run{min: versions[len(versions)-1].ts, max: versions[0].ts}
	var ch chain
	for i := range versions {
		ch = ch.add(&versions[i].record)
		all.ops = append(all.ops, runOf(&versions[i].record, versions[i].ts).ops...)
		st.size += versions[i].sets.payBytes()
	}
	if len(versions) > 1 {
		slices.SortFunc(all.ops, func(a, b op) int {
			return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(b.stamp>>1, a.stamp>>1))
		})
	}
	for i := range all.ops {
		if i > 0 && all.ops[i-1].id == all.ops[i].id {
			continue
		}
		switch _, there := base.get(all.ops[i].id); {
		case there && all.ops[i].deleted():
			st.n--
		case !there && !all.ops[i].deleted():
			st.n++
		}
	}
	st.runs, st.ops, st.last = []run{all}, len(all.ops), all.max
	return st, ch, nil
}

// readParts returns the content of a split list.
func readParts(r storage.Reader, key []byte, parts []part) (content, error) {
	var uids uidset.Builder
	var elems []element
	total := 0
	for _, p := range parts {
		c, err := readPart(r, key, p)
		if err != nil {
			return content{}, err
		}
		if total += c.payBytes(); total > maxListBytes {
			return content{}, fmt.Errorf("key %x: the list holds more than %d bytes", key, maxListBytes)
		}
		if c.pays() == paysNone && elems == nil {
			uids.AddSet(c.ids)
			continue
		}
		if elems == nil {
			for u := range uids.Set().All() {
				elems = append(elems, element{id: uint64(u)})
			}
		}
		c.each(func(e element) bool {
			elems = append(elems, e)
			return true
		})
	}
	if elems != nil {
		return contentOf(elems), nil
	}
	return content{ids: uids.Set()}, nil
}

// readPart returns one part, in exactly the version that its directory names.
func readPart(r storage.Reader, key []byte, p part) (content, error) {
	var (
		rec   record
		found bool
		fail  error
	)
	partKey := keys.Part(key, p.first)
	err := r.Versions(partKey, func(ts graph.Timestamp, v storage.Version) bool {
		if ts == p.ts {
			found = true
			rec, fail = decodeRecord(v.Value)
		}
		return false
	})
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return content{}, err
	case fail != nil:
		return content{}, fmt.Errorf("key %x at %d: %w", partKey, p.ts, fail)
	case !found:
		return content{}, errPartMoved
	case !rec.whole || rec.parts != nil || uint64(rec.sets.len()) != p.n:
		return content{}, fmt.Errorf("key %x at %d: %w: not the part of its directory", partKey, p.ts, ErrCorrupt)
	}
	return rec.sets, nil
}
