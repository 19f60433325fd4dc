package dql

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

func TestMutationDocument(t *testing.T) {
	r, err := ParseMutationDoc(`upsert {
  query q($x: string) { q(func: eq(name, "a } \" b")) @filter(regexp(name, /}"/)) { v as uid ...f x: math(1 / 2 < 3) } }
  # a comment with }
  fragment f { name }
  mutation @if(eq(len(v), 1) and not eq(name, ")")) { set { uid(v) <a}> "x } \" y" . # }
 } delete { uid(v) <b> * . } }
  mutation { set { _:a <c> "1" . } }
}`)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Mutations) != 2 || r.Mutations[0].Cond != `@if(eq(len(v), 1) and not eq(name, ")"))` {
		t.Fatalf("%+v", r.Mutations)
	}
	if got := string(r.Mutations[0].Set); got != " uid(v) <a}> \"x } \\\" y\" . # }\n " {
		t.Errorf("set: %q", got)
	}
	if got := string(r.Mutations[0].Del); got != ` uid(v) <b> * . ` {
		t.Errorf("delete: %q", got)
	}
	doc, err := ParseWithUses(r.Query, nil, []string{"v"})
	if err != nil {
		t.Fatal(err)
	}
	if doc.Name != "q" || doc.Blocks[0].Pos.Line != 2 {
		t.Errorf("query: %s at %v", doc.Name, doc.Blocks[0].Pos)
	}
	if r, err = ParseMutationDoc(`{ set { <0x1> <a> <b> . } delete { <0x1> <c> * . } }`); err != nil ||
		len(r.Mutations) != 1 || r.Query != "" || string(r.Mutations[0].Del) != " <0x1> <c> * . " {
		t.Errorf("%+v %v", r, err)
	}
}

// wantOrigins checks that every part of a document is found again at the places that its origin gives.
func wantOrigins(t *testing.T, document string, r *Request) {
	t.Helper()
	lines := strings.Split(document, "\n")
	check := func(text string, from Origin) {
		for i, line := range strings.Split(text, "\n") {
			for j := range len(line) {
				if at := from.Place(Pos{Line: i + 1, Col: j + 1}); line[j] != ' ' && lines[at.Line-1][at.Col-1] != line[j] {
					t.Fatalf("%q: byte %d of line %d of %q is not at %v", document, j, i, text, at)
				}
			}
		}
	}
	check(r.Query, r.QueryFrom)
	for _, m := range r.Mutations {
		check(m.Cond, m.CondFrom)
		check(string(m.Set), m.SetFrom)
		check(string(m.Del), m.DelFrom)
	}
}

func TestOriginsOfADocument(t *testing.T) {
	small := "upsert {\n query { q(func: uid(1)) {\n v as uid } }  mutation @if(eq(len(v), 1)\n and eq(len(v), 1)) { set { <0x1> <a>\n <b> . }\n" +
		" delete { <0x1> <b> * . } set {\n\n<0x2> <c> \"d\" . } delete {}\tdelete { <3> <e> *\n.\n} }\n mutation { set { x } } fragment f {\n n } }"
	for _, document := range []string{
		small, "{ set { <0x1> <a> <b> . } delete { <0x1>\n<c> * . } set {x} }", small + "#" + strings.Repeat(" ", keepPlaces),
	} {
		r, err := ParseMutationDoc(document)
		if err != nil {
			t.Fatal(err)
		}
		wantOrigins(t, document, r)
	}
}

// Goal: what a JSON string stands for is found again in it.
func TestOriginsOfJSONStrings(t *testing.T) {
	for _, literal := range []string{
		`"plain é"`, `"a\nb\tc\"d\\\n\n e"`, `"\u00e9x\u000ay\ud83d\ude00z\ud83dw"`, `""`,
	} {
		document := "{\n \"query\": " + literal + "}"
		var text string
		if err := json.Unmarshal([]byte(literal), &text); err != nil {
			t.Fatal(err)
		}
		from := OriginOfString(document, strings.Index(document, literal))
		for i, line := range strings.Split(text, "\n") {
			for j, c := range line {
				at := from.Place(Pos{i + 1, j + 1})
				if got := strings.Split(document, "\n")[at.Line-1][at.Col-1:]; !strings.HasPrefix(got, string(c)) && got[0] != '\\' {
					t.Errorf("%s: %q of line %d is at %q", literal, c, i, got)
				}
			}
		}
	}
	if at := OriginAt("a\nbcd", 3).Place(Pos{1, 2}); at != (Pos{2, 3}) {
		t.Errorf("got %v", at)
	}
}

