package schema

import (
	"errors"
	"strings"
	"testing"

	"dragg/graph"
	"dragg/graph/types"
	"dragg/schema/tok"
)

func define(t testing.TB, text string) *Predicate {
	t.Helper()
	u, err := Parse(text)
	if err != nil || len(u.Predicates) != 1 {
		t.Fatalf("%s: %v", text, err)
	}
	return u.Predicates[0]
}

func TestPrint(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"a:INT@index( int ).#x", "a: int @index(int) ."},
		{"<größe> : [uid] @count @reverse @reverse .", "<größe>: [uid] @reverse @count ."},
		{"<a/b>: string @unique @index(hash,exact) @lang .", "a/b: string @index(hash, exact) @lang @upsert @unique ."},
		{"[0x1f] a.b-c: string .", "[0x1f] a.b-c: string ."},
		{"<type>: string .", "<type>: string ."},
		{`v: float32vector @index(hnsw(metric: "cosine", efSearch: "50")) .`, `v: float32vector @index(hnsw(metric: "cosine", efSearch: "50")) .`},
		{`v: float32vector @index(hnsw) .`, `v: float32vector @index(hnsw) .`},
	} {
		if got := string(define(t, tt.in).AppendText(nil)); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.in, got, tt.want)
		}
	}
	u, err := Parse("type T {\n a: string!\n <~größe>: [uid] # c\n\n b }")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(u.Types[0].AppendText(nil)), "type T {\n\ta\n\t<~größe>\n\tb\n}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRefusedText(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"größe: int .", "unrecognized character"},
		{"<a b>: int .", "names may not contain"},
		{"~a: [uid] .", "names may not contain"},
		{"<>: int .", "empty name"},
		{"<a: int .", `missing '>'`},
		{"[x] a: int .", "invalid namespace"},
		{"a: string @index(exact)", "invalid ending"},
		{"\n\na: text .", "line 3 column 4: undefined Type"},
		{`v: float32vector @index(hnsw(efSearch: "x")) .`, "wants a number"},
		{`v: float32vector @index(hnsw(efSearch: "1", efSearch: "2")) .`, "given twice"},
		{`v: float32vector @index(hnsw(metric: cosine)) .`, "quoted value"},
		{"type T a", "expected {"},
		{". a: int .", "expected a predicate"},
		{"a: int @unique .", "add int index"},
	} {
		_, err := Parse(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.in, err, tt.want)
		}
	}
}

// Goal: an error names the place that is wrong. Method: texts with the place marked by §, which is taken out before they are read.
func TestPlacesOfErrors(t *testing.T) {
	for _, text := range []string{
		"a: int .\n\tgr§öße: int .", "a: int .\n  §<a b>: int .", "§<a: int .", "a§", "a: int§", "a: §.", "a: §text .", "a: [int §.",
		"a: [§bool] .", "[§x] a: int .", "[0x1§: a: int .", "a: int .\nab §int .", "§~a: [uid] .", "a: int§\n", "a: int §b .", "a: int . §b: int .",
		"a: string @§reverse .", "a: int @§lang .", "a: int @§what .", "a: [uid] @§index(exact) .", "a: int @index §.", "a: int @index(§) .",
		"a: int @index(§exact) .", "a: string @index(term, §term) .", "a: string @index(term §exact) .", "§a: int @unique .", "§a: string @upsert .",
		"a: int .\n§a: string .", "v: float32vector @index(hnsw(efSearch: §\"x\")) .", "v: float32vector @index(hnsw(metric: §cosine)) .",
		"v: float32vector @index(hnsw(efSearch: \"1\", §efSearch: \"2\")) .", "type T §a", "type §~T {\n}", "type T {\n a\n §a\n}",
		"type T {\n a\n}\ntype §T {\n}", "type T {\n a §b\n}", "type T {\n a: §.\n}", "type T {\n a\n} §.", "type T {\n a\n§", "# é\r\na: §.\r\n",
	} {
		before, after, _ := strings.Cut(text, "§")
		want := SyntaxError{Line: strings.Count(before, "\n") + 1, Column: len(before) - strings.LastIndexByte(before, '\n')}
		_, err := Parse(before + after)
		got := (*SyntaxError)(nil)
		if !errors.As(err, &got) || got.Line != want.Line || got.Column != want.Column {
			t.Errorf("%q: %v, want line %d column %d", text, err, want.Line, want.Column)
		}
	}
}

