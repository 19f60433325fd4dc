package query

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dragg/dql"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/mutation/nquad"
	"dragg/query/answer"
	"dragg/schema"
)

// The goal is the language as clients see it. testdata holds scripts in the format of systest: a command, its body, a line
// ----, and the answer. They run over the fake runner, so that what fails here is planning, execution or the answer.

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			runScript(t, file)
		})
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f := newFake()
	for i, st := range steps(string(text)) {
		got, ok := f.step(st)
		if ok && !matches(st.want, got) {
			t.Errorf("case %d: %s\n%s\nwant %s\ngot  %s", i+1, st.cmd, st.body, st.want, got)
		}
	}
}

type step struct{ cmd, body, want string }

func steps(text string) (list []step) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		if strings.TrimSpace(lines[i]) == "" || strings.HasPrefix(lines[i], "#") {
			i++
			continue
		}
		s := step{cmd: lines[i]}
		var body, want []string
		for i++; i < len(lines) && lines[i] != "----"; i++ {
			body = append(body, lines[i])
		}
		for i++; i < len(lines) && strings.TrimSpace(lines[i]) != ""; i++ {
			want = append(want, lines[i])
		}
		s.body, s.want = strings.Join(body, "\n"), strings.Join(want, "\n")
		list = append(list, s)
	}
	return list
}

// step runs one command; ok is false where the fake cannot.
func (f *fake) step(st step) (got string, ok bool) {
	words := strings.Fields(st.cmd)
	switch words[0] {
	case "schema":
		up, err := schema.Parse(st.body)
		if err == nil {
			f.schema = f.schema.With(up)
		}
		return "", false
	case "set", "del", "setjson", "deljson":
		return "", f.change(words[0], st.body) == nil && false
	case "query", "rdf":
		vars := map[string]string{}
		for _, kv := range words[1:] {
			k, v, _ := strings.Cut(kv, "=")
			vars[k] = v
		}
		out, err := f.query(st.body, vars, words[0] == "rdf")
		if err != nil {
			return "error: " + err.Error(), true
		}
		return out, true
	}
	return "", false
}

func (f *fake) query(text string, vars map[string]string, rdf bool) (string, error) {
	doc, err := dql.Parse(text, vars)
	if err != nil {
		return "", err
	}
	plan, err := Build(doc, f.schema)
	if err != nil {
		return "", err
	}
	res, err := Execute(context.Background(), plan, f, 1, Options{})
	if err != nil {
		return "", err
	}
	plan.Release() // at once, so that what the answer takes of it would be found out
	doc.Release()
	defer res.Release()
	if rdf {
		b, err := res.Answer.AppendRDF(nil, answer.Options{})
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n"), err
	}
	b, err := res.Answer.AppendJSON(nil, answer.Options{})
	return string(b), err
}

// change applies a mutation well enough for the scripts.
func (f *fake) change(kind, body string) error {
	var quads []nquad.Quad
	var err error
	blanks := 0
	switch kind {
	case "set", "del":
		quads, err = nquad.ReadRDF([]byte(body))
	case "setjson":
		quads, err = nquad.ReadJSON([]byte(body), func() string { blanks++; return strconv.Itoa(blanks) })
	default:
		quads, err = nquad.ReadJSONDelete([]byte(body))
	}
	if err != nil {
		return err
	}
	type change struct {
		pred graph.Predicate
		uid  graph.UID
		e    entry
		del  bool
		all  bool
	}
	var list []change
	for _, q := range quads {
		c := change{pred: graph.Pred(q.Predicate), all: q.IsStar()}
		if c.uid, err = nodeUID(q.Subject); err != nil {
			return err
		}
		c.del = kind == "del" || kind == "deljson"
		c.e = entry{lang: q.Lang, facets: q.Facets}
		def, known := f.schema.Predicate(c.pred)
		if !known {
			if c.del {
				continue
			}
			def = &schema.Predicate{Name: c.pred, Type: q.Value.Type(), List: q.Origin == nquad.FromArray}
			if !q.HasValue() {
				def.Type, def.List = types.UID, q.Origin != nquad.FromObject
			}
			f.schema = f.schema.With(schema.Update{Predicates: []*schema.Predicate{def}})
		}
		if q.HasValue() {
			if c.e.value, err = types.Convert(q.Value, def.Type); err != nil {
				return err
			}
		} else if !c.all {
			if c.e.to, err = nodeUID(q.Object); err != nil {
				return err
			}
		}
		if q.HasValue() == def.IsUID() && !c.all {
			return fmt.Errorf("edge and value differ")
		}
		list = append(list, c)
	}
	for _, c := range list {
		switch {
		case !c.del:
			f.put(c.pred, c.uid, c.e)
		case c.all:
			f.drop(c.pred, c.uid, func(e entry) bool { return c.e.lang == "" || e.lang == c.e.lang })
		default:
			f.drop(c.pred, c.uid, func(e entry) bool {
				return e.to == c.e.to && e.lang == c.e.lang && (e.to != 0 || types.Equal(e.value, c.e.value))
			})
		}
	}
	return nil
}

func nodeUID(n nquad.Node) (graph.UID, error) {
	if n.Kind == nquad.Blank {
		return graph.UID(0x1000) + graph.UID(types.Fingerprint(types.OfString(n.Name))%0x1000), nil
	}
	u, err := strconv.ParseUint(n.Name, 0, 64)
	return graph.UID(u), err
}

// matches compares an answer: errors by a fragment, JSON as values, arrays in order unless the text says unordered.
func matches(want, got string) bool {
	if frag, isErr := strings.CutPrefix(want, "error:"); isErr {
		return strings.HasPrefix(got, "error:") &&
			strings.Contains(strings.ToLower(got), strings.ToLower(strings.TrimSpace(frag)))
	}
	if want == got {
		return true
	}
	rest, bag := strings.CutPrefix(want, "unordered\n")
	return json.Valid([]byte(rest)) && json.Valid([]byte(got)) && same(decode(rest), decode(got), bag)
}

func decode(s string) any {
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

func same(want, got any, bag bool) bool {
	if want == "*" {
		return true
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for k := range w {
			if x, ok := g[k]; !ok || !same(w[k], x, bag) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		return ok && len(g) == len(w) && sameList(w, g, bag)
	case json.Number:
		g, ok := got.(json.Number)
		if !ok {
			return false
		}
		a, err1 := w.Float64()
		b, err2 := g.Float64()
		return w == g || err1 == nil && err2 == nil && a == b
	}
	return want == got
}

func sameList(want, got []any, bag bool) bool {
	if !bag {
		return slices.EqualFunc(want, got, func(a, b any) bool { return same(a, b, false) })
	}
	rest := slices.Clone(got)
	for _, w := range want {
		i := slices.IndexFunc(rest, func(g any) bool { return same(w, g, true) })
		if i < 0 {
			return false
		}
		rest = slices.Delete(rest, i, i+1)
	}
	return true
}
