package posting

import (
	"slices"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema/tok"
)

// edit is what a mutation makes of one slot of a node's values.
type edit struct {
	slot uint64
	old  *Posting    // what was there, if it was read
	set  *graph.Edge // the new value; nil: the slot becomes empty
}

// edits are the edits of one node, in the order in which their slots were first named.
type edits []edit

func (es *edits) at(slot uint64) *edit {
	for i := range *es {
		if (*es)[i].slot == slot {
			return &(*es)[i]
		}
	}
	*es = append(*es, edit{slot: slot})
	return &(*es)[len(*es)-1]
}

func (es edits) has(slot uint64) bool {
	return slices.ContainsFunc(es, func(e edit) bool { return e.slot == slot })
}

// scalar derives the changes of a node's value, one a language. Without an index a set reads nothing.
func (d *Deriver) scalar(edges []graph.Edge) error {
	subject := edges[0].Subject
	key := d.dataKey(subject)
	d.conflict(onSubject, subject, 0, nil)
	read := len(d.p.Index) > 0
	for i := range edges {
		read = read || edges[i].Op == graph.Delete
	}
	var old []Posting
	if read {
		l, err := d.v.List(key)
		if err != nil {
			return err
		}
		if old, err = l.AppendValues(nil); err != nil {
			return err
		}
	}
	es := d.edits[:0]
	whole := d.scalarEdits(&es, edges, old)
	d.edits = es
	for i := range old {
		if whole || es.has(old[i].Slot) {
			es.at(old[i].Slot).old = &old[i]
		}
	}
	if len(es) == 0 && (read || !whole) {
		return nil
	}
	if whole {
		d.out.add(key, clearAll, 0, nil)
	}
	for _, e := range es {
		switch {
		case e.set == nil && e.old == nil && read: // there was nothing to delete
		case e.set != nil:
			d.out.add(key, setElement, e.slot, d.value(e.set))
		case !whole:
			d.out.add(key, delElement, e.slot, nil)
		}
		if err := d.scalarIndex(subject, e); err != nil {
			return err
		}
	}
	return nil
}

// scalarEdits gathers what edges do to the slots of a scalar. whole says that no other slot survives.
func (d *Deriver) scalarEdits(es *edits, edges []graph.Edge, old []Posting) (whole bool) {
	for i := range edges {
		e := &edges[i]
		slot := LangSlot(e.Lang)
		switch {
		case e.Op == graph.DeleteAll && e.Lang == "":
			whole = true
		case e.Op == graph.DeleteAll:
			es.at(slot).set = nil
		case e.Op == graph.Delete:
			for j := range old {
				if old[j].Slot == slot && same(old[j].Value, e.Value) {
					es.at(slot).old = &old[j]
				}
			}
		}
	}
	// Without languages the one value is all there is: its versions are whole and need no rollup.
	only := !d.p.Lang && !slices.ContainsFunc(edges, func(e graph.Edge) bool { return e.Lang != "" }) &&
		!slices.ContainsFunc(old, func(p Posting) bool { return p.Lang != "" })
	for i := range edges {
		if edges[i].Op == graph.Set {
			es.at(LangSlot(edges[i].Lang)).set = &edges[i]
		}
	}
	return whole || only && len(*es) > 0
}

// same says that a deletion of the value b means the stored value a. Both are compared in the type that was
// stored.
func same(a, b types.Value) bool {
	if types.Equal(a, b) {
		return true
	}
	if a.Type() == b.Type() {
		return false
	}
	c, err := types.Convert(b, a.Type())
	return err == nil && types.Equal(a, c)
}

// scalarIndex moves a node from the tokens of an old value to those of the new one. Tokens are kept by
// language, so that the slots of a node do not share any.
func (d *Deriver) scalarIndex(subject graph.UID, e edit) error {
	for _, t := range d.p.Index {
		var before, after []string
		lang := ""
		if e.old != nil {
			lang = e.old.Lang
			if tokens, err := tokensOf(nil, t, e.old.Value, lang); err == nil { // else it was not indexed
				before = tokens
			}
		}
		if e.set != nil {
			lang = e.set.Lang
			var err error
			if after, err = tokensOf(nil, t, e.set.Value, lang); err != nil {
				return err
			}
		}
		for _, token := range before {
			d.onToken(t, lang, token, subject)
			if slices.Contains(after, token) {
				continue
			}
			if err := d.index(t, lang, token, delElement, subject); err != nil {
				return err
			}
		}
		for _, token := range after {
			d.onToken(t, lang, token, subject)
			if slices.Contains(before, token) {
				continue
			}
			if err := d.index(t, lang, token, setElement, subject); err != nil {
				return err
			}
		}
	}
	return nil
}

