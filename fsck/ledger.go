package fsck

import (
	"hash/maphash"
	"math"

	"dragg/graph"
	"dragg/posting/keys"
)

// sink takes the entries that the data calls for, and those that are stored. facets is what the entry carries, in a
// canonical form. The key is not kept.
type sink interface {
	calledFor(key []byte, uid graph.UID, facets string)
	stored(key []byte, uid graph.UID, facets string)
}

// buckets is how many sums a ledger has.
const buckets = 1 << 16

// sum of a bucket: of hashes, called for minus stored, and how many entries went in.
type sum struct {
	hash    uint64
	called  uint32
	entries uint32 // stored
}

func (s *sum) balanced() bool { return s.hash == 0 && s.called == s.entries }

// ledger balances entries without keeping them.
type ledger struct {
	seed    maphash.Seed
	sums    []sum
	lastKey []byte // entries of one key follow each other: its hash is kept
	lastSum uint64
	entries int64
}

func newLedger() *ledger {
	return &ledger{seed: maphash.MakeSeed(), sums: make([]sum, buckets)}
}

// mix is the finalizer of splitmix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// at returns the bucket of an entry, which does not depend on the facets, and the entry's hash, which does.
func (l *ledger) at(key []byte, uid graph.UID, facets string) (bucket int, hash uint64) {
	if l.lastKey == nil || string(l.lastKey) != string(key) {
		l.lastKey = append(l.lastKey[:0], key...)
		l.lastSum = maphash.Bytes(l.seed, key)
	}
	h := mix(l.lastSum + uint64(uid)*0x9e3779b97f4a7c15)
	bucket = int(h >> 48)
	if facets != "" {
		h = mix(h ^ maphash.String(l.seed, facets))
	}
	return bucket, h
}

func (l *ledger) calledFor(key []byte, uid graph.UID, facets string) {
	b, h := l.at(key, uid, facets)
	l.sums[b].hash += h
	l.sums[b].called++
}

func (l *ledger) stored(key []byte, uid graph.UID, facets string) {
	b, h := l.at(key, uid, facets)
	l.sums[b].hash -= h
	l.sums[b].entries++
	l.entries++
}

// suspects returns the buckets that do not balance: as many as hold at most limit entries, one at least; and how many there
// are in all.
func (l *ledger) suspects(limit int) (chosen map[int]bool, all int) {
	chosen = map[int]bool{}
	size := 0
	for b := range l.sums {
		s := &l.sums[b]
		if s.balanced() {
			continue
		}
		all++
		n := int(min(uint64(s.called)+uint64(s.entries), math.MaxInt32))
		if len(chosen) == 0 || size+n <= limit {
			chosen[b] = true
			size += n
		}
	}
	return chosen, all
}

// entry is one entry of a derived list.
type entry struct {
	key string
	uid graph.UID
}

// sides are the facets with which an entry is called for and stored; nil: it is not.
type sides struct{ called, stored *string }

// collector keeps the entries of a ledger's suspect buckets.
type collector struct {
	l       *ledger
	buckets map[int]bool
	entries map[entry]*sides
}

func (c *collector) of(key []byte, uid graph.UID) *sides {
	if b, _ := c.l.at(key, uid, ""); !c.buckets[b] {
		return nil
	}
	e := entry{string(key), uid}
	s := c.entries[e]
	if s == nil {
		s = &sides{}
		c.entries[e] = s
	}
	return s
}

func (c *collector) calledFor(key []byte, uid graph.UID, facets string) {
	if s := c.of(key, uid); s != nil {
		s.called = &facets
	}
}

func (c *collector) stored(key []byte, uid graph.UID, facets string) {
	if s := c.of(key, uid); s != nil {
		s.stored = &facets
	}
}

// differences calls report for every entry whose sides differ, in the order of keys.
func (c *collector) differences(report func(Finding)) error {
	for _, e := range sortedEntries(c.entries) {
		s := c.entries[e]
		f := Finding{UID: e.uid}
		var err error
		if f.Key, err = keys.Parse([]byte(e.key)); err != nil {
			return err
		}
		switch {
		case s.stored == nil:
			f.Damage = Missing
		case s.called == nil:
			f.Damage = Stray
		case *s.called != *s.stored:
			f.Damage, f.Detail = Facets, "the edge carries "+orNone(*s.called)+", the reverse edge "+orNone(*s.stored)
		default:
			continue
		}
		report(f)
	}
	return nil
}

func orNone(facets string) string {
	if facets == "" {
		return "no facets"
	}
	return facets
}
