package oracle

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// member is one key of an object, with its JSON. Below it objs are the objects that the JSON is made of, for @normalize.
type member struct {
	key, json string
	alias     bool // survives @normalize
	objs      []object
}

// object is an object of the answer, its keys in the order of the query (fact 4).
type object []member

func (o object) json() string {
	parts := make([]string, len(o))
	for i, m := range o {
		parts[i] = strconv.Quote(m.key) + ":" + m.json
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func array(list []object) string {
	parts := make([]string, len(list))
	for i, o := range list {
		parts[i] = o.json()
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// json returns a value as JSON.
func json(v value) string {
	switch v := v.(type) {
	case uid:
		return strconv.Quote(v.String())
	case shape:
		return string(v)
	case float64:
		if math.IsInf(v, 0) {
			return plain(math.Copysign(math.MaxFloat64, v)) // fact 12
		}
	}
	return literal(v)
}

// answer evaluates a query.
func answer(g *triples, q *query) string {
	e := newEvaluator(g, q)
	var parts []string
	for _, b := range q.blocks {
		if b.alias == "var" {
			continue
		}
		list := e.block(b)
		if b.groups != nil && len(list) == 0 {
			continue // the exception to: every visible block appears (fact 68)
		}
		parts = append(parts, strconv.Quote(b.alias)+":"+array(list))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func (e *evaluator) block(b *node) (list []object) {
	switch {
	case b.fn == nil:
		for _, k := range b.kids {
			v, ok := e.once(k)
			text := "null"
			if ok {
				text = json(v)
			} else if k.kind != aggregate {
				continue
			}
			list = append(list, object{{key: name(k), json: text}}) // fact 19
		}
		return list
	case b.groups != nil:
		return e.groupObjects(b, e.rows(b, 0))
	case b.recurse != nil:
		r := e.recursion(b)
		for _, u := range e.rows(b, 0) {
			if o := r.show(r.top, u); len(o) > 0 {
				list = append(list, o)
			}
		}
		return list
	}
	list = e.objects(b, e.rows(b, 0), nil)
	for _, k := range e.fieldsOf(b) {
		if k.kind == countUID {
			list = append([]object{{{key: count(k), json: strconv.Itoa(len(e.rows(b, 0)))}}}, list...) // fact 18
		}
	}
	return list
}

// objects are the nodes of a list as objects; those without any field are dropped (fact 6).
func (e *evaluator) objects(n *node, nodes, path []uid) (list []object) {
	for _, u := range nodes {
		if e.reflexive(n) && slices.Contains(path, u) {
			continue // fact 55
		}
		var o object
		for _, k := range e.fieldsOf(n) {
			o = append(o, e.field(k, u, append(slices.Clone(path), u))...)
		}
		if len(o) > 0 && n.kind == edge {
			o = append(o, n.facets.show(name(n), e.g.onEdge(n.pred, path[len(path)-1], u))...)
		}
		switch {
		case n.normalize:
			for _, row := range flatten(o) {
				list = append(list, merged(row))
			}
		case len(o) > 0:
			list = append(list, o)
		}
	}
	return list
}

func (e *evaluator) reflexive(n *node) bool { return e.blocks[n].reflex }

// name is the key of a field in the answer.
func name(k *node) string {
	if k.alias != "" {
		return k.alias
	}
	if k.kind == mathOf {
		return "val(" + k.v + ")"
	}
	return k.key()
}

func count(k *node) string {
	if k.alias != "" {
		return k.alias
	}
	return "count"
}

// field is what a field gives at a node: nothing, or one member.
func (e *evaluator) field(k *node, u uid, path []uid) object {
	switch k.kind {
	case uidOf:
		return object{{key: name(k), json: json(u), alias: k.alias != ""}}
	case countUID:
		return nil
	case edge:
		rows := e.rows(k, u)
		if k.groups != nil {
			return edgeField(k, e.groupObjects(k, rows))
		}
		list := e.objects(k, rows, path)
		for _, c := range k.kids {
			if c.kind == countUID && len(rows) > 0 {
				list = append(list, object{{key: count(c), json: strconv.Itoa(len(rows))}}) // fact 18
			}
		}
		return edgeField(k, list)
	case scalar:
		return e.valueField(k, u)
	}
	if v, ok := e.valueAt(k, u); ok {
		return object{{key: name(k), json: json(v), alias: k.alias != ""}}
	}
	return nil
}

func (e *evaluator) valueField(k *node, u uid) object {
	values := e.shown(k, u)
	if len(values) == 0 {
		return nil
	}
	if isList(k.pred) {
		var parts []string
		var each [][]facet
		for _, s := range values {
			parts = append(parts, json(s.v))
			each = append(each, e.g.onValue(s.attr, u, s.v))
		}
		o := object{{key: name(k), json: "[" + strings.Join(parts, ",") + "]", alias: k.alias != ""}}
		return append(o, k.facets.showList(name(k), each)...)
	}
	var o object
	for _, s := range values { // several only of all languages
		key := name(k)
		if strings.HasSuffix(k.pred, "@*") {
			key = s.attr
		}
		o = append(o, member{key: key, json: json(s.v), alias: k.alias != ""})
		o = append(o, k.facets.show(key, e.g.onValue(s.attr, u, s.v))...)
	}
	return o
}

func edgeField(k *node, list []object) object {
	if len(list) == 0 {
		return nil
	}
	text := array(list)
	if single(k.pred) && !k.normalize && k.groups == nil {
		text = list[0].json()
	}
	return object{{key: name(k), json: text, objs: list}}
}

// flatten is @normalize: only aliased fields, the branches multiplied, the keys sorted (fact 44).
func flatten(o object) []object {
	rows := []object{nil}
	for _, m := range o {
		if m.objs == nil {
			if m.alias {
				for i := range rows {
					rows[i] = append(slices.Clone(rows[i]), m)
				}
			}
			continue
		}
		var below, next []object
		for _, child := range m.objs {
			below = append(below, flatten(child)...)
		}
		if len(below) == 0 {
			continue
		}
		for _, r := range rows {
			for _, b := range below {
				next = append(next, append(slices.Clone(r), b...))
			}
		}
		rows = next
	}
	for _, r := range rows {
		slices.SortStableFunc(r, func(a, b member) int { return strings.Compare(a.key, b.key) })
	}
	return slices.DeleteFunc(rows, func(r object) bool { return len(r) == 0 })
}

// merged makes an array of what has the same key: two branches may bring fields of one alias.
func merged(o object) (out object) {
	for i := 0; i < len(o); {
		m := o[i]
		var parts []string
		for ; i < len(o) && o[i].key == m.key; i++ {
			parts = append(parts, o[i].json)
		}
		if len(parts) > 1 {
			m.json = "[" + strings.Join(parts, ",") + "]"
		}
		out = append(out, m)
	}
	return out
}

// groupObjects is one object that holds all groups, or none without groups (fact 68).
func (e *evaluator) groupObjects(n *node, nodes []uid) []object {
	var list []object
	for _, g := range e.grouped(n, nodes) {
		var o object
		for i, k := range n.groups {
			key := base(k.pred)
			if k.alias != "" {
				key = k.alias
			}
			o = append(o, member{key: key, json: json(g.keys[i])})
		}
		for _, k := range n.kids {
			if v, ok := e.inGroup(k, g); ok {
				key := name(k)
				if k.kind == countUID {
					key = count(k)
				}
				o = append(o, member{key: key, json: json(v)})
			}
		}
		list = append(list, o)
	}
	if len(list) == 0 {
		return nil
	}
	return []object{{{key: "@groupby", json: array(list)}}}
}
