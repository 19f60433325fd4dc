//go:build systest

package systest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// reference is the page that describes the language, seen from this folder.
var reference = filepath.Join("..", "docs", "dql.md")

// omitted stands in an answer of the page for what differs from run to run or was left out.
const omitted = "…"

// example is a fenced block of a page, and the answer fenced after it.
type example struct {
	line    int // of the block, from 1
	words   []string
	text    string
	answer  string
	isJSON  bool // of the answer
	answers bool // an answer follows
}

// readExamples returns the blocks of a page that are run.
func readExamples(page string) []example {
	fence := regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?\n)```$")
	var list []example
	for _, m := range fence.FindAllStringSubmatchIndex(page, -1) {
		words, text := strings.Fields(page[m[2]:m[3]]), page[m[4]:m[5]]
		kind := strings.Join(words[:min(2, len(words))], " ")
		switch {
		case len(words) > 0 && words[0] == "dql", kind == "json mutate":
			list = append(list, example{line: strings.Count(page[:m[0]], "\n") + 1, words: words, text: text})
		case (kind == "json" || kind == "text") && len(list) > 0 && !list[len(list)-1].answers:
			e := &list[len(list)-1]
			e.answer, e.isJSON, e.answers = text, kind == "json", true
		}
	}
	return list
}

// run does what an example says and returns what the user sees: the answer, or else the error; for a profile, that.
func (e *example) run(t *testing.T, d *Dragg) string {
	t.Helper()
	if e.words[0] == "json" {
		return postMutation(t, d, e.text)
	}
	command, flags := "query", e.words[1:]
	if len(flags) > 0 && (flags[0] == "mutate" || flags[0] == "schema") {
		command, flags = flags[0], flags[1:]
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := slices.Concat([]string{command, "--alpha", d.GRPC(), "--file", "-"}, flags)
	cmd := exec.CommandContext(ctx, d.Bin, args...)
	cmd.Stdin = strings.NewReader(e.text)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	var refused *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	if refused != nil || slices.Contains(flags, "--profile") {
		return errOut.String()
	}
	return out.String()
}

func postMutation(t *testing.T, d *Dragg, text string) string {
	t.Helper()
	resp, err := http.Post(d.HTTP()+"/mutate?commitNow=true", "application/json", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), `"errors"`) {
		return string(body)
	}
	return ""
}

// sameAnswer reports whether got is the answer on the page.
func (e *example) sameAnswer(got string) bool {
	if !e.isJSON {
		text := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(e.answer)), omitted, `[^\n]*`)
		return regexp.MustCompile(`\A` + text + `\z`).MatchString(strings.TrimSpace(got))
	}
	var want, have any
	return json.Unmarshal([]byte(e.answer), &want) == nil && json.Unmarshal([]byte(got), &have) == nil && sameShown(want, have)
}

// sameShown compares JSON values, but for what is left out.
func sameShown(want, got any) bool {
	switch w := want.(type) {
	case string:
		return w == omitted || want == got
	case map[string]any:
		g, ok := got.(map[string]any)
		for k := range w {
			if _, has := g[k]; !has || !sameShown(w[k], g[k]) {
				return false
			}
		}
		return ok && len(w) == len(g)
	case []any:
		g, ok := got.([]any)
		if n := len(w); n > 0 && w[n-1] == omitted && len(g) >= n-1 {
			w, g = w[:n-1], g[:n-1]
		}
		return ok && slices.EqualFunc(w, g, sameShown)
	}
	return want == got
}

// Goal: the reference of the language says what is so. Method: every example of it is run by the command that a reader would use, in
// the order of the page, on a database with the film example; what comes back must be the answer on the page.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, "--example", filepath.Join("..", "examples", "film"))
	waitFor(t, "the example to be loaded", func() bool { return strings.Contains(d.Log(), "is up. Data is in") })
	list := readExamples(string(text))
	if len(list) < 40 {
		t.Fatalf("only %d examples found", len(list))
	}
	for _, e := range list {
		got := e.run(t, d)
		switch {
		case !e.answers && len(e.words) > 1 && strings.TrimSpace(got) != "" && e.words[1] != "mutate",
			!e.answers && strings.HasPrefix(got, "dragg: "):
			t.Errorf("%s:%d\n%s\nsays\n%s", reference, e.line, e.text, got)
		case !e.answers && (len(e.words) == 1 || strings.HasPrefix(e.words[1], "-")):
			t.Errorf("%s:%d: a query without its answer, which is\n%s", reference, e.line, got)
		case e.answers && !e.sameAnswer(got):
			t.Errorf("%s:%d\n%s\nanswers\n%s", reference, e.line, e.text, got)
		}
	}
}

// Goal: links within the page lead somewhere. Method: the heading of every anchor is there, as GitHub names it.
func TestReferenceLinks(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		headings["#"+strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = true
	}
	for _, m := range regexp.MustCompile(`\]\((#?[^)]+)\)`).FindAllStringSubmatch(string(text), -1) {
		to := m[1]
		if strings.HasPrefix(to, "#") {
			if !headings[to] {
				t.Errorf("no heading for %s", to)
			}
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(reference), to)); err != nil {
			t.Error(err)
		}
	}
}
