package alpha

import (
	"context"
	"sync/atomic"
	"testing"

	"dragg/cluster"
	"dragg/graph"
	"dragg/internal/fault"
	"dragg/protos/pb"
)

// forgetting is a Zero that has forgotten what a member asks for by the time it hears the question: another one has led meanwhile.
type forgetting struct {
	cluster.Zero
	times atomic.Int64
}

func (f *forgetting) Stream(ctx context.Context, g graph.GroupID, seq uint64, deliver func(*pb.StreamBatch) error) error {
	if f.times.Add(1) > 1 {
		return f.Zero.Stream(ctx, g, seq, deliver)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := f.Zero.Stream(ctx, g, seq, func(b *pb.StreamBatch) error { // the group moves on
		defer cancel()
		return deliver(b)
	})
	if ctx.Err() == nil {
		return err
	}
	return fault.New(fault.Invalid, "the stream of group %d starts later", g)
}

// A member that asks for events that are forgotten, because it was behind, goes on from where the group is; it does not end.
func TestFollowingFromBehind(t *testing.T) {
	f := &forgetting{}
	p := plan{zero: func(z cluster.Zero) cluster.Zero { f.Zero = z; return f }}.start(t)
	p.alter(t, "name: string @index(exact) .")
	p.set(t, `_:a <name> "ada" .`)
	if got := p.ask(t, `{ q(func: eq(name, "ada")) { name } }`); got != `{"q":[{"name":"ada"}]}` {
		t.Error(got)
	}
	if n := f.times.Load(); n < 2 {
		t.Errorf("the stream was asked for %d times", n)
	}
}
