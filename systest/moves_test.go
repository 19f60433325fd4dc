//go:build systest

package systest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dragg/cluster"
	"dragg/protos/pb"
)

// mover moves tablets between groups, one after the other.
type mover struct {
	z       *cluster.Client
	groups  []uint32
	done    int
	givenUp int
	took    []time.Duration
}

// tablet returns what Zero says of a predicate, nil if it says nothing.
func tabletOf(st *pb.ZeroState, predicate string) *pb.Tablet {
	for _, t := range st.GetTablets() {
		if t.Predicate == predicate {
			return t
		}
	}
	return nil
}

// run moves predicates with one of the given prefixes to other groups until ctx ends.
func (m *mover) run(ctx context.Context, rng *rand.Rand, pause time.Duration, prefixes ...string) {
	for ctx.Err() == nil {
		m.moveOne(ctx, rng, prefixes)
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.Int64N(int64(pause) + 1))):
		}
	}
}

func (m *mover) moveOne(ctx context.Context, rng *rand.Rand, prefixes []string) {
	st, err := m.z.State(ctx)
	if err != nil {
		return
	}
	var those []*pb.Tablet
	for _, t := range st.Tablets {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(t.Predicate, p) }) {
			those = append(those, t)
		}
	}
	if len(those) == 0 {
		return
	}
	t := those[rng.IntN(len(those))]
	others := slices.DeleteFunc(slices.Clone(m.groups), func(g uint32) bool { return g == t.Group })
	began := time.Now()
	r, err := m.z.Move(ctx, &pb.MoveStep{Predicate: t.Predicate, Kind: pb.MoveKind_MOVE_BEGIN, To: others[rng.IntN(len(others))]})
	if err != nil {
		return
	}
	id := r.Tablet.Move.GetId()
	for ctx.Err() == nil {
		st, err := m.z.State(ctx)
		if err == nil {
			switch now := tabletOf(st, t.Predicate); {
			case now.GetIncarnation() == id:
				m.done++
				m.took = append(m.took, time.Since(began))
				return
			case now.GetMove().GetId() != id:
				m.givenUp++
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (m *mover) String() string {
	slices.Sort(m.took)
	median := time.Duration(0)
	if len(m.took) > 0 {
		median = m.took[len(m.took)/2]
	}
	return fmt.Sprintf("%d moves, %d given up, a move took %v", m.done, m.givenUp, median.Round(time.Millisecond))
}

// Goal: while tablets move, nothing is lost, every snapshot holds the same money, nobody is refused, and writers are held up only
// for moments. Method: the bank over two groups, its tablets moved back and forth all the time.
func TestMoves(t *testing.T) {
	c, clients := startCluster(t, 1, 2, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	eventually(ctx, t, "uids", func() error { return c.Zeros[0].AssignUIDs(ctx, 100) })
	b, err := newBank(ctx, clients[0])
	if err != nil {
		t.Fatal(err)
	}
	working, stop := context.WithTimeout(ctx, *chaosTime)
	defer stop()
	var workers sync.WaitGroup
	for p := range 6 {
		workers.Go(func() { b.client(working, p+1, clients, 7) })
	}
	m := &mover{z: c.Zero(), groups: []uint32{1, 2}}
	m.run(working, rand.New(rand.NewPCG(1, 1)), 200*time.Millisecond, "amount", "value")
	workers.Wait()
	for i, n := range c.Alphas {
		b.verify(ctx, t, n.Name, clients[i])
	}
	b.check(ctx, t, c)
	p99, longest := b.stall()
	t.Logf("%v; inserts: %d refused, one in a hundred took %v, the longest %v", m, b.refused.Load(), p99, longest)
	if m.done == 0 || m.givenUp > 0 || b.refused.Load() > b.inserts.Load()/100 || p99 > 300*time.Millisecond {
		t.Errorf("moves: %v", m)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Alphas {
		if err := fsckData(n.Dragg); err != nil {
			t.Errorf("%s: %v", n.Name, err)
		}
	}
}

// groupsOfBank returns which group serves each of the bank's predicates.
func groupsOfBank(ctx context.Context, t *testing.T, z *cluster.Client) map[string]uint32 {
	t.Helper()
	st, err := z.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]uint32{}
	for _, tb := range st.Tablets {
		if strings.HasPrefix(tb.Predicate, "amount") || tb.Predicate == "value" {
			out[tb.Predicate] = tb.Group
		}
	}
	return out
}

// Goal: operators move predicates, empty a node, and let it serve again. Method: /moveTablet as existing tools call it, with right and
// wrong arguments; a group of one node is drained until it serves nothing; all of it under work, and nothing is lost.
func TestOperatorMoves(t *testing.T) {
	c, clients := startCluster(t, 1, 2, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	eventually(ctx, t, "uids", func() error { return c.Zeros[0].AssignUIDs(ctx, 100) })
	b, err := newBank(ctx, clients[0])
	if err != nil {
		t.Fatal(err)
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	var workers sync.WaitGroup
	for p := range 3 {
		workers.Go(func() { b.client(working, p+1, clients, 7) })
	}
	z := c.Zero()
	for predicate, from := range groupsOfBank(ctx, t, z) {
		to := 3 - from
		url := fmt.Sprintf("%s/moveTablet?tablet=%s&group=%d", c.Zeros[0].ZeroHTTP(), predicate, to)
		want := fmt.Sprintf("Predicate: [%s] moved from group: [%d] to [%d]", predicate, from, to)
		if got := strings.TrimSpace(string(get(t, url))); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
		if got := refusal(t, url); !strings.Contains(got, fmt.Sprintf("is in group %d already", to)) {
			t.Errorf("moved to where it is: %s", got)
		}
	}
	for query, want := range map[string]string{
		"tablet=nobody&group=1": "there is no predicate", "tablet=value&group=9": "there is no group 9", "tablet=value&group=x": "must name",
		"group=1": "must name", "tablet=value&group=0": "there is no group 0", "tablet=value&group=1&namespace=z": "must be a number",
	} {
		if got := refusal(t, c.Zeros[0].ZeroHTTP()+"/moveTablet?"+query); !strings.Contains(got, want) {
			t.Errorf("/moveTablet?%s: %s, want %q", query, got, want)
		}
	}
	drained := func(group uint32) {
		t.Helper()
		waitFor(t, fmt.Sprintf("group %d to serve nothing", group), func() bool {
			st, err := z.State(ctx)
			return err == nil && !slices.ContainsFunc(st.Tablets, func(tb *pb.Tablet) bool { return tb.Group == group })
		})
	}
	for _, group := range []uint32{2, 1} {
		if _, err := z.SetDrain(ctx, &pb.Drain{Id: uint64(group), Group: group, Draining: true}); err != nil {
			t.Fatal(err)
		}
		drained(group)
		if _, err := z.SetDrain(ctx, &pb.Drain{Id: uint64(group), Group: group}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := z.SetDrain(ctx, &pb.Drain{Id: 77, Group: 1, Draining: true}); err == nil {
		t.Error("a node was drained that is not there")
	}
	stop()
	workers.Wait()
	for i, n := range c.Alphas {
		b.verify(ctx, t, n.Name, clients[i])
	}
	b.check(ctx, t, c)
}

// refusal returns why a request is refused.
func refusal(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 4 {
		t.Errorf("%s: %s %s %v", url, resp.Status, body, err)
	}
	return string(body)
}
