package schema

import (
	"fmt"
	"strings"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema/tok"
)

// CheckChange reports whether old may become new; old is nil for a new predicate. hasData says whether any
// node has a value or edge of it. Whether stored text converts to the new type is for the caller to find out,
// by types.Convert over the data (Rebuild.Retype).
func CheckChange(old, new *Predicate, hasData bool) error {
	if IsReserved(new.Name.Name) {
		return checkReserved(old, new)
	}
	if old == nil {
		return nil
	}
	name := new.Name.Name
	if old.Type != new.Type && (old.Type == types.Password || new.Type == types.Password) {
		return fmt.Errorf("schema change not allowed from %s to %s", upperName(old.Type), upperName(new.Type))
	}
	if old.IsUID() != new.IsUID() {
		if hasData {
			return fmt.Errorf(
				"schema change not allowed from scalar to uid or vice versa while there is data for pred: %s",
				name,
			)
		}
		return nil
	}
	if old.List && !new.List {
		if hasData {
			return fmt.Errorf("schema change not allowed from %s => %s without deleting pred: %s",
				old.typeText(), new.typeText(), name)
		}
		//lint:ignore ST1005 clients know this text, full stop included
		return fmt.Errorf(
			"type can't be changed from list to scalar for attr: [%s] without dropping it first.",
			name,
		)
	}
	if old.Upsert && !old.Unique && new.Unique && new.impliedUpsert {
		return fmt.Errorf("could not drop @upsert from [%s] predicate when @unique directive specified", name)
	}
	return nil
}

func checkReserved(old, new *Predicate) error {
	name := new.Name.Name
	if old == nil {
		return fmt.Errorf(
			"can't alter predicate `%s` as it is prefixed with `%s` which is reserved as the namespace "+
				"for the system's internal types/predicates",
			name, graph.Reserved)
	}
	if !old.SameDefinition(new) {
		return fmt.Errorf("predicate %s is pre-defined and is not allowed to be modified", name)
	}
	return nil
}

func upperName(id types.ID) string { return strings.ToUpper(id.String()) }

// Rebuild says which derived keys of a predicate must be made or removed when its definition changes.
type Rebuild struct {
	AddIndex, DropIndex     []tok.Tokenizer
	AddReverse, DropReverse bool
	AddCount, DropCount     bool
	// ToList says that a single value or edge becomes the first of a list.
	ToList bool
	// Retype says that stored values have another type than the new definition. They are converted when they
	// are read; one that does not convert should make the change fail.
	Retype bool
}

// Any reports whether there is anything to do over the data.
func (r Rebuild) Any() bool {
	return len(r.AddIndex)+len(r.DropIndex) > 0 || r.AddReverse || r.DropReverse || r.AddCount || r.DropCount ||
		r.ToList || r.Retype
}

// Diff returns what must be rebuilt when old becomes new; old is nil for a new predicate. A tokenizer that
// old was still building is added again.
func Diff(old, new *Predicate) Rebuild {
	if old == nil {
		old = &Predicate{Name: new.Name, Type: new.Type, List: new.List}
	}
	return Rebuild{
		AddIndex:    without(new.Index, old, true),
		DropIndex:   without(old.Index, new, false),
		AddReverse:  new.Reverse && !(old.Reverse && old.Ready(BuildingReverse)),
		DropReverse: old.Reverse && !new.Reverse,
		// Count keys of reverse edges come and go with the reverse edges themselves.
		AddCount:  new.Count && !(old.Count && old.Ready(BuildingCount) && (old.Reverse || !new.Reverse)),
		DropCount: old.Count && !new.Count,
		ToList:    new.List && !old.List,
		Retype:    old.Type != new.Type,
	}
}

// without returns the tokenizers of index that p lacks; with ready, those that p has but is still building as
// well.
func without(index []tok.Tokenizer, p *Predicate, ready bool) []tok.Tokenizer {
	var left []tok.Tokenizer
	for _, t := range index {
		has := false
		for _, u := range p.Index {
			has = has || sameTokenizer(t, u) && (!ready || p.Ready(u.Name()))
		}
		if !has {
			left = append(left, t)
		}
	}
	return left
}
