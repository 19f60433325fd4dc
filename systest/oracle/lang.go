package oracle

import (
	"cmp"
	"slices"
	"strings"

	"dragg/posting"
)

// tags are the languages of the graph, in the order in which they are stored: by a fingerprint that no reader of the language can
// know (fact 85), so this is the engine's own.
func tags() []string {
	return slices.SortedFunc(slices.Values([]string{"de", "en", "fr"}), func(a, b string) int {
		return cmp.Compare(posting.LangSlot(a), posting.LangSlot(b))
	})
}

// base returns an attribute without its languages.
func base(attr string) string {
	pred, _, _ := strings.Cut(attr, "@")
	return pred
}

// inLanguages returns the attributes name, name@en, … that a node has values of: the untagged one first.
func (g *triples) inLanguages(pred string, u uid) (attrs []string) {
	for _, tag := range append([]string{""}, tags()...) {
		if attr := strings.TrimSuffix(pred+"@"+tag, "@"); len(g.values[attr][u]) > 0 {
			attrs = append(attrs, attr)
		}
	}
	return attrs
}

// chosen returns the attribute whose value a field shows: the first language of its list that the node has. A dot is the untagged
// value or else any; without it there is no way back to the untagged one (fact 85).
func (g *triples) chosen(attr string, u uid) string {
	pred, langs, tagged := strings.Cut(attr, "@")
	if !tagged {
		return attr
	}
	have := g.inLanguages(pred, u)
	for _, tag := range strings.Split(langs, ":") {
		if tag == "." && len(have) > 0 {
			return have[0]
		}
		if one := strings.TrimSuffix(pred+"@"+tag, "@"); slices.Contains(have, one) {
			return one
		}
	}
	return ""
}

// of returns the values of a node that a field shows.
func (g *triples) of(attr string, u uid) []value { return g.values[g.chosen(attr, u)][u] }

// seenBy returns the values of a node that a function looks at: those of each language of its list, a dot for all (fact 84).
func (g *triples) seenBy(attr string, u uid) (list []value) {
	pred, langs, tagged := strings.Cut(attr, "@")
	if !tagged {
		return g.values[attr][u]
	}
	for _, one := range g.inLanguages(pred, u) {
		_, tag, _ := strings.Cut(one, "@")
		if slices.Contains(strings.Split(langs, ":"), tag) || langs == "." {
			list = append(list, g.values[one][u]...)
		}
	}
	return list
}
