package answer

import (
	"slices"
	"strconv"

	"dragg/graph"
	"dragg/graph/types"
)

// AppendJSON appends the answer as one JSON object: the value of data in the HTTP envelope, the whole of a
// gRPC response. The error is a *TooLargeError or *TooManyError, and then what was appended is of no use.
func (a *Answer) AppendJSON(dst []byte, opts Options) ([]byte, error) {
	if a.Schema != nil {
		return append(dst, a.Schema...), nil
	}
	e := &encoder{buf: slices.Grow(dst, smallAnswer), opts: opts.withDefaults()}
	e.limit = len(dst) + e.opts.MaxBytes
	e.byte('{')
	for i := range a.Blocks {
		e.block(&a.Blocks[i])
		if e.err != nil {
			return dst, e.err
		}
	}
	if len(a.Paths) > 0 {
		e.key("_path_")
		e.paths(a.Paths)
	}
	e.byte('}')
	return e.buf, e.err
}

// smallAnswer is for how many bytes there is room from the start, so that the text of a small answer need not grow.
const smallAnswer = 256

// encoder writes JSON. After the first error it goes on writing nothing of use.
type encoder struct {
	begun int // objects, to ask Options.Room now and then
	asked int // for how much memory it was asked last
	buf   []byte
	limit int
	opts  Options
	err   error
	// trail holds the uids from the root to the current object where the block ignores reflexes, else it is
	// nil.
	trail  []graph.UID
	reflex bool
}

func (e *encoder) byte(c byte) { e.buf = append(e.buf, c) }

// sep appends a comma unless a bracket was just opened.
func (e *encoder) sep() {
	if c := e.buf[len(e.buf)-1]; c != '{' && c != '[' {
		e.buf = append(e.buf, ',')
	}
}

// key appends a comma where one is due, the key and the colon.
func (e *encoder) key(k string) {
	e.sep()
	e.buf = append(types.AppendQuoted(e.buf, k), ':')
}

// suffixKey appends the key k@lang or k|facet.
func (e *encoder) suffixKey(k string, by byte, suffix string) {
	e.sep()
	e.buf = types.AppendQuoted(e.buf, k)
	e.buf = append(e.buf[:len(e.buf)-1], by)
	at := len(e.buf)
	e.buf = types.AppendQuoted(e.buf, suffix)
	e.buf = append(e.buf[:at], e.buf[at+1:]...) // drop the quote that opens the suffix
	e.byte(':')
}

func (e *encoder) uid(u graph.UID) {
	e.buf = append(e.buf, '"')
	e.buf = append(u.AppendText(e.buf), '"')
}

func (e *encoder) block(b *Block) {
	switch b.Kind {
	case Grouped:
		at := len(e.buf)
		e.key(b.Key)
		e.byte('[')
		if !e.groupObject(&b.Root, 0) {
			e.buf = e.buf[:at] // a block without groups has no key at all (dql.md fact 68)
			return
		}
		e.byte(']')
	case Aggregates:
		e.key(b.Key)
		e.byte('[')
		for i := range b.Root.Children {
			c := &b.Root.Children[i]
			e.aggregate(c)
		}
		e.byte(']')
	default:
		e.key(b.Key)
		e.byte('[')
		e.reflex, e.trail = b.IgnoreReflex, e.trail[:0]
		e.countObjects(&b.Root, 0, b.Normalize)
		if b.Normalize {
			e.normalized(&b.Root, 0)
		} else {
			e.objects(&b.Root, 0)
		}
		e.byte(']')
	}
}

// aggregate appends the object of one aggregate of an empty block; null where it has no value (dql.md fact
// 19).
func (e *encoder) aggregate(n *Node) {
	e.sep()
	e.byte('{')
	e.key(n.Key)
	shown := false
	if from, to := n.row(0); from < to {
		e.buf, shown = types.AppendJSON(e.buf, n.Values[from])
	}
	if !shown {
		e.buf = append(e.buf, "null"...)
	}
	e.byte('}')
}

// countObjects appends the objects of count(uid) for one row of an edge; below @normalize those with an alias.
func (e *encoder) countObjects(n *Node, row int, normalize bool) {
	for i := range n.Children {
		c := &n.Children[i]
		if c.Kind != CountUID || normalize && !c.Aliased {
			continue
		}
		from, to := n.row(row)
		e.sep()
		e.byte('{')
		e.key(c.Key)
		e.buf = strconv.AppendInt(e.buf, int64(to-from), 10)
		e.byte('}')
	}
}

// objects appends the objects of one row of an edge, separated by commas.
func (e *encoder) objects(n *Node, row int) {
	if !n.shows() {
		return
	}
	from, to := n.row(row)
	for i := from; i < to && e.err == nil; i++ {
		at := len(e.buf)
		e.sep()
		if !e.object(n, i) {
			e.buf = e.buf[:at]
		}
	}
}

// shows says whether any child can give an object a field.
func (n *Node) shows() bool {
	for i := range n.Children {
		c := &n.Children[i]
		if c.Kind != CountUID {
			return true
		}
	}
	return false
}

// object appends the object of target i of an edge and says whether there is one: a node without fields has
// none. Otherwise the buffer is left as the caller must cut it.
func (e *encoder) object(n *Node, i int) bool {
	if !e.reflex {
		return e.wholeObject(n, i)
	}
	if slices.Contains(e.trail, n.Targets[i]) {
		return false
	}
	e.trail = append(e.trail, n.Targets[i])
	shown := e.wholeObject(n, i)
	e.trail = e.trail[:len(e.trail)-1]
	return shown
}

