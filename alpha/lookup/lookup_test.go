package lookup

import (
	"context"
	"errors"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/query/task"
)

const townSchema = `
name: string @index(exact, term) @lang .
code: string @index(hash) .
motto: string @index(term) .
brief: string @index(fulltext) @lang .
part: string @index(trigram) @lang .
saying: string @index(ngram) .
tags: [string] @index(exact, fulltext) @count .
free: string .
i: int @index(int) .
f: float @index(float) .
big: bigfloat @index(bigfloat) .
b: bool @index(bool) .
day: datetime @index(day) .
year: datetime @index(year) .
loose: int .
when: datetime .
flag: bool .
link: [uid] @reverse @count .
hub: uid @reverse .
oneway: [uid] .
pin: password .
spot: geo .
place: geo @index(geo) .
raw: default .
`

const townData = `
1 name "Ann Low"
1 name "Anne"@fr
1 name "Anna"@de
2 name "Bob Low"
3 name "Cy High"@de
4 name ""
1 code "AUR-1"
2 code "BOR-2"
1 motto "slow and steady"
2 motto "steady and slow"
3 motto "Steady"
4 motto "..."
1 brief "The mice ate all cheeses"@en
1 brief "Die Häuser der Stadt"@de
2 brief "A cheese and a mouse"@en
2 brief "Ein Haus am See"@de
3 brief "untagged cheeses"
1 part "Steel bolt M8"
1 part "Schraube"@de
2 part "steel nut M8"
3 part "Brass washer M10"
4 part "M8"
1 saying "the quick brown fox jumps over the lazy dog"
2 saying "the brown quick fox sleeps"
3 saying "Foxes are quick and brown"
4 saying "fox"
1 tags "races"
1 tags "running"
2 tags "bakeries"
2 tags "home work"
1 free "abc"
2 free "xyz"
1 i "288"
2 i "544"
3 i "1233"
4 i "-1"
1 f "560.5"
2 f "328"
3 f "328.75"
4 f "-0.5"
1 big "17779.2"
2 big "17779.7"
3 big "123456789012345678901234567890.5"
4 big "-5.5"
1 b "true"
2 b "false"
1 day "2020-05-01T23:30:00-05:00"
2 day "2020-05-02T01:00:00+03:00"
3 day "2020-05-02"
1 year "1903"
2 year "1903-07-01"
3 year "1969-12-31T23:59:59Z"
1 loose "4"
2 loose "7"
1 when "2021-03-04T18:00:00Z"
1 flag "false"
1 link 2
1 link 3
2 link 3
3 link 4
1 hub 4
2 hub 4
3 hub 1
4 oneway 1
1 raw "12.50"
1 pin "opensesame"
1 spot "{'type':'Point','coordinates':[1,2]}"
1 place "{'type':'Point','coordinates':[1,2]}"
`

