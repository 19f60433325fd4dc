package dql

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// The goal of these tests is the grammar. Accepted requests are checked by printing and reading them back, refused ones
// by a part of the message, and trees by a few spot checks.

func paragraphs(tb testing.TB, file string) []string {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for part := range strings.SplitSeq(string(b), "\n\n") {
		part = strings.Trim(part, "\n")
		if part != "" && !strings.HasPrefix(part, "# Requests") {
			out = append(out, part)
		}
	}
	return out
}

func TestAcceptedReadsBack(t *testing.T) {
	for _, text := range paragraphs(t, "testdata/accepted.txt") {
		doc, err := Parse(text, nil)
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		checkReadsBack(t, doc)
	}
}

// checkReadsBack checks that the canonical text of a tree parses to the same tree.
func checkReadsBack(t *testing.T, doc *Document) {
	t.Helper()
	text := doc.String()
	again, err := Parse(text, nil)
	if err != nil {
		t.Fatalf("the printed text does not parse: %v\n%s", err, text)
	}
	if second := again.String(); second != text {
		t.Fatalf("printed\n%s\nthen\n%s", text, second)
	}
	clearPos(reflect.ValueOf(doc))
	clearPos(reflect.ValueOf(again))
	doc.tree, again.tree = nil, nil
	if !reflect.DeepEqual(doc, again) {
		t.Fatalf("another tree after printing:\n%s", text)
	}
}

// clearPos sets every Pos below v to zero.
func clearPos(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			clearPos(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			clearPos(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Pos]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				clearPos(v.Field(i))
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, par := range paragraphs(t, "testdata/refused.txt") {
		head, want, _ := strings.Cut(par, "\n----\n")
		cmd, text, _ := strings.Cut(head, "\n")
		vars := map[string]string{}
		for _, kv := range strings.Fields(cmd)[1:] {
			k, v, _ := strings.Cut(kv, "=")
			vars[k] = v
		}
		_, err := Parse(text, vars)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) {
			t.Errorf("%s\nwant %s\ngot  %v", text, want, err)
		}
	}
}

func TestErrorPlaces(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{
			`{ q(func: eq(name, "Al")) { name }`,
			`while lexing { q(func: eq(name, "Al")) { name } at line 1 column 34: Unclosed action`,
		},
		{"{ q(func: has(a)) {\n  a a } }", "line 2 column 5: a not allowed multiple times in same sub-query."},
		{"{\n\tq(func: has(a), limit: 1) { a } }", "line 2 column 18: Got invalid keyword: limit at root"},
		{" # nothing\n", "empty request"},
	} {
		if _, err := Parse(c.text, nil); err == nil || err.Error() != c.want {
			t.Errorf("%q\nwant %s\ngot  %v", c.text, c.want, err)
		}
	}
	_, err := Parse("query t($s: int) { q(func: ge(size, $s)) { name } }", map[string]string{"$s": "4", "$x": "1"})
	if err == nil || err.Error() != "Type of variable $x not specified" {
		t.Errorf("got %v", err)
	}
	if _, err := Parse("", nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("got %v", err)
	}
}