// objectsBetween is how many objects are written before Options.Room is asked again.
const objectsBetween = 1024

// check ends the writing where the text is too long, or where there is no room for it.
func (e *encoder) check() {
	e.begun++
	switch {
	case e.err != nil:
	case len(e.buf) > e.limit:
		e.err = &TooLargeError{Limit: e.opts.MaxBytes}
	case e.opts.Room != nil && (cap(e.buf) != e.asked || e.begun%objectsBetween == 0):
		e.asked = cap(e.buf)
		e.err = e.opts.Room(e.asked)
	}
}

func (e *encoder) wholeObject(n *Node, i int) bool {
	u := n.Targets[i]
	e.check()
	e.byte('{')
	at := len(e.buf)
	withUID := e.fields(n.Children, int(n.Index[i]), u)
	if len(e.buf) == at || e.err != nil {
		return false
	}
	if n.Facets != nil {
		e.facets(n, n.Facets[i])
	}
	if e.opts.Debug && !withUID {
		e.key("uid")
		e.uid(u)
	}
	e.byte('}')
	return true
}

// fields appends the fields of one object and says whether the uid is among them.
func (e *encoder) fields(children []Node, row int, u graph.UID) (withUID bool) {
	for i := range children {
		c := &children[i]
		switch c.Kind {
		case UID:
			e.key(c.Key)
			e.uid(u)
			withUID = withUID || c.Key == "uid"
		case Scalar:
			e.scalar(c, row)
		case Count:
			e.key(c.Key)
			e.buf = strconv.AppendInt(e.buf, c.Counts[row], 10)
		case Edge:
			e.edge(c, row)
		case Groups:
			at := len(e.buf)
			e.key(c.Key)
			e.byte('[')
			if !e.groupObject(c, row) {
				e.buf = e.buf[:at]
				continue
			}
			e.byte(']')
		}
	}
	return withUID
}

// edge appends one uid field: an array of objects, or one object for a single edge (dql.md facts 8 and 9).
func (e *encoder) edge(n *Node, row int) {
	from, to := n.row(row)
	if from == to {
		return
	}
	at := len(e.buf)
	e.key(n.Key)
	start := len(e.buf)
	single := !n.List && !n.Normalize && !n.counts()
	if !single {
		e.byte('[')
		start++
	}
	switch {
	case n.Normalize:
		e.normalized(n, row)
	case single:
		for i := from; i < to; i++ {
			if e.object(n, i) {
				break
			}
			e.buf = e.buf[:start]
		}
	default:
		e.objects(n, row)
	}
	e.countObjects(n, row, n.Normalize)
	if len(e.buf) == start {
		e.buf = e.buf[:at]
		return
	}
	if !single {
		e.byte(']')
	}
}

// counts says whether count(uid) is asked for.
func (n *Node) counts() bool {
	for i := range n.Children {
		c := &n.Children[i]
		if c.Kind == CountUID {
			return true
		}
	}
	return false
}

// scalar appends one value field with its facets.
func (e *encoder) scalar(n *Node, row int) {
	from, to := n.row(row)
	if from == to {
		return
	}
	if n.Langs != nil {
		e.languages(n, from, to)
		return
	}
	at := len(e.buf)
	e.key(n.Key)
	if !n.List {
		shown := false
		if e.buf, shown = types.AppendJSON(e.buf, n.Values[from]); !shown {
			e.buf = e.buf[:at]
			return
		}
		if n.Facets != nil {
			e.facets(n, n.Facets[from])
		}
		return
	}
	e.byte('[')
	start := len(e.buf)
	for i := from; i < to; i++ {
		mark, shown := len(e.buf), false
		e.sep()
		if e.buf, shown = types.AppendJSON(e.buf, n.Values[i]); !shown {
			e.buf = e.buf[:mark]
		}
	}
	if len(e.buf) == start {
		e.buf = e.buf[:at]
		return
	}
	e.byte(']')
	if n.Facets != nil {
		e.listFacets(n, from, to)
	}
}

// languages appends a value field under one key for each language (dql.md fact 21).
func (e *encoder) languages(n *Node, from, to int) {
	for i := from; i < to; i++ {
		at, shown := len(e.buf), false
		if n.Langs[i] == "" {
			e.key(n.Key)
		} else {
			e.suffixKey(n.Key, '@', n.Langs[i])
		}
		if e.buf, shown = types.AppendJSON(e.buf, n.Values[i]); !shown {
			e.buf = e.buf[:at]
			continue
		}
		if n.Facets != nil {
			key := n.Key
			if n.Langs[i] != "" {
				key += "@" + n.Langs[i]
			}
			e.facetsOf(key, n.FacetKeys, n.Facets[i])
		}
	}
}

// groupObject appends {"@groupby":[...]} for one row and says whether there is a group.
func (e *encoder) groupObject(n *Node, row int) bool {
	if row >= len(n.Groups) || len(n.Groups[row]) == 0 {
		return false
	}
	e.sep()
	e.byte('{')
	e.key("@groupby")
	e.byte('[')
	for _, g := range n.Groups[row] {
		e.sep()
		e.byte('{')
		for _, m := range g.Members {
			at, shown := len(e.buf), false
			e.key(m.Key)
			if e.buf, shown = types.AppendJSON(e.buf, m.Value); !shown {
				e.buf = e.buf[:at]
			}
		}
		e.byte('}')
		if e.check(); e.err != nil {
			return true
		}
	}
	e.byte(']')
	e.byte('}')
	return true
}
