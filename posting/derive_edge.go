package posting

import (
	"dragg/graph"
)

// edgeList derives the changes of a node's edges in a list predicate. Adding and removing a named edge reads
// nothing.
func (d *Deriver) edgeList(edges []graph.Edge) error {
	subject := edges[0].Subject
	key := d.dataKey(subject)
	for i := range edges {
		switch e := &edges[i]; e.Op {
		case graph.Delete:
			d.removeEdge(key, subject, e.Object)
		case graph.DeleteAll:
			// Edge by edge, as the snapshot saw them: a concurrent transaction may add others.
			l, err := d.v.List(key)
			if err != nil {
				return err
			}
			for u := range l.UIDs().All() {
				d.removeEdge(key, subject, u)
			}
		}
	}
	for i := range edges {
		if e := &edges[i]; e.Op == graph.Set {
			facets := d.facets(e.Facets)
			d.out.add(key, setElement, uint64(e.Object), facets)
			d.conflict(onElement, subject, uint64(e.Object), nil)
			if d.p.Reverse {
				d.out.add(d.reverseKey(e.Object), setElement, uint64(subject), facets)
			}
		}
	}
	return nil
}

func (d *Deriver) removeEdge(key []byte, subject, object graph.UID) {
	d.out.add(key, delElement, uint64(object), nil)
	d.conflict(onElement, subject, uint64(object), nil)
	if d.p.Reverse {
		d.out.add(d.reverseKey(object), delElement, uint64(subject), nil)
	}
}

// singleEdge derives the changes of the one edge of a node. A set replaces it (dql.md fact 115), and the
// reverse edge of the target before.
func (d *Deriver) singleEdge(edges []graph.Edge) error {
	subject := edges[0].Subject
	key := d.dataKey(subject)
	d.conflict(onSubject, subject, 0, nil)
	read := d.p.Reverse
	var set *graph.Edge
	clear := false
	for i := range edges {
		switch e := &edges[i]; e.Op {
		case graph.Set:
			set = e
		case graph.Delete:
			read = true
		case graph.DeleteAll:
			clear = true
		}
	}
	var old List
	if read {
		var err error
		if old, err = d.v.List(key); err != nil {
			return err
		}
		for i := range edges {
			e := &edges[i]
			clear = clear || e.Op == graph.Delete && old.Contains(e.Object)
		}
	}
	if set == nil && (!clear || read && old.IsEmpty()) {
		return nil
	}
	d.out.add(key, clearAll, 0, nil)
	if d.p.Reverse {
		for u := range old.UIDs().All() {
			if set == nil || u != set.Object {
				d.out.add(d.reverseKey(u), delElement, uint64(subject), nil)
			}
		}
	}
	if set != nil {
		facets := d.facets(set.Facets)
		d.out.add(key, setElement, uint64(set.Object), facets)
		if d.p.Reverse {
			d.out.add(d.reverseKey(set.Object), setElement, uint64(subject), facets)
		}
	}
	return nil
}
