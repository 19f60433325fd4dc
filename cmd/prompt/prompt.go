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
	"time"

	"dragg/dql"
)

// ErrDropped is what Lines returns for a line that was given up with Ctrl-C.
var ErrDropped = errors.New("the line was dropped")

// errQuit ends a prompt from within.
var errQuit = errors.New("quit")

// maxTyped bounds a query in bytes: each line of it has all before it read again. Larger ones go by file.
const maxTyped = 256 << 10

// Lines gives what somebody types, line by line.
type Lines interface {
	// Line shows a prompt and returns the next line without its end. The error is io.EOF at the end of all lines, ErrDropped,
	// that of a context that ended, or a failure.
	Line(ctx context.Context, prompt string) (string, error)
	// Remember makes an entry, which is one line, available for typing it again.
	Remember(entry string)
}

// Mode says what is wanted of a question.
type Mode uint8

// The modes.
const (
	Answer  Mode = iota // the answer
	Explain             // how it would be answered
	Profile             // the answer, and what each step cost
	Schema              // the answer to a schema query, as schema text
)

// Question is one request.
type Question struct {
	Text string
	Vars map[string]string // by name with the $; only those that the text names
	Mode Mode
}

// Asker asks a question. It returns once the context ends.
type Asker interface {
	// Ask returns what to show. An error is shown and ends nothing.
	Ask(ctx context.Context, q Question) (string, error)
}

// Config says what a Prompt works with. The first five fields are needed.
type Config struct {
	Lines Lines
	Asker Asker
	// Out gets answers, Err errors.
	Out, Err io.Writer
	// Interrupts has an element for each Ctrl-C that Lines does not see itself: while a question is out.
	Interrupts <-chan os.Signal
	// Mode is what is wanted of queries that do not say it themselves.
	Mode Mode
	// Vars are the query variables to begin with, by name with the $.
	Vars map[string]string
}

// Prompt asks what is typed.
type Prompt struct {
	cfg    Config
	vars   map[string]string
	timing bool
	last   string // the last query that was asked
}

// New returns a prompt.
func New(cfg Config) *Prompt {
	vars := maps.Clone(cfg.Vars)
	if vars == nil {
		vars = map[string]string{}
	}
	return &Prompt{cfg: cfg, vars: vars, timing: true}
}

// Run asks until the lines end, \quit is typed or the context ends, which is no error. It returns failures of Lines and of
// writing.
func (p *Prompt) Run(ctx context.Context) error {
	err := p.print(`A query is asked once its braces are closed. \help shows more, Ctrl-D ends.` + "\n")
	for err == nil {
		err = p.statement(ctx)
		if errors.Is(err, ErrDropped) {
			err = nil
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return p.print("\n") // the shell's prompt begins on a line of its own
	case errors.Is(err, errQuit), ctx.Err() != nil:
		return nil
	}
	return err
}

func (p *Prompt) print(text string) error {
	_, err := io.WriteString(p.cfg.Out, text)
	return err
}

// statement reads a command, or a query over as many lines as it takes, and does it.
func (p *Prompt) statement(ctx context.Context) error {
	line, err := p.cfg.Lines.Line(ctx, "dragg> ")
	if err != nil {
		return err
	}
	if line = strings.TrimSpace(line); line == "" {
		return nil
	}
	if !strings.HasPrefix(line, `\`) {
		return p.query(ctx, p.cfg.Mode, line)
	}
	name, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	mode, asks := map[string]Mode{`\explain`: Explain, `\profile`: Profile}[name]
	switch {
	case !asks:
		p.cfg.Lines.Remember(line)
		return p.command(ctx, name, rest)
	case rest != "":
		return p.query(ctx, mode, rest)
	case p.last == "":
		return p.print("There is no last query: write one behind " + name + ".\n")
	}
	return p.ask(ctx, Question{Text: p.last, Vars: p.varsOf(dql.ReadInput(p.last)), Mode: mode})
}

// query reads on until the query that begins with a line is whole, and asks it.
func (p *Prompt) query(ctx context.Context, mode Mode, text string) error {
	in := dql.ReadInput(text)
	for in.Unfinished {
		line, err := p.cfg.Lines.Line(ctx, "   ... ")
		if err != nil {
			return err
		}
		if strings.TrimSpace(line) == "" && !strings.Contains(text, "{") {
			break // what has no braces ends with an empty line
		}
		text += "\n" + line
		if len(text) > maxTyped {
			return p.complain(fmt.Errorf("a query of more than %d KiB is asked with --file", maxTyped>>10))
		}
		in = dql.ReadInput(text)
	}
	entry := in.Line
	if mode != p.cfg.Mode {
		entry = `\` + map[Mode]string{Explain: "explain", Profile: "profile"}[mode] + " " + entry
	}
	p.cfg.Lines.Remember(entry)
	if in.Mutation {
		return p.complain(errors.New("this changes data, and here one only asks: use dragg mutate"))
	}
	p.last = text
	return p.ask(ctx, Question{Text: text, Vars: p.varsOf(in), Mode: mode})
}

// varsOf returns the variables that a query names: the server refuses others.
func (p *Prompt) varsOf(in dql.Input) map[string]string {
	vars := maps.Clone(p.vars)
	maps.DeleteFunc(vars, func(name, _ string) bool { return !slices.Contains(in.Variables, name) })
	return vars
}

// ask asks a question and shows what comes of it.
func (p *Prompt) ask(ctx context.Context, q Question) error {
	select {
	case <-p.cfg.Interrupts: // of nothing that still runs
	default:
	}
	asking, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-p.cfg.Interrupts:
			cancel()
		case <-asking.Done():
		}
	}()
	began := time.Now()
	answer, err := p.cfg.Asker.Ask(asking, q)
	took := time.Since(began)
	stopped := asking.Err() != nil
	cancel()
	<-watched
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case stopped:
		return p.complain(errors.New("cancelled"))
	case err != nil:
		return p.complain(err)
	}
	if p.timing {
		answer += fmt.Sprintf("(%s)\n", rounded(took))
	}
	return p.print(answer)
}

// rounded leaves three or four digits of a time.
func rounded(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 10_000 {
		unit *= 10
	}
	return d.Round(unit)
}

// complain shows an error, which ends nothing.
func (p *Prompt) complain(err error) error {
	_, err = fmt.Fprintln(p.cfg.Err, err)
	return err
}
