package prompt

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestHistoryPath(t *testing.T) {
	for state, want := range map[string]string{
		"/s": "/s/dragg/history", "": "/home/me/.local/state/dragg/history", "relative": "/home/me/.local/state/dragg/history",
	} {
		if got := HistoryPath(func(string) string { return state }, "/home/me"); got != want {
			t.Errorf("XDG_STATE_HOME=%s: %s, want %s", state, got, want)
		}
	}
}

func open(t *testing.T, path string) *History {
	t.Helper()
	h, err := OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Goal: what is added is there again, by whoever of several it was added, and private.
func TestHistoryIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "history")
	one, two := open(t, path), open(t, path)
	for i, entry := range []string{"{ a }", "{ ä }", "two\nlines", "", strings.Repeat("x", maxEntryBytes+1), "{ b }"} {
		h := one
		if i%2 == 1 {
			h = two
		}
		if err := h.Add(entry); err != nil {
			t.Fatal(err)
		}
	}
	if got := open(t, path).Entries; !slices.Equal(got, []string{"{ a }", "{ ä }", "{ b }"}) {
		t.Errorf("kept %q", got)
	}
	for _, p := range []string{path, filepath.Dir(path)} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: others may read it: %v %v", p, info.Mode(), err)
		}
	}
}

// Goal: the file is cut to its bounds, the oldest first.
func TestHistoryIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	var all []string
	for i := range maxEntries + 500 {
		all = append(all, "entry "+strconv.Itoa(i))
	}
	write := func(entries []string) {
		if err := os.WriteFile(path, []byte(strings.Join(entries, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(all)
	open(t, path)
	if got := open(t, path).Entries; !slices.Equal(got, all[500:]) {
		t.Errorf("%d entries from %s", len(got), got[0])
	}
	write(slices.Repeat([]string{strings.Repeat("x", 1000)}, 5000))
	open(t, path)
	if info, err := os.Stat(path); err != nil || info.Size() > maxHistoryBytes || info.Size() < maxHistoryBytes/2 {
		t.Errorf("%d bytes: %v", info.Size(), err)
	}
}

func TestHistoryThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenHistory(filepath.Join(file, "history")); err == nil || !strings.HasPrefix(err.Error(), "history: ") {
		t.Errorf("below a file: %v", err)
	}
}
