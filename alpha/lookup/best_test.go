package lookup

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
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

// Goal: the values of the nodes that come first are all there, and those of others seldom read. Method: frontiers of random numbers
// behind exact and lossy indexes, of few keys and of more than are known without the disk, some nodes without a value; what has a
// value must have its own or none, and the first of the naive order theirs.
func TestFirstOfAFrontier(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	w := newWorld(t, "age: int @index(int) .\nscore: float @index(float) .\nserial: int @index(int) .")
	values := map[string]map[graph.UID]float64{"age": {}, "score": {}, "serial": {}}
	quads := func(from, to int) string {
		var b strings.Builder
		for u := from; u <= to; u++ {
			for pred, n := range map[string]int{"age": 40, "score": 400, "serial": 1 << 30} {
				if rnd.IntN(20) > 0 {
					v := rnd.IntN(n) - 5
					values[pred][graph.UID(u)] = float64(v)
					fmt.Fprintf(&b, "%d %s \"%d\"\n", u, pred, v)
				}
			}
		}
		return b.String()
	}
	const nodes = 6000
	w.set(quads(1, nodes))
	own := w.pending(nil, quads(nodes, nodes+20))
	fewer := map[string]int{}
	for range 300 {
		pred := []string{"age", "score", "serial"}[rnd.IntN(3)]
		var src []graph.UID
		every := 1 + rnd.IntN(12)
		for u := range graph.UID(nodes + 20) {
			if rnd.IntN(every) == 0 {
				src = append(src, u+1)
			}
		}
		best := task.Best{N: 1 + rnd.IntN(30), Desc: rnd.IntN(2) == 0, ByUID: rnd.IntN(2) == 0}
		res, err := w.run(own, task.Task{Kind: task.Values, Predicate: graph.Pred(pred), Src: src, Best: best})
		if err != nil {
			t.Fatal(err)
		}
		here := map[graph.UID]float64{}
		for _, u := range src {
			if v, ok := values[pred][u]; ok {
				here[u] = v
			}
		}
		got := map[graph.UID]float64{}
		for i, u := range src {
			for _, v := range res[0].Values[res[0].Offsets[i]:res[0].Offsets[i+1]] {
				if got[u], _ = strconv.ParseFloat(v.Text(), 64); got[u] != here[u] {
					t.Fatalf("%s of %d is %v, want %v", pred, u, got[u], here[u])
				}
			}
		}
		all := naiveBest(here, "has", 0, best.Desc)
		last := min(best.N, len(all)) - 1
		for i, u := range all {
			if _, ok := got[u]; !ok && last >= 0 && (i <= last || !best.ByUID && here[u] == here[all[last]]) {
				t.Fatalf("%s of %d nodes, %+v: %d is the %dth and has no value", pred, len(src), best, u, i)
			}
		}
		if len(got) < len(here) {
			fewer[fmt.Sprint(pred, best.Desc)]++
		}
	}
	if len(fewer) != 6 {
		t.Errorf("answers that left something out: %v", fewer)
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
