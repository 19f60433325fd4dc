package posting

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/storage"
)

// errPartMoved says that a part was deleted between reading the directory and reading the part: a rollup has joined the
// list meanwhile.
var errPartMoved = errors.New("posting: a part is missing")

// maxReadTries bounds how often a split list is read anew because its parts were joined meanwhile.
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
			var newest graph.Timestamp
			if base, newest, err = readParts(r, key); err != nil {
				return nil, chain{}, err
			}
			from = max(from, newest) // older readers must not see what a newer part holds
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
	st.runs, st.ops, st.last = []run{all}, len(all.ops), max(from, all.max)
	return st, ch, nil
}

// readParts returns the content of a split list. It goes from part to part by their links, as in a B-link tree
// (Lehman and Yao 1981), each in its newest version that r sees. That may be newer than the directory, and even split
// since: then it holds some of the changes that lie above the directory already, which does no harm, as the last
// change of an element decides.
//
// newest is the largest version of a part.
func readParts(r storage.Reader, key []byte) (c content, newest graph.Timestamp, err error) {
	var g gatherer
	total := 0
	for first, more := uint64(0), true; more; {
		p, err := readPart(r, key, first)
		if err != nil {
			return content{}, 0, err
		}
		newest = max(newest, p.ts)
		if total += p.sets.payBytes(); total > maxListBytes {
			return content{}, 0, fmt.Errorf("key %x: the list holds more than %d bytes", key, maxListBytes)
		}
		g.addAll(&p.sets)
		first, more = p.next, p.next != 0
	}
	return g.content(), newest, nil
}

// readPart returns the part of a split list that starts at first.
func readPart(r storage.Reader, key []byte, first uint64) (version, error) {
	var (
		p    version
		fail error
	)
	partKey := keys.Part(key, first)
	err := r.Versions(partKey, func(ts graph.Timestamp, v storage.Version) bool {
		p.ts = ts
		if p.record, fail = decodeRecord(v.Value); fail != nil {
			fail = fmt.Errorf("key %x at %d: %w", partKey, ts, fail)
		}
		return false
	})
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return version{}, errPartMoved
	case err != nil:
		return version{}, err
	case fail != nil:
		return version{}, fail
	case !p.whole || p.parts != nil || p.next != 0 && p.next <= first:
		return version{}, fmt.Errorf("key %x: %w: not a part", partKey, ErrCorrupt)
	}
	return p, nil
}
