package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// typist is Lines that were typed beforehand: "^C" for a dropped line.
type typist struct {
	lines      []string
	prompts    []string
	remembered []string
}

func (l *typist) Line(ctx context.Context, prompt string) (string, error) {
	l.prompts = append(l.prompts, prompt)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if len(l.lines) == 0 {
		return "", io.EOF
	}
	line := l.lines[0]
	l.lines = l.lines[1:]
	if line == "^C" {
		return "", ErrDropped
	}
	return line, nil
}

func (l *typist) Remember(entry string) { l.remembered = append(l.remembered, entry) }

// teller is an Asker that tells what it was asked.
type teller func(ctx context.Context, q Question) (string, error)

func (f teller) Ask(ctx context.Context, q Question) (string, error) { return f(ctx, q) }

func tell(_ context.Context, q Question) (string, error) {
	var vars []string
	for _, name := range slices.Sorted(maps.Keys(q.Vars)) {
		vars = append(vars, " "+name+"="+q.Vars[name])
	}
	return fmt.Sprintf("%s%s: %s\n", []string{"answer", "explain", "profile", "schema"}[q.Mode], strings.Join(vars, ""),
		strings.ReplaceAll(q.Text, "\n", "|")), nil
}

// typed runs a prompt over lines, without times, and returns what it shows, errors marked by "! ".
func typed(t *testing.T, ask Asker, lines ...string) (shown string, l *typist) {
	t.Helper()
	l = &typist{lines: append([]string{`\timing off`}, lines...)}
	var out strings.Builder
	p := New(Config{Lines: l, Asker: ask, Out: &out, Err: marked{&out}, Interrupts: make(chan os.Signal), Vars: map[string]string{"$given": "0"}})
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, shown, _ = strings.Cut(out.String(), "\n")
	return shown, l
}

type marked struct{ w io.Writer }

func (m marked) Write(b []byte) (int, error) {
	_, err := fmt.Fprintf(m.w, "! %s", b)
	return len(b), err
}

// Goal: what is typed is asked when it is whole, and shown; commands do what \help says. Method: lines in, what is shown out.
func TestPromptAsksWhatIsTyped(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"one line":       {[]string{"{ q(func: uid(1)) { a } }"}, "answer: { q(func: uid(1)) { a } }\n"},
		"two queries":    {[]string{"{ a() }", "", "{ b() }"}, "answer: { a() }\nanswer: { b() }\n"},
		"several lines":  {[]string{"{", "  q(func: uid(1)) {", "", "a }", "}"}, "answer: {|  q(func: uid(1)) {||a }|}\n"},
		"no braces":      {[]string{"schema", ""}, "answer: schema\n"},
		"never right":    {[]string{"{ q ; }"}, "answer: { q ; }\n"},
		"dropped":        {[]string{"{ q(", "^C", "^C", "{ b() }"}, "answer: { b() }\n"},
		"end in a query": {[]string{"{ q("}, ""},
		"variables": {
			[]string{`\vars $a = 1`, `\vars b=x = y`, `\vars c=3`, `\vars $c=`, `\vars`, `query q($b: string) { q(func: eq(n, $b)) { n } }`},
			"$a=1\n$b=x = y\n$given=0\nanswer $b=x = y: query q($b: string) { q(func: eq(n, $b)) { n } }\n",
		},
		"explain":    {[]string{`\explain { a() `, "}", `\explain`}, "explain: { a()|}\nexplain: { a()|}\n"},
		"profile":    {[]string{"{ a() }", `\profile`}, "answer: { a() }\nprofile: { a() }\n"},
		"no last":    {[]string{`\explain`}, "There is no last query: write one behind \\explain.\n"},
		"schema":     {[]string{`\schema`, `\schema a b`}, "schema: schema {}\nschema: schema(pred: [<a>, <b>]) {}\n"},
		"quit":       {[]string{`\quit`, "{ a() }"}, ""},
		"no command": {[]string{`\drop`}, "! there is no command \\drop: \\help shows all\n"},
		"no value":   {[]string{`\vars a`, `\timing often`}, "! write \\vars NAME=VALUE\n! write \\timing on, or \\timing off\n"},
		"mutation":   {[]string{"{ set {", `_:a <b> "}" .`, "} }"}, "! this changes data, and here one only asks: use dragg mutate\n"},
		"help":       {[]string{`\help`}, help},
		"long": {
			slices.Concat([]string{"{"}, slices.Repeat([]string{strings.Repeat("#", 1<<15)}, 8), []string{"{ b() }"}),
			"! a query of more than 256 KiB is asked with --file\nanswer: { b() }\n",
		},
	} {
		got, _ := typed(t, teller(tell), c.lines...)
		if strings.TrimRight(got, "\n") != strings.TrimRight(c.want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestPromptWithAMode(t *testing.T) {
	l := &typist{lines: []string{"{ a() }", `\profile { b() }`, `\explain { c() }`}}
	var out strings.Builder
	p := New(Config{Lines: l, Asker: teller(tell), Out: &out, Err: marked{&out}, Interrupts: make(chan os.Signal), Mode: Explain})
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"explain: { a() }", "profile: { b() }", "explain: { c() }"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %q", want, out.String())
		}
	}
	if want := []string{"{ a() }", `\profile { b() }`, "{ c() }"}; !slices.Equal(l.remembered, want) {
		t.Errorf("remembered %q", l.remembered)
	}
}

