package raftgroup

import (
	"context"
	"sync"

	"go.etcd.io/raft/v3/raftpb"
)

// Bounds of what waits for the driver.
const (
	maxInboxBytes    = 64 << 20
	maxInboxMessages = 4096
)

// inbox carries messages of other members to the driver.
type inbox struct {
	mu       sync.Mutex
	messages []*raftpb.Message // guarded by mu
	bytes    int               // guarded by mu
	filled   chan struct{}     // capacity 1: there may be messages
	drained  chan struct{}     // capacity 1: there may be room
}

func newInbox() *inbox {
	return &inbox{filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// put adds a message; it waits while the inbox is over its bound.
func (b *inbox) put(ctx context.Context, m *raftpb.Message, stopped <-chan struct{}) error {
	for !b.tryPut(m) {
		select {
		case <-b.drained:
		case <-ctx.Done():
			return ctx.Err()
		case <-stopped:
			return errEnded
		}
	}
	return nil
}

func (b *inbox) tryPut(m *raftpb.Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes >= maxInboxBytes || len(b.messages) >= maxInboxMessages {
		return false
	}
	b.messages = append(b.messages, m)
	b.bytes += messageBytes(m)
	signal(b.filled)
	if b.bytes < maxInboxBytes && len(b.messages) < maxInboxMessages {
		signal(b.drained) // for the next that waits
	}
	return true
}

// take returns everything that waits.
func (b *inbox) take() []*raftpb.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	messages := b.messages
	b.messages, b.bytes = nil, 0
	signal(b.drained)
	return messages
}

func messageBytes(m *raftpb.Message) int {
	n := len(m.GetContext()) + len(m.GetSnapshot().GetData())
	for _, e := range m.GetEntries() {
		n += len(e.GetData()) + entryOverhead
	}
	return n
}
