package nquad

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func blanks() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("new%d", n) }
}

func showAll(quads []Quad, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for _, q := range quads {
		out = append(out, show(q))
	}
	return strings.Join(out, "; ")
}

func check(t *testing.T, in, got, want string) {
	t.Helper()
	if frag, refused := strings.CutPrefix(want, "error: "); refused && strings.HasPrefix(got, "error: ") && strings.Contains(got, frag) {
		return
	}
	if got != want {
		t.Errorf("%s\n got %s\nwant %s", in, got, want)
	}
}

// JSON that sets (dql.md facts 102 to 107).
func TestReadJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"uid":"0x1","name":"x","n":5,"f":2e3,"b":false}`:           `<0x1 name string(x); <0x1 n int(5); <0x1 f float(2000); <0x1 b bool(false)`,
		`{"uid":3,"name@de":"x"}`:                                    `<3 name@de string(x)`,
		`{"name":"x"}`:                                               `_:new1 name string(x)`,
		`{"uid":"0x0","name":"x"}`:                                   `_:new1 name string(x)`,
		`{"uid":null,"name":null}`:                                   ``,
		`{"uid":"_:a","k":{"uid":"_:b","k|w":1,"n":"y"}}`:            `_:a k _:b w=int(1); _:b n string(y)`,
		`{"uid":"0x1","k":[{"uid":"0x2"},{"n":"y"}]}`:                `<0x1 k <0x2; <0x1 k _:new1; _:new1 n string(y)`,
		`{"uid":"uid(v)","n":"val(w)"}`:                              `uid:v n val:w`,
		`{"uid":"0x1","l":["a","b"],"l|s":{"1":"2020-01-02","7":1}}`: `<0x1 l string(a); <0x1 l string(b) s=datetime(2020-01-02T00:00:00Z)`,
		`{"uid":"0x1","g":{"type":"Point","coordinates":[1,2]}}`:     `<0x1 g geo({"type":"Point","coordinates":[1,2]})`,
		`{"uid":"0x1","s":"[1,  2]"}`:                                `<0x1 s string([1,  2])`,
		`{"uid":"0x1","l":[true,null,5]}`:                            `<0x1 l bool(true); <0x1 l int(5)`,
		`[]`:                                                         ``,
		`{}`:                                                         ``,
		`5`:                                                          `error: only array of map allowed at root`,
		`[[{}]]`:                                                     `error: only array of map allowed at root`,
		`{"uid":"0x1","f":[[1]]}`:                                    `error: got unsupported type for list: f`,
		`{"uid":"0x1","n":9223372036854775808}`:                      `error: unexpected type for val for attr: n while converting to nquad: 9223372036854775808 is out of the range`,
		`{"uid":"0x1","name":"x","name|w":[1]}`:                      `error: facet: name|w: facet value can only be string/number/bool`,
		`{"uid":"0x1","l":["a"],"l|w":1}`:                            `error: found: 1 for facet: l|w`,
		`{"uid":"0x1","name@en@de":"x"}`:                             `error: key error`,
		`{"uid":"0x1"`:                                               `error: invalid JSON`,
		`{} {}`:                                                      `error: invalid JSON`,
		strings.Repeat(`{"a":`, 1000000):                             `error: nested deeper than`,
		strings.Repeat(`[`, 1000000):                                 `error: nested deeper than`,
	} {
		check(t, in[:min(len(in), 100)], showAll(ReadJSON([]byte(in), blanks())), want)
	}
}

// JSON that deletes (dql.md facts 100 and 104).
func TestReadJSONDelete(t *testing.T) {
	for in, want := range map[string]string{
		`{"uid":"0x1"}`: `<0x1 * *`,
		`{"uid":"0x1","a":null,"b":"","c":false,"d":0.0}`: `<0x1 a *; <0x1 b *; <0x1 c *; <0x1 d *`,
		`{"uid":"0x1","n":0,"l":["x"],"t@de":null}`:       `<0x1 n int(0); <0x1 l string(x); <0x1 t@de *`,
		`{"uid":"0x1","k":[{"uid":"0x2","n":"y"}]}`:       `<0x1 k <0x2; <0x2 n string(y)`,
		`{"uid":"0x1","k":{"uid":"0x2"}}`:                 `<0x1 k <0x2`,
		`{"name":"x"}`:                                    `error: UID must be present and non-zero while deleting edges`,
		`{"uid":"0x3","k":[{"name":"Kim"}]}`:              `error: UID must be present and non-zero while deleting edges`,
	} {
		check(t, in, showAll(ReadJSONDelete([]byte(in))), want)
	}
}

// Goal: an error names its place. Method: texts with the place marked by §, which is taken out before they are read.
func TestPlacesInJSON(t *testing.T) {
	for _, text := range []string{
		"{\"uid\": \"0x1\",\n \"é\": 1,\t§\"f\" : [[1]]}", "[{},\n§{\"uid\": true}]", "{\"k\": [{\"uid\": 1}, {\n §\"n\": 9223372036854775808}]}",
		"{\"a\": [1,\n2], §\"a@en@de\": 1}", "{\"uid\": \"0x1\",\n§", "{\"uid\": \"0x1\" }§}", "{\"a\": §tru}", "{}  §{}", "{§5: 1}",
		"{\"uid\": 1, §\"g\": {\"type\": \"Point\", \"coordinates\": [\"x\"]}}", "§" + strings.Repeat("[", 1000),
	} {
		before, after, _ := strings.Cut(text, "§")
		if strings.HasPrefix(after, "[[[") {
			before, after = after[:maxDepth+1], after[maxDepth+1:] // the first that is too deep was read
		}
		line, column := strings.Count(before, "\n")+1, len(before)-strings.LastIndexByte(before, '\n')
		_, err := ReadJSON([]byte(before+after), blanks())
		at := (*JSONError)(nil)
		if !errors.As(err, &at) || at.Line != line || at.Column != column {
			t.Errorf("%.80s: %v, want line %d column %d", text, err, line, column)
		}
	}
}

// No JSON makes the reader panic.
func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`{"uid":"_:a","k":[{"uid":"0x2","k|w":1}],"g":{"type":"Point","coordinates":[1,2]},"l":["a"],"l|f":{"0":1}}`))
	f.Add([]byte(`[{"n":1.5e3,"b":true,"z":null}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		quads, err := ReadJSON(text, blanks())
		if at := (*JSONError)(nil); errors.As(err, &at) {
			lines := strings.Split(string(text), "\n")
			if at.Line < 1 || at.Line > len(lines) || at.Column < 1 || at.Column > len(lines[at.Line-1])+1 {
				t.Errorf("%q: %v is outside of the text", text, err)
			}
		}
		for _, q := range quads {
			if err == nil && q.Subject.Kind == Absent {
				t.Errorf("%q gave a quad without subject", text)
			}
		}
		if _, err := ReadJSONDelete(text); err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
	})
}