// Functions at the root and as a filter over everybody, or where they differ, each on its own.
func TestMatch(t *testing.T) {
	w := newWorld(t, townSchema)
	w.set(townData)
	everybody := upTo(10)
	for _, tt := range []struct{ fn, root, filter string }{
		// Facts 66, 80, 84, 86: equality.
		{`eq(name, "Ann Low")`, "1", ""},
		{`eq(name, "Ann Low", "Bob Low", "Ann Low")`, "1 2", ""},
		{`eq(name, "Anna")`, "", ""},
		{`eq(name@de, "Anna")`, "1", ""},
		{`eq(name@fr:de, "Anna")`, "1", ""},
		{`eq(name@., "Cy High")`, "3", ""},
		{`eq(name, "")`, "4", ""},
		{`eq(name@*, "x")`, "error: the * symbol cannot be used", ""},
		{`eq(code, "AUR-1")`, "1", ""},
		{`eq(code@de, "AUR-1")`, "error: having @lang directive", ""},
		{`eq(motto, "slow and steady")`, "1", ""},
		{`eq(motto, "slow")`, "", ""},
		{`eq(motto, "...")`, "4", ""},
		{`eq(brief, "untagged cheeses")`, "3", ""},
		{`eq(brief@de, "Ein Haus am See")`, "2", ""},
		{`eq(brief, "cheese untagged")`, "", ""},
		{`eq(part, "M8")`, "error: is not indexed", "4"},
		{`eq(free, "abc")`, "error: predicate free is not indexed", "1"},
		{`eq(i, 288, 7)`, "1", ""},
		{`eq(i, 3.5)`, `error: parsing "3.5": invalid syntax`, ""},
		{`eq(f, 328)`, "2", ""},
		{`eq(big, 123456789012345678901234567890.5)`, "3", ""},
		{`eq(b, false)`, "2", ""},
		{`eq(b, maybe)`, "error: maybe", ""},
		{`eq(flag, false)`, "error: is not indexed", "1"},
		{`eq(day, "2020-05-01T22:00:00Z")`, "2", ""},
		{`eq(year, "1903-07-01")`, "2", ""},
		{`eq(tags, "races")`, "1", ""},
		{`eq(link, 2)`, "error: is not valid scalar type", ""},
		{`eq(pin, "opensesame")`, "error: predicate pin is not indexed", "error: cannot be compared"},
		{`eq(place, "x")`, "error: as geojson", ""},
		{`eq(nosuch, "x")`, "", ""},
		{`eq(name)`, "error: eq expects atleast 1 argument", ""},
		// Facts 80, 87, 89: inequality.
		{`gt(name, "Ann Low")`, "2", ""},
		{`ge(name, "Ann")`, "1 2", ""},
		{`lt(name, "B")`, "1 4", ""},
		{`ge(name@de, "Anna")`, "1 3", ""},
		{`le(name@., "Anna")`, "1 4", ""},
		{`gt(i, 544)`, "3", ""},
		{`ge(i, 544)`, "2 3", ""},
		{`lt(i, 288)`, "4", ""},
		{`le(i, 288)`, "1 4", ""},
		{`between(i, -1, 288)`, "1 4", ""},
		{`between(i, 3, 1)`, "", ""},
		{`le(f, 328)`, "2 4", ""},
		{`lt(f, 0)`, "4", ""},
		{`gt(f, -0.25)`, "1 2 3", ""},
		{`between(f, 328.5, 560)`, "3", ""},
		{`lt(big, 17779.3)`, "1 4", ""},
		{`gt(big, 17779.2)`, "2 3", ""},
		{`ge(year, "1903-02")`, "2 3", ""},
		{`between(year, "1903", "1969")`, "1 2", ""},
		{`lt(day, "2020-05-02T04:30:00Z")`, "2 3", ""},
		{`gt(code, "B")`, "error: does not have proper index for comparison", "2"},
		{`ge(loose, 5)`, "error: is not indexed", "2"},
		{`gt(when, "2021")`, "error: is not indexed", "1"},
		{`gt(b, false)`, "error: does not have proper index for comparison", "error: have no order"},
		{`gt(i, 1, 2)`, "error: expects only 1 argument", ""},
		{`between(i, 1)`, "error: expects only 2 argument", ""},
		// Fact 81: words.
		{`anyofterms(name, "low")`, "1 2", ""},
		{`allofterms(name, "LOW bob")`, "2", ""},
		{`allofterms(name@de, "high cy")`, "3", ""},
		{`anyofterms(name@., "anne high")`, "1 3", ""},
		{`anyofterms(name, "")`, "", ""},
		{`allofterms(name, "...")`, "", ""},
		{`anyofterms(free, "abc")`, "error: attribute free is not indexed with type term", ""},
		{`alloftext(brief@en, "cheese")`, "1 2", ""},
		{`anyoftext(brief@de, "haus stadt")`, "1 2", ""},
		{`alloftext(brief@., "untagged cheese")`, "3", ""},
		{`anyoftext(brief@en, "the and")`, "", ""},
		{`alloftext(tags, "run race")`, "1", ""},
		{`alloftext(motto, "slow")`, "error: is not indexed with type fulltext", ""},
		{`ngram(saying, "quick brown")`, "1 3", ""},
		{`ngram(saying, "brown fox jumps")`, "1", ""},
		{`ngram(saying, "quick fox jumps")`, "", ""},
		{`ngram(saying, "fox")`, "1 2 3 4", ""},
		{`ngram(saying, "the")`, "", ""},
		{`ngram(motto, "x")`, "error: is not indexed with type", ""},
		// Fact 81: regular expressions.
		{`regexp(part, /^Steel.*M8$/)`, "1", ""},
		{`regexp(part, /steel/i)`, "1 2", ""},
		{`regexp(part, /(bolt|washer) M[0-9]+/)`, "1 3", ""},
		{`regexp(part@de, /Schr/)`, "1", ""},
		{`regexp(part@., /raub|Bras/)`, "1 3", ""},
		{`regexp(part, /M8/)`, "error: too wide-ranging", "1 2 4"},
		{`regexp(part, /.*/)`, "error: too wide-ranging", "1 2 3 4"},
		{`regexp(free, /^a/)`, "error: does not have trigram index", "1"},
		{`regexp(i, /abc/)`, "error: allowed only on string type", ""},
		{`regexp(part, /abc/x)`, "error: modifier", ""},
		// Fact 88: match.
		{`match(part, "Steel bold M8", 1)`, "1", ""},
		{`match(part, "steel bolt M8", 3)`, "1 2", ""},
		{`match(part, "M8", 0)`, "", ""},
		{`match(part, "Steel bolt M8", 0)`, "1", ""},
		{`match(part, "abc", -1)`, "error: must be greater than 0", ""},
		{`match(part, "abc")`, "error: requires 2 arguments", ""},
		{`match(free, "abc", 1)`, "error: is not indexed with type trigram", ""},
		// 1.2: has.
		{`has(name)`, "1 2 4", ""},
		{`has(name@de)`, "1 3", ""},
		{`has(name@.)`, "1 2 3 4", ""},
		{`has(link)`, "1 2 3", ""},
		{`has(~link)`, "2 3 4", ""},
		{`has(~oneway)`, "error: doesn't have reverse edge", ""},
		{`has(pin)`, "1", ""},
		{`has(nosuch)`, "", ""},
		{`has(~nosuch)`, "", ""},
		// 1.2: uid_in.
		{`uid_in(link, 3)`, "error: not allowed at root", "1 2"},
		{`uid_in(~link, 1)`, "error: not allowed at root", "2 3"},
		{`uid_in(hub, 4, 1)`, "error: not allowed at root", "1 2 3"},
		{`uid_in(name, 4)`, "error: not allowed at root", ""},
		{`uid_in(nosuch, 4)`, "", ""},
		// Fact 82: counts.
		{`eq(count(link), 2)`, "1", ""},
		{`eq(count(link), 1, 2)`, "1 2 3", ""},
		{`ge(count(link), 1)`, "1 2 3", ""},
		{`gt(count(link), 0)`, "1 2 3", ""},
		{`lt(count(link), 2)`, "2 3", "2 3 4 5 6 7 8 9 10"},
		{`le(count(~link), 1)`, "2 4", "1 2 4 5 6 7 8 9 10"},
		{`between(count(link), 1, 2)`, "1 2 3", ""},
		{`eq(count(link), 0)`, "error: zero counts (not tracked)", "4 5 6 7 8 9 10"},
		{`ge(count(link), 0)`, "error: zero counts (not tracked)", "1 2 3 4 5 6 7 8 9 10"},
		{`eq(count(link), -1)`, "error: threshold value", ""},
		{`eq(count(tags), 2)`, "1 2", ""},
		{`eq(count(oneway), 1)`, "error: Need @count directive in schema for attr: oneway for fn: eq at root", "4"},
		{`eq(count(name@fr), 1)`, "error: need @count directive", "1"},
		// Others.
		{`near(spot, 1)`, "error: is not indexed", ""},
		{`checkpwd(pin, "opensesame")`, "error: checkpwd is not valid", ""},
		{`eq(raw, "12.50")`, "error: is not indexed", "1"},
	} {
		if got := w.root(nil, tt.fn); !same(got, tt.root) {
			t.Errorf("root %s = %s, want %s", tt.fn, got, tt.root)
		}
		want := tt.filter
		if want == "" && !(strings.HasPrefix(tt.root, "error") && strings.Contains(tt.root, "at root")) {
			want = tt.root
		}
		for _, factor := range []int{1, 100} { // tested by value, and searched by index
			src := everybody
			if factor > 1 {
				src = upTo(factor * 10)
				if strings.Contains(tt.fn, "count(") {
					continue
				}
			}
			if got := w.filter(nil, src, tt.fn); !same(got, want) {
				t.Errorf("filter of %d %s = %s, want %s", len(src), tt.fn, got, want)
			}
		}
	}
}

