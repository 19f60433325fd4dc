package oracle

import (
	encoding "encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// route is a shortest block and a block that shows its variable. Where several paths are as good any of them will do, so that an
// answer is not foretold but judged.
type route struct {
	from, to uid
	byVar    bool    // from and to are given by variables
	depth    int     // 0 for none
	paths    int     // 0 for none given, which is one
	min, max float64 // limits of weight; 0 for none
	vias     []via
}

// via is a predicate to follow.
type via struct {
	pred   string
	weight string // a facet; "" where each hop weighs 1
	only   *facets
	filter *cond
}

func (r *route) text() string {
	from, to := r.from.String(), r.to.String()
	var b strings.Builder
	b.WriteString("{\n")
	if r.byVar {
		fmt.Fprintf(&b, "  f as var(func: uid(%s))\n  t as var(func: uid(%s))\n", from, to)
		from, to = "uid(f)", "uid(t)"
	}
	args := []string{"from: " + from, "to: " + to}
	if r.paths > 0 {
		args = append(args, fmt.Sprint("numpaths: ", r.paths))
	}
	if r.depth > 0 {
		args = append(args, fmt.Sprint("depth: ", r.depth))
	}
	if r.min > 0 {
		args = append(args, fmt.Sprint("minweight: ", r.min))
	}
	if r.max > 0 {
		args = append(args, fmt.Sprint("maxweight: ", r.max))
	}
	fmt.Fprintf(&b, "  v as shortest(%s) {\n", strings.Join(args, ", "))
	for _, w := range r.vias {
		b.WriteString("    " + w.pred)
		if w.weight != "" {
			b.WriteString(" @facets(" + w.weight + ")")
		}
		b.WriteString(w.only.text())
		if w.filter != nil {
			b.WriteString(" @filter(" + w.filter.text() + ")")
		}
		b.WriteString("\n")
	}
	b.WriteString("  }\n  q(func: uid(v)) { uid }\n}")
	return b.String()
}

// hop is an edge that may be taken.
type hop struct {
	pred   string
	facet  string // pred|key, "" without a weight
	weight float64
	shown  any // the facet as JSON reads it
	from   uid
	to     uid
}

// hops returns the edges that may be taken, by where they begin. Those without the facet, or where it is no number, are no way
// (fact 76), and as the engine has it those of negative weight neither.
func (r *route) hops(g *triples) map[uid][]hop {
	e := newEvaluator(g, &query{})
	out := map[uid][]hop{}
	for _, w := range r.vias {
		for u, targets := range g.edges[w.pred] {
			for _, to := range targets {
				list := g.onEdge(w.pred, u, to)
				if w.filter != nil && !e.holds(w.filter, to) || !w.only.keeps(list) {
					continue
				}
				h := hop{pred: w.pred, weight: 1, from: u, to: to}
				if w.weight != "" {
					v, ok := facetOf(list, w.weight)
					if !ok || !numeric(v) || number(v) < 0 {
						continue
					}
					h.facet, h.weight, h.shown = w.pred+"|"+w.weight, number(v), number(v)
				}
				out[u] = append(out[u], h)
			}
		}
	}
	return out
}

// tooManyPaths is how many paths a route may have for all of them to be looked at.
const tooManyPaths = 20_000

// weights returns the weights of the paths that are wanted, best first, or false where there are too many paths to say.
func (r *route) weights(g *triples) ([]float64, bool) {
	if r.paths <= 1 && r.min == 0 {
		return r.least(g), true
	}
	hops := r.hops(g)
	var list []float64
	seen := 0
	var walk func(path []uid, weight float64)
	walk = func(path []uid, weight float64) {
		at := path[len(path)-1]
		if seen++; at == r.to {
			if weight >= r.min && (r.max == 0 || weight <= r.max) {
				list = append(list, weight)
			}
			return
		}
		if r.depth > 0 && len(path) > r.depth || seen > tooManyPaths {
			return
		}
		for _, h := range hops[at] {
			if !slices.Contains(path, h.to) {
				walk(append(path[:len(path):len(path)], h.to), weight+h.weight)
			}
		}
	}
	walk([]uid{r.from}, 0)
	slices.Sort(list)
	return list[:min(len(list), max(1, r.paths))], seen <= tooManyPaths
}

// least returns the weight of the best path, if there is one: the least weight with which each node is reached in so many hops.
func (r *route) least(g *triples) []float64 {
	hops, best := r.hops(g), math.Inf(1)
	limit := len(g.nodes) + 1
	if r.depth > 0 {
		limit = r.depth
	}
	reached := map[uid]float64{r.from: 0}
	for range limit + 1 {
		if w, ok := reached[r.to]; ok {
			best = min(best, w)
		}
		next := maps.Clone(reached)
		for u, w := range reached {
			for _, h := range hops[u] {
				if old, ok := next[h.to]; !ok || w+h.weight < old {
					next[h.to] = w + h.weight
				}
			}
		}
		reached = next
	}
	if math.IsInf(best, 1) || r.max > 0 && best > r.max {
		return nil
	}
	return []float64{best}
}

// judge returns what is wrong with an answer: each path must be one, none must come twice, and their weights must be the least.
func (r *route) judge(g *triples, want []float64, got string) error {
	var answer struct {
		Path []map[string]any `json:"_path_"`
		Q    []map[string]any `json:"q"`
	}
	d := encoding.NewDecoder(strings.NewReader(got))
	d.DisallowUnknownFields()
	if err := d.Decode(&answer); err != nil {
		return err
	}
	if len(answer.Path) != len(want) || (len(want) == 0) == strings.Contains(got, "_path_") {
		return fmt.Errorf("%d paths, want %v", len(answer.Path), want)
	}
	hops := r.hops(g)
	var first []map[string]any
	for i, p := range answer.Path {
		nodes, err := r.follow(hops, p, want[i])
		if err != nil {
			return fmt.Errorf("path %d: %w", i, err)
		}
		if i == 0 {
			for _, u := range nodes {
				first = append(first, map[string]any{"uid": u.String()})
			}
		}
		if slices.ContainsFunc(answer.Path[:i], func(other map[string]any) bool { return reflect.DeepEqual(other, p) }) {
			return fmt.Errorf("path %d comes twice", i)
		}
	}
	if len(first) != len(answer.Q) || len(first) > 0 && !reflect.DeepEqual(first, answer.Q) {
		return fmt.Errorf("the variable holds %v, the best path %v", answer.Q, first)
	}
	return nil
}

// follow goes along a path of the answer (fact 74): nested objects, the uid at every level, the weight at the first.
func (r *route) follow(hops map[uid][]hop, p map[string]any, weight float64) (nodes []uid, err error) {
	if p["_weight_"] != weight {
		return nil, fmt.Errorf("weighs %v, want %v", p["_weight_"], weight)
	}
	p = maps.Clone(p)
	delete(p, "_weight_")
	sum := 0.0
	for by := (hop{to: r.from}); ; sum += by.weight {
		at := by.to
		if nodes = append(nodes, at); p["uid"] != at.String() {
			return nil, fmt.Errorf("at %v: %v", at, p)
		}
		delete(p, "uid")
		if by.facet != "" && p[by.facet] != by.shown {
			return nil, fmt.Errorf("to %v: shows %v", at, p)
		}
		delete(p, by.facet)
		if len(p) == 0 {
			break
		}
		if by, p = nextHop(hops[at], p); p == nil {
			return nil, fmt.Errorf("there is no such way from %v", at)
		}
	}
	switch {
	case nodes[len(nodes)-1] != r.to:
		return nil, fmt.Errorf("ends at %v", nodes[len(nodes)-1])
	case sum != weight:
		return nil, fmt.Errorf("its hops weigh %v", sum)
	case r.depth > 0 && len(nodes)-1 > r.depth:
		return nil, errors.New("too deep")
	case len(slices.Compact(slices.Sorted(slices.Values(nodes)))) != len(nodes):
		return nil, errors.New("goes in a circle")
	}
	return nodes, nil
}

// nextHop returns the hop that an object of the answer goes on with, and the object that it leads to; nil where there is none. The
// hop that is meant is the one whose facet is shown.
func nextHop(hops []hop, p map[string]any) (hop, map[string]any) {
	for _, h := range hops {
		next, ok := p[h.pred].(map[string]any)
		if ok && len(p) == 1 && next["uid"] == h.to.String() {
			return h, maps.Clone(next)
		}
	}
	return hop{}, nil
}
