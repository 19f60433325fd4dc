package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dragg/internal/fault"
	"dragg/mutation/nquad"
)

func run(t *testing.T, cfg Config, d *database) Summary {
	t.Helper()
	s, err := Run(t.Context(), cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every form of input gives the same graph.
func TestForms(t *testing.T) {
	rdf := "_:a <name> \"ann\" .\n# a comment\n\n_:b <name> \"bob\" .\n_:a <knows> _:b .\r\n<0x7> <name> \"seven\" .\n<ext> <name> \"ext\" ."
	nested := `{"name":"ann","knows":{"name":"bob"}}`
	others := `{"uid":"0x7","name":"seven"},{"uid":"_:ext","name":"ext"}`
	for name, texts := range map[string]map[string]string{
		"rdf":               {"d.rdf": rdf},
		"rdf of an export":  {"d.rdf": strings.NewReplacer("_:a", "<_:a>", "knows> _:b", "knows> <_:b>").Replace(rdf)},
		"nq":                {"d.nq": rdf},
		"nt":                {"D.NT": rdf},
		"rdf packed":        {"d.rdf.gz": rdf},
		"packed without gz": {"d.rdf": "GZ" + rdf},
		"json array":        {"d.json": " [" + nested + "," + others + "]\n"},
		"json objects":      {"d.json": nested + "\n" + strings.ReplaceAll(others, "},{", "} {")},
		"json packed":       {"d.json.gz": "[" + nested + "," + others + "]"},
		"folders": {
			"x/1.rdf": strings.Join(strings.SplitAfter(rdf, "\n")[:5], ""), "x/y/2.rdf.gz": strings.Join(strings.SplitAfter(rdf, "\n")[5:], ""),
			"x/README": "not data", "x/z.rdf.bak": "not data",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, d := t.TempDir(), newDatabase()
			files(t, dir, texts)
			s := run(t, Config{Paths: []string{dir}, Batch: 2, Lanes: 3}, d)
			got, twice := d.graph()
			want := []string{"ann knows bob", "ann name ann", "bob name bob", "ext name ext", "seven name seven"}
			if !slices.Equal(got, want) || len(twice) > 0 || s.Quads != 5 || s.Nodes != 3 {
				t.Errorf("%q, twice %q, %+v", got, twice, s)
			}
			if !d.triples["0x7 name seven"] {
				t.Error("a uid was taken for a name")
			}
		})
	}
}

// What cannot be read is named.
func TestUnreadableInput(t *testing.T) {
	for name, c := range map[string]struct {
		texts map[string]string
		paths []string
		want  string
	}{
		"no such file":     {paths: []string{"gone.rdf"}, want: "gone.rdf"},
		"unknown form":     {texts: map[string]string{"d.csv": "1,2"}, paths: []string{"d.csv"}, want: "d.csv: what is in it"},
		"cut gzip":         {texts: map[string]string{"d.rdf": "\x1f\x8b\x08"}, paths: []string{"d.rdf"}, want: "d.rdf"},
		"cut array":        {texts: map[string]string{"d.json": `[{"name":"x"},`}, paths: []string{"d.json"}, want: "d.json"},
		"json that is not": {texts: map[string]string{"d.json": `{"name":"x"} nonsense`}, paths: []string{"d.json"}, want: "d.json: object 2"},
		"nothing":          {want: "nothing to load"},
	} {
		dir, cfg := t.TempDir(), Config{}
		files(t, dir, c.texts)
		for _, p := range c.paths {
			cfg.Paths = append(cfg.Paths, filepath.Join(dir, p))
		}
		if _, err := Run(t.Context(), cfg, newDatabase()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, cfg := range []Config{
		{Paths: []string{"x"}, Batch: -1}, {Paths: []string{"x"}, Lanes: -1}, {Paths: []string{"x"}, Skip: true}, {Schema: "gone.schema"},
	} {
		if _, err := Run(t.Context(), cfg, newDatabase()); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

// The schema comes first, and one that is refused stops the load.
func TestSchemaFirst(t *testing.T) {
	dir, d := t.TempDir(), newDatabase()
	files(t, dir, map[string]string{"s.schema": "name: string @index(term) .", "bad.schema": "refused", "d.rdf": `_:a <name> "x" .`})
	d.before = func(int) error {
		if len(d.alters) != 1 {
			t.Errorf("committed before the schema: %q", d.alters)
		}
		return nil
	}
	run(t, Config{Schema: filepath.Join(dir, "s.schema"), Paths: []string{filepath.Join(dir, "d.rdf")}}, d)
	_, err := Run(t.Context(), Config{Schema: filepath.Join(dir, "bad.schema"), Paths: []string{dir}}, newDatabase())
	if fault.ClassOf(err) != fault.Invalid || !strings.Contains(err.Error(), "bad.schema") {
		t.Errorf("a schema that is refused: %v", err)
	}
}

// JSON says on first sight whether a predicate is a list: it is made before its first statement, once.
func TestPredicatesOfJSON(t *testing.T) {
	dir, d := t.TempDir(), newDatabase()
	files(t, dir, map[string]string{"d.json": `[{"name":"x","nick":["a"],"boss":{"name":"y"},"pals":[{"name":"z"}]},{"nick":["b","c"]}]`})
	run(t, Config{Paths: []string{dir}}, d)
	slices.Sort(d.alters)
	if len(d.alters) != 4 || !strings.Contains(d.alters[0], "boss: uid") && !strings.Contains(d.alters[0], "<boss>: uid") {
		t.Errorf("made %q", d.alters)
	}
	if text := strings.Join(d.alters, " "); strings.Count(text, "[") != 2 {
		t.Errorf("made %q: nick and pals are lists", d.alters)
	}
}

// manyLines returns RDF of n nodes with an edge each.
func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "_:n%d <name> \"n%d\" .\n_:n%d <next> _:n%d .\n", i, i, i, (i*7)%n)
	}
	return b.String()
}

func manyObjects(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"name":"o%d","part":[{"name":"p%d"},{"name":"q%d","deep":{"name":"r%d"}}]}`+"\n", i, i, i, i)
	}
	return b.String()
}

// Goal: a load that was stopped anywhere goes on where it was: all is in at the end, and no node was made twice. Method: the load is
// cut off at each commit, before it, or after it while the reply is lost; then it is run again, and cut again.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	files(t, dir, map[string]string{"a.rdf": manyLines(12), "b.json": manyObjects(6), "c.rdf.gz": manyLines(20)})
	straight := newDatabase()
	cfg := Config{Paths: []string{dir}, Batch: 3, Lanes: 2}
	run(t, cfg, straight)
	want, twice := straight.graph()
	if len(twice) > 0 || straight.commits < 20 {
		t.Fatalf("%d commits, twice %q", straight.commits, twice)
	}
	var resumed int64
	for _, late := range []bool{false, true} {
		for cut := 1; cut <= straight.commits; cut++ {
			d := newDatabase()
			cfg.XIDs = t.TempDir()
			for _, at := range []int{cut, cut + 3} {
				ctx, cancel := context.WithCancel(t.Context())
				stop := func(commit int) error {
					if commit == at {
						cancel()
						return context.Canceled
					}
					return nil
				}
				d.before, d.after = nil, nil
				if late {
					d.after = stop
				} else {
					d.before = stop
				}
				if _, err := Run(ctx, cfg, d); err != nil && !errors.Is(err, context.Canceled) {
					t.Fatalf("cut %d: %v", at, err)
				}
				cancel()
			}
			d.before, d.after = nil, nil
			s := run(t, cfg, d)
			resumed += s.Resumed
			got, twice := d.graph()
			if !slices.Equal(got, want) || len(twice) > 0 {
				t.Fatalf("late %v, cut %d: %d of %d triples, made twice: %q", late, cut, len(got), len(want), twice)
			}
			again := run(t, cfg, d)
			if again.Quads > 0 || again.Nodes > 0 || again.Resumed == 0 {
				t.Fatalf("a load that was complete did %+v", again)
			}
		}
	}
	if resumed == 0 {
		t.Error("nothing was ever passed over: the test tests nothing")
	}
}

// What the server refuses is found by halving, and named by file, line and text.
func TestRefusedStatementIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		texts map[string]string
		bad   string // what the server refuses
		file  string
		line  int
	}{
		"by the server": {map[string]string{"d.rdf": manyLines(50)}, "n37", "d.rdf", 75},
		"in json":       {map[string]string{"d.json": manyObjects(20)}, "r11", "d.json", 12},
		"no statement":  {map[string]string{"d.rdf": manyLines(5) + "nonsense\n" + manyLines(5)}, "", "d.rdf", 11},
		"in json, read": {map[string]string{"d.json": `{"name":"x"} {"":[{}]} 7`}, "", "d.json", 0},
		"a star":        {map[string]string{"d.rdf": "_:a <name> \"x\" .\n_:a <name> * .\n"}, "", "d.rdf", 2},
		"a variable":    {map[string]string{"d.rdf": "_:a <name> \"x\" .\nuid(v) <name> \"y\" .\n"}, "", "d.rdf", 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir, d := t.TempDir(), newDatabase()
			files(t, dir, c.texts)
			d.refuse = func(q *nquad.Quad) error {
				if c.bad != "" && q.HasValue() && q.Value.Text() == c.bad {
					return errors.New("I do not like it")
				}
				return nil
			}
			_, err := Run(t.Context(), Config{Paths: []string{dir}, Batch: 16}, d)
			bad := (*BadLine)(nil)
			if !errors.As(err, &bad) {
				if c.line > 0 || err == nil || !strings.Contains(err.Error(), c.file) {
					t.Fatalf("%v", err)
				}
				return
			}
			if filepath.Base(bad.File) != c.file || c.line > 0 && bad.Line != c.line || !strings.Contains(err.Error(), fmt.Sprintf("%s:%d: ", bad.File, bad.Line)) {
				t.Errorf("named %s:%d (%v)", bad.File, bad.Line, err)
			}
			if c.bad != "" && !strings.Contains(bad.Text, c.bad) {
				t.Errorf("named %q", bad.Text)
			}
		})
	}
}

// With skip, bad statements are saved with their place and reason, and all others are in.
func TestSkip(t *testing.T) {
	dir, d, to := t.TempDir(), newDatabase(), filepath.Join(t.TempDir(), "skipped.txt")
	lines := strings.Split(strings.TrimSpace(manyLines(40)), "\n")
	lines[3] = "this is no statement"
	lines[50] = `_:n25 <name> "refused" .`
	lines[60] = `_:n30 * * .`
	files(t, dir, map[string]string{
		"d.rdf": strings.Join(lines, "\n"), "e.json": `{"name":"fine"} {"name":"refused"} {"uid":[]} {"refused":"x"} {"name":"last"}`,
	})
	d.refuse = func(q *nquad.Quad) error {
		if q.HasValue() && q.Value.Text() == "refused" {
			return errors.New("I do not like it")
		}
		return nil
	}
	var log bytes.Buffer
	s := run(t, Config{
		Paths: []string{dir}, Batch: 10, Skip: true, SkippedTo: to, XIDs: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, d)
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{
		"d.rdf:4: ", "\nthis is no statement\n", "d.rdf:51: I do not like it\n" + lines[50] + "\n", "d.rdf:61: ",
		"e.json:2: I do not like it\n{\"name\":\"refused\"}\n", "e.json:3: ", "e.json:4: ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not saved: %q in\n%s", want, text)
		}
	}
	if s.Skipped != 6 || strings.Count(text, "# ") != 6 || s.Quads != 80-3+2 {
		t.Errorf("%+v; saved\n%s", s, text)
	}
	if !strings.Contains(log.String(), "skipped") || !strings.Contains(s.String(), "6 skipped") {
		t.Errorf("nobody was told: %s\n%s", log.String(), s)
	}
	if got, _ := d.graph(); !slices.Contains(got, "last name last") || !slices.Contains(got, "fine name fine") {
		t.Errorf("what is fine is missing: %q", got)
	}
}

// What is refused for a moment is sent again; what will not get better stops the load.
func TestTryAgain(t *testing.T) {
	dir := t.TempDir()
	files(t, dir, map[string]string{"d.rdf": manyLines(10)})
	for _, class := range []fault.Class{fault.Aborted, fault.Conflict, fault.Unavailable, fault.Unknown, fault.Exhausted} {
		d := newDatabase()
		reply := func(commit int) error {
			if commit%3 != 0 {
				return fault.New(class, "not now")
			}
			return nil
		}
		if class == fault.Unknown {
			d.after = reply // it was carried out, but nobody knows
		} else {
			d.before = reply
		}
		s := run(t, Config{Paths: []string{dir}, Batch: 10, Lanes: 1}, d)
		if s.Quads != 20 || s.Aborts != 4 || len(d.triples) != 20 {
			t.Errorf("class %d: %+v, %d triples", class, s, len(d.triples))
		}
	}
	for _, class := range []fault.Class{fault.Internal, fault.Denied, fault.Unauthenticated} {
		d := newDatabase()
		d.before = func(int) error { return fault.New(class, "never") }
		if _, err := Run(t.Context(), Config{Paths: []string{dir}}, d); fault.ClassOf(err) != class || d.commits > 4 {
			t.Errorf("class %d: %v after %d tries", class, err, d.commits)
		}
	}
}

// Ids of another database are refused: their uids would name other nodes there.
func TestIDsOfAnotherDatabase(t *testing.T) {
	dir, more, ids := t.TempDir(), t.TempDir(), t.TempDir()
	files(t, dir, map[string]string{"d.rdf": manyLines(10)})
	files(t, more, map[string]string{"e.rdf": `_:another <name> "x" .`})
	run(t, Config{Paths: []string{dir}, XIDs: ids}, newDatabase())
	_, err := Run(t.Context(), Config{Paths: []string{more}, XIDs: ids}, newDatabase())
	if err == nil || !strings.Contains(err.Error(), "another database") {
		t.Errorf("%v", err)
	}
}

// Statements of one node are sent one after the other, never at once.
func TestLanesKeepNodesApart(t *testing.T) {
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, "_:n%d <name> \"v%d\" .\n", i%7, i)
	}
	dir, d := t.TempDir(), newDatabase()
	files(t, dir, map[string]string{"d.rdf": b.String()})
	last := map[string]int{}
	d.refuse = func(q *nquad.Quad) error {
		var n int
		if _, err := fmt.Sscanf(q.Value.Text(), "v%d", &n); err != nil {
			return err
		}
		if n < last[q.Subject.Name] {
			t.Errorf("%s: %d after %d", q.Subject.Name, n, last[q.Subject.Name])
		}
		last[q.Subject.Name] = n
		return nil
	}
	run(t, Config{Paths: []string{dir}, Batch: 10, Lanes: 5}, d)
}

// Progress is told in lines, with the summary at the end.
func TestProgress(t *testing.T) {
	dir, d := t.TempDir(), newDatabase()
	files(t, dir, map[string]string{"d.rdf": manyLines(20)})
	d.before = func(int) error { time.Sleep(5 * time.Millisecond); return nil }
	var out bytes.Buffer
	s := run(t, Config{Paths: []string{dir}, Batch: 4, Lanes: 1, Progress: &out, Every: time.Millisecond, XIDs: t.TempDir()}, d)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) < 3 || !strings.Contains(lines[0], "N-Quads") || !strings.Contains(lines[0], "% read") || lines[len(lines)-1] != s.String() {
		t.Errorf("%q", lines)
	}
	if !strings.HasPrefix(s.String(), "loaded 40 N-Quads in ") {
		t.Error(s)
	}
}
