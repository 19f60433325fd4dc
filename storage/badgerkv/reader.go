package badgerkv

import (
	"bytes"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"dragg/graph"
	"dragg/internal/fault"
	"dragg/storage"
)

// ReaderAt implements [storage.Engine].
func (e *Engine) ReaderAt(ts graph.Timestamp) storage.Reader {
	c := e.enter()
	return &reader{c: c, txn: c.db.NewTransactionAt(upTo(ts), false)}
}

type reader struct {
	c   *content
	txn *badger.Txn
}

func (r *reader) Close() {
	r.txn.Discard()
	r.c.leave()
}

// Versions first asks for the newest version, which Bloom filters make cheap and which mostly is whole. Only
// for a chain of changes does it open an iterator, which then sees all of them at one moment.
func (r *reader) Versions(key []byte, fn func(graph.Timestamp, storage.Version) bool) error {
	item, err := r.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) || errors.Is(err, badger.ErrEmptyKey) {
		return storage.ErrNotFound
	}
	if err != nil {
		return fault.New(fault.Internal, "read store: %w", err)
	}
	if item.DiscardEarlierVersions() {
		_, err := pass(item, fn)
		return err
	}
	it := r.txn.NewKeyIterator(key, badger.IteratorOptions{AllVersions: true})
	defer it.Close()
	found := false
	for it.Seek(key); it.Valid(); it.Next() {
		item := it.Item()
		if !bytes.Equal(item.Key(), key) || item.IsDeletedOrExpired() {
			break
		}
		found = true
		more, err := pass(item, fn)
		if err != nil || !more {
			return err
		}
	}
	if !found {
		return storage.ErrNotFound
	}
	return nil
}

// pass calls fn with a version. more says that older ones matter too.
func pass(item *badger.Item, fn func(graph.Timestamp, storage.Version) bool) (more bool, err error) {
	complete := item.DiscardEarlierVersions()
	err = item.Value(func(value []byte) error {
		more = fn(timestamp(item.Version()), storage.Version{Value: value, Complete: complete, Folded: folded(item)}) && !complete
		return nil
	})
	if err != nil {
		return false, fault.New(fault.Internal, "read store: %w", err)
	}
	return more, nil
}

// folded says that the version stands in front of the one that was committed at its timestamp.
func folded(item *badger.Item) bool { return item.Version()&1 != 0 }

// Scan implements [storage.Reader].
func (r *reader) Scan(from, to []byte) storage.Iterator { return r.scan(from, to, 0) }

// KeysDown implements [storage.Reader]. Badger's iterators that go down find the newest version of a key by themselves.
func (r *reader) KeysDown(from, to []byte, fn func(key []byte) bool) error {
	it := r.txn.NewIterator(badger.IteratorOptions{Reverse: true})
	defer it.Close()
	if to == nil {
		it.Rewind()
	} else {
		it.Seek(to)
	}
	for ; it.Valid(); it.Next() {
		key := it.Item().Key()
		if bytes.Compare(key, from) < 0 {
			return nil
		}
		if (to == nil || !bytes.Equal(key, to)) && !fn(key) {
			return nil
		}
	}
	return nil
}

// History implements [storage.Reader].
func (r *reader) History(from, to []byte, floor graph.Timestamp) storage.Iterator {
	it := r.scan(from, to, 0)
	it.history, it.floor = true, floor
	return it
}

// Changes implements [storage.Reader]. Badger leaves out tables that hold nothing above since.
func (r *reader) Changes(from, to []byte, since graph.Timestamp) storage.Iterator {
	it := r.scan(from, to, upTo(since))
	it.history, it.floor = true, since
	return it
}

func (r *reader) scan(from, to []byte, above uint64) *iterator {
	opt := badger.IteratorOptions{AllVersions: true, Prefix: rangePrefix(from, to), SinceTs: above}
	return &iterator{it: r.txn.NewIterator(opt), seek: bytes.Clone(from), seeking: true, to: bytes.Clone(to)}
}

// rangePrefix returns a prefix of every key in [from, to), so that Badger leaves out the tables without it.
func rangePrefix(from, to []byte) []byte {
	n := 0
	for n < len(from) && n < len(to) && from[n] == to[n] {
		n++
	}
	// [abc…, abd) lies within the prefix abc.
	if n+1 == len(to) && n < len(from) && from[n]+1 == to[n] {
		n++
	}
	return from[:n:n]
}

// iterator walks keys. Badger's iterator stands on some version of key, or past it.
type iterator struct {
	it      *badger.Iterator
	seek    []byte // where to go next, if seeking
	seeking bool
	to      []byte
	key     []byte // current
	valid   bool
	err     error

	history bool // it is one of Reader.History
	floor   graph.Timestamp
}

// nearVersions is how many versions of a key are stepped over before it pays to seek the next key.
const nearVersions = 16

func (i *iterator) Next() bool {
	for i.err == nil {
		if i.seeking {
			i.seeking = false
			i.it.Seek(i.seek)
		} else {
			i.leave()
		}
		i.valid = false
		if !i.it.Valid() {
			return false
		}
		item := i.it.Item()
		if i.to != nil && bytes.Compare(item.Key(), i.to) >= 0 {
			return false
		}
		i.key, i.valid = append(i.key[:0], item.Key()...), true
		if i.history || !item.IsDeletedOrExpired() {
			return true
		}
	}
	return false
}

// leave moves past the versions of the current key.
func (i *iterator) leave() {
	if !i.valid {
		return
	}
	for range nearVersions {
		if !i.it.Valid() || !bytes.Equal(i.it.Item().Key(), i.key) {
			return
		}
		i.it.Next()
	}
	i.it.Seek(append(i.key, 0))
}

func (i *iterator) SeekGE(key []byte) {
	if i.valid && bytes.Compare(key, i.key) <= 0 {
		return
	}
	if i.seeking && bytes.Compare(key, i.seek) <= 0 {
		return
	}
	i.seek, i.seeking = append(i.seek[:0], key...), true
}

func (i *iterator) Key() []byte { return i.key }

var errNoKey = errors.New("badgerkv: no current key")

func (i *iterator) Versions(fn func(graph.Timestamp, storage.Version) bool) error {
	if !i.valid {
		return errNoKey
	}
	if i.history {
		return i.passHistory(fn)
	}
	for ; i.it.Valid(); i.it.Next() {
		item := i.it.Item()
		if !bytes.Equal(item.Key(), i.key) || item.IsDeletedOrExpired() {
			return nil
		}
		more, err := pass(item, fn)
		if err != nil {
			i.err = err
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// passHistory visits the versions of the current key as Reader.History says.
func (i *iterator) passHistory(fn func(graph.Timestamp, storage.Version) bool) error {
	for ; i.it.Valid() && bytes.Equal(i.it.Item().Key(), i.key); i.it.Next() {
		item := i.it.Item()
		ts, deleted := timestamp(item.Version()), item.IsDeletedOrExpired()
		if ts <= i.floor && deleted {
			return nil
		}
		v, more := storage.Version{Complete: deleted || item.DiscardEarlierVersions(), Deleted: deleted, Folded: folded(item)}, false
		err := item.Value(func(value []byte) error {
			if !deleted {
				v.Value = value
			}
			more = fn(ts, v)
			return nil
		})
		if err != nil {
			i.err = fault.New(fault.Internal, "read store: %w", err)
			return i.err
		}
		if !more || ts <= i.floor && v.Complete {
			return nil
		}
	}
	return nil
}

func (i *iterator) Close() error {
	i.it.Close()
	return i.err
}
