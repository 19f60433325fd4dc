package posting

import (
	"slices"

	"dragg/graph"
	"dragg/posting/uidset"
)

// gatherer makes a content of elements that come in order. Without payloads, which is how almost all come, it
// takes no more memory than the set of them. The zero gatherer is ready.
type gatherer struct {
	uids  uidset.Builder
	elems []element // from the first one with a payload on, all of them
}

// add adds an element at or above the last one; one that is there already is left as it is.
func (g *gatherer) add(id uint64, pay []byte) {
	if pay == nil && g.elems == nil {
		g.uids.Add(graph.UID(id))
		return
	}
	g.spell()
	if n := len(g.elems); n > 0 && g.elems[n-1].id == id {
		return
	}
	g.elems = append(g.elems, element{id, slices.Clone(pay)})
}

// addAll adds the elements of c, which are above the last one.
func (g *gatherer) addAll(c *content) {
	if c.pays() == paysNone && g.elems == nil {
		g.uids.AddSet(c.ids)
		return
	}
	g.spell()
	c.each(func(e element) bool {
		g.elems = append(g.elems, e)
		return true
	})
}

// spell turns the set into elements.
func (g *gatherer) spell() {
	if g.elems != nil {
		return
	}
	g.elems = []element{}
	for u := range g.uids.Set().All() {
		g.elems = append(g.elems, element{id: uint64(u)})
	}
}

// content returns what was gathered and starts anew.
func (g *gatherer) content() content {
	if g.elems == nil {
		return content{ids: g.uids.Set()}
	}
	c := contentOf(g.elems)
	g.elems = nil
	return c
}
