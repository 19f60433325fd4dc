package command

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"dragg/dql"
)

// Goal: the caret stands below the character that an error names. Method: texts that the parser refuses, with the excerpt as it is
// to look; the column of an error counts bytes.
func TestErrorsPointAtTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"plain": {
			"{ q(func: uid(1)) { a } ; }", `
  { q(func: uid(1)) { a } ; }
                          ^`,
		},
		"tabs": {
			"{\n\tq(func: uid(1)) {\n\t\tname;\n", `
` + "  \t\tname;" + `
` + "  \t\t    ^",
		},
		"wide": {
			`{ q(func: eq(name, "東京")) { ; } }`, `
  { q(func: eq(name, "東京")) { ; } }
                                ^`,
		},
		"accents, whole and combining": {
			"{ q(func: eq(name, \"\u00e9e\u0301\")) { ; } }", `
` + "  { q(func: eq(name, \"\u00e9e\u0301\")) { ; } }" + `
                              ^`,
		},
		"a letter of several bytes": {
			"{ größe() }", `
  { größe() }
      ^`,
		},
		"end of the text": {
			"{ q(func: uid(1)) { a }", `
  { q(func: uid(1)) { a }
                        ^`,
		},
		"windows": {
			"{ q(func: uid(1)) {\r\n a ; \r\n} }", `
   a ; 
     ^`,
		},
		"control characters": {
			"{ q(func: eq(n, \"\x1b[2J\x07\")) { ; } }", `
  { q(func: eq(n, "?[2J?")) { ; } }
                              ^`,
		},
		"a long line": {
			"{ q(func: uid(1)) { " + strings.Repeat("é ", 500) + "; " + strings.Repeat("ab ", 500), `
  { q(func: uid(1)) { é é é é é é é é é é é é é …
                      ^`,
		},
		"far into a long line": {
			"{ q(func: uid(1)) { " + strings.Repeat("n:a ", 500) + "; " + strings.Repeat("a ", 500), `
  …` + strings.Repeat("n:a ", 15) + "; " + strings.Repeat("a ", 19) + `…
  ` + strings.Repeat(" ", 61) + "^",
		},
	} {
		_, err := dql.Parse(c.text, nil)
		got := pointed(err, c.text)
		var place *pointedError
		if !errors.As(got, &place) {
			t.Errorf("%s: %v has no excerpt", name, err)
			continue
		}
		if want := strings.TrimPrefix(c.want, "\n"); place.excerpt != want {
			t.Errorf("%s: %v\ngot\n%s\nwant\n%s", name, err, place.excerpt, want)
		}
		if !errors.Is(got, err) || !strings.HasPrefix(got.Error(), err.Error()+"\n") {
			t.Errorf("%s: the error is hidden by %v", name, got)
		}
	}
	if err := pointed(fs.ErrNotExist, "text"); err != fs.ErrNotExist {
		t.Errorf("an error without a place: %v", err)
	}
	if pointed(nil, "text") != nil {
		t.Error("no error became one")
	}
}
