package posting

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/posting/keys"
	"dragg/schema"
	"dragg/schema/tok"
)

// Derived is what one mutation does.
type Derived struct {
	// Pending are the changes of data, reverse and index keys.
	Pending *Pending
	// Conflicts are the conflict keys, ascending without duplicates.
	Conflicts []graph.ConflictKey
}

// maxDerivedKey bounds the length of an index key, so that also the keys of its parts fit the engine.
const maxDerivedKey = 64_900

// errEdge says that an edge does not fit its predicate; the mutation layer lets none through.
var errEdge = errors.New("edge does not fit the predicate")

// Derive returns the changes that edges make to the lists of one predicate; see [Deriver.Add].
func Derive(v *View, p *schema.Predicate, inc graph.Incarnation, edges []graph.Edge) (Derived, error) {
	d := NewDeriver(v, len(edges))
	if err := d.Add(p, inc, edges); err != nil {
		return Derived{}, err
	}
	return d.Derived(), nil
}

// Deriver gathers what one mutation does to several predicates. It is a pure function of what it is given, in
// pieces, for one goroutine.
type Deriver struct {
	v         *View
	out       changes
	conflicts []graph.ConflictKey

	// The predicate at hand.
	p   *schema.Predicate
	inc graph.Incarnation
	on  conflicts

	// Scratch space.
	edits    edits
	tokens   []string
	tokenKey []byte
}

// NewDeriver returns a Deriver for about so many edges. v is the snapshot at the transaction's start with its own
// earlier changes on top; they are not part of the result, see [Pending.Merge].
func NewDeriver(v *View, edges int) *Deriver {
	return &Deriver{v: v, out: newChanges(edges), conflicts: make([]graph.ConflictKey, 0, edges)}
}

// Add derives the changes that edges make to the lists of predicate p, whose tablet copy is inc. Predicates are added
// once each, in the order of their inc, which is that of their keys.
//
// All deletions count as before all sets, whatever the order of the edges; of several sets of one scalar the
// last wins (dql.md fact 99, architecture section 6). Adding to a list and setting a scalar without index
// reads nothing. Counts are not derived here but when the changes are committed.
//
// An error is the caller's to report to the client where it wraps tok.ErrTooLarge, or says that a shape cannot be in
// a geo index; others mean that stored data is damaged or an edge was not validated. The Deriver is of no use then.
func (d *Deriver) Add(p *schema.Predicate, inc graph.Incarnation, edges []graph.Edge) error {
	if inc <= d.inc {
		return fmt.Errorf("%w: predicate %s is not in order", errEdge, p.Name)
	}
	d.p, d.inc, d.on = p, inc, newConflicts(p.Name, p.NoConflict)
	before := len(d.out.list)
	bySubject := func(a, b graph.Edge) int { return cmp.Compare(a.Subject, b.Subject) }
	if !slices.IsSortedFunc(edges, bySubject) {
		edges = slices.Clone(edges)
		slices.SortStableFunc(edges, bySubject)
	}
	for len(edges) > 0 {
		n := 1
		for n < len(edges) && edges[n].Subject == edges[0].Subject {
			n++
		}
		if err := d.subject(edges[:n]); err != nil {
			return fmt.Errorf("predicate %s of %s: %w", p.Name, edges[0].Subject, err)
		}
		edges = edges[n:]
	}
	d.out.sort(before)
	return nil
}

// Derived returns what all that was added does.
func (d *Deriver) Derived() Derived {
	slices.Sort(d.conflicts)
	return Derived{Pending: d.out.pending(), Conflicts: slices.Compact(d.conflicts)}
}

// conflict adds a conflict key; see conflicts.
func (d *Deriver) conflict(what byte, uid graph.UID, element uint64, tokenKey []byte) {
	if !d.on.off {
		d.conflicts = append(d.conflicts, d.on.key(what, uid, element, tokenKey))
	}
}

// subject derives the changes of one node.
func (d *Deriver) subject(edges []graph.Edge) error {
	for i := range edges {
		if err := d.check(&edges[i]); err != nil {
			return err
		}
	}
	switch {
	case d.p.Type == types.UID && d.p.List:
		return d.edgeList(edges)
	case d.p.Type == types.UID:
		return d.singleEdge(edges)
	case d.p.List:
		return d.valueList(edges)
	}
	return d.scalar(edges)
}

func (d *Deriver) check(e *graph.Edge) error {
	if e.Op != graph.DeleteAll && (e.Object != 0) != (d.p.Type == types.UID) {
		return fmt.Errorf("%w: object %s of type %s", errEdge, e.Object, d.p.Type)
	}
	if e.Subject == 0 {
		return fmt.Errorf("%w: no subject", errEdge)
	}
	return checkLang(e.Lang)
}

func (d *Deriver) dataKey(uid graph.UID) []byte {
	return d.out.taken(keys.AppendData(d.out.room(24), d.inc, uid))
}

func (d *Deriver) reverseKey(uid graph.UID) []byte {
	return d.out.taken(keys.AppendReverse(d.out.room(24), d.inc, uid))
}

// facets returns the payload of an edge with facets, nil without.
func (d *Deriver) facets(facets []graph.Facet) []byte {
	if len(facets) == 0 {
		return nil
	}
	return d.out.taken(appendFacets(d.out.room(64), sortFacets(facets)))
}

// value returns the payload of a value.
func (d *Deriver) value(e *graph.Edge) []byte {
	var facets []byte
	if len(e.Facets) > 0 {
		facets = appendFacets(nil, sortFacets(e.Facets))
	}
	return d.out.taken(appendValue(d.out.room(64), e.Lang, e.Value, facets))
}

// tokensOf returns the tokens of a value under one tokenizer. They are valid until the next call with the
// same buffer.
func tokensOf(dst []string, t tok.Tokenizer, v types.Value, lang string) ([]string, error) {
	if have, want := v.Type(), t.Type(); have != want && !(want == types.String && have == types.Default) {
		converted, err := types.Convert(v, want)
		if err != nil {
			return dst, err
		}
		v = converted
	}
	return t.AppendTokens(dst, v, lang)
}

// index records that the token of uid's value comes or goes.
func (d *Deriver) index(t tok.Tokenizer, lang, token string, kind changeKind, uid graph.UID) error {
	n := 11 + len(lang) + len(token)
	if n > maxDerivedKey {
		return tok.ErrTooLarge
	}
	key := d.out.taken(keys.AppendIndex(d.out.room(n), d.inc, t.ID(), lang, token))
	d.out.add(key, kind, uint64(uid), nil)
	return nil
}

// onToken records the conflict keys of a token that a value of uid has or had.
func (d *Deriver) onToken(t tok.Tokenizer, lang, token string, uid graph.UID) {
	perNode := d.p.List && t.Lossy()
	if !perNode && !d.p.Upsert && !d.p.Unique {
		return
	}
	d.tokenKey = keys.AppendIndex(d.tokenKey[:0], 0, t.ID(), lang, token)
	if perNode {
		d.conflict(onSubjectToken, uid, 0, d.tokenKey)
	}
	if d.p.Upsert || d.p.Unique {
		d.conflict(onToken, 0, 0, d.tokenKey)
	}
}
