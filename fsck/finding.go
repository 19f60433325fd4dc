package fsck

import (
	"fmt"
	"strings"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/schema/tok"
)

// Damage says what is wrong.
type Damage string

// What a check can find.
const (
	Missing     Damage = "missing"      // an entry that the data calls for is not stored
	Stray       Damage = "stray"        // an entry is stored that the data does not call for
	Facets      Damage = "facets"       // a reverse edge has other facets than its edge
	Unreadable  Damage = "unreadable"   // stored bytes cannot be decoded
	Malformed   Damage = "malformed"    // a key that no layout knows
	Orphan      Damage = "orphan"       // keys of a tablet copy that nobody knows
	Unsettled   Damage = "unsettled"    // a pending transaction whose verdict the replica has passed
	Disagreeing Damage = "disagreement" // replica and Zero contradict each other
)

// Finding is one thing that is wrong.
type Finding struct {
	Damage    Damage
	Predicate graph.Predicate // none for findings about the whole replica
	Key       keys.Key        // where; the zero Key where no single key is meant
	UID       graph.UID       // the entry, 0 where none is meant
	Detail    string
}

// String renders the finding as one line.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(string(f.Damage))
	if f.Predicate.Name != "" {
		fmt.Fprintf(&b, ": predicate %s", f.Predicate)
	}
	if where := describe(f.Key); where != "" {
		b.WriteString(": " + where)
	}
	if f.UID != 0 {
		fmt.Fprintf(&b, ": uid %s", f.UID)
	}
	if f.Detail != "" {
		b.WriteString(": " + f.Detail)
	}
	return b.String()
}

// maxTokenShown is how many bytes of a token a line shows.
const maxTokenShown = 64

func describe(k keys.Key) string {
	if k.Incarnation == 0 {
		return ""
	}
	switch k.Kind {
	case keys.KindData:
		return fmt.Sprintf("data of %s", k.UID)
	case keys.KindReverse:
		return fmt.Sprintf("reverse edges of %s", k.UID)
	case keys.KindIndex:
		token := k.Token
		if len(token) > maxTokenShown {
			token = token[:maxTokenShown] + "…"
		}
		name := fmt.Sprintf("tokenizer %d", k.Tokenizer)
		if t, ok := tok.ByID(k.Tokenizer); ok {
			name = t.Name()
		}
		if k.Lang != "" {
			name += "@" + k.Lang
		}
		return fmt.Sprintf("index %s: token %q", name, token)
	case keys.KindCount:
		return fmt.Sprintf("count %d", k.Count)
	case keys.KindReverseCount:
		return fmt.Sprintf("reverse count %d", k.Count)
	case keys.KindPart:
		parent, err := keys.Parse(k.Parent)
		if err != nil {
			return "a part of an unknown list"
		}
		return fmt.Sprintf("the part from %#x of %s", k.First, describe(parent))
	case keys.KindMeta:
	}
	return ""
}

// Summary is what a check has seen.
type Summary struct {
	Tablets   int
	Keys      int64 // on disk
	Nodes     int64 // data lists
	Elements  int64 // values and edges
	Derived   int64 // entries of index, reverse and count keys
	Pending   int   // transactions without a verdict yet
	Retired   int   // copies that wait for deletion
	Skipped   []string
	Findings  int64 // what is wrong; Config.Report was told of the first Config.MaxFindings
	Watermark graph.Timestamp
}

// String renders the summary for people.
func (s Summary) String() string {
	text := fmt.Sprintf("checked %d predicates at timestamp %d: %d nodes, %d values and edges, %d index, reverse and count entries, "+
		"%d keys on disk, %d open transactions", s.Tablets, s.Watermark, s.Nodes, s.Elements, s.Derived, s.Keys, s.Pending)
	if s.Retired > 0 {
		text += fmt.Sprintf(", %d dropped predicates wait for deletion", s.Retired)
	}
	for _, what := range s.Skipped {
		text += "\nnot checked: " + what
	}
	if s.Findings == 0 {
		return text + "\nno damage found"
	}
	return text + fmt.Sprintf("\nDAMAGE: %d findings", s.Findings)
}
