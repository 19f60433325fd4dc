package schema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema/tok"
)

// checkDefinition checks the rules between the directives of one predicate, and adds @upsert to @unique.
func checkDefinition(p *Predicate) error {
	name := p.Name.Name
	if p.Unique {
		if err := checkUnique(p); err != nil {
			return err
		}
		p.impliedUpsert = !p.Upsert
		p.Upsert = true
	}
	if p.Upsert && !p.Indexed() && p.Vector == nil {
		return fmt.Errorf("index tokenizer is mandatory for: [%s] when specifying @upsert directive", name)
	}
	return nil
}

func checkUnique(p *Predicate) error {
	has := func(names ...string) bool {
		return slices.ContainsFunc(p.Index, func(t tok.Tokenizer) bool { return slices.Contains(names, t.Name()) })
	}
	switch p.Type {
	case types.String:
		if !has(tok.Exact, tok.Hash) {
			return fmt.Errorf(
				"index for predicate [%s] is missing, add either hash or exact index with @unique",
				p.Name.Name,
			)
		}
	case types.Int:
		if !has(tok.Int) {
			return fmt.Errorf("index for predicate [%s] is missing, add int index with @unique", p.Name.Name)
		}
	default:
		return fmt.Errorf("@unique directive not supported on [%s] type predicate", upperName(p.Type))
	}
	return nil
}

// hnsw is the only vector index method.
const hnsw = "hnsw"

// vectorIndex reads the optional "(metric: "cosine", efSearch: "50")" after hnsw.
func (p *parser) vectorIndex(def *Predicate) error {
	if def.Type != types.Vector {
		return fmt.Errorf("IndexFactory: %s isn't valid for predicate: %s of type: %s",
			hnsw, def.Name.Name, def.Type)
	}
	if def.Vector != nil {
		return fmt.Errorf("duplicate tokenizers defined for pred %s", def.Name.Name)
	}
	def.Vector = &VectorIndex{Name: hnsw}
	it, err := p.peek()
	if err != nil || !it.is("(") {
		return err
	}
	for {
		if _, err := p.next(); err != nil {
			return err
		}
		if err := p.option(def.Vector); err != nil {
			return err
		}
		if last, err := p.closed(); last || err != nil {
			return err
		}
	}
}

// option reads `metric: "cosine"`.
func (p *parser) option(index *VectorIndex) error {
	key, err := p.next()
	if err != nil {
		return err
	}
	if key.kind != itemName {
		return fmt.Errorf("expected an option of %s, got %s", hnsw, key)
	}
	if slices.ContainsFunc(index.Options, func(o Option) bool { return o.Key == key.text }) {
		return fmt.Errorf("option %s is given twice", key)
	}
	wanted := fmt.Errorf("option %s wants a colon and a quoted value", key)
	if it, err := p.next(); err != nil || !it.is(":") {
		return cmp.Or(err, wanted)
	}
	value, err := p.next()
	if err != nil || value.kind != itemString {
		return cmp.Or(err, wanted)
	}
	o := Option{Key: key.text, Value: value.text}
	index.Options = append(index.Options, o)
	return checkOption(o)
}

func checkOption(o Option) error {
	switch o.Key {
	case "metric":
		switch o.Value {
		case "euclidean", "cosine", "dotproduct":
			return nil
		}
		return fmt.Errorf("can't create a vector index for %s", o.Value)
	case "exponent", "maxLevels", "efConstruction", "efSearch":
		const most = 1 << 20
		if n, err := strconv.Atoi(o.Value); err != nil || n < 1 || n > most {
			return fmt.Errorf("option %s wants a number from 1 to %d, got %q", o.Key, most, o.Value)
		}
		return nil
	default:
		//lint:ignore ST1005 clients know this text, exclamation mark included
		return fmt.Errorf("option %s is not allowed!", strings.TrimSpace(o.Key))
	}
}

// ErrNoField says that a type lists a field that no predicate has.
var ErrNoField = errors.New("schema does not contain a matching predicate for field")

// Check reports whether the definitions of u may be added to s: the names are not reserved, every change of a
// predicate that exists is allowed (see CheckChange), and types list predicates that exist afterwards.
// hasData is asked only about predicates whose change depends on it.
func (s Snapshot) Check(u Update, hasData func(graph.Predicate) (bool, error)) error {
	for _, p := range u.Predicates {
		old, _ := s.Predicate(p.Name)
		data := false
		if old != nil && (old.IsUID() != p.IsUID() || old.List && !p.List) {
			var err error
			if data, err = hasData(p.Name); err != nil {
				return err
			}
		}
		if err := CheckChange(old, p, data); err != nil {
			return err
		}
	}
	after := s.With(u)
	for _, t := range u.Types {
		if err := s.checkType(after, t); err != nil {
			return err
		}
	}
	return nil
}

func (s Snapshot) checkType(after Snapshot, t *Type) error {
	if IsReserved(t.Name) {
		if old, ok := s.Type(t.Name); ok && old.Equal(t) {
			return nil
		}
		return fmt.Errorf(
			"can't alter type `%s` as it is prefixed with `%s` which is reserved as the namespace for "+
				"the system's internal types/predicates",
			t.Name, graph.Reserved)
	}
	for _, f := range t.Fields {
		if _, ok := after.Predicate(graph.Pred(strings.TrimPrefix(f, "~"))); !ok {
			return fmt.Errorf("%w %s in type %s", ErrNoField, f, t.Name)
		}
	}
	return nil
}
