package mutation

import (
	"context"
	"fmt"
	"slices"

	"dragg/graph"
	"dragg/query/task"
	"dragg/schema"
)

// claim is a value of a @unique predicate that a request sets.
type claim struct {
	predicate graph.Predicate
	text      string
	lang      string
}

// checkUnique refuses a request that would give two nodes one value of a @unique predicate (dql.md fact 112). Races between
// transactions are settled by the conflict keys of the index entries.
func (b *Builder) checkUnique(ctx context.Context, s schema.Snapshot, edges []graph.Edge) error {
	final, released := finalValues(s, edges)
	if len(final) == 0 {
		return nil
	}
	holders := map[claim]graph.UID{}
	var claims []claim
	for _, slot := range slices.SortedFunc(keysOf(final), compareSlots) {
		c := final[slot]
		if c.text == "" && c.predicate == (graph.Predicate{}) {
			continue // deleted
		}
		if other, ok := holders[c]; ok && other != slot.uid {
			return duplicate(c)
		}
		if _, ok := holders[c]; !ok {
			claims = append(claims, c)
		}
		holders[c] = slot.uid
	}
	if len(claims) == 0 {
		return nil
	}
	batch := make([]task.Task, len(claims))
	for i, c := range claims {
		batch[i] = task.Task{
			Kind: task.Match, AtRoot: true, Predicate: c.predicate, Langs: langsOf(c.lang),
			Func: task.Func{Name: task.Eq, Args: []string{c.text}},
		}
	}
	res, err := b.Source.Read(ctx, batch)
	if err != nil {
		return err
	}
	for i, c := range claims {
		found := res[i].Set.AppendTo(nil)
		if len(found) > 1 {
			return fmt.Errorf("could not insert duplicate value: there are duplicates in existing data for predicate [%s]."+
				"Please drop the unique constraint and re-add it after fixing the predicate data", c.predicate)
		}
		for _, u := range found {
			if u != holders[c] && !released[slot{u, c.predicate, c.lang}] {
				return duplicate(c)
			}
		}
	}
	return nil
}

func duplicate(c claim) error {
	return fmt.Errorf("could not insert duplicate value [%s] for predicate [%s]", c.text, c.predicate)
}

func langsOf(lang string) []string {
	if lang == "" {
		return nil
	}
	return []string{lang}
}

// slot is a place for one value.
type slot struct {
	uid       graph.UID
	predicate graph.Predicate
	lang      string
}

func compareSlots(a, b slot) int {
	switch {
	case a.uid != b.uid:
		if a.uid < b.uid {
			return -1
		}
		return 1
	case a.predicate != b.predicate:
		return a.predicate.Compare(b.predicate)
	case a.lang < b.lang:
		return -1
	case a.lang > b.lang:
		return 1
	}
	return 0
}

func keysOf(m map[slot]claim) func(func(slot) bool) {
	return func(yield func(slot) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// finalValues returns what the request leaves in each slot of a @unique predicate that it touches: a claim, or the zero
// claim for a deletion; and the slots whose old value goes. Both are nil where it touches none.
func finalValues(s schema.Snapshot, edges []graph.Edge) (final map[slot]claim, released map[slot]bool) {
	for i := range edges {
		e := &edges[i]
		def, ok := s.Predicate(e.Predicate)
		if !ok || !def.Unique {
			continue
		}
		if final == nil {
			final, released = map[slot]claim{}, map[slot]bool{}
		}
		at := slot{e.Subject, e.Predicate, e.Lang}
		released[at] = true
		if e.Op == graph.Set {
			final[at] = claim{e.Predicate, e.Value.Text(), e.Lang}
		} else {
			final[at] = claim{}
		}
	}
	return final, released
}
