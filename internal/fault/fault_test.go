package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

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

// Every class has a name of its own.
func TestClassNames(t *testing.T) {
	seen := map[string]bool{}
	for c := Internal; c <= NotFound; c++ {
		if seen[c.String()] || c.String() == "" {
			t.Errorf("class %d is called %q", int(c), c)
		}
		seen[c.String()] = true
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

// An error that quotes a huge request does not become a huge answer, and stays text.
func TestBounded(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", maxTextBytes)} {
		if got := Bounded(text); got != text {
			t.Errorf("%d bytes became %d", len(text), len(got))
		}
	}
	long := strings.Repeat("ä", maxTextBytes)
	for _, text := range []string{long, "x" + long} {
		got := Bounded(text)
		if len(got) > maxTextBytes+100 || !utf8.ValidString(got) || !strings.HasPrefix(got, text[:100]) {
			t.Errorf("%d bytes became %q", len(text), got)
		}
	}
	if got := ToGRPC(New(Invalid, "%s", long)); len(got.Error()) > maxTextBytes+200 {
		t.Errorf("the status has %d bytes", len(got.Error()))
	}
}