// Fact 118: the vector index shows up as rendered text with its options by name.
func TestTokenizerNames(t *testing.T) {
	p := define(t, `h: float32vector @index(hnsw(metric: "euclidean", exponent: "5")) .`)
	if got, want := strings.Join(p.TokenizerNames(), "|"), `hnsw("exponent":"5","metric":"euclidean")`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p = define(t, "name: string @index(term, exact) .")
	if got := strings.Join(p.TokenizerNames(), "|"); got != "term|exact" {
		t.Errorf("got %s", got)
	}
}

// Fact 123 and the golden schema query: the built-in predicates and types.
func TestReserved(t *testing.T) {
	s := Snapshot{}.With(Reserved())
	want := `dgraph.drop.op: string .
dgraph.graphql.p_query: string @index(sha256) .
dgraph.graphql.schema: string .
dgraph.graphql.xid: string @index(exact) @upsert .
dgraph.namespace.id: int @index(int) @upsert @unique .
dgraph.namespace.name: string @index(exact) @upsert @unique .
dgraph.type: [string] @index(exact) .
type dgraph.graphql {
	dgraph.graphql.schema
	dgraph.graphql.xid
}
type dgraph.graphql.persisted_query {
	dgraph.graphql.p_query
}
type dgraph.namespace {
	dgraph.namespace.name
	dgraph.namespace.id
}
`
	if got := s.Text(); got != want {
		t.Errorf("got\n%s", got)
	}
	if !IsReserved("dGraph.x") || IsReserved("dgraphx") || IsReserved("my.dgraph.x") {
		t.Error("reserved names")
	}
}

func TestDiff(t *testing.T) {
	names := func(index []tok.Tokenizer) string {
		var out []string
		for _, k := range index {
			out = append(out, k.Name())
		}
		return strings.Join(out, " ")
	}
	building := define(t, "a: string @index(exact, term) .")
	building.Building = []string{tok.Term}
	for _, tt := range []struct {
		old       *Predicate
		new       string
		add, drop string
		want      Rebuild
	}{
		{nil, "a: string @index(exact) @count .", "exact", "", Rebuild{AddCount: true}},
		{define(t, "a: string @index(exact, term) ."), "a: string @index(trigram, exact) .", "trigram", "term", Rebuild{}},
		{define(t, "a: string @index(exact) ."), "a: int @index(int) .", "int", "exact", Rebuild{Retype: true}},
		{define(t, "a: [uid] @reverse @count ."), "a: [uid] .", "", "", Rebuild{DropReverse: true, DropCount: true}},
		{define(t, "a: [uid] @count ."), "a: [uid] @reverse @count .", "", "", Rebuild{AddReverse: true, AddCount: true}},
		{define(t, "a: int ."), "a: [int] .", "", "", Rebuild{ToList: true}},
		{define(t, "a: int ."), "a: int @noconflict .", "", "", Rebuild{}},
		{building, "a: string @index(exact, term) .", "term", "", Rebuild{}},
	} {
		got := Diff(tt.old, define(t, tt.new))
		if names(got.AddIndex) != tt.add || names(got.DropIndex) != tt.drop {
			t.Errorf("%s: add %q, drop %q", tt.new, names(got.AddIndex), names(got.DropIndex))
		}
		any := got.Any()
		got.AddIndex, got.DropIndex = nil, nil
		if got.AddReverse != tt.want.AddReverse || got.DropReverse != tt.want.DropReverse || got.AddCount != tt.want.AddCount ||
			got.DropCount != tt.want.DropCount || got.ToList != tt.want.ToList ||
			got.Retype != tt.want.Retype {
			t.Errorf("%s: %+v, want %+v", tt.new, got, tt.want)
		}
		if wantAny := tt.add+tt.drop != "" || tt.want.Any(); any != wantAny {
			t.Errorf("%s: any %v", tt.new, any)
		}
	}
	if _, ok := building.Tokenizer(tok.Term); ok || building.Ready(tok.Term) {
		t.Error("an index that is being built is ready")
	}
	if _, ok := building.Tokenizer(tok.Exact); !ok {
		t.Error("exact is not ready")
	}
}

