package posting

import (
	"bytes"
	"context"
	"fmt"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/storage"
)

// Export says what Store.Export visits of a tablet copy: what readers from the floors on, up to Upto, need. The floors must
// not be below what the engine may have forgotten, then or until Export returns.
type Export struct {
	Incarnation graph.Incarnation
	Floor       graph.Timestamp // of the data
	// DerivedFloor is the one of everything derived from it; not below Floor. Every index build that is complete must be of a
	// timestamp at or below it: later ones are left out.
	DerivedFloor graph.Timestamp
	Upto         graph.Timestamp
	// Since leaves out everything but the changes after it, unless it is 0. It must not be below either floor.
	Since graph.Timestamp
	From  []byte // the list to begin with; nil: the first one
}

// exportStep is how many keys are visited with one reader: an open one keeps the engine from freeing what it replaced.
const exportStep = 20_000

// Export visits what makes the lists of a tablet copy anew, list by list in the order of their keys: the changes above the floor
// as they were committed, newest first; then the list as of the floor in whole, folded at the floor, with its parts where it is
// large. Empty lists are left out. Rollups do not show: the same floors give the same changes, and lists are independent of one
// another. The slices of a change are the visitor's to keep.
//
// Commits above Upto, rollups and the discarding of versions below the floors may go on meanwhile; the copy must not be deleted.
func (s *Store) Export(ctx context.Context, what Export, visit func(storage.Op) error) error {
	from := what.From
	if from == nil {
		from = keys.Prefix(what.Incarnation)
	}
	for from != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if from, err = s.exportSome(what, from, visit); err != nil {
			return err
		}
	}
	return nil
}

// exportSome visits the next lists, and returns where to go on; nil at the end.
func (s *Store) exportSome(what Export, from []byte, visit func(storage.Op) error) (next []byte, err error) {
	r := s.engine.ReaderAt(what.Upto)
	defer r.Close()
	to := keys.KindPrefix(what.Incarnation, keys.KindPart)
	var it storage.Iterator
	if what.Since == 0 {
		it = r.History(from, to, what.Floor)
	} else {
		it = r.Changes(from, to, what.Since)
	}
	n := 0
	for it.Next() {
		key := bytes.Clone(it.Key())
		if n++; n > exportStep {
			return key, it.Close()
		}
		floor := what.DerivedFloor
		switch {
		case what.Since != 0:
			floor = what.Since
		case keys.KindOf(key) == keys.KindData:
			floor = what.Floor
		}
		base, err := exportChanges(it, key, floor, visit)
		if err == nil {
			err = s.exportBase(key, floor, base, visit)
		}
		if err != nil {
			_ = it.Close() // it has nothing to add
			return nil, err
		}
	}
	return nil, it.Close()
}

// exportChanges visits the changes of a key above the floor and returns the versions that make the list as of the floor, newest
// first.
func exportChanges(
	it storage.Iterator, key []byte, floor graph.Timestamp, visit func(storage.Op) error,
) (base []version, err error) {
	var fail error
	err = it.Versions(func(ts graph.Timestamp, v storage.Version) bool {
		switch {
		case ts > floor && v.Folded: // a rollup: what it folded is there; or a build that is not complete
		case ts > floor:
			fail = visit(storage.Op{
				Key: key, Value: bytes.Clone(v.Value), Ts: ts, Complete: v.Complete, Delete: v.Deleted,
			})
		case v.Deleted:
			return false
		default:
			var rec record
			if rec, fail = decodeRecord(v.Value); fail != nil {
				fail = fmt.Errorf("key %x at %d: %w", key, ts, fail)
				return false
			}
			base = append(base, version{ts, rec})
			return !rec.whole
		}
		return fail == nil
	})
	if err == nil {
		err = fail
	}
	return base, err
}

// exportBase visits the list of key as of the floor.
func (s *Store) exportBase(key []byte, floor graph.Timestamp, versions []version, visit func(storage.Op) error) error {
	if len(versions) == 0 {
		return nil
	}
	var st *state
	var err error
	if versions[len(versions)-1].parts != nil {
		st, _, err = s.readState(key, floor) // a rollup may join the parts meanwhile
	} else {
		st, _, err = stateOf(nil, key, versions)
	}
	if err != nil {
		return err
	}
	c := st.content(floor)
	if c.len() == 0 {
		return nil
	}
	var parts, lists storage.Batch
	writeWhole(&parts, &lists, key, splitContent(&c, 0, s.cfg.SplitBytes), floor)
	for _, op := range append(lists.Ops, parts.Ops...) {
		if err := visit(op); err != nil {
			return err
		}
	}
	return nil
}

// Replace has fill write all that the engine shall hold, or the rest of it, see storage.Engine, and forgets what is cached. No
// view of the store may be open and nobody may commit when fill returns, or build an index; rollups wait.
func (s *Store) Replace(ctx context.Context, note []byte, fill func(storage.Filling) error) error {
	locked := false
	defer func() {
		if locked {
			s.mu.Unlock()
		}
	}()
	err := s.engine.Replace(ctx, note, func(next storage.Filling) error {
		if err := fill(next); err != nil {
			return err
		}
		s.mu.Lock()
		locked = true
		return nil
	})
	if err != nil {
		return err
	}
	s.cache.dropAll()
	s.rosters.dropAll()
	clear(s.mu.retired)
	return nil
}
