package posting_test

// Readers, commits, rollups, discards and evictions at the same time. Every reader must see exactly the
// commits at or below its timestamp, whatever is rewritten around it. Run with -race.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dragg/graph"
	"dragg/posting"
	"dragg/posting/keys"
	"dragg/storage"
	"dragg/storage/badgerkv"
	"dragg/storage/memkv"
)

// The commit at ts adds the edge ts to the node ts mod hotNodes, and removes the one that is keptEdges older.
const (
	hotNodes  = 7
	keptEdges = 40
)

func hotNode(ts graph.Timestamp) graph.UID { return graph.UID(ts%hotNodes + 1) }

// hotList is what a node's list holds at ts.
func hotList(node graph.UID, ts graph.Timestamp) (want []graph.UID) {
	for t := ts; t > 0 && len(want) < keptEdges; t-- {
		if hotNode(t) == node {
			want = append(want, graph.UID(t))
		}
	}
	slices.Reverse(want)
	return want
}

func TestConcurrent(t *testing.T) {
	for _, c := range []struct {
		name    string
		disk    bool
		count   string
		cfg     posting.Config
		commits int
	}{
		{"cached", false, "@count", posting.Config{RollupsPerSecond: 1 << 20}, 3000},
		{"tiny cache", false, "@count", posting.Config{CacheBytes: 4096, RollupsPerSecond: 1 << 20}, 3000},
		{"tiny cache, blind", false, "", posting.Config{CacheBytes: 2048}, 5000},
		{"no cache, split", false, "", posting.Config{CacheBytes: -1, SplitBytes: 40}, 2000},
		{"tiny cache, split", false, "", posting.Config{CacheBytes: 4096, SplitBytes: 40, RollupsPerSecond: 1 << 20}, 3000},
		{"disk", true, "", posting.Config{CacheBytes: 8192, SplitBytes: 60}, 1500},
	} {
		t.Run(c.name, func(t *testing.T) {
			var engine storage.Engine = memkv.New(memkv.Config{})
			if c.disk {
				e, err := badgerkv.Open(t.TempDir(), badgerkv.Config{MemoryBytes: 64 << 20, ReserveBytes: 1})
				if err != nil {
					t.Fatal(err)
				}
				engine = e
			}
			runConcurrent(t, newWorld(t, "friend: [uid] "+c.count+" ."), engine, c.cfg, c.commits)
			if err := engine.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func runConcurrent(t *testing.T, w *world, engine storage.Engine, cfg posting.Config, commits int) {
	const window = 60 // how far behind readers are at most
	var applied, oldest atomic.Uint64
	cfg.OldestReader = func() graph.Timestamp { return graph.Timestamp(oldest.Load()) }
	w.store = posting.NewStore(engine, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var background, readers sync.WaitGroup
	background.Go(func() {
		if err := w.store.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	background.Go(func() {
		_, inc := w.pred("friend")
		for ctx.Err() == nil {
			for u := graph.UID(1); u <= hotNodes; u++ {
				if err := w.store.Rollup(ctx, keys.Data(inc, u)); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
			time.Sleep(time.Millisecond)
		}
	})
	for r := range 3 {
		readers.Go(func() { readConcurrently(ctx, t, w, r, window, &applied) })
	}
	for ts := graph.Timestamp(1); ts <= graph.Timestamp(commits); ts++ {
		text := fmt.Sprintf("set %d %d", hotNode(ts), ts)
		if old := int64(ts) - keptEdges*hotNodes; old > 0 {
			text += fmt.Sprintf("; del %d %d", hotNode(ts), old)
		}
		d := w.derive(ts-1, nil, "friend", text)
		c := w.store.Begin()
		if err := c.Commit(ts, d.Pending, schemaOf(w.ps)); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		applied.Store(uint64(ts))
		if ts > 4*window { // readers take their timestamp before they read: leave them time
			oldest.Store(uint64(ts) - 4*window)
			if ts%50 == 0 {
				w.store.SetDiscardTs(ts - 4*window)
			}
		}
		if t.Failed() {
			break
		}
	}
	cancel()
	readers.Wait()
	background.Wait()
}

func readConcurrently(
	ctx context.Context, t *testing.T, w *world, seed int, window uint64, applied *atomic.Uint64,
) {
	rng := rand.New(rand.NewPCG(uint64(seed), 3))
	_, inc := w.pred("friend")
	for ctx.Err() == nil {
		now := applied.Load()
		ts := graph.Timestamp(now - min(now, rng.Uint64N(window)))
		v := w.store.View(ts, nil)
		node := graph.UID(1 + rng.IntN(hotNodes))
		l, err := v.List(keys.Data(inc, node))
		if rng.IntN(8) == 0 {
			it := v.Scan(keys.Data(inc, node), keys.Data(inc, node+1))
			l = posting.List{}
			if it.Next() {
				l, err = it.List()
			}
			if e := it.Close(); err == nil {
				err = e
			}
		}
		v.Close()
		got, want := l.UIDs().Slice(), hotList(node, ts)
		if applied.Load() > now+3*window {
			continue // this reader was held up for too long: its timestamp may be discarded
		}
		if err != nil || !slices.Equal(got, want) || l.Len() != len(want) {
			t.Errorf("node %s at %d: error %v, length %d\n got %v\nwant %v", node, ts, err, l.Len(), got, want)
			return
		}
	}
}
