package cycle

// components returns the strongly connected components of more than one node.
func (p *packed) components() [][]int32 {
	n := len(p.first) - 1
	t := &tarjan{packed: p, index: make([]int32, n), low: make([]int32, n), open: make([]bool, n)}
	for v := range int32(n) {
		if t.index[v] == 0 {
			t.visit(v)
		}
	}
	return t.found
}

// tarjan is Tarjan's algorithm with a stack of its own: histories are deeper than call stacks should be.
type tarjan struct {
	*packed
	index, low []int32 // by node; an index of 0: not met yet
	open       []bool  // by node: it is on the stack
	stack      []int32
	next       int32
	found      [][]int32
}

// call is a node being visited, and the edge it goes on with.
type call struct{ node, edge int32 }

func (t *tarjan) enter(n int32) call {
	t.next++
	t.index[n], t.low[n], t.open[n] = t.next, t.next, true
	t.stack = append(t.stack, n)
	return call{n, t.first[n]}
}

func (t *tarjan) visit(root int32) {
	calls := []call{t.enter(root)}
	for len(calls) > 0 {
		c := &calls[len(calls)-1]
		if c.edge < t.first[c.node+1] {
			to := t.to[c.edge]
			c.edge++
			switch {
			case t.index[to] == 0:
				calls = append(calls, t.enter(to))
			case t.open[to]:
				t.low[c.node] = min(t.low[c.node], t.index[to])
			}
			continue
		}
		done := c.node
		calls = calls[:len(calls)-1]
		if len(calls) > 0 {
			parent := calls[len(calls)-1].node
			t.low[parent] = min(t.low[parent], t.low[done])
		}
		if t.low[done] == t.index[done] {
			t.leave(done)
		}
	}
}

// leave takes a component off the stack.
func (t *tarjan) leave(root int32) {
	at := len(t.stack) - 1
	for t.stack[at] != root {
		at--
	}
	for _, n := range t.stack[at:] {
		t.open[n] = false
	}
	if len(t.stack)-at > 1 {
		t.found = append(t.found, append([]int32(nil), t.stack[at:]...))
	}
	t.stack = t.stack[:at]
}
