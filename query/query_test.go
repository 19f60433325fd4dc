package query

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/query/task"
)

// Beside the scripts: what a client does not see, and what only our own decisions say.

func execute(t *testing.T, f *fake, text string, opts Options) (*Result, error) {
	t.Helper()
	doc, err := dql.ParseWith(text, nil, nil, dql.Options{})
	if err != nil && strings.Contains(err.Error(), "defined but not used") {
		// A mutation would use them.
		doc, err = dql.ParseWithUses(text, nil, []string{"a", "v"})
	}
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Build(doc, f.schema)
	if err != nil {
		return nil, err
	}
	return Execute(t.Context(), plan, f, 1, opts)
}

// TestRounds holds the number of Runner.Run calls: one for each level over all blocks, one more for filters and orders.
func TestRounds(t *testing.T) {
	for text, want := range map[string]int{
		`{ q(func: uid(1)) { name age friend { name } best { age friend { age } } } }`:                                3,
		`{ a(func: has(age)) { name friend { name } } b(func: eq(name, "Al")) { age best { age } } }`:                 3,
		`{ q(func: uid(1)) @filter(has(age) and (has(name) or eq(age, 3))) { name } }`:                                2,
		`{ q(func: uid(1), orderasc: age) @filter(has(age)) { name friend @filter(has(age)) { n: count(friend) } } }`: 5,
		`{ v as var(func: uid(1)) q(func: uid(v)) { uid } }`:                                                          0,
		`{ var(func: uid(1)) { v as friend } q(func: uid(v)) { name } r(func: uid(v)) { age } }`:                      2,
	} {
		f := oneGraph(t)
		res, err := execute(t, f, text, Options{})
		if err != nil {
			t.Fatal(text, err)
		}
		if res.Rounds != want || f.runs != want {
			t.Errorf("%s: %d rounds, %d runs, want %d", text, res.Rounds, f.runs, want)
		}
	}
}

