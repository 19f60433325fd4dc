package dql

import (
	"slices"
	"strings"
	"testing"
)

// Goal: an editor that completes words completes what the parser knows. Method: each function at the root of a query, each directive and
// argument in its place.
func TestWordsAreOfTheLanguage(t *testing.T) {
	words := Words()
	if !slices.IsSorted(words) {
		t.Error("the words are in no alphabetical order")
	}
	args := map[string]string{
		"uid": "uid(1)", "has": "has(p)", "type": "type(T)", "between": "between(p, 1, 2)", "match": `match(p, "a", 1)`,
		"regexp": "regexp(p, /abc/)", "near": "near(p, [1, 2], 3)", "uid_in": "uid_in(p, 1)",
	}
	for _, f := range []string{
		"eq", "le", "lt", "ge", "gt", "anyofterms", "allofterms", "anyoftext", "alloftext", "ngram", "uid", "has", "type", "between",
		"match", "regexp", "near", "uid_in", "within", "contains", "intersects",
	} {
		call := args[f]
		if call == "" {
			call = f + `(p, "a")`
		}
		if _, err := Parse(`{ q(func: uid(1)) @filter(`+call+`) { uid } }`, nil); err != nil || !slices.Contains(words, f) {
			t.Errorf("%s: known to the parser: %v, offered: %v", f, err, slices.Contains(words, f))
		}
	}
	for _, d := range words {
		if !strings.HasPrefix(d, "@") || d == "@if" {
			continue
		}
		text := `{ q(func: uid(1)) ` + d + ` { uid } }`
		switch d {
		case "@filter":
			text = `{ q(func: uid(1)) @filter(has(p)) { uid } }`
		case "@facets":
			text = `{ q(func: uid(1)) { p @facets } }`
		case "@groupby":
			text = `{ q(func: uid(1)) @groupby(p) { count(uid) } }`
		}
		if _, err := Parse(text, nil); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
