package prompt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxEntries      = 1000     // of a history when it is opened
	maxHistoryBytes = 1 << 20  // of its file when it is opened
	maxEntryBytes   = 64 << 10 // of one entry; larger ones are not kept
)

// History is a file of what was typed, an entry a line, the oldest first. Each entry is added at once, so that the end of the
// process loses nothing and several may share the file. It is cut down to its bounds when it is opened.
type History struct {
	path string
	// Entries are those that the file had when it was opened.
	Entries []string
}

// HistoryPath returns where the history of a user is: in the folder of the XDG Base Directory Specification for what a program
// leaves behind. getenv is os.Getenv.
func HistoryPath(getenv func(string) string, home string) string {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // as the specification says
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "dragg", "history")
}

// OpenHistory reads the history at a path, and makes its folder. Only the user may read either.
func OpenHistory(path string) (*History, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("history: %w", err)
	}
	h := &History{path: path}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(strings.ToValidUTF8(line, "")); line != "" {
			h.Entries = append(h.Entries, line)
		}
	}
	kept := newest(h.Entries)
	if len(kept) < len(h.Entries) {
		h.Entries = kept
		return h, h.rewrite()
	}
	return h, nil
}

// newest returns the last entries within the bounds.
func newest(entries []string) []string {
	bytes := 0
	for i := len(entries) - 1; i >= 0; i-- {
		bytes += len(entries[i]) + 1
		if len(entries)-i > maxEntries || bytes > maxHistoryBytes {
			return entries[i+1:]
		}
	}
	return entries
}

// rewrite replaces the file by one of the present entries.
func (h *History) rewrite() error {
	next := h.path + ".new"
	if err := os.WriteFile(next, []byte(strings.Join(h.Entries, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if err := os.Rename(next, h.path); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// Add appends an entry to the file. One that is too long or no line is left out.
func (h *History) Add(entry string) error {
	if len(entry) > maxEntryBytes || strings.ContainsAny(entry, "\n\r") || strings.TrimSpace(entry) == "" {
		return nil
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	_, err = f.WriteString(entry + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}
