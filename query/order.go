package query

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/query/arith"
	"dragg/query/task"
)

// orderLevel puts the rows of a level into order: by its sort keys, or by facets.
func (r *run) orderLevel(l *level, then func() error) error {
	switch {
	case len(l.order) == 0:
		if len(l.facetOrder) > 0 {
			r.orderByFacets(l)
		}
		return r.ordered(then)
	case l.order[0].varName != "":
		r.orderByVariable(l)
		return r.ordered(then)
	}
	tasks := make([]task.Task, len(l.order))
	for i, k := range l.order {
		tasks[i] = task.Task{Kind: task.Values, Predicate: k.pred, Langs: k.langs, Src: l.rows.uids}
	}
	n := r.wanted(l)
	if n > 0 {
		tasks[0].Best = task.Best{N: n, Desc: l.order[0].desc, ByUID: len(tasks) == 1}
	}
	if n == 0 || len(l.rows.uids) < max(stageCandidates, 2*n) {
		return r.ask(l, tasks, func(l *level, res []task.Result) error { return r.orderByKeys(l, res, then) })
	}
	// The first key alone may show of most nodes that they are not on the page.
	return r.ask(l, tasks[:1], func(l *level, res []task.Result) error {
		first, others := l.shorten(n, res[0]), tasks[1:]
		for i := range others {
			others[i].Src = l.rows.uids
		}
		return r.ask(l, others, func(l *level, res []task.Result) error {
			return r.orderByKeys(l, append([]task.Result{first}, res...), then)
		})
	})
}

// orderByKeys puts the rows into the order of the values of the sort keys.
func (r *run) orderByKeys(l *level, values []task.Result, then func() error) error {
	keys := make([]sortKey, len(l.order))
	for i, k := range l.order {
		keys[i] = newSortKey(k, &values[i], r.gone)
	}
	n, most := len(l.rows.uids), r.wanted(l)
	if l.rows.single() && fewOf(most, n) {
		l.rows = l.rows.pick(firstOf(n, keys, most, r.gone))
		return r.ordered(then)
	}
	l.rows.own()
	l.rows.order(rankOf(n, keys, most, r.gone), r.gone)
	return r.ordered(then)
}

// shorten drops the nodes of a single row that have no value, because they come last or the runner left them out, if n others come
// before them. It returns the values of those that stay.
func (l *level) shorten(n int, res task.Result) task.Result {
	if len(res.Values) >= len(l.rows.uids) {
		return res // mostly that is one each
	}
	offsets, stay := []uint32{0}, []graph.UID(nil)
	for i, u := range l.rows.uids {
		if end := res.Offsets[i+1]; end > res.Offsets[i] {
			offsets, stay = append(offsets, end), append(stay, u)
		}
	}
	if len(stay) < n || len(stay) == len(l.rows.uids) {
		return res
	}
	l.rows.keepUIDs(stay)
	res.Offsets = offsets
	return res
}

// ordered goes on, unless what was put in order was left half done because nobody waits for it.
func (r *run) ordered(then func() error) error {
	if err := r.quit(); err != nil {
		return err
	}
	return then()
}

// sortKey is one sort key laid out along a frontier.
type sortKey struct {
	column
	desc bool
	// collated are the keys of texts in the order of a language, nil for bytewise order.
	collated [][]byte
}

func newSortKey(k orderKey, res *task.Result, gone func() bool) sortKey {
	s := sortKey{column: firstValues(res), desc: k.desc}
	if len(k.langs) == 1 && k.langs[0] != "." {
		s.collate(k.langs[0], gone)
	}
	return s
}

// firstValues returns the first value of each row.
func firstValues(res *task.Result) column {
	n := len(res.Offsets) - 1
	each := len(res.Values) == n // every row has one
	for i := 0; each && i < n; i++ {
		each = res.Offsets[i+1] == uint32(i+1)
	}
	if each {
		return column{values: res.Values}
	}
	c := column{values: make([]types.Value, n), has: make([]bool, n)}
	for i := range n {
		if from := res.Offsets[i]; from < res.Offsets[i+1] {
			c.values[i], c.has[i] = res.Values[from], true
		}
	}
	return c
}

