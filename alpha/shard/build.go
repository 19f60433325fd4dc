package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/internal/fault"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/protos/pb"
	"dragg/schema"
	"dragg/storage"
)

// Built is told that what a tablet was building is complete: Zero shall publish the definition without Building.
type Built func(ctx context.Context, t *pb.Tablet, def *schema.Predicate) error

// Maintain does the background work of the replica until ctx ends: rollups, deletion of retired copies, index builds. done is
// called for every build that finished; while it fails the build counts as unfinished.
func (s *Shard) Maintain(ctx context.Context, done Built) error {
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error { return s.store.Run(ctx) })
	eg.Go(func() error { return s.janitor(ctx) })
	eg.Go(func() error { return s.builder(ctx, done) })
	return eg.Wait()
}

func (s *Shard) wake() {
	for _, c := range []chan struct{}{s.clean, s.build} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// How often the horizon moves, and how often unfinished work is tried again.
const (
	janitorInterval     = 100 * time.Millisecond
	maintenanceInterval = time.Second
)

// janitor moves the horizon and deletes the bytes of retired copies.
func (s *Shard) janitor(ctx context.Context) error {
	ticker := time.NewTicker(janitorInterval)
	defer ticker.Stop()
	for {
		s.noteInUse()
		s.horizon.note(time.Now(), s.Watermark(), s.cfg.Horizon)
		if err := s.deleteRetired(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if !errors.Is(err, storage.ErrFull) {
				return fmt.Errorf("deleting a dropped predicate: %w", err)
			}
			s.lg.Warn("deletion of dropped data waits for room on the disk", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-s.clean:
		}
	}
}

// deleteRetired deletes the copies that were retired before it began. A crash in between repeats the deletion.
func (s *Shard) deleteRetired(ctx context.Context) error {
	for {
		s.mu.Lock()
		if len(s.dropped) == 0 {
			s.mu.Unlock()
			return nil
		}
		d := s.dropped[0]
		s.mu.Unlock()
		if err := s.engine.DeletePrefix(ctx, keys.Prefix(graph.Incarnation(d.Incarnation))); err != nil {
			return err
		}
		s.mu.Lock()
		s.dropped = s.dropped[1:]
		s.mu.Unlock()
	}
}

// builder builds what tablets are building, one tablet after the other.
func (s *Shard) builder(ctx context.Context, done Built) error {
	ticker := time.NewTicker(maintenanceInterval)
	defer ticker.Stop()
	for {
		if t := s.unfinished(); t != nil {
			if err := s.buildTablet(ctx, t, done); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				s.lg.Warn("an index build failed and will be tried again", "predicate", t.def.Name.String(), "err", err)
			} else {
				continue
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-s.build:
		}
	}
}

// unfinished returns a tablet that is building something, nil if none is.
func (s *Shard) unfinished() *tablet {
	for _, t := range s.view.Load().tablets {
		if len(t.def.Building) > 0 {
			return t
		}
	}
	return nil
}

// buildTablet derives the first of the missing keys from the data as of the change that asked for them, see posting.NextBuild. The
// tablet may change meanwhile; then what was built is of no use and the next round builds anew.
func (s *Shard) buildTablet(ctx context.Context, t *tablet, done Built) error {
	ts := graph.Timestamp(t.set.Ts)
	if err := s.WaitTimestamp(ctx, ts); err != nil {
		return err
	}
	started := time.Now()
	what, built := posting.NextBuild(t.def)
	what.Progress = s.reportBuild(t)
	err := s.store.BuildIndex(ctx, ts, t.def, t.incarnation(), what)
	now, ok := s.view.Load().tablets[t.def.Name]
	if !ok || now.set != t.set {
		return nil // changed meanwhile
	}
	if err != nil {
		return err
	}
	ready := *t.def
	ready.Building = nil
	for _, name := range t.def.Building {
		if !slices.Contains(built, name) && len(built) > 0 {
			ready.Building = append(ready.Building, name)
		}
	}
	if err := done(ctx, t.set.Tablet, &ready); err != nil {
		return err
	}
	s.lg.Info("built an index", "predicate", t.def.Name.String(), "built", built, "took", time.Since(started).Round(time.Millisecond))
	return nil
}

// reportBuild returns a progress function that speaks up every two seconds.
func (s *Shard) reportBuild(t *tablet) func(nodes, lists int) {
	last := time.Now()
	return func(nodes, lists int) {
		if time.Since(last) > 2*time.Second {
			last = time.Now()
			s.lg.Info("building an index", "predicate", t.def.Name.String(), "building", t.def.Building,
				"nodes", nodes, "lists", lists)
		}
	}
}

// HasData reports whether any node has a value or an edge of p at the newest state.
func (s *Shard) HasData(p graph.Predicate) (bool, error) {
	t, ok := s.view.Load().tablets[p]
	if !ok {
		return false, nil
	}
	view := s.store.View(s.Watermark(), nil)
	defer view.Close()
	prefix := keys.DataPrefix(t.incarnation())
	it := view.Scan(prefix, keys.End(prefix))
	found := it.Next()
	return found, it.Close()
}

// WaitBuilt returns once nothing of p is being built any more, or p is gone.
func (s *Shard) WaitBuilt(ctx context.Context, p graph.Predicate) error {
	return s.waitUntil(ctx, func() bool {
		t, ok := s.view.Load().tablets[p]
		return !ok || len(t.def.Building) == 0
	})
}

// CheckConvertible reports whether every stored value of a predicate converts to the type of its new definition. It names the
// first node whose value does not.
func (s *Shard) CheckConvertible(ctx context.Context, def *schema.Predicate) error {
	t, ok := s.view.Load().tablets[def.Name]
	if !ok || def.IsUID() || t.def.IsUID() {
		return nil
	}
	view := s.store.View(s.Watermark(), nil)
	defer view.Close()
	prefix := keys.DataPrefix(t.incarnation())
	it := view.Scan(prefix, keys.End(prefix))
	for it.Next() {
		if err := checkList(ctx, it, def); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

func checkList(ctx context.Context, it *posting.Iterator, def *schema.Predicate) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	list, err := it.List()
	if err != nil {
		return err
	}
	for p, err := range list.Postings() {
		if err != nil {
			return err
		}
		if _, err := types.Convert(p.Value, def.Type); err != nil {
			return fault.New(fault.Invalid, "predicate %s cannot become %s: the value of node %s does not convert: %w",
				def.Name, def.Type, keys.UID(it.Key()), err)
		}
	}
	return nil
}
