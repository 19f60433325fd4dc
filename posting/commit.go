package posting

import (
	"context"
	"fmt"
	"math"
	"slices"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/schema"
	"dragg/storage"
)

// Committer stores the pending changes of committed transactions: any number of commits in ascending order,
// then one Flush. What it writes depends on the commits and on what was committed below them, not on the
// cache, the clock or newer versions on disk, so that replaying a log writes the same bytes again. One
// goroutine may use it.
type Committer struct {
	s     *Store
	batch storage.Batch
	last  graph.Timestamp
	// counted holds the lists of @count predicates that this batch changed, as of its last commit.
	counted map[string]*state
	// moved holds the counts that the current commit changes.
	moved []countMove
	err   error
}

// countMove says that uid went from the list of count from to that of count to; count 0 has no list.
type countMove struct {
	inc      graph.Incarnation
	reverse  bool
	uid      graph.UID
	from, to uint32
}

// Begin returns a Committer with an empty batch.
func (s *Store) Begin() *Committer {
	return &Committer{s: s, counted: make(map[string]*state)}
}

// Len returns the number of changes gathered since the last Flush, Bytes their approximate size.
func (c *Committer) Len() int { return c.batch.Len() }

// Bytes returns the approximate size of the changes gathered since the last Flush.
func (c *Committer) Bytes() int { return c.batch.Bytes() }

// Commit adds the changes of a transaction that was committed at ts, above the ts of the commit before. For
// predicates with @count it derives the count keys, reading the lists as of just before ts. schemaOf returns
// the definition of a tablet copy's predicate as of ts, or nil where the copy is gone: then no counts are
// kept for it.
//
// Pending's slices go over to the engine. After an error the committer must not be used.
func (c *Committer) Commit(
	ts graph.Timestamp, pending *Pending, schemaOf func(graph.Incarnation) *schema.Predicate,
) error {
	if c.err != nil {
		return c.err
	}
	if ts <= c.last || ts > maxStampTs {
		return fmt.Errorf("commit at %d after one at %d", ts, c.last)
	}
	c.last = ts
	var (
		inc   graph.Incarnation
		pred  *schema.Predicate
		known bool
	)
	for key, rec := range pending.All() {
		if k := keys.IncarnationOf(key); !known || k != inc {
			inc, pred, known = k, schemaOf(k), true
		}
		if pred != nil && pred.Count && c.err == nil {
			c.err = c.count(ts, key, rec, pred)
		}
		c.add(key, rec, ts)
	}
	if c.err == nil {
		c.addCounts(ts)
	}
	return c.err
}

func (c *Committer) add(key, rec []byte, ts graph.Timestamp) {
	if isWhole(rec) {
		c.batch.SetComplete(key, rec, ts)
		return
	}
	c.batch.Set(key, rec, ts)
}

// count notes how the length of a list changes by rec.
func (c *Committer) count(ts graph.Timestamp, key, rec []byte, pred *schema.Predicate) error {
	kind := keys.KindOf(key)
	// While reverse edges are being built, their lists are not whole: their counts are built after them, see
	// NextBuild.
	if kind != keys.KindData && (kind != keys.KindReverse || !pred.Reverse || !pred.Ready(schema.BuildingReverse)) {
		return nil
	}
	before := c.counted[string(key)]
	if before == nil {
		var err error
		if before, err = c.s.stateBefore(key, ts); err != nil {
			return err
		}
	}
	r, err := decodeRecord(rec)
	if err != nil {
		return fmt.Errorf("commit at %d, key %x: %w", ts, key, err)
	}
	after := before.push(&r, ts, maxStampTs)
	c.counted[string(key)] = after
	if before.n != after.n {
		c.moved = append(c.moved, countMove{
			inc: keys.IncarnationOf(key), reverse: kind == keys.KindReverse, uid: keys.UID(key),
			from: countOf(before.n), to: countOf(after.n),
		})
	}
	return nil
}

func countOf(n int) uint32 { return uint32(min(n, math.MaxUint32)) }

// stateBefore returns the list of key as of just before ts, with nothing newer in it.
func (s *Store) stateBefore(key []byte, ts graph.Timestamp) (*state, error) {
	l, _, err := s.listAt(key, ts-1)
	switch {
	case err != nil:
		return nil, err
	case l.p != nil:
		return l.p.unpack(), nil
	case l.s.last < ts:
		return l.s, nil
	}
	st, _, err := s.readState(key, ts-1) // a replay: the store knows newer versions
	return st, err
}

// addCounts adds the records of the count keys that the commit at ts changes.
func (c *Committer) addCounts(ts graph.Timestamp) {
	if len(c.moved) == 0 {
		return
	}
	var out changes
	for _, m := range c.moved {
		if m.from > 0 {
			key := out.taken(keys.AppendCount(out.room(16), m.inc, m.reverse, m.from))
			out.add(key, delElement, uint64(m.uid), nil)
		}
		if m.to > 0 {
			key := out.taken(keys.AppendCount(out.room(16), m.inc, m.reverse, m.to))
			out.add(key, setElement, uint64(m.uid), nil)
		}
	}
	c.moved = c.moved[:0]
	out.sort(0)
	for key, rec := range out.pending().All() {
		c.add(key, rec, ts)
	}
}

// Flush writes everything in one batch together with the caller's own changes, and updates the cache. When it
// returns nil, readers at or above the last commit may start, and the committer is empty again. After
// storage.ErrFull nothing was written and Flush may be called again, with the same extra; any other error is
// final.
func (c *Committer) Flush(ctx context.Context, extra ...storage.Op) error {
	if c.err != nil {
		return c.err
	}
	own := c.batch.Ops
	batch := c.batch
	batch.Owed = true // the transactions were told that they are committed
	if len(extra) > 0 {
		batch.Ops = append(slices.Clip(own), extra...)
	}
	if len(batch.Ops) == 0 {
		return nil
	}
	if err := c.s.engine.Write(ctx, &batch); err != nil {
		return fmt.Errorf("write %d changes: %w", len(batch.Ops), err)
	}
	oldest := c.s.oldest()
	for i := range own {
		op := &own[i]
		c.s.rosters.note(op.Key)
		due, err := c.s.cache.apply(op.Key, op.Ts, op.Value, oldest)
		if err != nil {
			c.err = fmt.Errorf("key %x at %d: %w", op.Key, op.Ts, err)
			return c.err
		}
		if due {
			c.s.queue.add(string(op.Key))
		}
	}
	c.batch, c.last = storage.Batch{}, 0
	clear(c.counted)
	return nil
}