// collate prepares the order of a language (dql.md fact 48). An unknown language falls back to the root
// collation.
func (s *sortKey) collate(lang string, gone func() bool) {
	tag, err := language.Parse(lang)
	if err != nil {
		tag = language.Und
	}
	c := collate.New(tag)
	s.collated = make([][]byte, len(s.values))
	var buf collate.Buffer
	for i, v := range s.values {
		if (s.has == nil || s.has[i]) && v.Type().Textual() && !gone() {
			s.collated[i] = bytes.Clone(c.KeyFromString(&buf, v.Str()))
			buf.Reset()
		}
	}
}

// compare orders rows i and j; a missing value comes last in both directions (dql.md fact 45).
func (s *sortKey) compare(i, j int) int {
	x, hasX := s.at(i)
	y, hasY := s.at(j)
	if !hasX || !hasY {
		switch {
		case hasX:
			return -1
		case hasY:
			return 1
		}
		return 0
	}
	c := 0
	if s.collated != nil {
		c = bytes.Compare(s.collated[i], s.collated[j])
	}
	if c == 0 {
		c, _ = arith.Order(x, y) // values of one sortable predicate
	}
	if s.desc {
		return -c
	}
	return c
}

// prefixes fills in the prefix of each row's first key: an unsigned number that orders as the values do, so
// that most comparisons never look at a value. Equal prefixes say nothing.
func (s *sortKey) prefixes(list []ranked) {
	same := true
	first := -1
	for i, v := range s.values {
		if s.has != nil && !s.has[i] {
			continue
		}
		if first < 0 {
			first = i
		}
		same = same && v.Type() == s.values[first].Type()
	}
	for i := range list {
		v, ok := s.at(i)
		switch {
		case !ok:
			list[i].prefix = ^uint64(0)
		case !same:
			list[i].prefix = 0
		case s.collated != nil:
			list[i].prefix = textPrefix(string(s.collated[i][:min(8, len(s.collated[i]))]))
		default:
			list[i].prefix = prefixOf(v)
		}
		if ok && s.desc {
			list[i].prefix = ^list[i].prefix
		}
	}
}

func prefixOf(v types.Value) uint64 {
	switch v.Type() {
	case types.Int:
		return uint64(v.Int()) ^ 1<<63
	case types.Float:
		return floatPrefix(v.Float())
	case types.BigFloat:
		f, _ := v.BigFloat().Float64() // rounding keeps the order
		return floatPrefix(f)
	case types.DateTime:
		return uint64(v.Time().Unix()) ^ 1<<63
	case types.String, types.Default:
		return textPrefix(v.Str())
	}
	return 0
}