// A transaction sees its own writes in every kind of search (dql.md fact 131).
func TestOwnWrites(t *testing.T) {
	w := newWorld(t, townSchema)
	w.set(townData)
	own := w.pending(
		nil,
		"5 name \"Eve Low\"\n-2 name \"Bob Low\"\n5 i \"600\"\n5 part \"Steel rod\"\n5 link 1\n5 link 3\n-1 i *\n-1 link 2",
	)
	for _, tt := range []struct{ fn, before, after string }{
		{`eq(name, "Eve Low")`, "", "5"},
		{`eq(name, "Bob Low")`, "2", ""},
		{`has(name)`, "1 2 4", "1 4 5"},
		{`ge(name, "B")`, "2", "5"},
		{`ge(i, 1)`, "1 2 3", "2 3 5"},
		{`anyofterms(name, "low")`, "1 2", "1 5"},
		{`regexp(part, /^Steel/)`, "1", "1 5"},
		{`has(~link)`, "2 3 4", "1 3 4"},
		{`eq(count(link), 2)`, "1", "5"},
		{`eq(count(link), 1)`, "2 3", "1 2 3"},
		{`ge(count(~link), 2)`, "3", "3"},
		{`eq(count(~link), 1)`, "2 4", "1 4"},
		{`between(count(~link), 3, 9)`, "", "3"},
	} {
		if got := w.root(nil, tt.fn); got != tt.before {
			t.Errorf("outside: %s = %s, want %s", tt.fn, got, tt.before)
		}
		if got := w.root(own, tt.fn); got != tt.after {
			t.Errorf("inside: %s = %s, want %s", tt.fn, got, tt.after)
		}
	}
}