func TestInfer(t *testing.T) {
	for _, tt := range []struct {
		name string
		see  FirstSight
		want string
	}{
		{"plain", FirstSight{Type: types.Default}, "plain: default ."},
		{"edge", FirstSight{Type: types.UID, Many: true}, "edge: [uid] ."},
		{"j_obj", FirstSight{Type: types.UID}, "j_obj: uid ."},
		{"c_bin", FirstSight{Type: types.Binary}, "c_bin: binary ."},
		{"twice", FirstSight{Type: types.String, Many: true}, "twice: [string] ."},
		{"flags", FirstSight{Type: types.Bool, Many: true}, "error: unsupported type for list"},
		{"tagged", FirstSight{Type: types.String, Tagged: true}, "error: should have @lang directive"},
		{"Dgraph.colour", FirstSight{}, "error: can't store predicate `Dgraph.colour`"},
	} {
		p, err := Infer(graph.Pred(tt.name), tt.see)
		got := ""
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = string(p.AppendText(nil))
		}
		if !strings.HasPrefix(got, tt.want) &&
			!(err != nil && strings.Contains(got, strings.TrimPrefix(tt.want, "error: "))) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// With leaves the snapshot it starts from alone.
func TestSnapshotIsImmutable(t *testing.T) {
	a := Snapshot{}.With(Update{Predicates: []*Predicate{define(t, "a: int .")}, Types: []*Type{{Name: "T"}}})
	b := a.With(Update{
		DropPredicates: []graph.Predicate{graph.Pred("a")}, DropTypes: []string{"T"},
		Predicates: []*Predicate{define(t, "b: int .")},
	})
	if a.Len() != 1 || b.Len() != 1 || len(a.Types()) != 1 || len(b.Types()) != 0 {
		t.Errorf("a:\n%sb:\n%s", a.Text(), b.Text())
	}
	if _, ok := b.Predicate(graph.Pred("a")); ok {
		t.Error("a was not dropped")
	}
}

func TestCheckAsksForData(t *testing.T) {
	s := Snapshot{}.With(Update{Predicates: []*Predicate{define(t, "a: uid .")}})
	broken := errors.New("no leader")
	u := Update{Predicates: []*Predicate{define(t, "a: int .")}}
	if err := s.Check(u, func(graph.Predicate) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// Printing what parses gives text that parses to the same, and the stored form as well.
func FuzzParse(f *testing.F) {
	f.Add("a: [uid] @reverse @count .\n<b c>: string @index(exact, term) @lang .\ntype T {\n a\n <~a>\n}")
	f.Add(`v: float32vector @index(hnsw(metric: "cosine", exponent: "5")) . # c`)
	f.Add("[0x2] <ü>: datetime @index(year) @upsert @noconflict .\ntype X {\n a: [uid!]\n}")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil {
			wantPlace(t, text, err)
			return
		}
		roundTrip(t, Snapshot{}.With(u))
	})
}

// wantPlace checks that an error of Parse names a place in the text, which may be the end of a line.
func wantPlace(t *testing.T, text string, err error) {
	t.Helper()
	refused := (*SyntaxError)(nil)
	if !errors.As(err, &refused) {
		t.Fatalf("%q: %v has no place", text, err)
	}
	lines := strings.Split(text, "\n")
	if refused.Line < 1 || refused.Line > len(lines) || refused.Column < 1 || refused.Column > len(lines[refused.Line-1])+1 {
		t.Fatalf("%q: %v is outside of the text", text, err)
	}
}

// Stored definitions decode to themselves, and nothing else decodes.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		"a: [uid] @reverse @count .", "[0x2] b: string @index(exact, term) @lang @unique .", "v: float32vector @index(hnsw(metric: \"cosine\")) .",
	} {
		f.Add(define(f, text).AppendBinary(nil))
	}
	f.Add((&Type{Name: "T", Fields: []string{"a", "~b"}}).AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := DecodePredicate(b); err == nil {
			q, err := DecodePredicate(p.AppendBinary(nil))
			if err != nil || !p.Equal(q) {
				t.Fatalf("%x: %v", b, err)
			}
		} else if !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		if typ, err := DecodeType(b); err == nil {
			u, err := DecodeType(typ.AppendBinary(nil))
			if err != nil || !typ.Equal(u) {
				t.Fatalf("%x: %v", b, err)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := strings.Repeat("name: string @index(term, exact) @lang @upsert .\n", 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
