package posting

import (
	"errors"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/storage"
)

// oldKeys walks the keys that lie under the target prefixes at the build's timestamp.
type oldKeys struct {
	s       *Store
	ts      graph.Timestamp
	targets [][]byte

	r      storage.Reader
	it     storage.Iterator
	opened bool
	key    []byte // current; nil at the end
	empty  bool
	parts  []part
}

func (o *oldKeys) open() error {
	if o.opened {
		return nil
	}
	o.opened = true
	return o.next()
}

// next moves to the next key, in the next prefix where one is at its end.
func (o *oldKeys) next() error {
	for {
		if o.it == nil {
			if len(o.targets) == 0 {
				o.key = nil
				return nil
			}
			o.r = o.s.engine.ReaderAt(o.ts)
			o.it = o.r.Scan(o.targets[0], keys.End(o.targets[0]))
			o.targets = o.targets[1:]
		}
		if o.it.Next() {
			return o.read()
		}
		if err := o.close(); err != nil {
			return err
		}
	}
}

func (o *oldKeys) read() error {
	o.key = append(o.key[:0], o.it.Key()...)
	o.empty, o.parts = true, nil // until a version is met that is not: changes may lie on top of an empty list
	var fail error
	err := o.it.Versions(func(_ graph.Timestamp, v storage.Version) bool {
		o.empty = o.empty && isEmptyRecord(v.Value)
		if !isWhole(v.Value) {
			return true
		}
		var rec record
		rec, fail = decodeRecord(v.Value)
		o.parts = rec.parts
		return false
	})
	return errors.Join(err, fail)
}

func (o *oldKeys) close() error {
	if o.it == nil {
		return nil
	}
	err := o.it.Close()
	o.r.Close()
	o.it, o.r = nil, nil
	return err
}