func TestPaging(t *testing.T) {
	w := newWorld(t, townSchema)
	w.set(townData)
	for _, fn := range []string{`has(i)`, `ge(i, -5)`} { // 1 2 3 4
		for _, tt := range []struct {
			page task.Page
			want string
		}{
			{task.Page{}, "1 2 3 4"},
			{task.Page{First: 2}, "1 2"},
			{task.Page{First: 2, Offset: 1}, "2 3"},
			{task.Page{Offset: 3}, "4"},
			{task.Page{Offset: 9}, ""},
			{task.Page{First: -2}, "3 4"},
			{task.Page{First: -2, Offset: 1}, "3 4"},
			{task.Page{First: -9}, "1 2 3 4"},
			{task.Page{After: 2}, "3 4"},
			{task.Page{After: 2, First: 1}, "3"},
			{task.Page{After: 1, First: -2}, "3 4"},
			{task.Page{After: 4, First: -2}, ""},
			{task.Page{After: graph.MaxUID, First: 1}, ""},
			{task.Page{First: -1 << 63}, "1 2 3 4"},
			{task.Page{First: 1<<63 - 1, Offset: 1<<63 - 1}, ""},
		} {
			k := match(t, fn)
			k.AtRoot, k.Page = true, tt.page
			if got := w.answer(nil, k); got != tt.want {
				t.Errorf("%s %+v = %s, want %s", fn, tt.page, got, tt.want)
			}
			edges := task.Task{Kind: task.Edges, Predicate: graph.Pred("oneway"), Src: []graph.UID{7}, Page: tt.page}
			w.set("7 oneway 1\n7 oneway 2\n7 oneway 3\n7 oneway 4")
			for _, facets := range []*task.Facets{nil, {All: true}} {
				edges.Facets = facets
				res, err := w.run(nil, edges)
				if err != nil || rows(res[0]) != tt.want {
					t.Errorf("oneway %+v = %s, %v, want %s", tt.page, rows(res[0]), err, tt.want)
				}
			}
		}
	}
}

