package lookup

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/query/task"
)

// Goal: a root function that need not find all finds those that matter. Method: random numbers behind an exact and a lossy index,
// some of them written by the transaction itself; the answer must hold the first of the naive order, with all their equals unless
// uids decide, and nothing that does not match. It must also be smaller than the whole answer, or the hint would be for nothing.
func TestBestHoldsTheFirst(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t, "age: int @index(int) .\nscore: float @index(float) .")
	values := map[string]map[graph.UID]float64{"age": {}, "score": {}}
	quads := func(from, to int) string {
		var b strings.Builder
		for u := from; u <= to; u++ {
			age, score := rnd.IntN(40)-5, float64(rnd.IntN(400))/10-5
			values["age"][graph.UID(u)], values["score"][graph.UID(u)] = float64(age), score
			fmt.Fprintf(&b, "%d age \"%d\"\n%d score \"%g\"\n", u, age, u, score)
		}
		return b.String()
	}
	w.set(quads(1, 300))
	own := w.pending(nil, quads(280, 320))
	smaller := 0
	for range 500 {
		pred, fn := []string{"age", "score"}[rnd.IntN(2)], []string{"ge", "gt", "le", "lt", "has"}[rnd.IntN(5)]
		bound := float64(rnd.IntN(40) - 5)
		text := fmt.Sprintf("%s(%s, %g)", fn, pred, bound)
		if fn == "has" {
			text = "has(" + pred + ")"
		}
		k := match(t, text)
		k.AtRoot, k.Best = true, task.Best{N: 1 + rnd.IntN(20), Desc: rnd.IntN(2) == 0, ByUID: rnd.IntN(2) == 0}
		res, err := w.run(own, k)
		if err != nil {
			t.Fatal(text, err)
		}
		got := res[0].Set.Slice()
		all := naiveBest(values[pred], fn, bound, k.Best.Desc)
		if last := min(k.Best.N, len(all)) - 1; last >= 0 {
			for i, u := range all {
				if k.Best.ByUID && i > last {
					break
				}
				if cmp.Compare(values[pred][u], values[pred][all[last]])*map[bool]int{false: 1, true: -1}[k.Best.Desc] <= 0 && !slices.Contains(got, u) {
					t.Fatalf("%s %+v: %s lacks %d", text, k.Best, uidText(got), u)
				}
			}
		}
		for _, u := range got {
			if !slices.Contains(all, u) {
				t.Fatalf("%s %+v: %d does not match", text, k.Best, u)
			}
		}
		if len(got) < len(all) {
			smaller++
		}
		if k.Best.ByUID && pred == "age" && len(got) > k.Best.N {
			t.Fatalf("%s %+v: %d nodes where their values are known from the index", text, k.Best, len(got))
		}
	}
	if smaller < 300 {
		t.Errorf("only %d of 500 answers left something out", smaller)
	}
}

// naiveBest returns the nodes that match, in order.
func naiveBest(values map[graph.UID]float64, fn string, bound float64, desc bool) (list []graph.UID) {
	for u, v := range values {
		if c := cmp.Compare(v, bound); fn == "has" || fn == "ge" && c >= 0 || fn == "gt" && c > 0 || fn == "le" && c <= 0 || fn == "lt" && c < 0 {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b graph.UID) int {
		c := cmp.Compare(values[a], values[b])
		if desc {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a, b))
	})
	return list
}