func TestTouchedUIDs(t *testing.T) { // fact027
	res, err := execute(t, oneGraph(t), `{ q(func: uid(1, 2)) @filter(has(age)) { age friend { age } } }`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(res.NumUIDs)
	if want := "map[:2 _total:11 age:7 friend:2]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestVariablesAndConditions(t *testing.T) { // fact109
	f := oneGraph(t)
	res, err := execute(t, f, `{ v as var(func: uid(1, 2, 9)) { a as age } }`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	v, a := res.Vars["v"], res.Vars["a"]
	if !slices.Equal(v.UIDs, []graph.UID{1, 2, 9}) || v.Values != nil || v.Len() != 3 {
		t.Errorf("v: %+v", v)
	}
	if x, ok := a.Value(2); !ok || x.Int() != 40 || a.Len() != 2 {
		t.Errorf("a: %+v", a)
	}
	if _, ok := a.Value(9); ok {
		t.Error("node 9 has no age")
	}
	vars := map[string]*Var{"v": v, "a": a, "c": {IsConstant: true, Constant: types.OfInt(7)}, "none": {}}
	for text, want := range map[string]bool{
		"":                                       true,
		"@if()":                                  true,
		"@if(eq(len(v), 3))":                     true,
		"@if(eq(len(v), [1, 3]))":                true,
		"@if(between(len(v), 3, 4))":             true,
		"@if(gt(len(v), 3) or le(len(a), 2))":    true,
		"@if(eq(len(none), 0) and lt(len(v),3))": false,
		"@if(not eq(len(unheard), 0))":           false,
		"@if(gt(val(c), 6))":                     true,
		"@if(gt(val(a), 6))":                     false,
		"@if(uid(v))":                            false,
		"@if(eq(name, \"Al\"))":                  false,
	} {
		cond, err := dql.ParseCond(text)
		if err != nil {
			t.Fatal(text, err)
		}
		if got, err := Holds(cond, vars); err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
}

func TestRefusedPlans(t *testing.T) {
	for text, want := range map[string]string{
		`{ q(func: uid(1)) { a as age friend @filter(gt(val(a), 3)) { name } } }`:                                                                "in the block that defines it",
		`{ q(func: uid(1), orderasc: val(a)) { a as age } }`:                                                                                     "in the block that defines it",
		`{ a as var(func: uid(b)) b as var(func: uid(a)) }`:                                                                                      "the variables of the blocks a, b need one another",
		`{ q(func: uid(1)) { friend { friend { a as age } } sum(val(a)) } }`:                                                                     "invalid variable aggregation",
		`{ q(func: similar_to(vec, 3, "[1, 2]")) { uid } }`:                                                                                      "similar_to",
		`{ q(func: uid(1)) { x as math(y + 1) y as math(x + 1) } }`:                                                                              "need one another",
		`{ q(func: uid(1)) { name @facets(a as k) } r(func: uid(a)) { uid } }`:                                                                   "only the facets of edges",
		`{ q(func: gt(age, val(a))) { uid } var(func: uid(1, 2)) { a as age } }`:                                                                 "expects only 1 argument",
		`{ shortest(from: uid(a), to: 1) { friend } a as var(func: uid(1, 2)) }`:                                                                 "variable of one uid",
		`{ shortest(from: 1, to: 2) { friend @facets(w, note) } }`:                                                                               "expected only 1",
		`{ q(func: uid(1)) { name@de:en age@en } }`:                                                                                              "having @lang directive",
		`{ q(func: uid(1)) { checkpwd(age, "x") } }`:                                                                                             "type password",
		`{ q(func: uid(1)) { friend @facets(n as note) } q2(func: uid(1)) { friend { friend @facets(a as note) } } r(func: uid(n, a)) { uid } }`: "",
	} {
		_, err := execute(t, oneGraph(t), text, Options{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nwant %s\ngot  %v", text, want, err)
		}
	}
}

// broken answers with too few rows.
type broken struct{ *fake }

func (b broken) Run(ctx context.Context, ts graph.Timestamp, batch []task.Task) ([]task.Result, error) {
	res, err := b.fake.Run(ctx, ts, batch)
	for i := range res {
		if len(res[i].Offsets) > 1 {
			res[i].Offsets = res[i].Offsets[:len(res[i].Offsets)-1]
		}
	}
	return res, err
}

func TestAnswersThatDoNotFit(t *testing.T) {
	f := oneGraph(t)
	doc, err := dql.Parse(`{ q(func: uid(1, 2)) { name friend { name } } }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Build(doc, f.schema)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Execute(t.Context(), plan, broken{f}, 1, Options{}); !errors.Is(err, errRunner) {
		t.Errorf("got %v", err)
	}
}

// TestMoreScripts holds answers that no recorded script covers.
func TestMoreScripts(t *testing.T) {
	f := oneGraph(t)
	for text, want := range map[string]string{
		`{ q(func: uid(1)) @recurse(depth: 2) { expand(_all_) } }`: `{"q":[{"name@en":"Albert","name":"Al","age":30,` +
			`"friend":[{"name":"Bo","age":40,"friend|note":"n","friend|w":1},` +
			`{"name@de":"Cy","age":9223372036854775807,"friend|w":2.5}]}]}`,
		`{ var(func: uid(2)) { l as best } q(func: uid(l)) { uid } }`:                                       `{"q":[{"uid":"0x3"}]}`,
		`{ q(func: uid(1)) @cascade { uid f as friend @filter(uid(2)) { name } } r(func: uid(f)) { uid } }`: `{"q":[{"uid":"0x1","friend":[{"name":"Bo"}]}],"r":[{"uid":"0x2"}]}`,
		`{ q(func: uid(1)) @cascade { uid f as friend { big } } r(func: uid(f)) { uid } }`:                  `{"q":[],"r":[]}`,
		`{ var(func: has(age)) { a as age } q() { sum(val(a)) } }`:                                          `{"q":[{"sum(val(a))":9223372036854775872}]}`,
		`{ q(func: uid(1)) @normalize { uid friend { uid n: age } } }`: `{"q":[{"n":40,"uid":["0x1","0x2"]},` +
			`{"n":9223372036854775807,"uid":["0x1","0x3"]}]}`,
		`{ q(func: uid(1)) { best { count(uid) name } } }`:                                         `{"q":[{"best":[{"name":"Bo"},{"count":1}]}]}`,
		`{ q(func: uid(1)) { tags: tags @facets pin born vec } }`:                                  `{"q":[{"tags":["y","x"],"born":"2001-02-03T00:00:00Z","vec":[1E+00,2E+00]}]}`,
		`{ q(func: uid(1, 3), orderasc: name@de) { uid } }`:                                        `{"q":[{"uid":"0x3"},{"uid":"0x1"}]}`,
		`{ q(func: uid(0, 1)) { uid } }`:                                                           `{"q":[{"uid":"0x1"}]}`,
		`{ q(func: has(age), first: 2, orderdesc: fee) { uid } }`:                                  `{"q":[{"uid":"0x4"},{"uid":"0x1"}]}`,
		`{ n as var(func: has(age)) q(func: uid(n)) @filter(eq(ok, true)) { l: math(1 + 2.0) } }`:  `{"q":[{"l":3}]}`,
		`{ var(func: has(fee)) { n as count(uid) } q(func: uid(1)) { val(n) math: math(n + 1) } }`: `{"q":[{"val(n)":2,"math":3}]}`,
		`{ shortest(from: 1, to: 4, depth: 1) { friend } }`:                                        `{}`,
		`{ shortest(from: 1, to: 4, maxfrontiersize: 1, numpaths: 2) { friend } }`:                 `{}`,
		`{ q(func: eq(name@., "Cy")) { uid } }`:                                                    `{"q":[{"uid":"0x3"}]}`,
		`{ q(func: uid(1)) { friend (orderasc: age) @facets(orderdesc: w) { uid } } }`:             `{"q":[{"friend":[{"uid":"0x2","friend|w":1},{"uid":"0x3","friend|w":2.5}]}]}`,
	} {
		got, err := f.query(text, nil, false)
		if err != nil {
			got = "error: " + err.Error()
		}
		if !matches(want, got) {
			t.Errorf("%s\nwant %s\ngot  %s", text, want, got)
		}
	}
}

// TestRows compares the columnar operations with plain ones on random rows.
func TestRows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		span := []int{8, 300, 1 << 40}[rnd.IntN(3)]
		var plain [][]graph.UID
		x := rows{offsets: []uint32{0}}
		for range rnd.IntN(40) {
			row := []graph.UID{}
			for range rnd.IntN(12) {
				row = append(row, graph.UID(rnd.IntN(span)+1))
			}
			slices.Sort(row)
			row = slices.Compact(row)
			plain = append(plain, row)
			x.targets = append(x.targets, row...)
			x.offsets = append(x.offsets, uint32(len(x.targets)))
		}
		x.distinct()
		checkRows(t, &x, plain)
		keep := slices.Clone(x.uids)
		keep = slices.DeleteFunc(keep, func(u graph.UID) bool { return u%3 == 0 })
		x.keepUIDs(keep)
		for i := range plain {
			plain[i] = slices.DeleteFunc(plain[i], func(u graph.UID) bool { return u%3 == 0 })
		}
		checkRows(t, &x, plain)
		values := make([]types.Value, len(x.uids))
		has := make([]bool, len(x.uids))
		byUID := map[graph.UID]int64{}
		for i, u := range x.uids {
			byUID[u] = rnd.Int64N(5)
			values[i], has[i] = types.OfInt(byUID[u]), rnd.IntN(4) > 0
			if !has[i] {
				byUID[u] = 1 << 40
			}
		}
		x.order(rankOf(len(x.uids), []sortKey{{column: column{values: values, has: has}}}, 0, awaited), awaited)
		for _, row := range plain {
			slices.SortStableFunc(row, func(a, b graph.UID) int { return int(byUID[a] - byUID[b]) })
		}
		checkRows(t, &x, plain)
		first, offset, after := rnd.IntN(9)-3, rnd.IntN(4), graph.UID(rnd.IntN(2)*rnd.IntN(span))
		x.page(first, offset, after)
		x.compact()
		for i, row := range plain {
			row = slices.DeleteFunc(row, func(u graph.UID) bool { return u <= after })
			lo, hi := pageBounds(0, len(row), first, offset)
			plain[i] = row[lo:hi]
		}
		checkRows(t, &x, plain)
	}
}

func checkRows(t *testing.T, x *rows, plain [][]graph.UID) {
	t.Helper()
	var all []graph.UID
	for i, row := range plain {
		from, to := x.row(i)
		if !slices.Equal(x.targets[from:to], row) {
			t.Fatalf("row %d: %v, want %v", i, x.targets[from:to], row)
		}
		all = append(all, row...)
	}
	slices.Sort(all)
	if all = slices.Compact(all); !slices.Equal(x.uids, all) {
		t.Fatalf("uids %v, want %v", x.uids, all)
	}
	for i, u := range x.targets {
		if x.uids[x.index[i]] != u {
			t.Fatalf("index of %v leads to %v", u, x.uids[x.index[i]])
		}
	}
}

// TestTopRanks compares a ranking of the first few with a whole one.
func TestTopRanks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		n := rnd.IntN(60) + 1
		keys := make([]sortKey, 2)
		for k := range keys {
			keys[k].desc = rnd.IntN(2) == 0
			for range n {
				v := []types.Value{
					types.OfFloat(float64(rnd.IntN(7)-3) / 2), types.OfString(strings.Repeat("x", rnd.IntN(12))),
				}[k]
				keys[k].values = append(keys[k].values, v)
				keys[k].has = append(keys[k].has, rnd.IntN(5) > 0)
			}
		}
		whole := rankOf(n, keys, 0, awaited)
		most := rnd.IntN(8) + 1
		for i, r := range rankOf(n, keys, most, awaited) {
			if r != whole[i] && (r != dropped || int(whole[i]) < most) {
				t.Fatalf("row %d of %d: rank %d, want %d", i, n, r, whole[i])
			}
		}
		for i := range n {
			for j := range n {
				before := 0
				for k := range keys {
					if before == 0 {
						before = keys[k].compare(i, j)
					}
				}
				if before == 0 {
					before = i - j
				}
				if i != j && (before < 0) != (whole[i] < whole[j]) {
					t.Fatalf("rows %d and %d are out of order", i, j)
				}
			}
		}
	}
}

// awaited is what says that somebody waits for the answer.
func awaited() bool { return false }

// A sort that nobody waits for is soon done. Method: count how often it asks, which it does once for each comparison.
func TestSortsEndWhenNobodyWaits(t *testing.T) {
	const n = 50_000
	rng := rand.New(rand.NewPCG(3, 4))
	values, has := make([]types.Value, n), make([]bool, n)
	for i := range values {
		values[i], has[i] = types.OfInt(rng.Int64()), true
	}
	for _, most := range []int{0, 100} {
		asked := 0
		gone := func() bool { asked++; return asked > 1000 }
		rankOf(n, []sortKey{{column: column{values: values, has: has}}}, most, gone)
		if asked > 4*n {
			t.Errorf("the best %d of %d: %d comparisons, most of them for nobody", most, n, asked)
		}
	}
}

// A facet that is a variable and shown, or an order and shown, is in the answer once; reading the answer as JSON would hide a second.
func TestFacetsAreShownOnce(t *testing.T) {
	f := oneGraph(t)
	for _, list := range []string{"x as w, w", "x as w, orderasc: w", "w, w, x as w", "x as w, y as w"} {
		got, err := f.query(`{ q(func: uid(1)) { friend @facets(`+list+`) { age } } r(func: uid(x)) { val(x) } `+
			strings.Repeat(`s(func: uid(y)) { uid } `, strings.Count(list, "y as"))+`}`, nil, false)
		if err != nil || strings.Count(got, `"friend|w":1`) != 1 {
			t.Errorf("@facets(%s): %s, %v", list, got, err)
		}
	}
}