func TestRows(t *testing.T) {
	w := newWorld(t, townSchema+"nick: string @lang .\nold: string .\n")
	w.set(townData + `
		1 nick "one" (by=self)
		1 nick "eins"@de (by=club, n=2)
		1 nick "un"@fr
		2 nick "zwei"@de
		1 oneway 2 (km=100, line=Red Wing, daily=true, since=2001-01-01)
		1 oneway 3 (km=300, line=Blue Wing, daily=false)
		1 oneway 4 (km=200.5, line=Red Star)
		1 oneway 5
		1 old "12"
		2 old "five"
	`)
	src := []graph.UID{1, 2, 9}
	leaf := func(fn task.FuncName, key, arg string) *task.Facets {
		return &task.Facets{Filter: &task.FacetFilter{Func: fn, Key: key, Arg: arg}}
	}
	tree := func(op task.FilterOp, of ...*task.Facets) *task.Facets {
		f := &task.FacetFilter{Op: op}
		for _, o := range of {
			f.Children = append(f.Children, o.Filter)
		}
		return &task.Facets{Filter: f}
	}
	for _, tt := range []struct {
		task task.Task
		pred string
		want string
	}{
		{task.Task{Kind: task.Edges}, "link", "2 3|3|"},
		{task.Task{Kind: task.Edges, Reverse: true}, "hub", "3||"},
		{task.Task{Kind: task.Edges, Reverse: true}, "oneway", "error: doesn't have reverse edge"},
		{task.Task{Kind: task.Edges, Reverse: true}, "nosuch", "||"},
		{task.Task{Kind: task.Edges}, "name", "||"},
		{task.Task{Kind: task.Values}, "link", "||"},
		{task.Task{Kind: task.Values}, "i", "288|544|"},
		{task.Task{Kind: task.Values}, "pin", "||"},
		{task.Task{Kind: task.Values}, "nosuch", "||"},
		{task.Task{Kind: task.Values}, "tags", "races running|bakeries home work|"},
		{task.Task{Kind: task.Values, Page: task.Page{First: 1}}, "tags", "races|bakeries|"},
		{task.Task{Kind: task.Values, Page: task.Page{First: -1}}, "tags", "running|home work|"},
		// Fact 85.
		{task.Task{Kind: task.Values}, "nick", "one||"},
		{task.Task{Kind: task.Values, Langs: []string{"en", "fr", "de"}}, "nick", "un|zwei|"},
		{task.Task{Kind: task.Values, Langs: []string{"en"}}, "nick", "||"},
		{task.Task{Kind: task.Values, Langs: []string{"en", "."}}, "nick", "one|zwei|"},
		{task.Task{Kind: task.Values, Langs: []string{"de"}}, "i", "error: having @lang directive"},
		{task.Task{Kind: task.Values, Func: task.Func{Name: task.CheckPwd, Args: []string{"opensesame"}}}, "pin", "true|false|false"},
		{task.Task{Kind: task.Values, Func: task.Func{Name: task.CheckPwd, Args: []string{"no"}}}, "pin", "false|false|false"},
		{task.Task{Kind: task.Values, Func: task.Func{Name: task.CheckPwd, Args: []string{"no"}}}, "i", "error: checkpwd"},
		{task.Task{Kind: task.Counts}, "link", "2 1 0"},
		{task.Task{Kind: task.Counts, Reverse: true}, "hub", "1 0 0"},
		{task.Task{Kind: task.Counts}, "nick", "3 1 0"},
		{task.Task{Kind: task.Counts, Langs: []string{"fr"}}, "nick", "1 0 0"},
		{task.Task{Kind: task.Counts}, "nosuch", "0 0 0"},
		{task.Task{Kind: task.Counts, Facets: leaf(task.Gt, "km", "100")}, "oneway", "2 0 0"},
		// Facts 24, 37.
		{task.Task{Kind: task.Values, Facets: &task.Facets{All: true}}, "nick", "one,by=self||"},
		{task.Task{Kind: task.Values, Facets: &task.Facets{Keys: []string{"n"}}, Langs: []string{"de"}}, "nick", "eins,n=2|zwei|"},
		{task.Task{Kind: task.Edges, Facets: &task.Facets{Keys: []string{"km", "daily"}}}, "oneway", "2,daily=true,km=100 3,daily=false,km=300 4,km=200.5 5||"},
		{task.Task{Kind: task.Edges, Facets: leaf(task.Eq, "km", "300")}, "oneway", "3||"},
		{task.Task{Kind: task.Edges, Facets: leaf(task.Ge, "km", "200.25")}, "oneway", "3 4||"},
		{task.Task{Kind: task.Edges, Facets: leaf(task.Le, "km", "200")}, "oneway", "2||"},
		{task.Task{Kind: task.Edges, Facets: leaf(task.Eq, "km", "x")}, "oneway", "||"},
		{task.Task{Kind: task.Edges, Facets: leaf(task.Eq, "daily", "true")}, "oneway", "2||"},
		{task.Task{Kind: task.Edges, Facets: leaf(task.Gt, "since", "2000")}, "oneway", "2||"},
		{task.Task{Kind: task.Edges, Facets: leaf(task.AnyOfTerms, "line", "star BLUE")}, "oneway", "3 4||"},
		{task.Task{Kind: task.Edges, Facets: leaf(task.AllOfTerms, "line", "wing red")}, "oneway", "2||"},
		{task.Task{Kind: task.Edges, Facets: leaf(task.AllOfTerms, "km", "100")}, "oneway", "||"},
		{task.Task{Kind: task.Edges, Facets: leaf(task.Regexp, "line", "x")}, "oneway", "error: not supported in facets"},
		{task.Task{Kind: task.Edges, Facets: tree(task.Not, leaf(task.Eq, "daily", "true"))}, "oneway", "3 4 5||"},
		{task.Task{Kind: task.Edges, Facets: tree(task.And, leaf(task.Ge, "km", "1"), leaf(task.Eq, "line", "Red Star"))}, "oneway", "4||"},
		{task.Task{Kind: task.Edges, Facets: tree(task.Or, leaf(task.Lt, "km", "101"), leaf(task.Eq, "line", "Red Star")), Page: task.Page{After: 2}}, "oneway", "4||"},
	} {
		k := tt.task
		k.Predicate, k.Src = graph.Pred(tt.pred), src
		res, err := w.run(nil, k)
		got := ""
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = rows(res[0])
		}
		if !same(got, tt.want) {
			t.Errorf("%s %+v = %s, want %s", tt.pred, tt.task, got, tt.want)
		}
	}
	all := task.Task{Kind: task.Values, Predicate: graph.Pred("nick"), Src: src, Langs: []string{"*"}}
	res, err := w.run(nil, all)
	if err != nil || len(res[0].Langs) != 4 || !strings.HasPrefix(rows(res[0]), "one@ ") ||
		!strings.HasSuffix(rows(res[0]), "|zwei@de|") {
		t.Errorf("nick@* = %s, %v", rows(res[0]), err)
	}
	// Fact 98: values from before a change of type are converted as they are read.
	w.alter("old: int .")
	old := task.Task{Kind: task.Values, Predicate: graph.Pred("old"), Src: []graph.UID{1}}
	if res, err = w.run(nil, old); err != nil || rows(res[0]) != "12" {
		t.Errorf("old = %s, %v", rows(res[0]), err)
	}
	old.Src = []graph.UID{1, 2}
	if _, err = w.run(nil, old); err == nil || !strings.Contains(err.Error(), `parsing "five": invalid syntax`) {
		t.Errorf("old: %v", err)
	}
	if got := w.filter(nil, []graph.UID{1, 2}, "ge(old, 1)"); !same(
		got,
		`error: parsing "five": invalid syntax`,
	) {
		t.Errorf("a filter swallows the error: %s", got)
	}
}

