package answer

import (
	"errors"
	"strconv"

	"dragg/graph"
	"dragg/graph/types"
)

// What the RDF format cannot show (dql.md fact 30).
var (
	errRDFGroups    = errors.New("groupby is not supported in rdf output format")
	errRDFCount     = errors.New("uid count is not supported in the rdf output format")
	errRDFNormalize = errors.New("normalize directive is not supported in the rdf output format")
	errRDFReflex    = errors.New("ignorereflex directive is not supported in the rdf output format")
	errRDFPassword  = errors.New("chkpwd function is not supported in the rdf output format")
	errRDFFacets    = errors.New("facets are not supported in the rdf output format")
	errRDFPaths     = errors.New("shortest path is not supported in the rdf output format")
	errRDFSchema    = errors.New("a schema query is not supported in the rdf output format")
)

// AppendRDF appends the answer as one N-Quad a line. Values of empty blocks are left out, geo values too.
// The error names what the format cannot show, or is a *TooLargeError, or what Options.Room returned.
func (a *Answer) AppendRDF(dst []byte, opts Options) ([]byte, error) {
	if a.Schema != nil {
		return dst, errRDFSchema
	}
	if len(a.Paths) > 0 {
		return dst, errRDFPaths
	}
	opts = opts.withDefaults()
	e := &rdfEncoder{buf: dst, limit: len(dst) + opts.MaxBytes, opts: opts, seen: map[rdfRow]bool{}}
	for i := range a.Blocks {
		b := &a.Blocks[i]
		switch {
		case b.Kind == Grouped:
			return dst, errRDFGroups
		case b.Normalize:
			return dst, errRDFNormalize
		case b.IgnoreReflex:
			return dst, errRDFReflex
		case b.Kind == Aggregates:
			continue
		}
		if err := e.row(&b.Root, 0); err != nil {
			return dst, err
		}
	}
	return e.buf, nil
}

// rdfRow names an object that was written already: the same node of a level may be reached by several edges.
type rdfRow struct {
	node *Node
	row  uint32
}

type rdfEncoder struct {
	buf   []byte
	limit int
	opts  Options
	seen  map[rdfRow]bool

	written int // objects, to ask Options.Room now and then
	asked   int // for how much memory it was asked last
}

// row writes the objects of one row of an edge.
func (e *rdfEncoder) row(n *Node, row int) error {
	switch {
	case n.Normalize:
		return errRDFNormalize
	case n.asksFacets():
		return errRDFFacets
	case n.counts():
		return errRDFCount
	}
	from, to := n.row(row)
	for i := from; i < to; i++ {
		at := rdfRow{n, n.Index[i]}
		if e.seen[at] {
			continue
		}
		e.seen[at] = true
		if err := e.object(n.Children, int(n.Index[i]), n.Targets[i]); err != nil {
			return err
		}
		if err := e.check(); err != nil {
			return err
		}
	}
	return nil
}

// asksFacets says whether the query asked for the facets of a field. Those that expand brings along are left out of RDF.
func (n *Node) asksFacets() bool {
	return n.Facets != nil && (n.FacetKeys == nil || !n.FacetKeys.Implied)
}

// check returns an error where the text is too long, or where there is no room for it.
func (e *rdfEncoder) check() error {
	if len(e.buf) > e.limit {
		return &TooLargeError{Limit: e.opts.MaxBytes}
	}
	if e.written++; e.opts.Room == nil || cap(e.buf) == e.asked && e.written%objectsBetween != 0 {
		return nil
	}
	e.asked = cap(e.buf)
	return e.opts.Room(e.asked)
}

func (e *rdfEncoder) object(children []Node, row int, u graph.UID) error {
	for i := range children {
		c := &children[i]
		switch c.Kind {
		case Groups:
			return errRDFGroups
		case Count:
			e.subject(u, c.Key)
			e.buf = append(strconv.AppendInt(append(e.buf, '"'), c.Counts[row], 10), "\" .\n"...)
		case Scalar:
			if err := e.scalar(c, row, u); err != nil {
				return err
			}
		case Edge:
			from, to := c.row(row)
			for i := from; i < to; i++ {
				e.subject(u, c.Key)
				e.buf = append(c.Targets[i].AppendText(append(e.buf, '<')), "> .\n"...)
			}
			if err := e.row(c, row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *rdfEncoder) subject(u graph.UID, key string) {
	e.buf = u.AppendText(append(e.buf, '<'))
	e.buf = append(append(append(e.buf, "> <"...), key...), "> "...)
}

func (e *rdfEncoder) scalar(n *Node, row int, u graph.UID) error {
	if n.Checks {
		return errRDFPassword
	}
	if n.asksFacets() {
		return errRDFFacets
	}
	from, to := n.row(row)
	for i := from; i < to; i++ {
		key := n.Key
		if n.Langs != nil && n.Langs[i] != "" {
			key += "@" + n.Langs[i]
		}
		v := n.Values[i]
		switch v.Type() {
		case types.Geo, types.Password:
			continue
		case types.Bool:
			e.subject(u, key)
			e.buf = types.AppendText(e.buf, v)
		default:
			e.subject(u, key)
			e.buf = types.AppendQuoted(e.buf, v.Text())
		}
		e.buf = append(e.buf, " .\n"...)
	}
	return nil
}
