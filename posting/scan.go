package posting

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"dragg/graph"
	"dragg/storage"
)

// Iterator walks the keys of a view in order, those of the transaction's own changes included. Keys whose
// list is empty at the read timestamp are skipped.
//
//	for it.Next() {
//		it.Key()         // valid until Next
//		it.List()        // optional
//	}
//	err := it.Close()
type Iterator struct {
	v   *View
	r   storage.Reader
	it  storage.Iterator
	to  []byte
	own int // index of the next own key

	diskOK bool   // the engine's iterator is on a key that was not yet passed
	key    []byte // current
	list   List
	loaded bool
	raw    []rawVersion // of the current key, newest first, in buf
	buf    []byte
	err    error
}

// rawVersion is a version of a key that was not decoded yet.
type rawVersion struct {
	ts         graph.Timestamp
	start, end int
}

// Scan returns an iterator over the keys in [from, to); a nil to means the end of the store. While it is
// open, the view may be used as well.
func (v *View) Scan(from, to []byte) *Iterator {
	err := v.await()
	r := v.s.engine.ReaderAt(v.ts)
	it := &Iterator{v: v, r: r, it: r.Scan(from, to), to: to, own: v.own.seek(from), err: err}
	it.diskOK = it.it.Next()
	return it
}

// KeysDown visits keys in [from, to) in descending order, until visit returns false: those under which the view may find a list
// that is not empty, the transaction's own among them; some of the lists may be empty. A nil to means the end of the store. The
// key is only valid during the call. An error is the engine's, that of what the view awaits, or visit's.
func (v *View) KeysDown(from, to []byte, visit func(key []byte) (more bool, err error)) error {
	if err := v.await(); err != nil {
		return err
	}
	own := slices.Collect(v.OwnKeys(from, to)) // those that were not visited yet
	var err error
	more := true
	take := func(key []byte) {
		if more {
			more, err = visit(key)
			more = more && err == nil
		}
	}
	r := v.s.engine.ReaderAt(v.ts)
	defer r.Close()
	failed := r.KeysDown(from, to, func(key []byte) bool {
		n := len(own)
		for n > 0 && more && bytes.Compare(own[n-1], key) > 0 {
			n--
			take(own[n])
		}
		if n > 0 && bytes.Equal(own[n-1], key) {
			n--
		}
		own = own[:n]
		take(key)
		return more
	})
	for n := len(own); n > 0 && more && failed == nil; n-- {
		take(own[n-1])
	}
	return errors.Join(failed, err)
}

// SeekGE moves so that the following Next lands on the first key at or above key. It only moves forward.
func (it *Iterator) SeekGE(key []byte) {
	if it.err != nil {
		return
	}
	it.own = max(it.own, it.v.own.seek(key))
	if it.diskOK && bytes.Compare(it.it.Key(), key) < 0 {
		it.it.SeekGE(key)
		it.diskOK = it.it.Next()
	}
}

// Next moves to the next key with a list that is not empty.
func (it *Iterator) Next() bool {
	for it.err == nil {
		own, disk := it.ownKey(), it.diskKey()
		if own == nil && disk == nil {
			return false
		}
		c := bytes.Compare(own, disk)
		if own == nil {
			c = 1
		} else if disk == nil {
			c = -1
		}
		switch {
		case c < 0: // a key that only the transaction wrote
			it.key, it.loaded = append(it.key[:0], own...), true
			it.own++
			it.list, it.err = it.ownOnly(it.key)
			if it.err == nil && !it.list.IsEmpty() {
				return true
			}
		case c == 0:
			it.key = append(it.key[:0], disk...)
			it.own++
			it.list, it.err = it.v.List(it.key)
			it.loaded = true
			it.advance()
			if it.err == nil && !it.list.IsEmpty() {
				return true
			}
		default:
			if it.onDisk(disk) {
				return true
			}
		}
	}
	return false
}

// ownOnly returns the list of a key that the disk does not have.
func (it *Iterator) ownOnly(key []byte) (List, error) {
	r, err := it.v.own.record(key)
	return List{own: r}, err
}

// ownKey returns the transaction's next key in the range, or nil.
func (it *Iterator) ownKey() []byte {
	if it.own >= it.v.own.Len() {
		return nil
	}
	key := it.v.own.keys[it.own]
	if it.to != nil && bytes.Compare(key, it.to) >= 0 {
		return nil
	}
	return key
}

func (it *Iterator) diskKey() []byte {
	if !it.diskOK {
		return nil
	}
	return it.it.Key()
}

func (it *Iterator) advance() { it.diskOK = it.it.Next() }

// onDisk makes the engine's current key current, if its list is not empty. The versions are kept as bytes:
// has() asks for keys alone, and the newest version mostly tells whether the list is empty.
func (it *Iterator) onDisk(key []byte) bool {
	it.key = append(it.key[:0], key...)
	it.list, it.loaded = List{}, false
	it.raw, it.buf = it.raw[:0], it.buf[:0]
	it.err = it.it.Versions(func(ts graph.Timestamp, v storage.Version) bool {
		start := len(it.buf)
		it.buf = append(it.buf, v.Value...)
		it.raw = append(it.raw, rawVersion{ts, start, len(it.buf)})
		return !isWhole(v.Value)
	})
	if it.err != nil {
		return false
	}
	it.advance()
	if len(it.raw) == 0 {
		return false
	}
	newest := it.bytesOf(0)
	empty := isEmptyRecord(newest)
	if !empty && !setsSomething(newest) {
		l, err := it.List()
		empty = err != nil || l.IsEmpty()
	}
	if empty && len(it.raw) == 1 && it.raw[0].ts <= graph.Timestamp(it.v.s.discard.Load()) {
		it.v.s.queue.add(string(it.key)) // nobody needs to know any more that there was a list
	}
	return !empty
}

func (it *Iterator) bytesOf(i int) []byte { return it.buf[it.raw[i].start:it.raw[i].end] }

// decode builds the current list from the versions of the scan.
func (it *Iterator) decode() (List, error) {
	versions := make([]version, 0, len(it.raw))
	for i, raw := range it.raw {
		rec, err := decodeRecord(it.bytesOf(i))
		if err != nil {
			return List{}, fmt.Errorf("key %x at %d: %w", it.key, raw.ts, err)
		}
		if rec.parts != nil { // they cannot be read from within the scan
			return it.v.List(it.key)
		}
		versions = append(versions, version{raw.ts, rec})
	}
	st, _, err := stateOf(nil, it.key, versions)
	return List{s: st, ts: it.v.ts}, err
}

// List returns the current list. It stays valid.
func (it *Iterator) List() (List, error) {
	if !it.loaded && it.err == nil {
		it.loaded = true
		it.v.lists++
		it.list, it.err = it.decode()
	}
	return it.list, it.err
}

// Key returns the current key. It is valid until Next.
func (it *Iterator) Key() []byte { return it.key }

// Close releases the iterator and returns the first error it met.
func (it *Iterator) Close() error {
	err := it.it.Close()
	it.r.Close()
	return errors.Join(it.err, err)
}
