package posting

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"sort"

	"dragg/posting/keys"
	"dragg/posting/uidset"
)

// Pending holds the changes of one transaction that are not committed: at most one record a key, sorted by
// key. It is immutable and may be shared. The zero Pending and a nil one are empty.
//
// Its binary form is what travels through the Raft log; the record of a key is the very bytes that are stored
// at commit.
type Pending struct {
	keys [][]byte
	recs [][]byte
	size int
}

// pendingVersion is the first byte of the binary form.
const pendingVersion = 1

// Bounds of the binary form, against damaged or hostile bytes. A key is bounded by what the engine can store.
const maxKeyBytes = 65_000

// newPending returns an empty Pending with room for n keys.
func newPending(n int) *Pending {
	both := make([][]byte, 2*n)
	return &Pending{keys: both[:0:n], recs: both[n:n]}
}

// Len returns the number of keys.
func (p *Pending) Len() int {
	if p == nil {
		return 0
	}
	return len(p.keys)
}

// Bytes returns the size of keys and records.
func (p *Pending) Bytes() int {
	if p == nil {
		return 0
	}
	return p.size
}

// All visits keys and records in the order of keys. The caller must not change them.
func (p *Pending) All() iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		for i := range p.Len() {
			if !yield(p.keys[i], p.recs[i]) {
				return
			}
		}
	}
}

// seek returns the index of the first key at or above key.
func (p *Pending) seek(key []byte) int {
	return sort.Search(p.Len(), func(i int) bool { return bytes.Compare(p.keys[i], key) >= 0 })
}

// record returns the decoded record of key, or nil.
func (p *Pending) record(key []byte) (*record, error) {
	if p.Len() == 0 {
		return nil, nil
	}
	i := p.seek(key)
	if i == len(p.keys) || !bytes.Equal(p.keys[i], key) {
		return nil, nil
	}
	r, err := decodeRecord(p.recs[i])
	return &r, err
}

// Merge returns the changes of p followed by those of q: what the transaction did after both. p and q stay as
// they are.
func (p *Pending) Merge(q *Pending) (*Pending, error) {
	if p.Len() == 0 {
		return q, nil
	}
	if q.Len() == 0 {
		return p, nil
	}
	out := newPending(p.Len() + q.Len())
	i, j := 0, 0
	for i < p.Len() && j < q.Len() {
		switch c := bytes.Compare(p.keys[i], q.keys[j]); {
		case c < 0:
			out.add(p.keys[i], p.recs[i])
			i++
		case c > 0:
			out.add(q.keys[j], q.recs[j])
			j++
		default:
			rec, err := mergeRecords(p.recs[i], q.recs[j])
			if err != nil {
				return nil, err
			}
			out.add(p.keys[i], rec)
			i, j = i+1, j+1
		}
	}
	for ; i < p.Len(); i++ {
		out.add(p.keys[i], p.recs[i])
	}
	for ; j < q.Len(); j++ {
		out.add(q.keys[j], q.recs[j])
	}
	return out, nil
}

func (p *Pending) add(key, rec []byte) {
	p.keys, p.recs = append(p.keys, key), append(p.recs, rec)
	p.size += len(key) + len(rec)
}

// Only returns the part of p whose keys keep accepts.
func (p *Pending) Only(keep func(keys.Kind, []byte) bool) *Pending {
	out := &Pending{}
	for key, rec := range p.All() {
		if keep(keys.KindOf(key), key) {
			out.add(key, rec)
		}
	}
	return out
}

// mergeRecords returns the record that has the effect of a followed by b.
func mergeRecords(a, b []byte) ([]byte, error) {
	if isWhole(b) {
		return b, nil
	}
	x, err := decodeRecord(a)
	if err != nil {
		return nil, err
	}
	y, err := decodeRecord(b)
	if err != nil {
		return nil, err
	}
	if isPart(a) || isPart(b) {
		return nil, fmt.Errorf("%w: a split list in a transaction", ErrCorrupt)
	}
	below := newState(x.sets, 0)
	merged := below.push(&y, 1, maxStampTs).content(1)
	var dels uidset.Set
	if !x.whole {
		dels = uidset.AndNot(uidset.Or(x.dels, y.dels), merged.set())
	}
	return appendRecord(nil, x.whole, &merged, dels), nil
}

// AppendBinary appends the binary form: | version (1) | keys uvarint | per key: length uvarint | key | length
// uvarint | record |.
func (p *Pending) AppendBinary(dst []byte) []byte {
	dst = slices.Grow(dst, p.Bytes()+6*p.Len()+8)
	dst = binary.AppendUvarint(append(dst, pendingVersion), uint64(p.Len()))
	for key, rec := range p.All() {
		dst = append(binary.AppendUvarint(dst, uint64(len(key))), key...)
		dst = append(binary.AppendUvarint(dst, uint64(len(rec))), rec...)
	}
	return dst
}

// DecodePending decodes the binary form; all of b belongs to it. The result refers to b, which must not
// change afterwards. The structure of every key and record is checked. It returns ErrCorrupt for other bytes,
// and never panics.
func DecodePending(b []byte) (*Pending, error) {
	if len(b) < 2 || b[0] != pendingVersion {
		return nil, fmt.Errorf("%w: version of pending changes", ErrCorrupt)
	}
	b = b[1:]
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)/4) {
		return nil, fmt.Errorf("%w: number of pending changes", ErrCorrupt)
	}
	b = b[k:]
	p := newPending(int(n))
	for range n {
		key, rest, err := cut(b)
		if err != nil {
			return nil, err
		}
		rec, rest, err := cut(rest)
		if err != nil {
			return nil, err
		}
		if err := checkPending(key, rec); err != nil {
			return nil, err
		}
		if len(p.keys) > 0 && bytes.Compare(p.keys[len(p.keys)-1], key) >= 0 {
			return nil, fmt.Errorf("%w: order of pending changes", ErrCorrupt)
		}
		p.add(key, rec)
		b = rest
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after the pending changes", ErrCorrupt, len(b))
	}
	return p, nil
}

func checkPending(key, rec []byte) error {
	if len(key) > maxKeyBytes {
		return fmt.Errorf("%w: key of %d bytes", ErrCorrupt, len(key))
	}
	switch keys.KindOf(key) {
	case keys.KindData, keys.KindReverse, keys.KindIndex:
	default:
		return fmt.Errorf("%w: pending change of a key of kind %d", ErrCorrupt, keys.KindOf(key))
	}
	if _, err := keys.Parse(key); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if _, err := decodeRecord(rec); err != nil {
		return err
	}
	if isPart(rec) {
		return fmt.Errorf("%w: a split list in a transaction", ErrCorrupt)
	}
	return nil
}

// Split returns the changes of p in pieces of at most maxBytes, or of one key where that alone is larger.
// Merged in any order they are p again.
func (p *Pending) Split(maxBytes int) []*Pending {
	if p.Bytes() <= maxBytes {
		return []*Pending{p}
	}
	pieces := []*Pending{{}}
	for key, rec := range p.All() {
		last := pieces[len(pieces)-1]
		if last.Len() > 0 && last.Bytes()+len(key)+len(rec) > maxBytes {
			last = &Pending{}
			pieces = append(pieces, last)
		}
		last.add(key, rec)
	}
	return pieces
}
