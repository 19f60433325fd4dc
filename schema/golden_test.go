package schema

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dragg/graph"
)

// The files of testdata are requests of clients with the answers they expect. This test replays the schema
// changes among them: each must be accepted or refused with the fragment that the file names. Other requests
// are not for this package, but the predicates that they write to count as having data.
func TestGoldenSchemaChanges(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			replay(t, string(text))
		})
	}
}

var written = regexp.MustCompile(`(?m)^\s*<0x[0-9a-f]+> <([^>@]+)[>@]`)

func replay(t *testing.T, text string) {
	s := Snapshot{}.With(Reserved())
	data := map[graph.Predicate]bool{}
	hasData := func(p graph.Predicate) (bool, error) { return data[p], nil }
	for _, c := range regexp.MustCompile(`(?m)\n[ \t]*\n+`).Split(stripComments(text), -1) {
		request, want, found := strings.Cut(strings.Trim(c, "\n"), "\n----\n")
		if !found {
			continue
		}
		command, body, _ := strings.Cut(request, "\n")
		switch {
		case command == "set" && want == "ok":
			for _, m := range written.FindAllStringSubmatch(body, -1) {
				data[graph.Pred(m[1])] = true
			}
			continue
		case strings.HasPrefix(command, "alter drop_attr "):
			name := graph.Pred(strings.TrimPrefix(command, "alter drop_attr "))
			s = s.With(Update{DropPredicates: []graph.Predicate{name}})
			continue
		case command != "schema" || strings.Trim(body, "# \n") == "":
			continue
		}
		u, err := Parse(body)
		if err == nil {
			err = s.Check(u, hasData)
		}
		fragment, refused := strings.CutPrefix(want, "error: ")
		switch {
		case !refused && err != nil:
			t.Errorf("%s\n%v", body, err)
		case refused && (err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(fragment))):
			t.Errorf("%s\ngot error %v\nwant %s", body, err, fragment)
		case !refused:
			s = s.With(u)
			roundTrip(t, s)
		}
	}
}

// stripComments drops comment lines between cases; within a case the schema language has its own.
func stripComments(text string) string {
	var out []string
	inCase := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case !inCase && strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "----"):
			inCase = false
		case line == "schema":
			inCase = true
		case inCase && line == "":
			line = "#" // a blank line within the schema text
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// roundTrip prints and parses s, and stores and reads it.
func roundTrip(t *testing.T, s Snapshot) {
	t.Helper()
	text := s.Text()
	u, err := Parse(text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	back := Snapshot{}.With(u)
	if got := back.Text(); got != text {
		t.Errorf("printed again:\n%s\nwant:\n%s", got, text)
	}
	for _, p := range s.Predicates() {
		q, err := DecodePredicate(p.AppendBinary(nil))
		parsed, _ := back.Predicate(p.Name)
		if err != nil || !p.Equal(q) || !p.SameDefinition(parsed) {
			t.Errorf("%s: stored form: %v", p.AppendText(nil), err)
		}
	}
	for _, typ := range s.Types() {
		if u, err := DecodeType(typ.AppendBinary(nil)); err != nil || !typ.Equal(u) {
			t.Errorf("%s: stored form: %v", typ.AppendText(nil), err)
		}
	}
}