func TestLimits(t *testing.T) {
	var limit *LimitError
	deep := "{ q(func: has(a)) @filter(" + strings.Repeat("(", 100) + "has(a)" + strings.Repeat(")", 100) + ") { a } }"
	for name, text := range map[string]string{
		"depth": deep,
		"bytes": "{ q(func: has(a)) { a } } #" + strings.Repeat("x", 1<<20),
		"math":  "{ q(func: has(a)) { x as a y: math(" + strings.Repeat("(", 100) + "x" + strings.Repeat(")", 100) + ") } }",
		"body":  "{ q(func: has(a))" + strings.Repeat("{ a", 100) + strings.Repeat("}", 100) + "}",
		"list":  "{ q(func: near(a, " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + ", 3)) { a } }",
	} {
		if _, err := Parse(text, nil); !errors.As(err, &limit) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	var b strings.Builder
	b.WriteString("{ q(func: has(a)) { ...f0 } }\n")
	for i := range 30 {
		b.WriteString("fragment f" + itoa(i) + " { x" + itoa(i) + " { ...f" + itoa(i+1) + " } y" + itoa(i) +
			" { ...f" + itoa(i+1) + " } }\n")
	}
	b.WriteString("fragment f30 { z }")
	if _, err := Parse(b.String(), nil); !errors.As(err, &limit) {
		t.Errorf("fragments that double: got %v", err)
	}
}

func itoa(i int) string { return string([]byte{byte('0' + i/10), byte('0' + i%10)})[btoi(i < 10):] }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestQueryVariables(t *testing.T) {
	text := `query q($s: string, $n: int = 3, $r: string, $u: string, $k: float) {
		q(func: uid($u), first: $n) @filter(regexp(name, $r) or eq(name, [$s, "x"])) { x as age m: math(x * $k) } }`
	doc, err := Parse(text, map[string]string{
		"$s": `a" or "b`, "$r": "/^a/i", "$u": "[0x1, 7]", "$k": "0.5",
	})
	if err != nil {
		t.Fatal(err)
	}
	b := doc.Blocks[0]
	if b.Page.First != 3 || len(b.Func.Args) != 2 || b.Func.Args[1].UID != 7 {
		t.Errorf("root: %+v %+v", b.Page, b.Func)
	}
	or := b.Filter.Children
	if or[0].Func.Args[0].Text != "^a" || or[0].Func.Args[0].Flags != "i" || or[1].Func.Args[0].Text != `a" or "b` {
		t.Errorf("filter: %s", b.Filter)
	}
	checkReadsBack(t, doc)
}

func TestMathBindsAsDocumented(t *testing.T) {
	for in, want := range map[string]string{
		"a + b - c":                  "a + b - c",
		"(a + b) - c":                "(a + b) - c",
		"a * b / c":                  "a * b / c",
		"a * (b / c)":                "a * (b / c)",
		"a % b * c":                  "a % b * c",
		"-a + -(b + 1)":              "-a + -(b + 1)",
		"a dot b * 2":                "a dot b * 2",
		"a < b == true":              "a < b == true",
		"cond(a>0,1,2.0)":            "cond(a > 0, 1, 2.0)",
		"-9223372036854775808 + 1e3": "-9223372036854775808 + 1000.0",
	} {
		doc, err := Parse("{ q(func: has(p)) { a as p b as q c as r x: math("+in+") y: math(a+b+c) } }", nil)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := string(doc.Blocks[0].Fields[3].Math.appendText(nil, 1)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
		checkReadsBack(t, doc)
	}
	doc, err := Parse("{ q(func: has(p)) { a as p x: math(1 + 2 - 3 * a) } }", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := doc.Blocks[0].Fields[1].Math
	if m.Op != "+" || m.Args[1].Op != "-" || m.Args[1].Args[1].Op != "*" {
		t.Errorf("minus must bind tighter than plus, and times tighter than minus")
	}
}

func TestUsesOfAMutation(t *testing.T) {
	text := "{ v as var(func: has(a)) { w as b } }"
	if _, err := Parse(text, nil); err == nil {
		t.Error("unused variables were accepted")
	}
	if _, err := ParseWithUses(text, nil, []string{"v", "w"}); err != nil {
		t.Error(err)
	}
	_, err := ParseWithUses(text, nil, []string{"v", "w", "x"})
	if err == nil || !strings.Contains(err.Error(), "Some variables are used but not defined") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range paragraphs(f, "testdata/accepted.txt") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := ParseWith(text, nil, nil, Options{Nodes: 500, Args: 500})
		if err != nil {
			return
		}
		checkReadsBack(t, doc)
	})
}

func BenchmarkParse(b *testing.B) {
	text := `{ q(func: eq(name@en, "Steven Spielberg"), first: 10, orderasc: name@en) @filter(has(director.film)) {
		uid name@en director.film (first: 5) @filter(ge(initial_release_date, "1990")) { name@en genre { name@en } } } }`
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse(text, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// A regular expression with a slash in it may be the default of a query variable.
func TestRegularExpressionAsDefault(t *testing.T) {
	doc, err := Parse(`query q($r: string = /a\/b/i) { q(func: regexp(name, $r)) { name } }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := doc.Blocks[0].Func.Args[0], (Arg{Kind: RegexpArg, Text: "a/b", Flags: "i"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What was read stays as it is when the same parser reads other texts, rightly or not. Under the race detector it would be seen to
// share memory.
func TestDocumentsOutliveTheirParser(t *testing.T) {
	texts := []string{
		`{ q(func: eq(name, "a\"b")) @filter(regexp(name, /x\/y/i)) { v as name f @facets(w) { c: count(g) } x: val(v) } }`,
		`query q($n: int = 3) { q(func: has(name), first: $n) { ...f g { ...f } } } fragment f { name age }`,
		`{ q(func: uid(0x1)) { name { ( } }`,
		`{ q(func: uid(v)) { name } }`,
	}
	read := func(text string) string {
		doc, err := Parse(text, nil)
		if err != nil {
			return err.Error()
		}
		return doc.String()
	}
	var wants []string
	for _, text := range texts {
		wants = append(wants, read(text))
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 400 {
				kept, err := Parse(texts[i%2], nil)
				got := read(texts[i%len(texts)])
				if err != nil || got != wants[i%len(texts)] || kept.String() != wants[i%2] {
					t.Errorf("%v\ngot  %s\nwant %s", err, got, wants[i%len(texts)])
				}
			}
		})
	}
	all.Wait()
}
