package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/dgo/v250"

	"dragg/systest/history"
)

// Crowd is the clients of several workloads, which work at the same time.
type Crowd struct {
	Workloads []Workload
	Errors    *Errors
	members   []*member
}

// member is one client and when it last got something done.
type member struct {
	w    Workload
	c    *Client
	name string
	done atomic.Int64 // nanoseconds since 1970
	rest atomic.Int64 // the longest time in nanoseconds in which it got nothing done
	n    [3]atomic.Int64
}

// requestTime bounds one operation, pauseTime what a client rests between two at most.
const (
	requestTime = 10 * time.Second
	pauseTime   = 20 * time.Millisecond
)

// NewCrowd returns so many clients for each workload. Their choices follow from the seed.
func NewCrowd(workloads []Workload, clients int, alphas []*dgo.Dgraph, seed uint64) *Crowd {
	crowd := &Crowd{Workloads: workloads, Errors: NewErrors()}
	for i, w := range workloads {
		for p := range clients {
			rng := rand.New(rand.NewPCG(seed, uint64(1+i*1000+p)))
			crowd.members = append(crowd.members, &member{
				w: w, name: fmt.Sprintf("client %d of %s", p+1, w.Name()),
				c: &Client{Process: p + 1, RNG: rng, Alphas: alphas, Errors: crowd.Errors},
			})
		}
	}
	return crowd
}

// Run lets everybody work until ctx ends.
func (c *Crowd) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, m := range c.members {
		all.Go(func() { m.run(ctx) })
	}
	all.Wait()
}

// places are where outcomes are counted.
const (
	succeeded = iota
	failed
	unknown
)

// succeed notes that something was done.
func (m *member) succeed() {
	now := time.Now().UnixNano()
	if last := m.done.Swap(now); last > 0 && now-last > m.rest.Load() {
		m.rest.Store(now - last)
	}
	m.n[succeeded].Add(1)
}

func (m *member) run(ctx context.Context) {
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, requestTime)
		o := m.w.Step(limited, m.c)
		cancel()
		switch o {
		case history.OK:
			m.succeed()
		case history.Fail:
			m.n[failed].Add(1)
		default:
			m.n[unknown].Add(1)
			m.c.Process += 1000 // what it did may still happen: it is not the same client that goes on
		}
		pause := time.NewTimer(time.Duration(m.c.RNG.Int64N(int64(pauseTime))))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// Waiting returns who has got nothing done since a time.
func (c *Crowd) Waiting(since time.Time) (names []string) {
	for _, m := range c.members {
		if m.done.Load() < since.UnixNano() {
			names = append(names, m.name)
		}
	}
	return names
}

// Longest returns the longest time in which a client got nothing done between two successes, and who that was.
func (c *Crowd) Longest() (rest time.Duration, name string) {
	for _, m := range c.members {
		if d := time.Duration(m.rest.Load()); d > rest {
			rest, name = d, m.name
		}
	}
	return rest, name
}

// Done returns how many operations of all workloads succeeded.
func (c *Crowd) Done() (n int64) {
	for _, m := range c.members {
		n += m.n[succeeded].Load()
	}
	return n
}

// Counts returns how many operations of a workload succeeded, failed and have an unknown end.
func (c *Crowd) Counts(w Workload) (ok, fail, open int64) {
	for _, m := range c.members {
		if m.w == w {
			ok += m.n[succeeded].Load()
			fail += m.n[failed].Load()
			open += m.n[unknown].Load()
		}
	}
	return ok, fail, open
}
