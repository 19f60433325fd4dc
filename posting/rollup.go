package posting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"dragg/graph"
	"dragg/internal/sleep"
	"dragg/posting/keys"
	"dragg/storage"
)

// rollupBatch is how many keys Run rolls up in one write.
const rollupBatch = 32

// Run rolls up, until ctx ends, the lists that commits and readers found to have long chains of changes. It
// returns nil when ctx ends, and otherwise the error that ended it: the engine's, or ErrCorrupt. A full disk
// is waited for.
func (s *Store) Run(ctx context.Context) error {
	limit := rate.NewLimiter(rate.Limit(s.cfg.RollupsPerSecond), max(s.cfg.RollupsPerSecond/10, rollupBatch))
	for {
		due := s.queue.take(rollupBatch)
		if len(due) == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-s.queue.wake:
			}
			continue
		}
		if err := limit.WaitN(ctx, len(due)); err != nil {
			return nil // ctx ended
		}
		switch err := s.rollup(ctx, due); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, storage.ErrFull):
			s.cfg.Logger.Warn("rollups wait for room on the disk")
			if sleep.For(ctx, time.Second) != nil {
				return nil
			}
		case err != nil:
			return fmt.Errorf("rollup: %w", err)
		}
	}
}

// Rollup rolls up the given keys now, up to the oldest reader: each gets a whole version in place of its
// newest change. It changes no answer of any reader.
func (s *Store) Rollup(ctx context.Context, key ...[]byte) error {
	due := make([]string, len(key))
	for i := range key {
		due[i] = string(key[i])
	}
	return s.rollup(ctx, due)
}

// rolled is what a rollup replaces.
type rolled struct {
	key   string
	chain chain
}

func (s *Store) rollup(ctx context.Context, due []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.rollupLimit()
	if limit == 0 {
		return nil
	}
	var out rollupWrites
	var done []rolled
	for _, key := range due {
		if s.mu.retired[keys.IncarnationOf([]byte(key))] {
			continue
		}
		mark := out
		ch, err := s.rollupKey(&out, []byte(key), limit)
		if errors.Is(err, errPartMoved) { // an index build replaces this list
			out = mark
			continue
		}
		if err != nil {
			return err
		}
		done = append(done, rolled{key, ch})
	}
	if err := out.write(ctx, s.engine); err != nil {
		return err
	}
	for _, r := range done {
		s.cache.rolledUp([]byte(r.key), r.chain)
	}
	return nil
}

// rollupLimit returns the newest timestamp that rollups may touch. The caller holds mu.
func (s *Store) rollupLimit() graph.Timestamp {
	limit := s.oldest()
	for ts := range s.mu.builds {
		limit = min(limit, ts)
	}
	return limit
}

// rollupWrites are the writes of a rollup, in an order that a loss of power cannot make harmful: what a batch needs
// is durable before it is written. Lists that are not split, which is almost all, need one batch and no barrier.
type rollupWrites struct {
	ahead storage.Batch // new parts that nothing leads to yet
	parts storage.Batch // parts in their place; those that were cut lead to new ones
	lists storage.Batch // whole lists and directories, which hide the changes that the parts now hold
	after storage.Batch // deletions of parts that nothing leads to any more
}

func (w *rollupWrites) write(ctx context.Context, e storage.Engine) error {
	dirty := false
	for _, b := range []*storage.Batch{&w.ahead, &w.parts, &w.lists, &w.after} {
		if b.Len() == 0 {
			continue
		}
		if dirty {
			if err := e.Sync(ctx); err != nil {
				return err
			}
		}
		if err := e.Write(ctx, b); err != nil {
			return err
		}
		dirty = true
	}
	return nil
}

// rollupKey adds to out what makes the list of key whole as of its newest change at or below limit.
func (s *Store) rollupKey(out *rollupWrites, key []byte, limit graph.Timestamp) (chain, error) {
	r := s.engine.ReaderAt(limit)
	defer r.Close()
	versions, err := readVersions(r, key)
	if err != nil || len(versions) == 0 {
		return chain{}, err
	}
	last := versions[len(versions)-1]
	ts := versions[0].ts
	if len(versions) == 1 && last.whole {
		if last.parts == nil && last.sets.len() == 0 && ts <= graph.Timestamp(s.discard.Load()) {
			out.lists.DeleteFolded(key, ts) // nobody needs to know any more that there was a list
		}
		return chain{}, nil
	}
	if last.parts != nil {
		return s.rollupParts(out, r, key, versions)
	}
	st, ch, err := stateOf(r, key, versions)
	if err != nil {
		return chain{}, err
	}
	c := st.content(ts)
	writeWhole(&out.ahead, &out.lists, key, splitContent(&c, 0, s.cfg.SplitBytes), ts)
	return ch, nil
}
