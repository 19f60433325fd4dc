package nquad

import (
	"fmt"
	"strings"
	"testing"

	"dragg/graph/types"
)

// show prints a quad so that a table can say what is expected.
func show(q Quad) string {
	node := func(n Node) string { return [...]string{"", "<", "_:", "uid:", "*"}[n.Kind] + n.Name }
	s := node(q.Subject) + " " + q.Predicate
	if q.Lang != "" {
		s += "@" + q.Lang
	}
	switch {
	case q.ValueOf != "":
		s += " val:" + q.ValueOf
	case q.HasValue():
		s += fmt.Sprintf(" %s(%s)", q.Value.Type(), q.Value.Text())
	default:
		s += " " + node(q.Object)
	}
	for _, f := range q.Facets {
		s += fmt.Sprintf(" %s=%s(%s)", f.Key, f.Value.Type(), f.Value.Text())
	}
	return s
}

// Statements as they are read, and the distinctive part of what is said of those that are refused.
func TestReadLine(t *testing.T) {
	for line, want := range map[string]string{
		`<0x1> <name> "one" . # comment`:                  `<0x1 name default(one)`,
		"<1>\t<name>   \"a\\tb \\u00e9 \\\"q\\\"\" .":     "<1 name default(a\tb é \"q\")",
		`_:a.b <knows> _:c .`:                             `_:a.b knows _:c`,
		`_:a <knows> _:c.`:                                `_:a knows _:c`,
		`<_:a> <knows> <_:http://x/b#1> .`:                `_:a knows _:http://x/b#1`,
		`<_:> <name> "x" .`:                               `error: empty required fields in NQuad`,
		`<1> <n> "5"^^<xs:int> .`:                         `<1 n int(5)`,
		`<1> <n> "x"@zh-Hans-CN .`:                        `<1 n@zh-Hans-CN default(x)`,
		`<1> <n@de> * .`:                                  `<1 n@de *`,
		`<1> * * .`:                                       `<1 * *`,
		`uid(v) <n> val(w) .`:                             `uid:v n val:w`,
		`<1> <n> uid( v ) .`:                              `<1 n uid:v`,
		`<1> <n> "x" <0x0> .`:                             `<1 n default(x)`,
		`<1> <n> <2> (w=1, s="a,b)", d=2001-02-03, e=) .`: `<1 n <2 d=datetime(2001-02-03T00:00:00Z) e=string() s=string(a,b)) w=int(1)`,
		`<1> <n> <2> (f=1e3, b=true, m=-5) .`:             `<1 n <2 b=bool(true) f=float(1000) m=int(-5)`,
		`# only a comment`:                                ``,
		`   `:                                             ``,
		`<0x1> <name> "no dot"`:                           `error: invalid end of input`,
		`<0x1> <name> .`:                                  `error: invalid end of input`,
		`<0x1> "value" .`:                                 `error: Invalid quote for non-object.`,
		`<0x1> <name> "open .`:                            `error: invalid syntax`,
		`<0x1 <name> "x" .`:                               `error: Unexpected character ' ' while parsing IRI`,
		`<> <name> "x" .`:                                 `error: empty required fields in NQuad`,
		`<0x1> <> "x" .`:                                  `error: empty required fields in NQuad`,
		`<0x1> <name> "bad \q escape" .`:                  `error: Invalid escape character : 'q' in literal`,
		`<0x1> <name> "bad \u12 escape" .`:                `error: invalid syntax`,
		`<0x1> <name> "a" "b" .`:                          `error: Invalid quote for non-object.`,
		`<0x1> <name> ^^<xs:int> .`:                       `error: Invalid input: ^`,
		`<0x1> <name> "5"^^ .`:                            `error: Expected <`,
		`<0x1> <age> "5"^<xs:int> .`:                      `error: Expected ^^`,
		`"x" <name> "y" .`:                                `error: Invalid quote for non-object.`,
		`<0x1> _:p "y" .`:                                 `error: Invalid character`,
		`_: <name> "y" .`:                                 `error: after _: , Got ' '`,
		`<0x1> <name> 'y' .`:                              `error: Invalid input: '`,
		`<0x1> <age> 5 .`:                                 `error: Invalid input: 5 where an object (a value in double quotes,`,
		`<0x1> age "5" .`:                                 `error: Invalid input: a where a predicate in angle brackets belongs`,
		`0x1 <age> "5" .`:                                 `error: Invalid input: 0 where a subject (<0x2a>, _:name or uid(v)) belongs`,
		`<0x1> <age> "5" , .`:                             `error: Invalid input: , where a dot belongs`,
		`<0x1> <name> "x"@en^^<xs:string> .`:              `error: Invalid input: ^`,
		`<0x1> <link> <0x2>@en .`:                         `error: Invalid input: @`,
		`<0x2> <motto> * @it .`:                           `error: Invalid input: @`,
		`set { <0x1> <name> "x" . }`:                      `error: Invalid input: s`,
		`<0x12> <name> "first" . <0x12> <knows> <0x1> .`:  `error: invalid end of input.`,
		`<0x14> <two words> "x" .`:                        `error: Unexpected character ' ' while parsing IRI`,
		`<0x9> <motto> "x"@1a .`:                          `error: Invalid language tag prefix: '1'`,
		`<0x9> <motto> "x"@ .`:                            `error: Invalid language tag prefix: ' '`,
		`<0x4> <y> "1999"^^<xs:gYear> .`:                  `error: unrecognized rdf type xs:gYear`,
		`<0x4> <g> "somewhere"^^<geo:geojson> .`:          `error: as geojson`,
		`<0x19> <n> "seven"^^<xs:int> .`:                  `error: parsing "seven": invalid syntax`,
		`<1> <n> "x" (kind=station) .`:                    `error: could not parse facet: Could not parse the facet value : [station]`,
		`<1> <n> "x" () .`:                                `error: could not parse facet: expected key but found )`,
		`<1> <n> "x" (k=1, k=2) .`:                        `error: Repeated keys are not allowed in facets. But got k`,
		`<1> <n> "x" (k=99999999999999999999) .`:          `error: parsing "99999999999999999999": value out of range`,
		`<1> <n> "x" (k=1 .`:                              `error: could not parse facet: expected , or ) after facet. Received .`,
		`<1> <n> "x" (=1) .`:                              `error: could not parse facet: expected key but found =`,
		`<1> <n> (k=1) "early" .`:                         `error: Invalid input: (`,
		"<1> <n> \"a\xffb\" .":                            `error: invalid syntax`,
		`<1> <n> "2001"^^<http://www.w3.org/2001/XMLSchema#gYear> .`: `<1 n datetime(2001-01-01T00:00:00Z)`,
	} {
		q, ok, err := ReadLine([]byte(line))
		got := ""
		switch {
		case err != nil:
			got = "error: " + err.Error()
		case ok:
			got = show(q)
		}
		if frag, refused := strings.CutPrefix(want, "error: "); refused && err != nil && strings.Contains(got, frag) {
			continue
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
}

// A document names the line of what it cannot read.
func TestReadRDFNamesTheLine(t *testing.T) {
	_, err := ReadRDF([]byte("<1> <n> \"a\" .\n\n<1> <n> oops .\n"))
	if err == nil || !strings.Contains(err.Error(), "line 3 column 9") {
		t.Errorf("got %v", err)
	}
	quads, err := ReadRDF([]byte("<1> <n> \"a\" .\r\n<2> <n> \"b\" .\n# end"))
	if err != nil || len(quads) != 2 {
		t.Errorf("got %v %v", quads, err)
	}
}

// No line makes the reader panic; what is read is well-formed.
func FuzzReadLine(f *testing.F) {
	for _, s := range []string{
		`<0x1> <name> "one"@en .`, `_:a <k> _:b (w=1, s="x") .`, `uid(v) <n> val(w) .`, `<1> * * .`,
		`<1> <n> "5"^^<xs:int> .`, `<1> <n> "{'type':'Point','coordinates':[1,2]}"^^<geo:geojson> .`, `<1> <n@de> * .`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		q, ok, err := ReadLine(line)
		if err == nil && ok && (q.Predicate == "" || q.Subject.Kind == Absent) {
			t.Errorf("%q was read as %+v", line, q)
		}
		if err == nil && ok && q.HasValue() && q.Value.Type() == types.UID {
			t.Errorf("%q has a uid for a value", line)
		}
		if err == nil && ok {
			checkPrint(t, q)
		}
	})
}

// checkPrint prints a quad and reads it back. What came in with escapes in an IRI cannot be written again.
func checkPrint(t *testing.T, q Quad) {
	t.Helper()
	if strings.ContainsAny(q.Subject.Name+q.Predicate+q.Object.Name, "<>\"{}|^`\\@ \n\r\t") || strings.ContainsFunc(
		q.Subject.Name+q.Predicate+q.Object.Name, func(r rune) bool { return r < ' ' }) {
		return
	}
	text := q.Append(nil)
	back, ok, err := ReadLine(text[:len(text)-1])
	if err != nil || !ok || show(back) != show(q) {
		t.Errorf("%s was printed as %q and read as %s %v", show(q), text, show(back), err)
	}
}

// What is printed reads the same.
func TestAppend(t *testing.T) {
	for _, line := range []string{
		`<0x1> <name> "o\"n\\e\n"@en .`, `_:a <k> _:b (w=1, s="x", f=2.0, d=2001-02-03, b=true) .`, `uid(v) <n> val(w) .`, `<1> * * .`,
		`<1> <n> "5"^^<xs:int> .`, `<1> <n> "2.5"^^<xs:float> .`, `<1> <n> "aGVsbG8="^^<xs:base64Binary> .`, `<1> <n@de> * .`,
		`<1> <n> "2001-02-03T04:05:06.7+02:00"^^<xs:dateTime> .`, `<1> <n> "[1, 2.5]"^^<xs:[]float32> .`,
		`<1> <n> "{'type':'Point','coordinates':[1,2]}"^^<geo:geojson> .`, `<1> <n> "1.25"^^<xs:decimal> .`,
	} {
		q, ok, err := ReadLine([]byte(line))
		if err != nil || !ok {
			t.Fatal(line, err)
		}
		checkPrint(t, q)
	}
}

func BenchmarkReadLine(b *testing.B) {
	line := []byte("<g.112yf7mpn>\t<initial_release_date>\t\"1976-06-19\"^^<http://www.w3.org/2001/XMLSchema#date>\t.")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := ReadLine(line); !ok || err != nil {
			b.Fatal(err)
		}
	}
}
