package fault

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Every class reaches the other node, and what only looks like one of its answers does not pass for one.
func TestPeerRoundTrip(t *testing.T) {
	for c := Internal; c <= NotFound; c++ {
		out := FromPeer(ToPeer(New(c, "what was wrong")))
		if ClassOf(out) != c || out.Error() != "what was wrong" {
			t.Errorf("class %d came back as %d: %v", c, ClassOf(out), out)
		}
	}
	if err := ToPeer(errors.New("bug")); ClassOf(FromPeer(err)) != Internal {
		t.Errorf("an error without a class: %v", err)
	}
	if err := ToPeer(context.DeadlineExceeded); ClassOf(FromPeer(err)) != Unknown {
		t.Errorf("the node gave up: %v", err)
	}
	for _, code := range []codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.Internal, codes.Unknown} {
		if err := FromPeer(status.Error(code, "the connection broke")); ClassOf(err) != Unknown {
			t.Errorf("%v of the connection is class %d", code, ClassOf(err))
		}
	}
	if err := FromPeer(status.Error(codes.Canceled, "")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if ToPeer(nil) != nil || FromPeer(nil) != nil {
		t.Error("nil must stay nil")
	}
	once := ToPeer(New(Aborted, "x"))
	if twice := ToPeer(once); ClassOf(FromPeer(twice)) != Aborted {
		t.Errorf("passed on: %v", twice)
	}
}
