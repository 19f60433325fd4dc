package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"dragg/graph"
)

// counter is a clock whose requests take until the test lets them go.
type counter struct {
	mu       sync.Mutex
	next     graph.Timestamp
	commits  graph.Timestamp // the highest commit timestamp
	requests []uint32
	hold     chan struct{} // nil: answer at once
	fail     error
}

func (c *counter) Timestamps(ctx context.Context, n uint32) (first, after graph.Timestamp, err error) {
	c.mu.Lock()
	c.requests = append(c.requests, n)
	hold := c.hold
	c.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return 0, 0, c.fail
	}
	first, after = c.next+1, c.commits
	c.next += graph.Timestamp(n)
	return first, after, nil
}

func (c *counter) LeaseUIDs(context.Context, uint64) (graph.UID, error) { return 0, nil }

// commit draws a commit timestamp.
func (c *counter) commit() graph.Timestamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	c.commits = c.next
	return c.commits
}

// Who comes while a request is on its way shares the next one; each gets a timestamp of its own.
func TestStarterSharesRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{hold: make(chan struct{})}
		s := NewStarter(c)
		var mu sync.Mutex
		var got []graph.Timestamp
		var wg sync.WaitGroup
		ask := func(n int) {
			for range n {
				wg.Go(func() {
					x, err := s.Start(t.Context())
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					got = append(got, x.Ts)
					mu.Unlock()
				})
			}
			synctest.Wait()
		}
		ask(1)
		ask(99)
		if len(c.requests) != 1 {
			t.Fatalf("requests %v while the first is on its way", c.requests)
		}
		close(c.hold)
		wg.Wait()
		if !slices.Equal(c.requests, []uint32{1, 99}) {
			t.Errorf("requests %v", c.requests)
		}
		slices.Sort(got)
		if len(got) != 100 || len(slices.Compact(got)) != 100 || got[0] != 1 || got[99] != 100 {
			t.Errorf("timestamps %v", got)
		}
		c.hold = nil
		if x, err := s.Start(t.Context()); err != nil || x.Ts != 101 || len(c.requests) != 3 {
			t.Errorf("after a quiet time: %v %v, requests %v", x, err, c.requests)
		}
	})
}

// Goal: a start is above every commit that was acknowledged before it was asked for, its After covers them, and no two are equal.
// Method: many starters and committers at once.
func TestStartsAreNotOlderThanCommits(t *testing.T) {
	c := &counter{}
	s := NewStarter(c)
	var mu sync.Mutex
	seen := map[graph.Timestamp]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 300 {
				acked := c.commit()
				x, err := s.Start(context.Background())
				if err != nil || x.Ts <= acked || x.After < acked || x.After >= x.Ts {
					t.Errorf("start %+v after the commit %d: %v", x, acked, err)
					return
				}
				mu.Lock()
				if seen[x.Ts] {
					t.Errorf("%d was given out twice", x.Ts)
				}
				seen[x.Ts] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// One who gives up does not spoil it for the others, also when the request was made in its name.
func TestStarterOutlivesItsCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{hold: make(chan struct{})}
		s := NewStarter(c)
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 3)
		go func() { _, err := s.Start(ctx); results <- err }() // leads
		synctest.Wait()
		waiter, stop := context.WithCancel(t.Context())
		go func() { _, err := s.Start(waiter); results <- err }()
		other := make(chan Start, 1)
		go func() {
			x, err := s.Start(t.Context())
			if err != nil {
				t.Error(err)
			}
			other <- x
		}()
		synctest.Wait()
		stop()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who gave up waiting: %v", err)
		}
		cancel()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who led: %v", err)
		}
		close(c.hold)
		if x := <-other; x.Ts == 0 {
			t.Error("the one who stayed got nothing")
		}
	})
}

// A failed request fails those who share it, and nobody else.
func TestStarterFails(t *testing.T) {
	lost := errors.New("lost")
	c := &counter{fail: lost}
	s := NewStarter(c)
	if _, err := s.Start(t.Context()); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
	c.fail = nil
	if x, err := s.Start(t.Context()); err != nil || x.Ts != 1 {
		t.Errorf("%v %v", x, err)
	}
}

func BenchmarkStart(b *testing.B) {
	s := NewStarter(&counter{})
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := s.Start(context.Background()); err != nil {
				b.Error(err)
			}
		}
	})
}
