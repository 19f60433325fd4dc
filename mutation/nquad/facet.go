package nquad

import (
	"slices"
	"strconv"
	"strings"

	"dragg/graph"
	"dragg/graph/types"
)

// maxFacets bounds the facets of one quad.
const maxFacets = 64

// facets reads (key=value, ...).
func (s *scanner) facets(q *Quad) {
	s.pos++ // (
	for {
		s.blanks()
		key := s.facetKey()
		s.blanks()
		if s.failed == nil && !s.take("=") {
			s.fail("could not parse facet: expected = after key %s. Received %c", key, s.rune())
		}
		s.blanks()
		v := s.facetValue()
		s.blanks()
		if s.failed != nil {
			return
		}
		if slices.ContainsFunc(q.Facets, func(f graph.Facet) bool { return f.Key == key }) {
			s.fail("Repeated keys are not allowed in facets. But got %s", key)
			return
		}
		if q.Facets = append(q.Facets, graph.Facet{Key: key, Value: v}); len(q.Facets) > maxFacets {
			s.fail("could not parse facet: more than %d facets on one edge", maxFacets)
			return
		}
		switch {
		case s.take(")"):
			sortFacets(q.Facets)
			return
		case !s.take(","):
			s.fail("could not parse facet: expected , or ) after facet. Received %s", s.rest())
			return
		}
	}
}

// rest names what is next for an error.
func (s *scanner) rest() string {
	if s.pos >= len(s.text) {
		return "the end of the line"
	}
	return string(s.rune())
}

func (s *scanner) facetKey() string {
	start := s.pos
	for s.pos < len(s.text) && !strings.ContainsRune(" \t\r=,()\"<>", rune(s.text[s.pos])) {
		s.pos++
	}
	if s.pos == start {
		s.fail("could not parse facet: expected key but found %s", s.rest())
	}
	return s.text[start:s.pos]
}

// facetValue reads a quoted string, or a bare number, bool or date (dql.md fact 106). Nothing at all is the empty string.
func (s *scanner) facetValue() types.Value {
	if s.peek() == '"' {
		return types.OfString(s.quoted())
	}
	start := s.pos
	for s.pos < len(s.text) && !strings.ContainsRune(" \t\r,()", rune(s.text[s.pos])) {
		s.pos++
	}
	word := s.text[start:s.pos]
	v, problem := bareFacet(word)
	if problem != "" {
		s.fail("could not parse facet: %s", problem)
	}
	return v
}

func bareFacet(word string) (v types.Value, problem string) {
	if word == "" {
		return types.OfString(""), ""
	}
	switch word {
	case "true":
		return types.OfBool(true), ""
	case "false":
		return types.OfBool(false), ""
	}
	if isInteger(word) {
		i, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return types.Value{}, err.Error()
		}
		return types.OfInt(i), ""
	}
	if f, err := types.Parse(word, types.Float); err == nil && startsNumber(word) {
		return f, ""
	}
	if t, err := types.Parse(word, types.DateTime); err == nil {
		return t, ""
	}
	return types.Value{}, "Could not parse the facet value : [" + word + "]"
}

func isInteger(word string) bool {
	digits := strings.TrimLeft(word, "+-")
	return digits != "" && len(word)-len(digits) <= 1 && strings.Trim(digits, "0123456789") == ""
}

// startsNumber keeps the words Inf and NaN from being floats.
func startsNumber(word string) bool {
	return strings.IndexByte("+-.0123456789", word[0]) >= 0 && !strings.ContainsAny(word, "iInN")
}

// sortFacets puts facets into the order of their keys.
func sortFacets(f []graph.Facet) {
	slices.SortFunc(f, func(a, b graph.Facet) int { return strings.Compare(a.Key, b.Key) })
}
