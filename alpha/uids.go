package alpha

import (
	"context"
	"fmt"
	"sync"

	"dragg/cluster"
	"dragg/graph"
)

// leaseUIDs is how many uids are leased at once. What is left is skipped by a restart.
const leaseUIDs = 10_000

// uidPool hands out uids from leased blocks.
type uidPool struct {
	clock cluster.Clock

	mu   sync.Mutex
	next graph.UID // guarded by mu
	end  graph.UID // guarded by mu: exclusive
}

// take returns n consecutive uids that nobody else has.
func (p *uidPool) take(ctx context.Context, n int) (graph.UID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if uint64(p.end-p.next) < uint64(n) {
		first, err := p.clock.LeaseUIDs(ctx, uint64(max(n, leaseUIDs)))
		if err != nil {
			return 0, fmt.Errorf("leasing uids: %w", err)
		}
		p.next, p.end = first, first+graph.UID(max(n, leaseUIDs))
	}
	first := p.next
	p.next += graph.UID(n)
	return first, nil
}