func floatPrefix(f float64) uint64 {
	if f == 0 {
		f = 0 // the two zeros are equal
	}
	b := math.Float64bits(f)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

func textPrefix(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}

// ranked is a row on its way to its rank.
type ranked struct {
	prefix uint64
	row    uint32
}

// rankOf returns the place of each of n rows in the order of firstOf, dropped for those that it leaves out.
func rankOf(n int, keys []sortKey, most int, gone func() bool) []uint32 {
	rank := make([]uint32, n)
	list := firstOf(n, keys, most, gone)
	if len(list) < n {
		for i := range rank {
			rank[i] = dropped
		}
	}
	for place, x := range list {
		rank[x.row] = uint32(place)
	}
	return rank
}

// firstOf returns n rows in the order of the keys; ties are by uid, which is the order of the rows. Where few matter they are all
// that it returns. Once gone says so the order does not matter any more, and rows are taken for equal, with which a sort is soon
// done.
func firstOf(n int, keys []sortKey, most int, gone func() bool) []ranked {
	list := make([]ranked, n)
	for i := range list {
		list[i].row = uint32(i)
	}
	keys[0].prefixes(list)
	compare := func(a, b ranked) int {
		if gone() {
			return 0
		}
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		for k := range keys {
			if c := keys[k].compare(int(a.row), int(b.row)); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.row, b.row)
	}
	if fewOf(most, n) {
		list = smallest(list, most, compare)
	}
	slices.SortFunc(list, compare)
	return list
}

// fewOf says that so few of n rows matter that the others need not be put in order; most is 0 where all do.
func fewOf(most, n int) bool { return most > 0 && most < n/4 }

// smallest returns the n first elements of list, in any order: a heap of n elements with the last of them
// on top.
func smallest(list []ranked, n int, compare func(a, b ranked) int) []ranked {
	top := list[:n]
	sink := func(i int) {
		for {
			child := 2*i + 1
			if child >= n {
				return
			}
			if child+1 < n && compare(top[child+1], top[child]) > 0 {
				child++
			}
			if compare(top[i], top[child]) >= 0 {
				return
			}
			top[i], top[child] = top[child], top[i]
			i = child
		}
	}
	for i := n/2 - 1; i >= 0; i-- {
		sink(i)
	}
	for _, x := range list[n:] {
		if compare(x, top[0]) < 0 {
			top[0] = x
			sink(0)
		}
	}
	return top
}

// wanted returns how many elements of an ordered list can matter: those of the page, if there is one list
// and it is cut from the front; 0 for all.
func (r *run) wanted(l *level) int {
	if l.rows.len() != 1 || l.cascade != nil || l.page.first < 0 || l.page.after != 0 {
		return 0
	}
	return r.pageEnd(l)
}

// pageEnd returns how many elements of an ordered list its page reaches into; 0 for all.
func (r *run) pageEnd(l *level) int {
	p := l.page
	switch {
	case p.first > 0:
		return p.offset + p.first
	case l.order[0].varName == "":
		return p.offset + r.opts.SortedRows + 1 // one more, to see that the list was cut
	}
	return 0
}

// orderByVariable orders by val(x); what has no value goes away (dql.md fact 45).
func (r *run) orderByVariable(l *level) {
	k := l.order[0]
	v := r.variable(k.varName)
	s := sortKey{column: v.align(l.rows.uids), desc: k.desc}
	rank := rankOf(len(l.rows.uids), []sortKey{s}, r.wanted(l), r.gone)
	for i := range rank {
		if _, ok := s.at(i); !ok {
			rank[i] = dropped
		}
	}
	l.rows.own()
	l.rows.order(rank, r.gone)
}

// orderByFacets orders every row by the facets of its edges, ties by uid.
func (r *run) orderByFacets(l *level) {
	l.rows.own()
	var buf []element
	for i := range l.rows.len() {
		from, to := l.rows.row(i)
		buf = buf[:0]
		for e := from; e < to; e++ {
			buf = append(buf, l.rows.element(e))
		}
		slices.SortStableFunc(buf, func(a, b element) int {
			if r.gone() {
				return 0
			}
			for _, o := range l.facetOrder {
				if c := compareFacets(a.facets, b.facets, o.Key, o.Desc); c != 0 {
					return c
				}
			}
			return cmp.Compare(a.uid, b.uid)
		})
		l.rows.put(from, buf)
	}
}

func compareFacets(a, b []graph.Facet, key string, desc bool) int {
	x, hasX := facetOf([][]graph.Facet{a}, 0, key)
	y, hasY := facetOf([][]graph.Facet{b}, 0, key)
	switch {
	case hasX && !hasY:
		return -1
	case hasY && !hasX:
		return 1
	case !hasX:
		return 0
	}
	c, err := arith.Order(x, y)
	if err != nil {
		// Facets of different types have an order of their own, so that the result does not depend on luck.
		c = cmp.Compare(x.Type(), y.Type())
	}
	if desc {
		return -c
	}
	return c
}
