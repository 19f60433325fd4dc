package raftgroup

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"dragg/internal/fault"
)

// Messages that cannot be meant for this member are refused.
func TestStepRefusesStrayMessages(t *testing.T) {
	c := newCluster(t, 1, Config{})
	for _, m := range []*raftpb.Message{
		{Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(2)), To: new(uint64(3))},
		{Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(1)), To: new(uint64(1))},
		{Type: raftpb.MsgHup.Enum(), From: new(uint64(2)), To: new(uint64(1))},
		{Type: raftpb.MsgProp.Enum(), From: new(uint64(2)), To: new(uint64(1))},
		{},
	} {
		if err := c.node(1).Step(c.ctx, m); fault.ClassOf(err) != fault.Invalid {
			t.Errorf("%v: %v", m, err)
		}
	}
}

// A full inbox holds up who sends, not the driver, and loses nothing.
func TestInboxIsBounded(t *testing.T) {
	b := newInbox()
	big := &raftpb.Message{Entries: []*raftpb.Entry{{Data: make([]byte, maxInboxBytes/4)}}}
	n := 0
	for b.tryPut(big) {
		n++
	}
	if n != 4 {
		t.Errorf("%d messages of a quarter each", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := b.put(ctx, big, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("putting into a full inbox: %v", err)
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := b.put(t.Context(), big, nil); err != nil {
				t.Error(err)
			}
		})
	}
	out := 0
	for out < n+6 {
		<-b.filled
		out += len(b.take())
	}
	wg.Wait()
}
