package cluster_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dragg/cluster"
	"dragg/internal/fault"
)

// nodes is a world of nodes that note when they are asked.
type nodes struct {
	known []string
	says  map[string]error // of the rest: not there
	asked []string
}

func (n *nodes) ask(ctx context.Context, turns *cluster.Turns, m cluster.Manner) (string, error) {
	n.asked = nil
	return cluster.InTurn(ctx, turns, m, func() []string { return n.known }, func(ctx context.Context, node string) (string, error) {
		n.asked = append(n.asked, node)
		if err, ok := n.says[node]; ok || ctx.Err() != nil {
			return node, err
		}
		return "", fault.New(fault.Unavailable, "%s is not there", node)
	})
}

// Who answered is asked first the next time, and nobody else.
func TestTurnsStayWithWhoAnswers(t *testing.T) {
	n, turns := &nodes{known: []string{"a", "b", "c"}, says: map[string]error{"c": nil}}, &cluster.Turns{}
	for i, want := range [][]string{{"a", "b", "c"}, {"c"}} {
		if got, err := n.ask(t.Context(), turns, cluster.Manner{}); got != "c" || err != nil || !slices.Equal(n.asked, want) {
			t.Errorf("round %d: %q %v, asked %v", i, got, err, n.asked)
		}
	}
	if turns.Leave("a", n.known); turns.First(n.known) != "c" {
		t.Errorf("left c for a's sake")
	}
	if turns.First(nil) != "" {
		t.Errorf("a node among none")
	}
}

// An answer that another node would give as well ends the search, and so does an unknown outcome of what may be done once only.
func TestTurnsEndWithAnAnswer(t *testing.T) {
	refused, lost := fault.New(fault.Invalid, "no"), fault.New(fault.Unknown, "lost")
	for _, c := range []struct {
		says error
		once bool
		want []string
	}{
		{refused, false, []string{"a"}},
		{lost, true, []string{"a"}},
		{lost, false, []string{"a", "b"}},
		{nil, true, []string{"a"}},
	} {
		n := &nodes{known: []string{"a", "b"}, says: map[string]error{"a": c.says, "b": nil}}
		_, err := n.ask(t.Context(), &cluster.Turns{}, cluster.Manner{Once: c.once})
		if len(c.want) == 1 && !errors.Is(err, c.says) || len(c.want) == 2 && err != nil || !slices.Equal(n.asked, c.want) {
			t.Errorf("%v, once %v: %v, asked %v", c.says, c.once, err, n.asked)
		}
	}
}

// Goal: without patience everybody is asked once; with it all are asked again after pauses that grow, also those that are heard
// of meanwhile, until time is up. The error says whether the call may have been carried out.
func TestTurnsArePatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &nodes{known: []string{"a", "b"}, says: map[string]error{}}
		_, err := n.ask(t.Context(), &cluster.Turns{}, cluster.Manner{})
		u, ok := errors.AsType[*cluster.Unanswered](err)
		if !ok || u.Maybe || fault.ClassOf(err) != fault.Unavailable || len(n.asked) != 2 {
			t.Errorf("nobody there: %v, asked %v", err, n.asked)
		}
		n.says["a"] = fault.New(fault.Unknown, "lost")
		began, m := time.Now(), cluster.Manner{Patience: time.Second, First: 100 * time.Millisecond, Most: 200 * time.Millisecond}
		_, err = n.ask(t.Context(), &cluster.Turns{}, m)
		// 0, 100, 300, 500, 700, 900 and 1100 ms.
		if u, ok := errors.AsType[*cluster.Unanswered](err); !ok || !u.Maybe || time.Since(began) != 1100*time.Millisecond || len(n.asked) != 13 {
			t.Errorf("an outcome that is unknown: %v after %v, asked %v", err, time.Since(began), n.asked)
		}
		began = time.Now()
		late := func() []string { return []string{"late"}[:min(1, int(time.Since(began)/(150*time.Millisecond)))] }
		answer := func(_ context.Context, node string) (string, error) { return node, nil }
		if got, err := cluster.InTurn(t.Context(), &cluster.Turns{}, m, late, answer); got != "late" || err != nil {
			t.Errorf("whoever comes late: %q %v", got, err)
		}
	})
}

// A caller that goes away is let go at once, also out of a pause.
func TestTurnsEndWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		began, n := time.Now(), &nodes{known: []string{"a"}}
		_, err := n.ask(ctx, &cluster.Turns{}, cluster.Manner{Patience: time.Hour, First: time.Minute, Most: time.Minute})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 50*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