func TestPromptShowsErrorsAndGoesOn(t *testing.T) {
	fails := teller(func(_ context.Context, q Question) (string, error) {
		if q.Text == "{ bad() }" {
			return "", errors.New("line 1 column 3: bad")
		}
		return "good\n", nil
	})
	if got, _ := typed(t, fails, "{ bad() }", "{ q() }"); got != "! line 1 column 3: bad\ngood\n\n" {
		t.Errorf("got %q", got)
	}
}

func TestPromptRemembersWholeQueries(t *testing.T) {
	_, l := typed(t, teller(tell), "{ # all", "q(func: eq(name, \"a", "b\")) }", `\explain {`, "a() }", `\schema name`, "{ q(", "^C", "   ")
	want := []string{`\timing off`, `{ q(func: eq(name, "a\nb")) }`, `\explain { a() }`, `\schema name`}
	if !slices.Equal(l.remembered, want) {
		t.Errorf("remembered %q", l.remembered)
	}
	if got := strings.Join(l.prompts[1:4], "|"); got != "dragg> |   ... |   ... " {
		t.Errorf("prompts %q", got)
	}
}

// Goal: Ctrl-C ends the question that is out and nothing else, also one that came before the question.
func TestPromptCancels(t *testing.T) {
	interrupts := make(chan os.Signal, 1)
	interrupts <- os.Interrupt // of nothing
	asked := 0
	waits := teller(func(ctx context.Context, _ Question) (string, error) {
		if asked++; asked > 1 {
			return "second\n", ctx.Err()
		}
		if ctx.Err() != nil {
			t.Error("an old Ctrl-C cancelled the question")
		}
		interrupts <- os.Interrupt
		<-ctx.Done()
		return "", ctx.Err()
	})
	var out strings.Builder
	l := &typist{lines: []string{"{ a() }", "{ b() }"}}
	if err := New(Config{Lines: l, Asker: waits, Out: &out, Err: marked{&out}, Interrupts: interrupts}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "! cancelled\nsecond\n(") {
		t.Errorf("got %q", got)
	}
}

func TestPromptEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ends := teller(func(ctx context.Context, _ Question) (string, error) {
		cancel()
		return "", ctx.Err()
	})
	var out strings.Builder
	l := &typist{lines: []string{"{ a() }", "{ b() }"}}
	if err := New(Config{Lines: l, Asker: ends, Out: &out, Err: &out, Interrupts: make(chan os.Signal)}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if len(l.lines) != 1 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("after the end %d lines are left, shown is %q", len(l.lines), out.String())
	}
}
