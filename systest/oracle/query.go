package oracle

import (
	"fmt"
	"strings"
)

// query is a document: its blocks in the order of the text.
type query struct {
	blocks   []*node
	spelling uint64 // how it is written; 0 plainly
}

// kind says what a node of a query asks for.
type kind int

const (
	block     kind = iota // a root block; without fn one of aggregates only
	edge                  // a uid predicate with a body
	scalar                // a value predicate
	uidOf                 // uid
	countOf               // count(pred)
	countUID              // count(uid)
	valOf                 // val(x)
	mathOf                // math(...)
	aggregate             // min(val(x)); within @groupby min(pred)
	expandOf              // expand(...)
	facetVar              // a variable of facets; it stands below its edge, but not among the fields
)

// node is a block or a field.
type node struct {
	kind  kind
	alias string // of a block: its name; "var" is not emitted
	v     string // the variable that it defines
	pred  string // with ~ for a reverse, with @ and languages; of facetVar the key
	arg   string // the variable of valOf, aggregate and expandOf
	op    string // of aggregate: min max sum avg
	expr  *expr  // of mathOf

	fn     *cond // of block
	page   page
	orders []order
	filter *cond
	facets *facets
	types  []string // of expandOf; nil for all

	cascade   []string // nil for none; "" alone for all
	normalize bool
	reflex    bool // @ignorereflex
	recurse   *recurse
	groups    []groupKey
	kids      []*node
}

type page struct {
	first, offset int
	after         uid
}

type order struct {
	key  string // a predicate, perhaps with a language
	val  string // or a variable
	desc bool
}

type recurse struct {
	depth int
	loop  bool
}

type groupKey struct{ alias, pred string }

// cond is a function, or a combination of conditions.
type cond struct {
	op    string // and or not; else the name of a function
	kids  []*cond
	pred  string
	count bool   // of count(pred)
	val   string // of val(x)
	from  string // eq(pred, val(x))
	args  []value
	uids  []uid
	vars  []string // of uid(x), uid_in(pred, uid(x))
}

// expr is a formula: a constant, a variable, or an operator.
type expr struct {
	op    string
	kids  []*expr
	v     string
	fixed value
}

// text prints a document.
func (q *query) text() string {
	var b strings.Builder
	b.WriteString("{\n")
	for _, n := range q.blocks {
		n.print(&b, "  ")
	}
	b.WriteString("}")
	return b.String()
}

func (n *node) print(b *strings.Builder, indent string) {
	b.WriteString(indent)
	if n.v != "" {
		b.WriteString(n.v + " as ")
	}
	if n.kind == block {
		b.WriteString(n.alias + n.rootArgs())
	} else {
		if n.alias != "" {
			b.WriteString(n.alias + ": ")
		}
		b.WriteString(n.field())
	}
	b.WriteString(n.directives())
	if n.kind != block && n.kids == nil {
		b.WriteString("\n")
		return
	}
	b.WriteString(" {\n")
	for _, k := range n.kids {
		k.print(b, indent+"  ")
	}
	b.WriteString(indent + "}\n")
}

func (n *node) rootArgs() string {
	if n.fn == nil {
		return "()"
	}
	return "(" + strings.Join(append([]string{"func: " + n.fn.text()}, n.args()...), ", ") + ")"
}

// args are the arguments of order and paging.
func (n *node) args() (list []string) {
	for _, o := range n.orders {
		key := o.key
		if o.val != "" {
			key = "val(" + o.val + ")"
		}
		list = append(list, map[bool]string{false: "orderasc: ", true: "orderdesc: "}[o.desc]+key)
	}
	if n.page.first != 0 {
		list = append(list, fmt.Sprint("first: ", n.page.first))
	}
	if n.page.offset != 0 {
		list = append(list, fmt.Sprint("offset: ", n.page.offset))
	}
	if n.page.after != 0 {
		list = append(list, fmt.Sprint("after: ", n.page.after))
	}
	return list
}