// valueList derives the changes of a node's values in a list predicate. Adding reads nothing; removing reads
// only where other values may share a token of the removed one.
func (d *Deriver) valueList(edges []graph.Edge) error {
	subject := edges[0].Subject
	key := d.dataKey(subject)
	lossy := slices.ContainsFunc(d.p.Index, tok.Tokenizer.Lossy)
	removes, all := false, false
	for i := range edges {
		removes = removes || edges[i].Op != graph.Set
		all = all || edges[i].Op == graph.DeleteAll && edges[i].Lang == ""
	}
	var old []Posting
	if all || removes && lossy {
		l, err := d.v.List(key)
		if err != nil {
			return err
		}
		if old, err = l.AppendValues(nil); err != nil {
			return err
		}
	}
	es := d.listEdits(edges, old, all)
	for i := range es {
		e := &es[i]
		d.conflict(onElement, subject, e.slot, nil)
		if e.set != nil {
			d.out.add(key, setElement, e.slot, d.value(e.set))
		} else {
			d.out.add(key, delElement, e.slot, nil)
		}
	}
	return d.listIndex(subject, es, old)
}

// listEdits gathers what edges do to the values of a list, value by value: a deletion of all means those that
// the snapshot saw, so that values that are added concurrently stay, with their index entries.
func (d *Deriver) listEdits(edges []graph.Edge, old []Posting, all bool) edits {
	place := make(map[uint64]int, len(edges)+len(old))
	var es edits
	at := func(slot uint64) *edit {
		i, ok := place[slot]
		if !ok {
			i = len(es)
			place[slot] = i
			es = append(es, edit{slot: slot})
		}
		return &es[i]
	}
	if all {
		for i := range old {
			at(old[i].Slot).old = &old[i]
		}
	}
	for i := range edges {
		if e := &edges[i]; e.Op == graph.Delete {
			at(types.Fingerprint(e.Value)).old = &Posting{Value: e.Value}
		}
	}
	for i := range edges {
		if e := &edges[i]; e.Op == graph.Set {
			at(types.Fingerprint(e.Value)).set = e
		}
	}
	return es
}

// listIndex adds the tokens of new values, and removes those of removed values that no remaining value needs.
func (d *Deriver) listIndex(subject graph.UID, es edits, old []Posting) error {
	for _, t := range d.p.Index {
		var needed map[string]bool
		removed := func(e *edit) bool { return e.set == nil && e.old != nil }
		if t.Lossy() && slices.ContainsFunc(es, func(e edit) bool { return removed(&e) }) {
			needed = d.neededTokens(t, es, old)
		}
		for i := range es {
			e := &es[i]
			kind, v := setElement, types.Value{}
			if removed(e) {
				kind, v = delElement, e.old.Value
			} else {
				v = e.set.Value
			}
			tokens, err := tokensOf(d.tokens[:0], t, v, "")
			d.tokens = tokens
			if err != nil {
				if kind == delElement { // it was not indexed
					continue
				}
				return err
			}
			for _, token := range tokens {
				d.onToken(t, "", token, subject)
				if kind == delElement && needed[token] {
					continue
				}
				if err := d.index(t, "", token, kind, subject); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// neededTokens returns the tokens of the values that remain after the edits.
func (d *Deriver) neededTokens(t tok.Tokenizer, es edits, old []Posting) map[string]bool {
	edited := make(map[uint64]bool, len(es))
	needed := make(map[string]bool)
	need := func(v types.Value) {
		tokens, err := tokensOf(d.tokens[:0], t, v, "")
		if d.tokens = tokens; err != nil {
			return // it is not indexed
		}
		for _, token := range tokens {
			needed[token] = true
		}
	}
	for i := range es {
		edited[es[i].slot] = true
		if es[i].set != nil {
			need(es[i].set.Value)
		}
	}
	for i := range old {
		if !edited[old[i].Slot] {
			need(old[i].Value)
		}
	}
	return needed
}
