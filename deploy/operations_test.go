package deploy

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dragg/cmd/command"
)

func operations(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every alarm has a line in docs/operations.md, and every line is of an alarm.
func TestOperationsNameEveryAlarm(t *testing.T) {
	var rules, rows []string
	groups, _ := at(documents(t, "prometheus", "alerts.yml")[0], "groups").([]any)
	for _, g := range groups {
		list, _ := at(g, "rules").([]any)
		for _, r := range list {
			name, _ := at(r, "alert").(string)
			rules = append(rules, name)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(Dragg[A-Za-z]+)` \\|").FindAllStringSubmatch(operations(t), -1) {
		rows = append(rows, m[1])
	}
	if len(rules) < 10 || !slices.Equal(rules, rows) {
		t.Errorf("alarms: %v\ndescribed: %v", rules, rows)
	}
}

// The commands that docs/operations.md prints are there, with their flags and as many arguments as they take.
func TestOperationsPrintCommands(t *testing.T) {
	commands := regexp.MustCompile(`(?m)^dragg (.*)$`).FindAllStringSubmatch(operations(t), -1)
	if len(commands) < 20 {
		t.Fatalf("only %d commands", len(commands))
	}
	for _, c := range commands {
		words := strings.Fields(strings.ReplaceAll(c[1], `"wrong group"`, "wrong"))
		cmd, rest, err := command.Root().Find(words)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil && cmd.Args != nil {
			err = cmd.Args(cmd, cmd.Flags().Args())
		}
		if err != nil || !cmd.Runnable() {
			t.Errorf("dragg %s: %v", c[1], err)
		}
	}
}

// The tests that docs/operations.md calls as witnesses are there.
func TestOperationsCallTests(t *testing.T) {
	named := regexp.MustCompile("`([a-z/]+)\\.(Test[A-Za-z]+)`").FindAllStringSubmatch(operations(t), -1)
	if len(named) < 15 {
		t.Fatalf("only %d tests", len(named))
	}
	for _, n := range named {
		files, err := fs.Glob(os.DirFS(".."), n[1]+"/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(path string) bool {
			text, err := os.ReadFile(filepath.Join("..", path))
			return err == nil && strings.Contains(string(text), "\nfunc "+n[2]+"(")
		}) {
			t.Errorf("there is no %s.%s", n[1], n[2])
		}
	}
}
