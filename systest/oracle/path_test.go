package oracle

import "testing"

// The judge of paths takes no answer that is wrong. Method: a triangle with weights, right and wrong answers by hand.
func TestJudgeOfPaths(t *testing.T) {
	g := newTriples([]uid{1, 2, 3})
	for _, e := range []struct {
		from, to uid
		w        int64
	}{{1, 2, 1}, {2, 3, 1}, {1, 3, 3}, {3, 1, 1}} {
		g.link("friend", e.from, e.to)
		g.facets[element{"friend", e.from, e.to.String()}] = []facet{{"w", e.w}}
	}
	const (
		best   = `{"friend":{"friend":{"uid":"0x3","friend|w":1},"uid":"0x2","friend|w":1},"uid":"0x1","_weight_":2}`
		direct = `{"friend":{"uid":"0x3","friend|w":3},"uid":"0x1","_weight_":3}`
		list   = `"q":[{"uid":"0x1"},{"uid":"0x2"},{"uid":"0x3"}]`
	)
	for _, c := range []struct {
		name  string
		paths int
		got   string
		right bool
	}{
		{"the best", 1, `{` + list + `,"_path_":[` + best + `]}`, true},
		{"both", 2, `{` + list + `,"_path_":[` + best + `,` + direct + `]}`, true},
		{"a longer one", 1, `{"q":[{"uid":"0x1"},{"uid":"0x3"}],"_path_":[` + direct + `]}`, false},
		{"the other way round", 2, `{` + list + `,"_path_":[` + direct + `,` + best + `]}`, false},
		{"one twice", 2, `{` + list + `,"_path_":[` + best + `,` + best + `]}`, false},
		{"one of two", 2, `{` + list + `,"_path_":[` + best + `]}`, false},
		{"none", 1, `{"q":[]}`, false},
		{"another variable", 1, `{"q":[{"uid":"0x1"}],"_path_":[` + best + `]}`, false},
		{"no such edge", 1, `{` + list + `,"_path_":[{"friend":{"friend":{"uid":"0x2","friend|w":1},"uid":"0x3","friend|w":1},"uid":"0x1","_weight_":2}]}`, false},
		{"another facet", 1, `{` + list + `,"_path_":[{"friend":{"friend":{"uid":"0x3","friend|w":2},"uid":"0x2","friend|w":1},"uid":"0x1","_weight_":2}]}`, false},
	} {
		r := &route{from: 1, to: 3, paths: c.paths, vias: []via{{pred: "friend", weight: "w"}}}
		want, ok := r.weights(g)
		if err := r.judge(g, want, c.got); !ok || (err == nil) != c.right {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