// key is how a field is asked for, and what an answer calls it unless it has an alias.
func (n *node) key() string {
	switch n.kind {
	case uidOf:
		return "uid"
	case countOf:
		return "count(" + base(n.pred) + ")"
	case expandOf:
		if n.arg != "" {
			return "expand(val(" + n.arg + "))"
		}
		if n.types == nil {
			return "expand(_all_)"
		}
		return "expand(" + strings.Join(n.types, ", ") + ")"
	case countUID:
		return "count(uid)"
	case valOf:
		return "val(" + n.arg + ")"
	case aggregate:
		if n.pred != "" {
			return n.op + "(" + n.pred + ")"
		}
		return n.op + "(val(" + n.arg + "))"
	}
	return n.pred
}

func (n *node) field() string {
	switch {
	case n.kind == mathOf:
		return "math(" + n.expr.text() + ")"
	case n.kind == countOf && n.filter != nil:
		return "count(" + n.pred + " @filter(" + n.filter.text() + ")" + n.facets.text() + ")"
	case n.kind == countOf:
		return "count(" + n.pred + n.facets.text() + ")"
	}
	if args := n.args(); len(args) > 0 {
		return n.key() + " (" + strings.Join(args, ", ") + ")"
	}
	return n.key()
}

func (n *node) directives() string {
	var b strings.Builder
	if n.kind != countOf {
		b.WriteString(n.facets.text())
		if n.filter != nil {
			b.WriteString(" @filter(" + n.filter.text() + ")")
		}
	}
	if n.cascade != nil {
		b.WriteString(" @cascade")
		if n.cascade[0] != "" {
			b.WriteString("(" + strings.Join(n.cascade, ", ") + ")")
		}
	}
	if n.normalize {
		b.WriteString(" @normalize")
	}
	if n.reflex {
		b.WriteString(" @ignorereflex")
	}
	if r := n.recurse; r != nil {
		var args []string
		if r.depth > 0 {
			args = append(args, fmt.Sprint("depth: ", r.depth))
		}
		if r.loop {
			args = append(args, "loop: true")
		}
		b.WriteString(" @recurse")
		if args != nil {
			b.WriteString("(" + strings.Join(args, ", ") + ")")
		}
	}
	if n.groups != nil {
		var keys []string
		for _, k := range n.groups {
			if k.alias != "" {
				keys = append(keys, k.alias+": "+k.pred)
			} else {
				keys = append(keys, k.pred)
			}
		}
		b.WriteString(" @groupby(" + strings.Join(keys, ", ") + ")")
	}
	return b.String()
}

func (c *cond) text() string {
	var parts []string
	switch c.op {
	case "and", "or":
		for _, k := range c.kids {
			parts = append(parts, k.text())
		}
		return "(" + strings.Join(parts, " "+c.op+" ") + ")"
	case "not":
		return "not " + c.kids[0].text()
	}
	switch {
	case c.count:
		parts = append(parts, "count("+c.pred+")")
	case c.val != "":
		parts = append(parts, "val("+c.val+")")
	case c.pred != "":
		parts = append(parts, c.pred)
	}
	if c.from != "" {
		parts = append(parts, "val("+c.from+")")
	}
	for _, a := range c.args {
		if c.op == "type" {
			parts = append(parts, plain(a))
		} else {
			parts = append(parts, literal(a))
		}
	}
	for _, u := range c.uids {
		parts = append(parts, u.String())
	}
	if c.op == "uid_in" && len(c.uids) > 1 {
		parts = []string{c.pred, "[" + strings.Join(parts[1:], ", ") + "]"}
	}
	for _, v := range c.vars {
		if c.op == "uid_in" {
			v = "uid(" + v + ")"
		}
		parts = append(parts, v)
	}
	return c.op + "(" + strings.Join(parts, ", ") + ")"
}

func (e *expr) text() string {
	switch {
	case e.v != "":
		return e.v
	case e.op == "":
		return plain(e.fixed)
	case e.op == "neg":
		return "(-" + e.kids[0].text() + ")"
	case len(e.op) > 1 && e.op[0] >= 'a': // min, max, cond, ln
		var parts []string
		for _, k := range e.kids {
			parts = append(parts, k.text())
		}
		return e.op + "(" + strings.Join(parts, ", ") + ")"
	}
	return "(" + e.kids[0].text() + " " + e.op + " " + e.kids[1].text() + ")"
}
