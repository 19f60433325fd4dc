package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/uidset"
	"dragg/query/arith"
	"dragg/query/task"
	"dragg/schema"
	"dragg/schema/tok"
)

// fake is a task.Runner over maps: the plainest reading of the contract, without indexes. It refuses what a tablet would
// refuse for want of an index only where a test asks for it.
type fake struct {
	schema schema.Snapshot
	data   map[graph.Predicate]map[graph.UID][]entry
	runs   int
}

// entry is one edge or value.
type entry struct {
	to     graph.UID
	value  types.Value
	lang   string
	facets []graph.Facet
}

func newFake() *fake {
	return &fake{
		schema: schema.Snapshot{}.With(schema.Reserved()),
		data:   map[graph.Predicate]map[graph.UID][]entry{},
	}
}

func (f *fake) put(pred graph.Predicate, u graph.UID, e entry) {
	def, _ := f.schema.Predicate(pred)
	if f.data[pred] == nil {
		f.data[pred] = map[graph.UID][]entry{}
	}
	list := f.data[pred][u]
	list = slices.DeleteFunc(list, func(old entry) bool {
		if !def.List {
			return old.lang == e.lang
		}
		return old.to == e.to && (def.IsUID() || types.Equal(old.value, e.value))
	})
	list = append(list, e)
	slices.SortFunc(list, func(a, b entry) int {
		if a.to != b.to {
			return int(a.to) - int(b.to)
		}
		if types.Fingerprint(a.value) < types.Fingerprint(b.value) {
			return -1
		}
		return 1
	})
	f.data[pred][u] = list
}

func (f *fake) drop(pred graph.Predicate, u graph.UID, gone func(entry) bool) {
	f.data[pred][u] = slices.DeleteFunc(f.data[pred][u], gone)
}

func (f *fake) Run(ctx context.Context, _ graph.Timestamp, batch []task.Task) ([]task.Result, error) {
	f.runs++
	out := make([]task.Result, len(batch))
	for i, t := range batch {
		var err error
		if out[i], err = f.one(t); err != nil {
			return nil, err
		}
	}
	return out, ctx.Err()
}

func (f *fake) one(t task.Task) (res task.Result, err error) {
	def, ok := f.schema.Predicate(t.Predicate)
	if !ok {
		return res, errors.New("fake: a task for an unknown predicate")
	}
	switch t.Kind {
	case task.Edges, task.Values:
		res.Offsets = []uint32{0}
		for _, u := range t.Src {
			f.row(&res, t, def, u)
			res.Offsets = append(res.Offsets, uint32(max(len(res.Targets), len(res.Values))))
		}
	case task.Counts:
		for _, u := range t.Src {
			res.Counts = append(res.Counts, int64(len(f.entries(t, u))))
		}
	case task.Match:
		res.Set, err = f.match(t, def)
	}
	return res, err
}

// entries are the edges or values of a node, of the task's direction and language.
func (f *fake) entries(t task.Task, u graph.UID) []entry {
	if !t.Reverse {
		return pick(f.data[t.Predicate][u], t.Langs)
	}
	var out []entry
	for from, list := range f.data[t.Predicate] {
		for _, e := range list {
			if e.to == u {
				out = append(out, entry{to: from, facets: e.facets})
			}
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return int(a.to) - int(b.to) })
	return out
}

// pick chooses by the language preference list.
func pick(list []entry, langs []string) []entry {
	of := func(lang string) []entry {
		var out []entry
		for _, e := range list {
			if e.lang == lang {
				out = append(out, e)
			}
		}
		return out
	}
	if len(langs) == 0 {
		return of("")
	}
	for _, l := range langs {
		switch l {
		case "*":
			return list
		case ".":
			if u := of(""); len(u) > 0 {
				return u
			}
			if len(list) > 0 {
				return list[:1]
			}
		default:
			if e := of(l); len(e) > 0 {
				return e
			}
		}
	}
	return nil
}

func (f *fake) row(res *task.Result, t task.Task, def *schema.Predicate, u graph.UID) {
	if t.Func.Name == task.CheckPwd {
		ok := false
		for _, e := range f.entries(t, u) {
			ok = types.CheckPassword(e.value, t.Func.Args[0])
		}
		res.Values = append(res.Values, types.OfBool(ok))
		return
	}
	var list []entry
	for _, e := range f.entries(t, u) {
		if t.Facets == nil || t.Facets.Filter == nil || facetHolds(t.Facets.Filter, e.facets) {
			list = append(list, e)
		}
	}
	if p := t.Page; p != (task.Page{}) {
		x := oneRow(make([]graph.UID, len(list)), true)
		for i, e := range list {
			x.targets[i] = e.to
		}
		x.page(p.First, p.Offset, p.After)
		list = slices.DeleteFunc(list, func(e entry) bool { return !slices.Contains(x.targets, e.to) })
	}
	for _, e := range list {
		if t.Kind == task.Edges {
			res.Targets = append(res.Targets, e.to)
		} else {
			res.Values = append(res.Values, e.value)
		}
		if slices.Equal(t.Langs, []string{"*"}) {
			res.Langs = append(res.Langs, e.lang)
		}
		if t.Facets != nil {
			var keep []graph.Facet
			for _, x := range e.facets {
				if t.Facets.All || slices.Contains(t.Facets.Keys, x.Key) {
					keep = append(keep, x)
				}
			}
			res.Facets = append(res.Facets, keep)
		}
	}
}

