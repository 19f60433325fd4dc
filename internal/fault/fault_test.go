package fault

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Every class survives the trip over gRPC with its text.
func TestRoundTrip(t *testing.T) {
	for c := Internal; c <= NotFound; c++ {
		in := New(c, "what was wrong: %d", int(c))
		out := FromGRPC(ToGRPC(fmt.Errorf("layer: %w", in)))
		if ClassOf(out) != c || out.Error() != "layer: "+in.Error() {
			t.Errorf("class %d came back as %d: %v", c, ClassOf(out), out)
		}
	}
}

// The first class given to an error stays; plain and context errors have codes too.
func TestAs(t *testing.T) {
	inner := New(Aborted, "gone")
	if got := ClassOf(As(Invalid, fmt.Errorf("x: %w", inner))); got != Aborted {
		t.Errorf("As changed the class to %d", got)
	}
	if As(Invalid, nil) != nil || ToGRPC(nil) != nil || FromGRPC(nil) != nil {
		t.Error("nil must stay nil")
	}
	for err, want := range map[error]codes.Code{
		context.Canceled: codes.Canceled, context.DeadlineExceeded: codes.DeadlineExceeded, errors.New("bug"): codes.Internal,
	} {
		if got := status.Code(ToGRPC(err)); got != want {
			t.Errorf("%v has code %v, want %v", err, got, want)
		}
	}
}
