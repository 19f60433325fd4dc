package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/peterh/liner"
)

// indent is what the tab key types. Without it a pasted tab would vanish and join two words.
const indent = "  "

// Terminal is the terminal of the process: standard input and output. Close gives it back as it was.
type Terminal struct {
	line    *liner.State
	history *History // nil for none
	errOut  io.Writer
}

var _ Lines = (*Terminal)(nil)

// OpenTerminal takes over the terminal. history may be nil; a failure to write it is told once, to errOut.
func OpenTerminal(history *History, errOut io.Writer) *Terminal {
	t := &Terminal{line: liner.NewLiner(), history: history, errOut: errOut}
	t.line.SetCtrlCAborts(true)
	t.line.SetMultiLineMode(true)
	t.line.SetWordCompleter(func(line string, pos int) (head string, completions []string, tail string) {
		runes := []rune(line)
		return string(runes[:pos]), []string{indent}, string(runes[pos:])
	})
	if history != nil {
		for _, entry := range history.Entries {
			t.line.AppendHistory(entry)
		}
	}
	return t
}

// Line implements Lines.
func (t *Terminal) Line(ctx context.Context, prompt string) (string, error) {
	type typed struct {
		line string
		err  error
	}
	got := make(chan typed, 1)
	// A read from a terminal cannot be cut short: if the context ends first, the goroutine stays until the process ends.
	go func() {
		line, err := t.line.Prompt(prompt)
		got <- typed{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case l := <-got:
		switch {
		case errors.Is(l.err, liner.ErrPromptAborted):
			return "", ErrDropped
		case l.err != nil && !errors.Is(l.err, io.EOF):
			return "", fmt.Errorf("reading from the terminal: %w", l.err)
		}
		return l.line, l.err
	}
}

// Remember implements Lines.
func (t *Terminal) Remember(entry string) {
	t.line.AppendHistory(entry)
	if t.history == nil {
		return
	}
	if err := t.history.Add(entry); err != nil {
		fmt.Fprintln(t.errOut, err)
		t.history = nil
	}
}

// Close gives the terminal back.
func (t *Terminal) Close() error { return t.line.Close() }