func facetHolds(f *task.FacetFilter, facets []graph.Facet) bool {
	switch f.Op {
	case task.And:
		return !slices.ContainsFunc(f.Children, func(c *task.FacetFilter) bool { return !facetHolds(c, facets) })
	case task.Or:
		return slices.ContainsFunc(f.Children, func(c *task.FacetFilter) bool { return facetHolds(c, facets) })
	case task.Not:
		return !facetHolds(f.Children[0], facets)
	}
	for _, x := range facets {
		if x.Key == f.Key {
			ok, err := valueHolds(x.Value, task.Func{Name: f.Func, Args: []string{f.Arg}})
			return ok && err == nil
		}
	}
	return false
}

// needs are the tokenizers that some functions cannot do without (dql.md fact 81).
var needs = map[task.FuncName]string{
	task.AnyOfTerms: "term", task.AllOfTerms: "term", task.AnyOfText: "fulltext", task.AllOfText: "fulltext",
	task.Ngram: "ngram", task.Fuzzy: "trigram",
}

func (f *fake) match(t task.Task, def *schema.Predicate) (uidset.Set, error) {
	if name := needs[t.Func.Name]; name != "" {
		if _, ok := def.Tokenizer(name); !ok {
			return uidset.Set{}, fmt.Errorf("Attribute %s is not indexed with type %s", def.Name, name)
		}
	}
	if t.AtRoot && t.Func.Name != task.Has && !t.Func.Count && !def.Indexed() {
		return uidset.Set{}, fmt.Errorf("Predicate %s is not indexed", def.Name)
	}
	src := t.Src
	if t.AtRoot {
		seen := map[graph.UID]bool{}
		for u, list := range f.data[t.Predicate] {
			for _, e := range list {
				if t.Reverse {
					seen[e.to] = true
				} else {
					seen[u] = true
				}
			}
		}
		for u := range seen {
			src = append(src, u)
		}
		slices.Sort(src)
	}
	var keep []graph.UID
	for _, u := range src {
		ok, err := f.holds(t, u)
		if err != nil {
			return uidset.Set{}, err
		}
		if ok {
			keep = append(keep, u)
		}
	}
	x := oneRow(keep, true)
	x.page(t.Page.First, t.Page.Offset, t.Page.After)
	return uidset.Of(x.targets), nil
}

func (f *fake) holds(t task.Task, u graph.UID) (bool, error) {
	if len(t.Langs) == 1 && t.Langs[0] == "." {
		t.Langs = []string{"*"}
	}
	list := f.entries(t, u)
	switch {
	case t.Func.Count:
		if t.AtRoot && len(list) == 0 {
			return false, nil
		}
		return valueHolds(types.OfInt(int64(len(list))), t.Func)
	case t.Func.Name == task.Has:
		return len(list) > 0, nil
	case t.Func.Name == task.UIDIn:
		return slices.ContainsFunc(list, func(e entry) bool { return slices.Contains(t.Func.UIDs, e.to) }), nil
	}
	for _, e := range list {
		ok, err := valueHolds(e.value, t.Func)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// valueHolds evaluates a function on one value.
func valueHolds(v types.Value, fn task.Func) (bool, error) {
	tokens := func(name, text string) []string {
		tk, _ := tok.Lookup(name)
		list, err := tk.AppendTokens(nil, types.OfString(text), "")
		if err != nil {
			panic(err)
		}
		return list
	}
	terms := func(name string, all bool) (bool, error) {
		have := tokens(name, v.Text())
		for _, w := range tokens(name, fn.Args[0]) {
			if slices.Contains(have, w) != all {
				return !all, nil
			}
		}
		return all, nil
	}
	switch fn.Name {
	case task.AnyOfTerms, task.AllOfTerms:
		return terms("term", fn.Name == task.AllOfTerms)
	case task.AnyOfText, task.AllOfText:
		return terms("fulltext", fn.Name == task.AllOfText)
	case task.Ngram:
		_, stems := tok.PhraseTokens(fn.Args[0], "")
		return tok.HasPhrase(v.Text(), "", stems), nil
	case task.Regexp:
		re, err := tok.CompileRegexp(fn.Args[0], fn.Args[1])
		return err == nil && re.MatchString(v.Text()), err
	case task.Fuzzy:
		most, err := strconv.Atoi(fn.Args[1])
		return err == nil && shareTrigram(tokens, v.Text(), fn.Args[0]) && distance(v.Text(), fn.Args[0]) <= most, err
	}
	var orders []int
	for _, a := range fn.Args {
		x, err := types.Parse(a, v.Type())
		if err != nil {
			return false, err
		}
		if v.Type() == types.Bool {
			orders = append(orders, map[bool]int{true: 0, false: 1}[types.Equal(v, x)])
			continue
		}
		c, err := types.Compare(v, x)
		if err != nil {
			return false, err
		}
		orders = append(orders, c)
	}
	switch fn.Name {
	case task.Eq:
		return slices.Contains(orders, 0), nil
	case task.Between:
		return orders[0] >= 0 && orders[1] <= 0, nil
	}
	return arith.Holds(string(fn.Name), orders[0]), nil
}

func shareTrigram(tokens func(name, text string) []string, a, b string) bool {
	have := tokens("trigram", a)
	return slices.ContainsFunc(tokens("trigram", b), func(t string) bool { return slices.Contains(have, t) })
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		prev := row[0]
		row[0] = i + 1
		for j := range y {
			cost := prev
			if x[i] != y[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
