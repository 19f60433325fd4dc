package oracle

import "slices"

// condition draws a filter.
func (m *maker) condition(depth int) *cond {
	return m.tree(depth, func() *cond { return m.function(false) })
}

// tree draws a combination of functions.
func (m *maker) tree(depth int, function func() *cond) *cond {
	if depth == 0 || !m.chance(40) {
		return function()
	}
	op := pick(m, []string{"not", "and", "or"})
	kids := []*cond{m.tree(depth-1, function)}
	if op != "not" {
		kids = append(kids, m.tree(depth-1, function))
	}
	return &cond{op: op, kids: kids}
}

// function draws a function for the root or for a filter.
func (m *maker) function(root bool) *cond {
	for {
		if c := m.tryFunction(root); c != nil {
			return c
		}
	}
}

func (m *maker) tryFunction(root bool) *cond {
	p := pick(m, predicates())
	switch m.rnd.IntN(10) {
	case 0:
		return m.uids(root)
	case 1, 2:
		if p.reverse && m.chance(40) {
			return &cond{op: "has", pred: "~" + p.name}
		}
		return &cond{op: "has", pred: m.looked(p)}
	case 3:
		return &cond{op: "type", args: []value{pick(m, []string{"Person", "City", "None"})}}
	case 4:
		if p.kind == "geo" || m.chance(20) {
			return m.around()
		}
		if m.chance(40) {
			return m.text(root)
		}
		return m.terms(p)
	case 5:
		if root {
			return nil
		}
		return m.uidIn(p)
	case 6:
		return m.counted(p, root)
	case 7:
		return m.ofVariable(p, root)
	case 8:
		return m.inequality(p, root)
	}
	return m.equality(p, root)
}

func (m *maker) uids(root bool) *cond {
	c := &cond{op: "uid"}
	if v, ok := m.earlier(func(v variable) bool { return !v.once }); ok && m.chance(70) {
		c.vars = []string{v}
	}
	if c.vars == nil || m.chance(30) {
		for range 1 + m.rnd.IntN(3) {
			c.uids = append(c.uids, uid(1+m.rnd.IntN(len(m.g.nodes)+2)))
		}
	}
	return c
}

func (m *maker) terms(p predicate) *cond {
	if !p.terms {
		return nil
	}
	return &cond{op: pick(m, []string{"anyofterms", "allofterms"}), pred: m.looked(p), args: []value{randomValue(m.rnd, "string")}}
}

// text draws a function on the text of a name or a nick.
func (m *maker) text(root bool) *cond {
	words := randomValue(m.rnd, "string")
	switch m.rnd.IntN(3) {
	case 0:
		return &cond{op: pick(m, []string{"anyoftext", "alloftext", "ngram"}), pred: "nick", args: []value{words}}
	case 1:
		return &cond{op: "match", pred: "name", args: []value{words, int64(m.rnd.IntN(5))}}
	}
	patterns := []pattern{"/ann/", "/^bob/i", "/Dov$/", "/(ann|eve) .*/", "/cyd [Da]/", "/^eve Bob$/", "/[ae]nn?.*cyd/i"}
	if root {
		return &cond{op: "regexp", pred: "name", args: []value{pick(m, patterns[:6])}}
	}
	return &cond{op: "regexp", pred: pick(m, []string{"name", "nick"}), args: []value{pick(m, append(patterns, "/n/", "/^.o/", "/B|e/i"))}}
}

func (m *maker) uidIn(p predicate) *cond {
	if p.kind != "uid" {
		return nil
	}
	c := &cond{op: "uid_in", pred: p.name}
	if m.chance(30) {
		c.pred = "~" + p.name
	}
	if v, ok := m.earlier(func(v variable) bool { return v.kind == "uid" }); ok && m.chance(50) {
		c.vars = []string{v}
		return c
	}
	for range 1 + m.rnd.IntN(3) {
		c.uids = append(c.uids, pick(m, m.g.nodes))
	}
	return c
}

var comparisons = []string{"lt", "le", "gt", "ge"}

func (m *maker) counted(p predicate, root bool) *cond {
	if p.kind != "uid" || root && !p.counted {
		return nil
	}
	c := &cond{op: pick(m, append([]string{"eq", "eq", "between"}, comparisons...)), pred: p.name, count: true}
	if m.chance(30) {
		c.pred = "~" + p.name
	}
	low := int64(m.rnd.IntN(4))
	if root {
		low++
		if c.op == "lt" {
			low++ // below one is refused
		}
	}
	c.args = []value{low}
	if c.op == "between" {
		c.args = append(c.args, low+int64(m.rnd.IntN(3)))
	}
	return c
}

// ofVariable compares the value of a variable, or a predicate with any value of one.
func (m *maker) ofVariable(p predicate, root bool) *cond {
	if root && p.indexed && m.chance(30) {
		if v, ok := m.earlier(func(v variable) bool { return v.kind == p.kind && !v.once }); ok {
			return &cond{op: "eq", pred: m.looked(p), from: v}
		}
	}
	kind := pick(m, []string{"int", "float", "string", "time"})
	v, ok := m.earlier(func(v variable) bool { return v.kind == kind && !v.once })
	if !ok {
		return nil
	}
	c := &cond{op: pick(m, append([]string{"eq"}, comparisons...)), val: v, args: []value{randomValue(m.rnd, kind)}}
	if c.op == "eq" && m.chance(30) {
		c.args = append(c.args, randomValue(m.rnd, kind))
	}
	if !root && m.chance(15) {
		c.op, c.args = "between", []value{randomValue(m.rnd, kind), randomValue(m.rnd, kind)}
		slices.SortFunc(c.args, compare)
	}
	return c
}

func (m *maker) inequality(p predicate, root bool) *cond {
	if !p.ordered() || root && !p.sorted {
		return nil
	}
	c := &cond{op: pick(m, append([]string{"between"}, comparisons...)), pred: m.looked(p), args: []value{randomValue(m.rnd, p.kind)}}
	if c.op == "between" {
		c.args = append(c.args, randomValue(m.rnd, p.kind))
		if compare(c.args[0], c.args[1]) > 0 {
			c.args[0], c.args[1] = c.args[1], c.args[0]
		}
	}
	return c
}

func (m *maker) equality(p predicate, root bool) *cond {
	if p.kind == "uid" || p.kind == "geo" || root && !p.indexed {
		return nil
	}
	c := &cond{op: "eq", pred: m.looked(p), args: []value{randomValue(m.rnd, p.kind)}}
	for m.chance(30) && p.kind != "bool" {
		c.args = append(c.args, randomValue(m.rnd, p.kind))
	}
	return c
}
