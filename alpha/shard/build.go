package shard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"dragg/graph"
	"dragg/graph/geo"
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

// Maintain does the background work of the replica until ctx ends: rollups, deletion of retired copies, index builds. Every
// replica builds. done is called for a build that is complete here and that Zero has not published, where and when lead says so:
// again and again until it succeeds, and also for a build that was complete long before this replica came to lead.
func (s *Shard) Maintain(ctx context.Context, lead func() bool, done Built) error {
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error { return s.store.Run(ctx) })
	eg.Go(func() error { return s.janitor(ctx) })
	eg.Go(func() error { return s.builder(ctx, lead, done) })
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
	now := time.Now()
	for {
		if err := s.Upkeep(ctx, now); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case now = <-ticker.C:
		case <-s.clean:
			now = time.Now()
		}
	}
}

// Upkeep is one round of what Maintain does all the time, but for rollups and builds: it moves the horizon, and deletes the copies
// that nobody reads any more. A disk that is full is waited for.
func (s *Shard) Upkeep(ctx context.Context, now time.Time) error {
	s.noteInUse()
	s.horizon.note(now, s.Watermark(), s.cfg.Horizon)
	err := errors.Join(s.release(), s.deleteRetired(ctx))
	switch {
	case errors.Is(err, storage.ErrFull):
		s.lg.Warn("deletion of dropped data waits for room on the disk", "err", err)
		return nil
	case err != nil:
		return fmt.Errorf("deleting a dropped predicate: %w", err)
	}
	return nil
}

// deleteRetired deletes the copies that were retired before it began. A crash in between repeats the deletion. A copy that another
// replica is being sent waits.
func (s *Shard) deleteRetired(ctx context.Context) error {
	for {
		d := s.deletable()
		if d == nil {
			return nil
		}
		err := s.working(ctx, func(ctx context.Context) error {
			return s.engine.DeletePrefix(ctx, keys.Prefix(graph.Incarnation(d.Incarnation)))
		})
		if errors.Is(err, errRestoring) {
			return nil // later, if it is still there
		}
		if err != nil {
			return err
		}
		s.mu.Lock()
		if i := slices.Index(s.dropped, d); i >= 0 {
			s.dropped = slices.Delete(slices.Clone(s.dropped), i, i+1)
		}
		s.mu.Unlock()
	}
}

