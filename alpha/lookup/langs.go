package lookup

import (
	"errors"
	"slices"

	"dragg/graph"
	"dragg/posting"
)

// choice is the language preference of a field (dql.md fact 85). No tags mean the untagged value.
type choice struct {
	all  bool // name@*: every tag
	tags []string
}

// preference returns the choice that a task asks for.
func preference(langs []string) choice {
	return choice{all: slices.Contains(langs, "*"), tags: langs}
}

// one returns the value of the first tag that is present. "." stands for the untagged value, else any: the
// one in the first slot.
func (c choice) one(l posting.List) (posting.Posting, bool, error) {
	if len(c.tags) == 0 {
		return l.Get(posting.Untagged)
	}
	for _, tag := range c.tags {
		if tag == "." {
			// The slot of the untagged value comes before those of all tags.
			return firstOf(l)
		}
		if v, ok, err := l.Get(posting.LangSlot(tag)); ok || err != nil {
			return v, ok, err
		}
	}
	return posting.Posting{}, false, nil
}

func firstOf(l posting.List) (posting.Posting, bool, error) {
	for v, err := range l.Postings() {
		return v, err == nil, err
	}
	return posting.Posting{}, false, nil
}

// tagSet is the languages that a function looks at (dql.md fact 84).
type tagSet struct {
	any  bool // name@.: whatever the tag is
	tags []string
}

// functionTags returns the languages of a function: the untagged value alone unless told otherwise.
func functionTags(langs []string) (tagSet, error) {
	switch {
	case len(langs) == 0:
		return tagSet{tags: []string{""}}, nil
	case slices.Contains(langs, "*"):
		return tagSet{}, errors.New("the * symbol cannot be used as a valid language inside functions")
	case slices.Contains(langs, "."):
		return tagSet{any: true}, nil
	default:
		return tagSet{tags: langs}, nil
	}
}

// appendValues appends the values of a list under the tags.
func (s tagSet) appendValues(dst []posting.Posting, l posting.List) ([]posting.Posting, error) {
	for _, tag := range s.tags {
		v, ok, err := l.Get(posting.LangSlot(tag))
		if err != nil {
			return dst, err
		}
		if ok {
			dst = append(dst, v)
		}
	}
	return dst, nil
}

// count returns how many of the tags a list has.
func (s tagSet) count(l posting.List) int {
	if s.any {
		return l.Len()
	}
	n := 0
	for _, tag := range s.tags {
		if l.Contains(graph.UID(posting.LangSlot(tag))) {
			n++
		}
	}
	return n
}