// An index that is being built is not used, and says so at the root.
func TestBuildingIndex(t *testing.T) {
	w := newWorld(t, townSchema)
	w.set(townData)
	def, _ := w.schema.Predicate(graph.Pred("i"))
	changed := *def
	changed.Building = []string{"int"}
	w.schema = w.schema.With(update(&changed))
	if got := w.root(nil, "eq(i, 288)"); !same(got, "error: is not indexed") {
		t.Errorf("eq at root: %s", got)
	}
	if got := w.filter(nil, upTo(200), "ge(i, 288)"); got != "1 2 3" {
		t.Errorf("filter: %s", got)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t, townSchema)
	w.set(townData)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	view := w.store.View(w.ts, nil)
	defer view.Close()
	k := match(t, "has(i)")
	k.AtRoot = true
	if _, err := Run(ctx, new(Memory), view, w, []task.Task{k}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A predicate whose tablet is not here is checked against its definition and has no data.
func TestNotPlaced(t *testing.T) {
	w := newWorld(t, townSchema)
	w.incs = nil
	for fn, want := range map[string]string{
		`eq(i, 1)`: "", `has(i)`: "", `eq(i, x)`: "error: invalid syntax", `ge(loose, 1)`: "error: is not indexed", `eq(count(link), 1)`: "",
	} {
		if got := w.root(nil, fn); !same(got, want) {
			t.Errorf("%s = %s, want %s", fn, got, want)
		}
	}
	if got := w.filter(nil, upTo(3), `eq(count(link), 0)`); got != "1 2 3" {
		t.Errorf("count = %s", got)
	}
}