// working does work that reads or writes the engine outside of Apply. It ends early, with errRestoring, where the state is to be
// replaced.
func (s *Shard) working(ctx context.Context, work func(context.Context) error) error {
	ctx, leave, err := s.gate.working(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := work(ctx); err != nil {
		if errors.Is(context.Cause(ctx), errRestoring) {
			return errRestoring
		}
		return err
	}
	return nil
}

// builder builds what is owed, one tablet after the other, and tells Zero.
func (s *Shard) builder(ctx context.Context, lead func() bool, done Built) error {
	ticker := time.NewTicker(maintenanceInterval)
	defer ticker.Stop()
	told := map[*pb.TabletSet]bool{} // Zero knows; its answer is still on the way through the stream
	for {
		worked := false
		step := func(t *tablet, work func(context.Context, *tablet) error) error {
			if t == nil {
				return nil
			}
			err := work(ctx, t)
			worked = worked || err == nil
			if err != nil && ctx.Err() == nil {
				s.lg.Warn("an index build failed and will be tried again", "predicate", t.def.Name.String(), "err", err)
			}
			return ctx.Err()
		}
		var untold *tablet
		if lead() {
			untold = s.untold(told)
		}
		err := step(untold, func(ctx context.Context, t *tablet) error {
			err := s.tell(ctx, t, done)
			told[t.set] = err == nil
			return err
		})
		if err == nil {
			err = step(s.unfinished(), s.buildNext)
		}
		if err != nil {
			return nil
		}
		if worked {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-s.build:
		}
	}
}

// unfinished returns a tablet that has something to build here, nil if none has.
func (s *Shard) unfinished() *tablet {
	for _, t := range s.view.Load().tablets {
		if _, _, ok := t.next(); ok {
			return t
		}
	}
	return nil
}

// untold returns a tablet whose build, or one stage of it, is complete here and not published; nil if there is none but those that
// were told. It forgets of told what is outdated.
func (s *Shard) untold(told map[*pb.TabletSet]bool) *tablet {
	var found *tablet
	now := map[*pb.TabletSet]bool{}
	for _, t := range s.view.Load().tablets {
		now[t.set] = true
		if t.built() && !told[t.set] {
			found = t
		}
	}
	for set := range told {
		if !now[set] {
			delete(told, set)
		}
	}
	return found
}

// buildNext derives the first of the keys that are owed from the data as of the change that asked for them, see posting.NextBuild,
// and notes durably that they are complete here. The tablet may change meanwhile; then what was built may be of no use and the next
// round builds anew.
func (s *Shard) buildNext(ctx context.Context, t *tablet) error {
	o, def, ok := t.next()
	if !ok {
		return nil
	}
	started := time.Now()
	what, names := posting.NextBuild(def)
	noted := false
	err := s.working(ctx, func(ctx context.Context) error {
		if err := s.WaitTimestamp(ctx, o.ts); err != nil {
			return err
		}
		what.Progress = s.reportBuild(t)
		if err := s.store.BuildIndex(ctx, o.ts, def, t.incarnation(), what); err != nil {
			return err
		}
		noted = s.noteBuilt(t, o, names) // while what was built is still what the engine holds
		return nil
	})
	if now, ok := s.view.Load().tablets[t.def.Name]; !ok || now.incarnation() != t.incarnation() {
		return nil // dropped meanwhile
	}
	if err != nil {
		return err
	}
	if !noted {
		return nil // changed meanwhile
	}
	if _, err := s.checkpoint(); err != nil {
		return fmt.Errorf("noting that it is complete: %w", err)
	}
	s.lg.Info("built an index", "predicate", t.def.Name.String(), "built", names, "took", time.Since(started).Round(time.Millisecond))
	return nil
}

// noteBuilt publishes that build o of a tablet has made names here. It returns false where that is not owed any more.
func (s *Shard) noteBuilt(t *tablet, o owed, names []string) bool {
	s.batch.Lock()
	defer s.batch.Unlock()
	next := *s.view.Load()
	now, ok := next.tablets[t.def.Name]
	if !ok || now.incarnation() != t.incarnation() {
		return false
	}
	done := now.complete(o, names, next.watermark)
	if done == nil {
		return false
	}
	next.tablets, next.byEpoch = maps.Clone(next.tablets), maps.Clone(next.byEpoch)
	next.keep(done)
	next.settle()
	s.publish(&next)
	return true
}

// tell tells Zero that what a tablet was building, or one stage of it, is complete.
func (s *Shard) tell(ctx context.Context, t *tablet, done Built) error {
	_, stage := posting.NextBuild(t.def)
	ready := *t.def
	ready.Building = nil
	for _, name := range t.def.Building {
		if !slices.Contains(stage, name) && len(stage) > 0 {
			ready.Building = append(ready.Building, name)
		}
	}
	if err := done(ctx, t.set.Tablet, &ready); err != nil {
		return fmt.Errorf("telling that it is complete: %w", err)
	}
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
	if err := s.gate.enter(); err != nil {
		return false, err
	}
	defer s.gate.leave()
	view := s.store.View(s.Watermark(), nil)
	defer view.Close()
	prefix := keys.DataPrefix(t.incarnation())
	it := view.Scan(prefix, keys.End(prefix))
	found := it.Next()
	return found, it.Close()
}

// WaitBuilt returns once nothing of p is being built any more, here or as far as Zero knows, or p is gone.
func (s *Shard) WaitBuilt(ctx context.Context, p graph.Predicate) error {
	return s.waitUntil(ctx, func() bool {
		v := s.view.Load()
		if t, ok := v.tablets[p]; ok {
			return len(t.local.Building) == 0
		}
		t, ok := v.remote[p]
		return !ok || len(t.def.Building) == 0
	})
}

// CheckValues reports whether every stored value of a predicate can be what its new definition asks: it must convert to the type
// and, where there is to be a geo index, have a place; a build would leave it out, and no function would find it. It names the first
// node whose value cannot.
func (s *Shard) CheckValues(ctx context.Context, def *schema.Predicate) error {
	t, ok := s.view.Load().tablets[def.Name]
	if !ok || def.IsUID() || t.def.IsUID() {
		return nil
	}
	return s.working(ctx, func(ctx context.Context) error {
		return s.eachValue(ctx, t, func(node graph.UID, v types.Value) error { return checkValue(def, node, v) })
	})
}

func checkValue(def *schema.Predicate, node graph.UID, v types.Value) error {
	converted, err := types.Convert(v, def.Type)
	if err != nil {
		return fault.New(fault.Invalid, "predicate %s cannot become %s: the value of node %s does not convert: %w",
			def.Name, def.Type, node, err)
	}
	if def.Type != types.Geo || len(def.Index) == 0 {
		return nil
	}
	if _, err := geo.New(converted.Geom()); err != nil {
		return fault.New(fault.Invalid, "predicate %s cannot have a geo index, because of the value of node %s: %w", def.Name, node, err)
	}
	return nil
}

// eachValue calls visit for every stored value of a tablet, until it returns an error.
func (s *Shard) eachValue(ctx context.Context, t *tablet, visit func(graph.UID, types.Value) error) error {
	view := s.store.View(s.Watermark(), nil)
	defer view.Close()
	prefix := keys.DataPrefix(t.incarnation())
	it := view.Scan(prefix, keys.End(prefix))
	for it.Next() {
		if err := visitList(ctx, it, visit); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

func visitList(ctx context.Context, it *posting.Iterator, visit func(graph.UID, types.Value) error) error {
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
		if err := visit(keys.UID(it.Key()), p.Value); err != nil {
			return err
		}
	}
	return nil
}
