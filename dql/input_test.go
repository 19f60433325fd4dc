package dql

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Goal: a prompt asks exactly when a text is whole or cannot become right. Method: by cases, the prompt's view of each first line.
func TestUnfinishedInput(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                true,
		"# a comment {":                   true,
		"{":                               true,
		"{ q(func: uid(1)) {":             true,
		"{ q(func: uid(1)) { name } }":    false,
		"{ q(func: uid(1)":                true,
		"{ q(func: eq(name, \"}":          true,
		"{ q(func: eq(name, \"}\")) { a":  true,
		"{ q(func: regexp(name, /}/":      true,
		"{ q(func: regexp(name, /}":       false, // a regular expression ends on its line
		"{ q(func: uid(1)) { <a":          false, // a name too
		"{ q(func: uid(1)) { a } # }}":    true,
		"{ q(func: uid(1) { a":            false, // a brace within round brackets
		"{ q } }":                         false,
		"query q($a: int = 1)":            true,
		"query q($a: int = 1) {":          true,
		"fragment f { name }":             true, // the query may follow
		"fragment f { a } { q { ...f } }": false,
		"schema":                          true,
		"schema {}":                       false,
		"{ q ; }":                         false,
		"{ set {":                         true,
		"{ set { _:a <b> \"}\"^^<c> .":    true,
		"{ set { _:a <b> \"}\" . } }":     false,
		"upsert { query { q(func: uid(1)": true,
		"upsert { mutation { set { } } }": false, // without a query
	} {
		if got := ReadInput(text).Unfinished; got != want {
			t.Errorf("%s: unfinished is %v, want %v", text, got, want)
		}
	}
}

// Goal: what goes into the history asks the same. Method: every accepted request is finished, and its one line parses to the
// same tree; where it has several lines, what stands before the last is unfinished or has all that makes a request.
func TestInputOfAcceptedRequests(t *testing.T) {
	for _, text := range paragraphs(t, "testdata/accepted.txt") {
		in := ReadInput(text)
		if in.Unfinished {
			t.Errorf("taken for unfinished:\n%s", text)
		}
		if strings.Contains(in.Line, "\n") {
			t.Errorf("not one line: %q", in.Line)
		}
		checkSameTree(t, text, in.Line)
		lines := strings.SplitAfter(text, "\n")
		for i := range lines {
			head := strings.Join(lines[:i], "")
			if _, err := Parse(head, nil); err != nil && !ReadInput(head).Unfinished && !strings.Contains(text, "fragment") {
				t.Errorf("taken for finished:\n%s", head)
			}
		}
	}
}

func checkSameTree(t *testing.T, a, b string) {
	t.Helper()
	first, err := Parse(a, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, a)
	}
	second, err := Parse(b, nil)
	if err != nil {
		t.Errorf("%v\n%s", err, b)
		return
	}
	if first.String() != second.String() {
		t.Errorf("one line means something else:\n%s\n%s", first, second)
	}
}

func TestInputOnOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"{ # all\n  q(func: eq(name, \"a\nb\")) {\n\n\tname # not age\n  }\n}": `{ q(func: eq(name, "a\nb")) { name } }`,
		"{ q(func: regexp(name, /a #  b/)) { name } }":                         `{ q(func: regexp(name, /a #  b/)) { name } }`,
		"{ q ;\n # x\n}": "{ q ;  # x }",
	} {
		if got := ReadInput(text).Line; got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	in := ReadInput("query q($a: int) { q(func: ge(age, $a), first: $b) { name # $c\n } }")
	if !slices.Equal(in.Variables, []string{"$a", "$a", "$b"}) {
		t.Errorf("variables %v", in.Variables)
	}
	if in.Mutation || !ReadInput("{ set { ").Mutation {
		t.Error("a query is taken for a mutation, or a mutation is not")
	}
}

func FuzzInput(f *testing.F) {
	for _, text := range paragraphs(f, "testdata/accepted.txt") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in := ReadInput(text)
		if strings.ContainsAny(in.Line, "\n\r") {
			t.Fatalf("not one line: %q", in.Line)
		}
		doc, err := Parse(text, nil)
		if err != nil {
			return
		}
		if in.Unfinished && doc.Schema == nil {
			t.Fatal("a text that parses is taken for unfinished")
		}
		if again, err := Parse(in.Line, nil); err != nil || again.String() != doc.String() {
			t.Fatalf("one line means something else: %v\n%s", err, in.Line)
		}
	})
}

// Goal: places are read back from errors. Method: every refused request, as the error of its own text between other words, and the
// same texts as strings in a request that is refused elsewhere.
func TestPlaceOfRefusedRequests(t *testing.T) {
	for _, par := range paragraphs(t, "testdata/refused.txt") {
		head, _, _ := strings.Cut(par, "\n----\n")
		_, text, _ := strings.Cut(head, "\n")
		_, err := Parse(text, nil)
		var refused *SyntaxError
		if !errors.As(err, &refused) {
			continue
		}
		got, ok := Place("rpc error: "+err.Error()+" (again)", text)
		if want := refused.Pos; got != want || ok != (want != Pos{}) {
			t.Errorf("%s\n%v: got %v %v, want %v", text, err, got, ok, want)
		}
	}
}

func TestPlace(t *testing.T) {
	long := strings.Repeat("# é\n", 100)
	for _, text := range []string{
		"{ q(func: eq(name, \"at line 1 column 1: \")) ; }", // quoted by the lexer
		long + "{ q ; }",
		"{ q(func: eq(name, \"while lexing x at line 1 column 1: \")) { name }",
	} {
		_, err := Parse(text, nil)
		var refused *SyntaxError
		if !errors.As(err, &refused) {
			t.Fatalf("%s: %v", text, err)
		}
		if got, ok := Place(err.Error(), text); !ok || got != refused.Pos {
			t.Errorf("%v: got %v %v, want %v", err, got, ok, refused.Pos)
		}
	}
	for _, message := range []string{
		"line 3 column 1: beyond the last line", "line 1 column 9: beyond the end", "line 0 column 1: nowhere", "line 1 column 0: nowhere",
		"line 99999999999999999999 column 1: no number", "no place",
		"while lexing {} at line 1 column 1: in another text",
	} {
		if got, ok := Place(message, "abc\ndef"); ok {
			t.Errorf("%s: got %v", message, got)
		}
	}
	for _, message := range []string{
		"line 2 column 4: the end", "Error parsing JSON at line 2, character 4: bad", "while lexing N-Quads at line 2 column 4: bad",
	} {
		if got, ok := Place(message, "abc\ndef"); !ok || got != (Pos{Line: 2, Col: 4}) {
			t.Errorf("%s: got %v %v", message, got, ok)
		}
	}
}
