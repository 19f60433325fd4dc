package raftgroup

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"dragg/internal/fault"
)

// What goes on from a result at once keeps the proposer waiting for what comes of it, and nobody else.
func TestProposeThen(t *testing.T) {
	g, stop := startGroup(t, t.TempDir(), openSum(&sumDisk{}), 1<<20)
	type waiting struct {
		result any
		settle func(any)
	}
	five := binary.BigEndian.AppendUint64(nil, 5)
	applied, ended := make(chan waiting, 1), make(chan any, 1)
	takeOver := func(result any, settle func(any)) bool {
		applied <- waiting{result, settle}
		return true
	}
	begin := func(ctx context.Context) {
		go func() { // ends with its proposal
			res, err := g.ProposeThen(ctx, five, takeOver)
			if err != nil {
				res = err
			}
			ended <- res
		}()
	}

	begin(t.Context())
	w := <-applied
	if sum := add(t, g, 3); w.result != uint64(5) || sum != 8 {
		t.Errorf("applied as %v, and what came after it as %d, want 5 and 8", w.result, sum)
	}
	select {
	case got := <-ended:
		t.Errorf("the proposer got %v before it was settled", got)
	default:
	}
	w.settle("later")
	if got := <-ended; got != "later" {
		t.Errorf("the proposer got %v", got)
	}

	res, err := g.ProposeThen(t.Context(), five, func(any, func(any)) bool { return false })
	if res != uint64(13) || err != nil {
		t.Errorf("what nobody took over got %v, %v", res, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	begin(ctx)
	w = <-applied
	cancel()
	if err, _ := (<-ended).(error); fault.ClassOf(err) != fault.Unknown {
		t.Errorf("who went away got %v", err)
	}
	w.settle("too late") // holds nobody up

	begin(t.Context())
	w = <-applied
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w.settle("after the end")
	if got := <-ended; got != "after the end" {
		t.Errorf("what was applied before the end got %v", got)
	}
	if _, err := g.ProposeThen(t.Context(), five, takeOver); !errors.Is(err, ErrNotLeader) || len(applied) > 0 {
		t.Errorf("after the end: %v", err)
	}
}
