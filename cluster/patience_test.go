package cluster

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dragg/internal/fault"
)

// lines keeps what is logged.
type lines struct{ text []string }

func (l *lines) Write(p []byte) (int, error) {
	_, msg, _ := strings.Cut(string(p), "level=")
	l.text = append(l.text, strings.TrimSpace(msg))
	return len(p), nil
}

// Goal: a peer that is away is waited for, with pauses that double up to a bound, and only the changes are said. Method: a fake clock
// and a peer that fails a number of times.
func TestPatienceSaysEachChangeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		p := Patience{Peer: "zero at z:1", Logger: slog.New(slog.NewTextHandler(log, nil)), First: time.Second, Most: 4 * time.Second}
		began, calls := time.Now(), []time.Duration{}
		for _, class := range []fault.Class{fault.Unavailable, fault.Unknown} {
			calls, began, log.text = nil, time.Now(), nil
			err := p.Do(t.Context(), func(context.Context) error {
				if calls = append(calls, time.Since(began)); len(calls) < 6 {
					return fault.New(class, "away")
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			want := []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 11 * time.Second, 15 * time.Second}
			if !slices.Equal(calls, want) {
				t.Errorf("tries at %v", calls)
			}
			if len(log.text) != 2 || !strings.HasPrefix(log.text[0], "WARN") || !strings.Contains(log.text[0], `"zero at z:1"`) ||
				!strings.Contains(log.text[0], "away") || !strings.HasPrefix(log.text[1], "INFO") {
				t.Errorf("said %q", log.text)
			}
		}
		log.text = nil
		if err := p.Do(t.Context(), func(context.Context) error { return nil }); err != nil || len(log.text) > 0 {
			t.Errorf("a peer that is there: %v, said %q", err, log.text)
		}
	})
}

// Goal: whoever follows a peer says that it is back when it is, not when the call ends, and says so of each absence. Method: a call
// that fails twice, hears of the peer, breaks off, and does all of that again.
func TestFollowingSaysEachChangeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, calls := &lines{}, 0
		p := Patience{Peer: "zero", Logger: slog.New(slog.NewTextHandler(log, nil)), First: time.Second, Most: 4 * time.Second}
		began := time.Now()
		err := p.Follow(t.Context(), func(_ context.Context, there func()) error {
			calls++
			if calls%3 != 0 {
				return fault.New(fault.Unavailable, "away")
			}
			if said := len(log.text); said%2 != 1 {
				t.Errorf("before it was there: %q", log.text)
			}
			there()
			there()
			if said := len(log.text); said%2 != 0 || !strings.Contains(log.text[said-1], "the peer is back") {
				t.Errorf("while it was there: %q", log.text)
			}
			if calls == 3 {
				return fault.New(fault.Unavailable, "gone again")
			}
			return nil
		})
		if err != nil || calls != 6 || len(log.text) != 4 {
			t.Errorf("%v after %d calls, said %q", err, calls, log.text)
		}
		if took := time.Since(began); took != (1+2+1+2+4)*time.Second {
			t.Errorf("the pauses took %v: they begin anew when the peer was there", took)
		}
	})
}

// What another try cannot mend is returned at once; a context that ends ends the waiting.
func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Patience{Logger: slog.New(slog.DiscardHandler)}
		for _, class := range []fault.Class{fault.Internal, fault.Invalid, fault.Aborted, fault.Exhausted, fault.Denied} {
			calls := 0
			err := p.Do(t.Context(), func(context.Context) error { calls++; return fault.New(class, "no") })
			if fault.ClassOf(err) != class || calls != 1 {
				t.Errorf("class %d: %v after %d calls", class, err, calls)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		calls := 0
		err := p.Do(ctx, func(context.Context) error { calls++; return fault.New(fault.Unavailable, "away") })
		if !errors.Is(err, context.DeadlineExceeded) || calls < 30 || calls > 40 {
			t.Errorf("%v after %d calls", err, calls)
		}
		gone, stop := context.WithCancel(t.Context())
		err = p.Do(gone, func(context.Context) error { stop(); return fault.New(fault.Unavailable, "away") })
		if err == nil {
			t.Error("a call that ended with its context was called a success")
		}
	})
}
