package alpha

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Goal: a deadline ends as a context with a timer would, whichever way it is asked first. Method: each way, before and after.

var errLeft = errors.New("the client left")

func wantEnd(t *testing.T, ctx context.Context, is error) {
	t.Helper()
	late := (*timeoutError)(nil)
	if err := ctx.Err(); !errors.Is(err, is) {
		t.Errorf("it ended with %v, want %v", err, is)
	}
	if cause := context.Cause(ctx); errors.As(cause, &late) != errors.Is(is, context.DeadlineExceeded) {
		t.Errorf("it ended because of %v", cause)
	}
	select {
	case <-ctx.Done():
	default:
		t.Error("who waits was not told")
	}
}

func TestDeadlineByTheClock(t *testing.T) {
	d := newDeadline(t.Context(), 20*time.Millisecond)
	defer d.cancel()
	for d.Err() == nil { // nobody waits
		time.Sleep(time.Millisecond)
	}
	if took := time.Since(d.began); took < d.limit {
		t.Errorf("over after %v", took)
	}
	wantEnd(t, d, context.DeadlineExceeded)
}

func TestDeadlineByTheTimer(t *testing.T) {
	d := newDeadline(t.Context(), 20*time.Millisecond)
	defer d.cancel()
	child, cancel := context.WithCancel(d)
	defer cancel()
	if at, ok := d.Deadline(); !ok || !at.Equal(d.began.Add(d.limit)) || child.Err() != nil {
		t.Errorf("ends at %v, %v", at, child.Err())
	}
	<-child.Done()
	wantEnd(t, child, context.DeadlineExceeded)
	<-d.Done()
	wantEnd(t, d, context.DeadlineExceeded)
}

func TestDeadlineEndsWithTheClient(t *testing.T) {
	for name, waits := range map[string]bool{"asked": false, "waited for": true} {
		t.Run(name, func(t *testing.T) {
			client, leave := context.WithCancelCause(t.Context())
			d := newDeadline(client, time.Hour)
			defer d.cancel()
			if waits {
				d.Done()
			}
			if d.Err() != nil {
				t.Fatal("over before it began")
			}
			leave(errLeft)
			wantEnd(t, d, context.Canceled)
			if cause := context.Cause(d); !errors.Is(cause, errLeft) {
				t.Errorf("the cause is %v", cause)
			}
		})
	}
}