// Goal: an error about a part of a document is one about the document.
func TestErrorsOfADocumentsParts(t *testing.T) {
	const third = " mutation @if(eq(len(v), 1) and "
	document := "upsert {\n query { q(func: uid(1)) { v as uid } }\n" + third + ";) { set { } } }"
	r, err := ParseMutationDoc(document)
	if err != nil {
		t.Fatal(err)
	}
	from := r.Mutations[0].CondFrom
	_, err = ParseCond(r.Mutations[0].Cond)
	want := "line 3 column " + strconv.Itoa(len(third)+1) + ": "
	if err = from.Error(err); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if at, ok := Place(err.Error(), document); !ok || at.Line != 3 {
		t.Errorf("%v is not placed: %v", err, at)
	}
	other := &LimitError{What: "uids", Limit: 3}
	if got := from.Error(other); got != error(other) {
		t.Errorf("got %v for an error without a place", got)
	}
}

func TestMutationDocumentRefused(t *testing.T) {
	for text, want := range map[string]string{
		"upsert { mutation { set { a } } }":                             "Query op not found in upsert block",
		"upsert { query { q(func: uid(1)) { a } } }":                    "Empty mutation block",
		"upsert { query { } query { } mutation { } }":                   "Multiple query ops inside upsert block",
		"upsert { query { } mutation @filter(eq(len(v), 1)) { } }":      "Expected @if, found [@filter]",
		"upsert { query { } mutation @if(eq(len(v), 1) { set { a } } }": "Matching brackets not found",
		"upsert { query { }":                                            "Unclosed upsert block",
		"upsert { query {":                                              "Unclosed action",
		"upsert { query { } mutation { set { <a> } }":                   "Unclosed upsert block",
		"{ set { <a> \"}\" . ":                                          "Unclosed mutation block",
		"{ put { } }":                                                   "expected set or delete",
		"<0x1> <name> \"bare\" .":                                       "Expected '{'",
		"{ set { } } x":                                                 "after the closing brace",
		" ":                                                             "empty request",
		"mutation { set { } }":                                          "Unexpected mutation",
	} {
		if _, err := ParseMutationDoc(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nwant %s\ngot  %v", text, want, err)
		}
	}
}

func TestIsMutation(t *testing.T) {
	for text, want := range map[string]bool{
		"upsert { }": true, " # x\n{ set { } }": true, "{delete{}}": true, "{ q(func: uid(1)) { a } }": false,
		"query { q(func: uid(1)) { a } }": false, "{ set(func: uid(1)) { a } }": false, "": false, "schema {}": false,
	} {
		if got := IsMutation(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestCond(t *testing.T) {
	for text, want := range map[string]string{
		"":      "",
		"@if()": "",
		" @if(eq(len(v), 1) AND (NOT gt(len(w), 2) or uid(x)))": `eq(len(v), "1") and (not gt(len(w), "2") or uid(x))`,
		"@filter(eq(len(v), 1))":                                `eq(len(v), "1")`,
	} {
		c, err := ParseCond(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := ""
		if c.Filter != nil {
			got = c.Filter.String()
		}
		if got != want {
			t.Errorf("%s: got %s", text, got)
		}
	}
	c, err := ParseCond("@if(eq(len(v), 1) and gt(val(a), 2))")
	if err != nil || strings.Join(c.Uses, " ") != "a v" {
		t.Errorf("%+v %v", c, err)
	}
	for text, want := range map[string]string{
		`@if(eq(len(v), "one"))`: `parsing "one": invalid syntax`,
		"@if(eq(len(v), 1)":      "Matching brackets not found",
		"@when(eq(len(v), 1))":   "Expected @if, found [@when]",
		"eq(len(v), 1)":          "Expected @if",
		"@if(eq(len(v), 1)) x":   "after the condition",
	} {
		if _, err := ParseCond(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nwant %s\ngot  %v", text, want, err)
		}
	}
}

func FuzzMutationDoc(f *testing.F) {
	f.Add(`upsert { query { q(func: uid(1)) { v as uid } } mutation @if(eq(len(v), 1)) { set { uid(v) <a> "x" . } } }`)
	f.Add(`{ set { <0x1> <a> "}" . } delete { <0x1> <b> * . } }`)
	f.Fuzz(func(t *testing.T, text string) {
		IsMutation(text)
		r, err := ParseMutationDoc(text)
		if err != nil {
			return
		}
		wantOrigins(t, text, r)
		for _, m := range r.Mutations {
			if c, err := ParseCond(m.Cond); err == nil && c.Filter != nil {
				again, err := ParseCond("@if(" + c.Filter.String() + ")")
				if err != nil || again.Filter.String() != c.Filter.String() {
					t.Fatalf("%s: %v", c.Filter, err)
				}
			}
		}
	})
}
